//! Any avatar header: what is understood is within the bound and comes back as it was.
#![no_main]

use goop2_proto::avatar;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(len) = avatar::decode_header(line) {
        assert!(len.is_none_or(|len| len <= avatar::MAX_BYTES));
        assert_eq!(avatar::decode_header(&avatar::encode_header(len)), Ok(len));
    }
});
