//! The lines of the stream protocols: every exchange that existing peers were recorded in, then
//! every line of ours as a golden text, then any line at all.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

mod common;

use common::{fixture, from_hex};
use goop2_proto::{
    SitePath, avatar, content,
    data::{self, ColumnDef, Extra, Request},
    path::{Platform, Refusal},
    site::{self, Header},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

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
fn recorded_answers_to_data_requests_are_understood_and_ours_are_the_same_bytes() {
    let exchanges = exchanges(data::PROTOCOL);
    assert_eq!(exchanges.len(), 52);
    for Exchange {
        request, response, ..
    } in exchanges
    {
        let answer = data::decode_answer(&response).unwrap();
        assert_eq!(
            text(&data::encode_answer(&answer)),
            text(&response),
            "{request}"
        );
        match answer {
            Err(error) if error.starts_with("invalid json: ") => {
                assert!(Request::decode(request.as_bytes()).is_err())
            }
            _ => assert!(Request::decode(request.as_bytes()).is_ok(), "{request}"),
        }
    }
}

#[test]
fn both_forms_of_describe_have_the_same_columns() {
    let described: Vec<_> = exchanges(data::PROTOCOL)
        .into_iter()
        .filter(|exchange| exchange.request.contains("describe"))
        .map(|exchange| {
            data::decode_answer(&exchange.response)
                .unwrap()
                .unwrap()
                .unwrap()
        })
        .collect();
    let [feb, head] = &described[..] else {
        panic!()
    };
    assert_ne!(feb, head);
    assert_eq!(data::describe_columns(feb).unwrap().len(), 8);
    assert_eq!(data::describe_columns(feb), data::describe_columns(head));
    assert_eq!(
        data::describe_columns(&json!({"mode": "orm", "schema": {}})),
        None
    );
    assert_eq!(data::describe_columns(&Value::Null), None);
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

#[test]
fn a_data_request_is_read_as_go_reads_it() {
    let line = br#"{"OP":"query","Table":"posts","unknown":[1],"where":null,"args":[1,"a",null],"columns":["a",null],"Limit":5}"#;
    let request = Request {
        op: "query".into(),
        table: "posts".into(),
        args: vec![json!(1), json!("a"), Value::Null],
        columns: vec!["a".into(), String::new()],
        limit: 5,
        ..Request::default()
    };
    assert_eq!(Request::decode(line), Ok(request));
    for empty in [
        "{}",
        "null",
        " {} \n",
        r#"{"op":null,"data":null,"column":null,"column_defs":null,"id":null}"#,
    ] {
        assert_eq!(
            Request::decode(empty.as_bytes()),
            Ok(Request::default()),
            "{empty}"
        );
    }
    let defs = br#"{"op":"x","column_defs":[{"Name":"a","TYPE":"TEXT","not_null":true,"default":"''"},null],"column":{}}"#;
    let request = Request {
        op: "x".into(),
        column_defs: vec![
            ColumnDef {
                name: "a".into(),
                type_: "TEXT".into(),
                not_null: true,
                default: "''".into(),
            },
            ColumnDef::default(),
        ],
        column: Some(ColumnDef::default()),
        ..Request::default()
    };
    assert_eq!(Request::decode(defs), Ok(request));
}

#[test]
fn a_wrong_type_anywhere_refuses_the_whole_request() {
    let bad = [
        "",
        "[]",
        "1",
        "nonsense",
        "{} {}",
        r#"{"op":1}"#,
        r#"{"id":"1"}"#,
        r#"{"id":1.0}"#,
        r#"{"id":1e2}"#,
        r#"{"id":9223372036854775808}"#,
        r#"{"limit":true}"#,
        r#"{"data":[]}"#,
        r#"{"args":{}}"#,
        r#"{"columns":[1]}"#,
        r#"{"column":[]}"#,
        r#"{"column":{"type":1}}"#,
        r#"{"column_defs":[1]}"#,
        r#"{"column_defs":{}}"#,
        r#"{"params":""}"#,
    ];
    for line in bad {
        let error = Request::decode(line.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("invalid json: "), "{line}: {error}");
    }
    assert!(Request::decode(&vec![b' '; data::MAX_REQUEST + 1]).is_err());
    assert!(Request::decode("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn our_data_requests() {
    let request = Request {
        op: "query".into(),
        table: "posts".into(),
        where_: "a < ? AND b = ?".into(),
        args: vec![json!(5.0), json!("x")],
        limit: 50,
        ..Request::default()
    };
    assert_eq!(
        text(&request.encode()),
        "{\"op\":\"query\",\"table\":\"posts\",\"where\":\"a \\u003c ? AND b = ?\",\"args\":[5,\"x\"],\"limit\":50}\n"
    );
    let request = Request {
        op: "create-table".into(),
        name: "t".into(),
        column_defs: vec![ColumnDef {
            name: "a".into(),
            type_: "TEXT".into(),
            ..ColumnDef::default()
        }],
        ..Request::default()
    };
    assert_eq!(
        text(&request.encode()),
        "{\"op\":\"create-table\",\"name\":\"t\",\"column_defs\":[{\"name\":\"a\",\"type\":\"TEXT\"}]}\n"
    );
}

#[test]
fn our_data_answers() {
    assert_eq!(text(&data::encode_answer(&Ok(None))), "{\"ok\":true}\n");
    assert_eq!(
        text(&data::encode_answer(&Ok(Some(Value::Null)))),
        "{\"ok\":true,\"data\":null}\n"
    );
    assert_eq!(
        text(&data::encode_answer(&Err("unknown op: <x>".into()))),
        "{\"ok\":false,\"error\":\"unknown op: \\u003cx\\u003e\"}\n"
    );
    assert_eq!(
        data::decode_answer(b"{\"OK\":true,\"Data\":[5],\"more\":1}\n"),
        Ok(Ok(Some(json!([5]))))
    );
    assert_eq!(
        data::decode_answer(b"{\"ok\":false}"),
        Ok(Err(String::new()))
    );
    assert!(data::decode_answer(b"{\"ok\":1}").is_err());
    assert!(data::decode_answer(b"").is_err());
}

#[test]
fn what_only_our_peers_say_in_data_requests() {
    let read = |line: &str| Request::decode(line.as_bytes());
    let plain = read(r#"{"op":"insert"}"#).unwrap();
    assert!(!plain.marks_blobs() && plain.write_id().is_none());
    let learning = read(r#"{"op":"query","goop2":{}}"#).unwrap();
    assert!(learning.extra.is_some() && !learning.marks_blobs());
    let reading = read(r#"{"op":"query","goop2":{"blobs":true}}"#).unwrap();
    assert!(reading.marks_blobs() && reading.write_id().is_none());
    let writing = read(r#"{"op":"insert","goop2":{"write":"0123456789abcdef","x":1}}"#).unwrap();
    assert_eq!(writing.write_id(), Some("0123456789abcdef"));
    let id = r#"{"op":"query","goop2":{"write":"0123456789abcdef"}}"#;
    assert_eq!(read(id).unwrap().write_id(), None, "it writes nothing");
    for bad in [
        r#"{"goop2":1}"#,
        r#"{"goop2":{"write":"short"}}"#,
        r#"{"goop2":{"write":"0123456789abcde "}}"#,
        r#"{"goop2":{"write":1}}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let understood = data::encode_reply(&Ok(Some(json!(1))), true);
    assert_eq!(
        text(&understood),
        "{\"ok\":true,\"goop2\":true,\"data\":1}\n"
    );
    assert_eq!(
        data::decode_reply(&understood),
        Ok((Ok(Some(json!(1))), true))
    );
    assert_eq!(data::decode_reply(b"{\"ok\":true}"), Ok((Ok(None), false)));
}

#[test]
fn data_requests_that_would_not_arrive_exactly_are_refused_in_words() {
    let read = |line: &str| Request::decode(line.as_bytes()).map_err(|error| error.to_string());
    let largest = read(r#"{"op":"insert","data":{"n":9223372036854775807}}"#).unwrap();
    assert_eq!(largest.data["n"], json!(i64::MAX));
    let number = read(r#"{"op":"insert","data":{"n":123456789012345678901}}"#).unwrap_err();
    assert!(number.contains("send it as text"), "{number}");
    let half = read(r#"{"op":"insert","data":{"a":"\ud83d"}}"#).unwrap_err();
    assert!(half.contains("half of a character"), "{half}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Whole numbers are written as integers, so they come back as such.
        any::<f64>()
            .prop_filter("finite, not whole", |n| n.is_finite() && n.fract() != 0.0)
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    let object = || {
        proptest::collection::vec((any::<String>(), any_json()), 0..4)
            .prop_map(|m| m.into_iter().collect::<Map<_, _>>())
    };
    let def = || {
        (
            any::<String>(),
            any::<String>(),
            any::<bool>(),
            any::<String>(),
        )
            .prop_map(|(name, type_, not_null, default)| ColumnDef {
                name,
                type_,
                not_null,
                default,
            })
    };
    let texts = proptest::collection::vec(any::<String>(), 7);
    let lists = (
        proptest::collection::vec(any_json(), 0..4),
        proptest::collection::vec(any::<String>(), 0..4),
        proptest::collection::vec(def(), 0..3),
        proptest::option::of(def()),
    );
    let extra = proptest::option::of((any::<bool>(), "([A-Za-z0-9_-]{16,64})?"));
    (texts, object(), object(), any::<[i64; 3]>(), lists, extra).prop_map(
        |(texts, data, params, [id, limit, offset], lists, extra)| {
            let [op, table, name, where_, old_name, new_name, function] = texts.try_into().unwrap();
            let (args, columns, column_defs, column) = lists;
            Request {
                op,
                table,
                name,
                data,
                id,
                where_,
                args,
                columns,
                column_defs,
                column,
                limit,
                offset,
                old_name,
                new_name,
                function,
                params,
                extra: extra.map(|(blobs, write)| Extra { blobs, write }),
            }
        },
    )
}

proptest! {
    #[test]
    fn a_data_request_comes_back_as_it_was(request in any_request()) {
        let line = request.encode();
        prop_assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        prop_assert_eq!(Request::decode(&line), Ok(request));
    }

    #[test]
    fn an_answer_comes_back_as_it_was(data in proptest::option::of(any_json()), error in any::<Option<String>>()) {
        let answer = error.map_or(Ok(data), Err);
        prop_assert_eq!(data::decode_answer(&data::encode_answer(&answer)), Ok(answer));
    }

    #[test]
    fn a_header_comes_back_as_it_was(mime in "[!-~]([ -~]{0,60}[!-~])?", len: u64, error in "([!-~]([ -~ü]{0,60}[!-~])?)?") {
        for header in [Header::Ok { mime, len }, Header::Err(error)] {
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn a_site_request_comes_back_as_it_was(path in "/([^\\s\\pC]{0,40}[^\\s\\pC])?") {
        let line = site::encode_request(&path).unwrap();
        prop_assert_eq!(site::decode_request(&line), Ok(path.as_str()));
    }

    #[test]
    fn an_avatar_header_comes_back_as_it_was(len in proptest::option::of(0..=avatar::MAX_BYTES)) {
        prop_assert_eq!(avatar::decode_header(&avatar::encode_header(len)), Ok(len));
    }

    #[test]
    fn a_site_path_never_leaves_the_site(request in "[/\\\\. a-cluLUA:~1]{0,24}|\\PC{0,24}") {
        for platform in Platform::ALL {
            let Ok(path) = SitePath::parse_for(&request, platform) else {
                continue;
            };
            prop_assert!(!path.as_str().starts_with('/') && !path.as_str().contains('\0'));
            for component in path.as_str().split('/') {
                prop_assert!(!component.is_empty() && !component.starts_with('.'));
                if platform == Platform::Windows {
                    prop_assert!(!component.contains(['\\', ':']) && !component.ends_with(['.', ' ']));
                }
            }
            prop_assert!(!path.as_str().split('/').next().unwrap().eq_ignore_ascii_case("lua"));
            // Cleaning what is clean changes nothing.
            prop_assert_eq!(SitePath::absolute(path.as_str(), platform), Ok(Some(path)));
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = site::decode_request(&bytes);
        let _ = Header::decode(&bytes);
        let _ = Request::decode(&bytes);
        let _ = data::decode_answer(&bytes);
        let _ = avatar::decode_header(&bytes);
        let _ = content::decode(&bytes);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
