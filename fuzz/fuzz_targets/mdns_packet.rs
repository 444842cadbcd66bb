//! Any packet from the local network: what is found is bounded and can be announced again.
#![no_main]

use goop2_proto::mdns::{self, DEFAULT_TAG, MAX_ADDRS, MAX_PACKET, Received, Service, Tag};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    let tag = Tag::parse(DEFAULT_TAG).expect("a valid label");
    if let Received::Found(found) = mdns::decode(packet, &tag) {
        for found in found {
            assert!(found.addrs.len() <= MAX_ADDRS);
            let addrs = found
                .addrs
                .iter()
                .filter_map(|addr| addr.clone().with_p2p(found.peer).ok())
                .collect();
            let service = Service {
                tag: tag.clone(),
                instance: found.instance,
                addrs,
                ips: Vec::new(),
            };
            let announced = service.announcement();
            assert!(announced.len() <= MAX_PACKET);
            assert!(!matches!(
                mdns::decode(&announced, &tag),
                Received::Query { .. }
            ));
        }
    }
});
