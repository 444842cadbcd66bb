//! Any header line: what is understood is written back in a form that means the same.
#![no_main]

use goop2_proto::site::{Header, MAX_HEADER};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(header) = Header::decode(line) {
        let again = header.encode();
        // A missing type is written out, which may make a line at the bound too long.
        if again.len() <= MAX_HEADER {
            assert_eq!(Header::decode(&again), Ok(header));
        }
    }
});
