//! Any answer: what is understood comes back from our own writing as it was.
#![no_main]

use goop2_proto::data::{self, MAX_RESPONSE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(answer) = data::decode_answer(line) {
        if let Ok(Some(value)) = &answer {
            let _ = data::describe_columns(value);
        }
        let again = data::encode_answer(&answer);
        assert_eq!(again.iter().filter(|byte| **byte == b'\n').count(), 1);
        if again.len() <= MAX_RESPONSE {
            let read = data::decode_answer(&again).expect("ours is valid");
            assert_eq!(data::encode_answer(&read), again);
        }
    }
});
