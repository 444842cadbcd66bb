//! Any body of `/publish`: what is accepted can be passed on, and is then the same message with the
//! same proof.
#![no_main]

use goop2_proto::{
    presence::{MAX_MESSAGE, Message, Proof},
    rendezvous,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(accepted) = rendezvous::check(body, 1_770_465_600_000) {
        let line = accepted.message.encode();
        assert!(line.len() <= MAX_MESSAGE && !line.contains(&b'\n'));
        let read = Message::decode(&line).expect("what a rendezvous passes on is valid");
        assert_eq!(read, accepted.message);
        assert_eq!(accepted.proved, read.proof() == Proof::Proved);
        let _ = read.presence();
    }
});
