//! Any event stream, cut anywhere: the events do not depend on the cuts, and everything kept is
//! within its bound.
#![no_main]

use goop2_proto::events::{self, MAX_EVENT, MAX_ID, Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Parser::new();
    let events = whole.push(bytes);
    let size = usize::from(bytes.first().copied().unwrap_or_default()) + 1;
    let mut pieces = Parser::new();
    let same: Vec<_> = bytes.chunks(size).flat_map(|part| pieces.push(part)).collect();
    assert_eq!(events, same);
    assert_eq!(whole.last_id(), pieces.last_id());
    assert!(whole.last_id().is_none_or(|id| id.len() <= MAX_ID));
    for event in events {
        assert!(event.data.len() <= MAX_EVENT);
        for message in events::messages(&event.data) {
            assert!(message.encode().len() <= goop2_proto::presence::MAX_MESSAGE);
        }
    }
});
