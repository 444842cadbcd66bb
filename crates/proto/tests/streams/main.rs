//! The lines of the stream protocols: every exchange that existing peers were recorded in, and
//! every line of ours as a golden text; in `any_line` any line at all.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

mod any_line;
#[path = "../common/mod.rs"]
mod common;
mod data;

use common::{fixture, from_hex};
use goop2_proto::{
    SitePath, avatar, content,
    path::Refusal,
    site::{self, Header},
};
use serde_json::Value;

struct Exchange {
    request: String,
    response: Vec<u8>,
    ours: String,
}

fn exchanges(protocol: &str) -> Vec<Exchange> {
    let files = ["streams-feb.json", "streams-head.json"]
        .map(|file| fixture(file)["exchanges"].as_array().unwrap().clone());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_protocol = files
        .into_iter()
        .flatten()
        .filter(|exchange| exchange["protocol"] == protocol);
    of_protocol
        .map(|exchange| Exchange {
            request: text(&exchange["request"]),
            response: exchange["response"]
                .as_str()
                .map_or_else(|| from_hex(&text(&exchange["response_hex"])), |t| t.into()),
            ours: text(&exchange["ours"]),
        })
        .collect()
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == b'\n').unwrap();
    &bytes[..=end]
}

/// The answer to a request line as far as it can be told without a file system: whether a file is
/// there is looked up in the fixture's answer.
fn answer(request: &str) -> Result<SitePath, Header> {
    let path = site::decode_request(request.as_bytes())?;
    SitePath::parse(path).map_err(|refusal| Header::Err(refusal.to_string()))
}

#[test]
fn every_recorded_site_request_gets_the_recorded_answer() {
    let exchanges = exchanges(site::PROTOCOL);
    assert_eq!(exchanges.len(), 94);
    for Exchange {
        request,
        response,
        ours,
    } in exchanges
    {
        if !request.contains('\n') {
            continue; // Cut off: closed without an answer.
        }
        let header = Header::decode(first_line(&response)).unwrap();
        assert_eq!(header.encode(), first_line(&response), "{request:?}");
        match answer(&request) {
            // A file that is not there.
            Ok(_) if header == Header::Err(Refusal::NotFound.to_string()) => {}
            Ok(_) => assert!(matches!(header, Header::Ok { .. }), "{request:?}"),
            Err(refused) if ours == "same" => assert_eq!(refused, header, "{request:?}"),
            Err(refused) => assert!(
                ours.as_bytes().starts_with(&refused.encode()),
                "{request:?}: {ours}"
            ),
        }
        if let Header::Ok { len, .. } = header {
            assert_eq!(
                usize::try_from(len).unwrap(),
                response.len() - first_line(&response).len()
            );
        }
    }
}

#[test]
fn the_label_is_one_line() {
    for Exchange { response, .. } in exchanges(content::PROTOCOL) {
        assert_eq!(content::decode(&response), "alpha");
        assert_eq!(content::encode("alpha"), response);
    }
    assert_eq!(text(&content::encode("two\nlines")), "two\n");
    assert_eq!(text(&content::encode("")), "\n");
    assert_eq!(content::encode(&"ü".repeat(4000)).len(), content::MAX_LINE);
    assert_eq!(content::decode(b" padded \r\nrest"), "padded");
    assert_eq!(content::decode(b"no end"), "no end");
    assert_eq!(content::decode(b""), "");
    assert_eq!(content::decode(&[b'x'; 10_000]).len(), content::MAX_LINE);
}

#[test]
fn an_avatar_is_none_or_so_many_bytes() {
    for Exchange { response, .. } in exchanges(avatar::PROTOCOL) {
        assert_eq!(avatar::encode_header(None), response);
    }
    assert_eq!(text(&avatar::encode_header(Some(1234))), "OK 1234\n");
    assert_eq!(avatar::decode_header(b"NONE\n"), Ok(None));
    assert_eq!(
        avatar::decode_header(b"OK 524288\n"),
        Ok(Some(avatar::MAX_BYTES))
    );
    assert_eq!(
        avatar::decode_header(b"OK 524289\n"),
        Err(avatar::Error::TooLarge)
    );
    for bad in [
        "",
        "OK",
        "OK -1",
        "OK +1",
        "OK x",
        "OK 99999999999999999999",
        "none",
        "OK 1 2",
        &format!("OK {:0>80}", 1),
    ] {
        assert_eq!(
            avatar::decode_header(bad.as_bytes()),
            Err(avatar::Error::Malformed),
            "{bad}"
        );
    }
}

#[test]
fn a_site_request_is_one_absolute_path() {
    assert_eq!(
        text(&site::encode_request("/index.html").unwrap()),
        "GET /index.html\n"
    );
    assert_eq!(
        text(&site::encode_request("a b/ü.html").unwrap()),
        "GET /a b/ü.html\n"
    );
    assert_eq!(text(&site::encode_request("").unwrap()), "GET /\n");
    assert_eq!(
        site::encode_request("/a\nGET /b"),
        Err(site::Error::LineBreak)
    );
    assert_eq!(
        site::encode_request(&"x".repeat(site::MAX_REQUEST)),
        Err(site::Error::TooLong(site::MAX_REQUEST))
    );
    assert_eq!(
        site::encode_request(&"x".repeat(site::MAX_REQUEST - 6))
            .unwrap()
            .len(),
        site::MAX_REQUEST
    );
}

#[test]
fn other_requests_get_an_answer_too() {
    fn refused(line: &[u8]) -> Result<&str, String> {
        site::decode_request(line).map_err(|header| text(&header.encode()))
    }
    assert_eq!(refused(b"  GET   /x \r\n"), Ok("/x"));
    for bad in [&b""[..], b"\n", b"GET", b"POST /\n", b"GET/\n", b"\xff\n"] {
        assert_eq!(refused(bad), Err("ERR bad request\n".into()), "{bad:?}");
    }
    assert_eq!(refused(b"GET /\xff\n"), Err("ERR not found\n".into()));
    assert_eq!(
        refused(format!("GET /{}\n", "x".repeat(site::MAX_REQUEST)).as_bytes()),
        Err("ERR bad request\n".into())
    );
}

#[test]
fn the_length_is_what_follows_the_last_space() {
    let ok = |mime: &str, len| {
        Ok(Header::Ok {
            mime: mime.into(),
            len,
        })
    };
    assert_eq!(
        Header::decode(b"OK text/html; charset=utf-8 3\n"),
        ok("text/html; charset=utf-8", 3)
    );
    assert_eq!(
        Header::decode(b"OK a/b 18446744073709551615"),
        ok("a/b", u64::MAX)
    );
    assert_eq!(
        Header::decode(b"OK  5\r\n"),
        ok("application/octet-stream", 5)
    );
    assert_eq!(
        Header::decode(b"ERR not found\n"),
        Ok(Header::Err("not found".into()))
    );
    assert_eq!(Header::decode(b"ERR\n"), Ok(Header::Err(String::new())));
    assert_eq!(
        text(&ok("text/css; charset=utf-8", 1532).unwrap().encode()),
        "OK text/css; charset=utf-8 1532\n"
    );
    for bad in [
        "",
        "OK",
        "OK 5",
        "OK a/b",
        "OK a/b -1",
        "OK a/b +1",
        "OK a/b 18446744073709551616",
        "OK a\u{1}b 1",
        "OK ä/b 1",
        "ERROR",
        "HTTP/1.1 200 OK",
    ] {
        assert_eq!(
            Header::decode(bad.as_bytes()),
            Err(site::Error::Malformed),
            "{bad:?}"
        );
    }
    assert_eq!(
        Header::decode(&[b'x'; site::MAX_HEADER + 1]),
        Err(site::Error::TooLong(site::MAX_HEADER))
    );
}

#[test]
fn our_errors_cannot_break_the_line() {
    assert_eq!(
        text(&Header::Err("two\nlines".into()).encode()),
        "ERR two lines\n"
    );
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
