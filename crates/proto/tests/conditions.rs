//! Ranges and conditions (RFC 9110 §13, §14) as a table: what a client sends, what it gets.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, UNIX_EPOCH};

use goop2_proto::web::{
    condition::Version,
    head::{self, Bytes, File},
    range,
};
use http::{Method, Request, StatusCode};
use proptest::prelude::*;

/// Sun, 06 Nov 1994 08:49:37 GMT, and half a second more, which no header can say.
const MODIFIED: Duration = Duration::from_millis(784_111_777_500);
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn file(len: u64) -> File {
    File {
        status: StatusCode::OK,
        mime: "text/html".into(),
        len,
        version: Version {
            tag: "v1".into(),
            modified: Some(UNIX_EPOCH + MODIFIED),
        },
        encoding: None,
        encoded_while_sent: false,
        varies: false,
    }
}

/// As the server goes about it.
fn answer(method: &Method, headers: &[(&str, &str)], file: &File) -> (http::Response<()>, Bytes) {
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (request, ()) = request.body(()).unwrap().into_parts();
    let wanted = if file.version.allows_range(&request.method, &request.headers) {
        range::wanted(&request.headers, file.len)
    } else {
        range::Wanted::Whole
    };
    head::file(&request, file, wanted)
}

/// What the table says about an answer.
#[derive(Debug, PartialEq)]
enum Gets {
    Whole,
    Part(&'static str, u64, u64),
    NotModified,
    Failed,
    Unsatisfiable,
}
use Gets::{Failed, NotModified, Part, Unsatisfiable, Whole};

const TABLE: &[(&[(&str, &str)], Gets)] = &[
    // Nothing to decide.
    (&[], Whole),
    // Ranges.
    (&[("range", "bytes=0-0")], Part("bytes 0-0/10", 0, 1)),
    (&[("range", "bytes=2-5")], Part("bytes 2-5/10", 2, 4)),
    (&[("range", "bytes=0-")], Part("bytes 0-9/10", 0, 10)),
    (&[("range", "bytes=9-")], Part("bytes 9-9/10", 9, 1)),
    (&[("range", "bytes=5-1000")], Part("bytes 5-9/10", 5, 5)),
    (&[("range", "bytes=-3")], Part("bytes 7-9/10", 7, 3)),
    (&[("range", "bytes=-1000")], Part("bytes 0-9/10", 0, 10)),
    (&[("range", "Bytes=1-1")], Part("bytes 1-1/10", 1, 1)),
    (&[("range", "bytes=10-")], Unsatisfiable),
    (&[("range", "bytes=-0")], Unsatisfiable),
    (&[("range", "bytes=1000-2000")], Unsatisfiable),
    (&[("range", "bytes=0-1,3-4")], Whole),
    (&[("range", "bytes=5-2")], Whole),
    (&[("range", "bytes=x")], Whole),
    (&[("range", "lines=1-2")], Whole),
    (&[("range", "bytes=0-1"), ("range", "bytes=3-4")], Whole),
    // Is it still the same?
    (&[("if-none-match", "\"v1\"")], NotModified),
    (&[("if-none-match", "W/\"v1\"")], NotModified),
    (&[("if-none-match", "\"v0\", \"v1\"")], NotModified),
    (
        &[("if-none-match", "\"v0\""), ("if-none-match", "\"v1\"")],
        NotModified,
    ),
    (&[("if-none-match", "*")], NotModified),
    (&[("if-none-match", "\"v0\"")], Whole),
    (&[("if-none-match", "v1")], Whole),
    (&[("if-none-match", "\"V1\"")], Whole),
    (&[("if-modified-since", DATE)], NotModified),
    (&[("if-modified-since", AFTER)], NotModified),
    (
        &[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")],
        NotModified,
    ),
    (
        &[("if-modified-since", "Sun Nov  6 08:49:37 1994")],
        NotModified,
    ),
    (&[("if-modified-since", BEFORE)], Whole),
    (&[("if-modified-since", "yesterday")], Whole),
    (
        &[("if-modified-since", DATE), ("if-modified-since", DATE)],
        Whole,
    ),
    // A tag says more than a date.
    (
        &[("if-none-match", "\"v0\""), ("if-modified-since", AFTER)],
        Whole,
    ),
    (
        &[("if-none-match", "\"v1\""), ("if-modified-since", BEFORE)],
        NotModified,
    ),
    // Only if it is the same.
    (&[("if-match", "\"v1\"")], Whole),
    (&[("if-match", "*")], Whole),
    (&[("if-match", "\"v0\", \"v1\"")], Whole),
    (&[("if-match", "\"v0\"")], Failed),
    (&[("if-match", "W/\"v1\"")], Failed),
    (&[("if-match", "")], Failed),
    (&[("if-unmodified-since", DATE)], Whole),
    (&[("if-unmodified-since", BEFORE)], Failed),
    (&[("if-unmodified-since", "tomorrow")], Whole),
    (
        &[("if-match", "\"v1\""), ("if-unmodified-since", BEFORE)],
        Whole,
    ),
    (
        &[("if-match", "\"v0\""), ("if-none-match", "\"v1\"")],
        Failed,
    ),
    (
        &[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")],
        NotModified,
    ),
    // A part only of the version that the client has.
    (
        &[("range", "bytes=2-5"), ("if-range", "\"v1\"")],
        Part("bytes 2-5/10", 2, 4),
    ),
    (
        &[("range", "bytes=2-5"), ("if-range", DATE)],
        Part("bytes 2-5/10", 2, 4),
    ),
    (&[("range", "bytes=2-5"), ("if-range", "\"v0\"")], Whole),
    (&[("range", "bytes=2-5"), ("if-range", "W/\"v1\"")], Whole),
    (&[("range", "bytes=2-5"), ("if-range", BEFORE)], Whole),
    (&[("range", "bytes=2-5"), ("if-range", AFTER)], Whole),
    (&[("range", "bytes=2-5"), ("if-range", "v1")], Whole),
    (&[("range", "bytes=20-"), ("if-range", "\"v0\"")], Whole),
    (
        &[("range", "bytes=20-"), ("if-range", "\"v1\"")],
        Unsatisfiable,
    ),
    (&[("if-range", "\"v0\"")], Whole),
    // Conditions come before ranges.
    (
        &[("range", "bytes=2-5"), ("if-none-match", "\"v1\"")],
        NotModified,
    ),
    (&[("range", "bytes=2-5"), ("if-match", "\"v0\"")], Failed),
    (
        &[("range", "bytes=20-"), ("if-none-match", "\"v1\"")],
        NotModified,
    ),
    (
        &[("range", "bytes=2-5"), ("if-match", "\"v1\"")],
        Part("bytes 2-5/10", 2, 4),
    ),
];

#[test]
fn what_a_client_gets() {
    assert!(TABLE.len() >= 50);
    for (headers, expected) in TABLE {
        let (response, bytes) = answer(&Method::GET, headers, &file(10));
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        let got = match response.status().as_u16() {
            200 => {
                assert_eq!(bytes, Bytes::Range { offset: 0, len: 10 }, "{headers:?}");
                assert_eq!(header("content-length"), Some("10"));
                assert_eq!(header("last-modified"), Some(DATE));
                assert_eq!(header("content-range"), None);
                Whole
            }
            206 => {
                let Bytes::Range { offset, len } = bytes else {
                    panic!("{headers:?}");
                };
                assert_eq!(header("content-length"), Some(len.to_string().as_str()));
                let range = header("content-range").unwrap().to_owned();
                Part(range.leak(), offset, len)
            }
            304 => {
                assert_eq!(
                    (header("content-length"), header("content-type")),
                    (None, None)
                );
                NotModified
            }
            412 => Failed,
            416 => {
                assert_eq!(header("content-range"), Some("bytes */10"));
                Unsatisfiable
            }
            other => panic!("{headers:?}: {other}"),
        };
        assert_eq!(got, *expected, "{headers:?}");
        assert_eq!(
            bytes == Bytes::None,
            !matches!(got, Whole | Part(..)),
            "{headers:?}"
        );
        assert_eq!(header("etag"), Some("\"v1\""), "{headers:?}");
        assert_eq!(header("accept-ranges"), Some("bytes"), "{headers:?}");
        assert_eq!(header("cache-control"), Some("no-cache"), "{headers:?}");
    }
}

#[test]
fn head_is_the_head_of_get_and_knows_no_ranges() {
    for (headers, _) in TABLE {
        let (head, bytes) = answer(&Method::HEAD, headers, &file(10));
        assert_eq!(bytes, Bytes::None);
        let without: Vec<_> = headers
            .iter()
            .filter(|(name, _)| *name != "range")
            .copied()
            .collect();
        let (get, _) = answer(&Method::GET, &without, &file(10));
        assert_eq!(
            (head.status(), head.headers()),
            (get.status(), get.headers()),
            "{headers:?}"
        );
    }
}

#[test]
fn an_empty_file_is_sent_whole() {
    for range in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-9"] {
        let (response, bytes) = answer(&Method::GET, &[("range", range)], &file(0));
        assert_eq!(
            (response.status().as_u16(), bytes),
            (200, Bytes::None),
            "{range}"
        );
        assert_eq!(response.headers()["content-length"], "0");
    }
}

#[test]
fn a_page_about_what_is_missing_knows_no_conditions() {
    let missing = File {
        status: StatusCode::NOT_FOUND,
        ..file(10)
    };
    for headers in [
        [("range", "bytes=0-1")],
        [("range", "bytes=20-")],
        [("if-none-match", "*")],
        [("if-match", "\"v0\"")],
        [("if-modified-since", AFTER)],
    ] {
        let (response, bytes) = answer(&Method::GET, &headers, &missing);
        assert_eq!(response.status().as_u16(), 404, "{headers:?}");
        assert_eq!(bytes, Bytes::Range { offset: 0, len: 10 });
        for name in ["etag", "last-modified", "accept-ranges"] {
            assert!(!response.headers().contains_key(name), "{name}");
        }
    }
}

#[test]
fn a_file_without_a_date_is_known_by_its_tag() {
    let mut undated = file(10);
    undated.version.modified = None;
    for (headers, status) in [
        ([("if-modified-since", AFTER)], 200),
        ([("if-unmodified-since", BEFORE)], 200),
        ([("if-none-match", "\"v1\"")], 304),
    ] {
        let (response, _) = answer(&Method::GET, &headers, &undated);
        assert_eq!(response.status().as_u16(), status, "{headers:?}");
        assert!(!response.headers().contains_key("last-modified"));
    }
}

proptest! {
    #[test]
    fn whatever_a_client_sends_the_bytes_lie_within_the_file(
        names in proptest::collection::vec(0..6usize, 0..5),
        values in proptest::collection::vec("(bytes=)?[0-9,-]{0,8}|(W/)?\"v[01]\"|\\*|[ -~]{0,30}", 5),
        len in 0..20u64,
    ) {
        const NAMES: [&str; 6] = ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];
        let headers: Vec<_> = names.iter().zip(&values).map(|(name, value)| (NAMES[*name], value.as_str())).collect();
        let (response, bytes) = answer(&Method::GET, &headers, &file(len));
        if let Bytes::Range { offset, len: sent } = bytes {
            prop_assert!(sent > 0 && offset + sent <= len);
            prop_assert_eq!(response.headers()["content-length"].to_str().unwrap(), sent.to_string());
        }
    }
}
