//! Any data request: what is understood comes back from our own writing as it was.
#![no_main]

use goop2_proto::data::{MAX_REQUEST, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(request) = Request::decode(line) {
        let again = request.encode();
        assert_eq!(again.iter().filter(|byte| **byte == b'\n').count(), 1);
        // Whole numbers lose their fraction in the first writing; the second changes nothing.
        if again.len() <= MAX_REQUEST {
            let read = Request::decode(&again).expect("ours is valid");
            assert_eq!(read.encode(), again);
        }
    }
});
