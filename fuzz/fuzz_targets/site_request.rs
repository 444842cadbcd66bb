//! Any request line: an answer, or a path; and what we accept as a path we can ask for.
#![no_main]

use goop2_proto::site;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| match site::decode_request(line) {
    Ok(path) if path.starts_with('/') && !path.contains(['\n', '\r']) => {
        let again = site::encode_request(path).expect("no longer than the line it came from");
        assert_eq!(site::decode_request(&again), Ok(path));
    }
    Ok(_) => {}
    Err(answer) => assert!(answer.encode().starts_with(b"ERR ")),
});
