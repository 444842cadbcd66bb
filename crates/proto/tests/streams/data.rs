//! Requests to tables, and their answers.

use goop2_proto::data::{self, ColumnDef, Request};
use serde_json::{Value, json};

use crate::{Exchange, exchanges, text};

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
