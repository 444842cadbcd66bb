//! Any answer about a relay: what is accepted survives being sent on.
#![no_main]

use goop2_proto::relay::{MAX_ADDRS, Relay};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(relay) = Relay::decode(bytes) {
        assert!((1..=MAX_ADDRS).contains(&relay.addrs.len()));
        let again = Relay::decode(&relay.encode()).expect("ours is valid");
        assert_eq!(again.peer, relay.peer);
    }
});
