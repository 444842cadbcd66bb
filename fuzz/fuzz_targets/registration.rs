//! Any request to register: nothing a stranger wrote verifies by chance, and nothing panics.
#![no_main]

use goop2_proto::registration::{self, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::verify(bytes) {
        assert_eq!(registration::email(&request.email), Some(&*request.email));
    }
});
