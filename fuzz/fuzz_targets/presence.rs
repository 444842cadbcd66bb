//! Any presence message: what is accepted is within its bounds and survives being sent on.
#![no_main]

use goop2_proto::presence::{MAX_ADDRS, MAX_MESSAGE, Presence};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(presence) = Presence::decode(bytes) {
        assert!(presence.addrs.len() <= MAX_ADDRS);
        let again = presence.encode();
        assert!(again.len() <= MAX_MESSAGE && !again.contains(&b'\n'));
        let read = Presence::decode(&again).expect("ours is valid");
        // The canonical text of an address may be longer than the one received, and is then left
        // out.
        assert_eq!(
            Presence {
                addrs: Vec::new(),
                ..read
            },
            Presence {
                addrs: Vec::new(),
                ..presence
            }
        );
    }
});
