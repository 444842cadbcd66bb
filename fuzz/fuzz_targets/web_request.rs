//! Any head of a request: an answer that is consistent, with bytes that are within the file. The
//! first line is method and target, the others are headers.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use goop2_proto::{
    path::Platform,
    web::{
        condition::Version,
        encoding,
        head::{self, Bytes, File},
        range::{self, Wanted},
        target::Target,
    },
};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use libfuzzer_sys::fuzz_target;

const LEN: u64 = 10;

fuzz_target!(|text: &[u8]| {
    let mut lines = text.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (method, target) = first.split_once(' ').unwrap_or(("GET", &first));
    let Ok(request) = Request::builder().method(method).uri(target).body(()) else {
        return;
    };
    let (mut request, ()) = request.into_parts();
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers.append(name, value);
        }
    }
    for platform in Platform::ALL {
        if let Ok(target) = Target::parse(&request.uri, platform) {
            assert!(HeaderValue::from_str(&target.with_slash()).is_ok());
            assert!(!target.with_slash().starts_with(['/', '\\']));
        }
    }
    let version = Version {
        tag: "v1".into(),
        modified: Some(UNIX_EPOCH + Duration::from_secs(784_111_777)),
    };
    let wanted = if version.allows_range(&request.method, &request.headers) {
        range::wanted(&request.headers, LEN)
    } else {
        Wanted::Whole
    };
    let encoding = encoding::accepted(&request.headers).first().copied();
    let encoding = encoding.filter(|_| wanted == Wanted::Whole);
    let file = File {
        status: StatusCode::OK,
        mime: "text/html".into(),
        len: LEN,
        version,
        encoding,
        encoded_while_sent: encoding.is_some(),
        varies: true,
    };
    let (response, bytes) = head::file(&request, &file, wanted);
    if let Bytes::Range { offset, len } = bytes {
        assert!(len > 0 && offset + len <= LEN);
        let known = response.headers().get("content-length");
        assert_eq!(known.is_none(), encoding.is_some());
        assert!(known.is_none_or(|known| *known == len.to_string()));
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        assert!(is_part || (offset, len) == (0, LEN));
    }
});
