//! Any text as a peer id: each of its forms is the same peer.
#![no_main]

use goop2_proto::id;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(peer) = id::parse(text) {
        assert_eq!(id::parse(&peer.to_base58()), Some(peer));
        assert_eq!(id::from_label(&id::to_label(&peer)), Some(peer));
    }
    if let Some(peer) = id::from_label(text) {
        assert_eq!(id::to_label(&peer), text);
    }
});
