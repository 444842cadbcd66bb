//! Any frame that another instance of a rendezvous seems to send: what is read of it can be
//! written, and is then the same.
#![no_main]

use goop2_proto::cluster::{Header, MAX_FRAME, lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok((header, body)) = Header::decode(frame) {
        assert!(frame.len() <= MAX_FRAME);
        let mut written = header.encode();
        let read: Vec<_> = lines(body).flatten().collect();
        for line in &read {
            written.extend(line.encode());
            written.push(b'\n');
        }
        if written.len() <= MAX_FRAME {
            let (again, body) = Header::decode(&written).expect("what is written can be read");
            assert_eq!(again, header);
            assert!(lines(body).map(Result::unwrap).eq(read));
        }
    }
});
