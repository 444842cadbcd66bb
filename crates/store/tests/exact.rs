//! Between JSON and SQLite nothing is rounded or mangled: what is stored comes back, or is refused
//! in words.
#![allow(clippy::unwrap_used)]

mod common;

use common::{new_peer, ok, refused, run, visitor};
use goop2_proto::data::{self, Request};
use goop2_store::{Caller, Folder};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A table with a column of each kind.
fn site() -> (tempfile::TempDir, Folder) {
    let (dir, folder) = new_peer();
    let columns = ["TEXT", "INTEGER", "REAL", "BLOB", "NUMERIC"]
        .map(|kind| json!({"name": kind.to_lowercase(), "type": kind}));
    let create = json!({"op": "create-table", "name": "t", "column_defs": columns});
    ok(&folder, &Caller::Local, &create.to_string());
    folder.database().set_policy("t", "public").unwrap();
    (dir, folder)
}

/// Stores a row over the wire's own lines, and answers what they say of it.
fn round(folder: &Folder, row: &str, marked: bool) -> Result<String, String> {
    let extra = if marked {
        r#","goop2":{"blobs":true}"#
    } else {
        ""
    };
    let insert = format!(r#"{{"op":"insert","table":"t","data":{row}}}"#);
    let id = run(folder, &visitor(), &insert)?.unwrap()["id"].clone();
    let query = format!(r#"{{"op":"query","table":"t","where":"_id = {id}"{extra}}}"#);
    let answer = run(folder, &visitor(), &query);
    let line = data::encode_answer(&answer);
    let answer = data::decode_answer(&line).unwrap().unwrap().unwrap();
    Ok(answer[0].to_string())
}

fn value(folder: &Folder, row: &str, column: &str) -> Value {
    let row = round(folder, row, true).unwrap_or_else(|error| panic!("{row}: {error}"));
    serde_json::from_str::<Value>(&row).unwrap()[column].clone()
}

#[test]
fn whole_numbers_stay_whole() {
    let (_dir, folder) = site();
    for number in [0, 1, -1, 9_007_199_254_740_993, i64::MAX, i64::MIN] {
        for column in ["integer", "blob", "numeric"] {
            let row = json!({ column: number }).to_string();
            assert_eq!(value(&folder, &row, column), json!(number), "{column}");
        }
        let row = json!({ "text": number }).to_string();
        assert_eq!(value(&folder, &row, "text"), json!(number.to_string()));
    }
    let phone = value(&folder, r#"{"text":12025550123}"#, "text");
    assert_eq!(phone, json!("12025550123"));
    let found = ok(
        &folder,
        &visitor(),
        r#"{"op":"query","table":"t","where":"integer = ?","args":[9223372036854775807],"columns":["integer"]}"#,
    );
    assert_eq!(found, json!([{"integer": i64::MAX}]));
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let (_dir, folder) = site();
    for (row, words) in [
        (r#"{"integer":9223372036854775808}"#, "kept exactly"),
        (r#"{"integer":123456789012345678901}"#, "kept exactly"),
        (r#"{"real":9007199254740993}"#, "kept exactly"),
        // A float, but written as 107490073319301900 when it comes back.
        (r#"{"real":107490073319301904}"#, "kept exactly"),
        (r#"{"real":"107490073319301904"}"#, "kept exactly"),
        (r#"{"numeric":"12345678901234567890"}"#, "kept exactly"),
        (r#"{"text":"\ud83d"}"#, "half of a character"),
        (r#"{"text":[1]}"#, "send them as text"),
        (r#"{"blob":{"$blob":"?"}}"#, "base64"),
    ] {
        let insert = format!(r#"{{"op":"insert","table":"t","data":{row}}}"#);
        let error = refused(&folder, &visitor(), &insert);
        assert!(error.contains(words), "{row}: {error}");
    }
}

#[test]
fn a_nul_character_is_a_character() {
    let (_dir, folder) = site();
    let text = value(&folder, r#"{"text":"a\u0000b"}"#, "text");
    assert_eq!(text, json!("a\0b"));
    let found = ok(
        &folder,
        &visitor(),
        r#"{"op":"query","table":"t","where":"text = ?","args":["a\u0000b"],"columns":["text"]}"#,
    );
    assert_eq!(found, json!([{"text": "a\0b"}]));
}

#[test]
fn blobs_survive_an_edit_of_their_row() {
    let (dir, folder) = site();
    let stored = || -> Vec<u8> {
        let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
        conn.query_row(
            "SELECT blob FROM t WHERE typeof(blob) = 'blob'",
            [],
            |row| row.get(0),
        )
        .unwrap()
    };
    let insert = r#"{"op":"insert","table":"t","data":{"blob":{"$blob":"/wBhYg=="},"text":"x"}}"#;
    ok(&folder, &visitor(), insert);
    let bytes = vec![255, 0, b'a', b'b'];
    assert_eq!(stored(), bytes);
    // By callers of either kind, who send back the whole row as they were shown it.
    for extra in ["", r#","goop2":{"blobs":true}"#] {
        let query = format!(r#"{{"op":"query","table":"t"{extra}}}"#);
        let mut row = ok(&folder, &visitor(), &query)[0].clone();
        assert!(!row.to_string().contains('\u{fffd}'), "{row}");
        row["text"] = json!(format!("edited{extra}"));
        let line = row.to_string();
        // A peer on the way may say that it knows this version, whatever the page knows.
        for extra in ["", r#","goop2":{"blobs":true}"#] {
            let update = format!(r#"{{"op":"update","table":"t","id":1,"data":{line}{extra}}}"#);
            ok(&folder, &visitor(), &update);
            assert_eq!(stored(), bytes, "{extra}");
        }
        let now = ok(&folder, &visitor(), r#"{"op":"query","table":"t"}"#);
        assert_eq!(now[0]["text"], row["text"]);
    }
    let marked = r#"{"op":"update","table":"t","id":1,"data":{"blob":{"$blob":"AQ=="}}}"#;
    ok(&folder, &visitor(), marked);
    assert_eq!(stored(), [1]);
}

#[test]
fn an_edit_keeps_a_date_as_it_was_stored() {
    let (dir, folder) = new_peer();
    let create = r#"{"op":"create-table","name":"d","column_defs":[{"name":"at","type":"DATETIME"},{"name":"a","type":"TEXT"}]}"#;
    ok(&folder, &Caller::Local, create);
    let insert = r#"{"op":"insert","table":"d","data":{"at":"2026-02-07T12:00:00.123Z"}}"#;
    ok(&folder, &Caller::Local, insert);
    let mut row = ok(&folder, &Caller::Local, r#"{"op":"query","table":"d"}"#)[0].clone();
    assert_eq!(row["at"], "2026-02-07 12:00:00");
    row["a"] = json!("edited");
    let update = json!({"op": "update", "table": "d", "id": 1, "data": row});
    ok(&folder, &Caller::Local, &update.to_string());
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    let stored: (String, String) = conn
        .query_row("SELECT CAST(at AS TEXT), a FROM d", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(stored, ("2026-02-07T12:00:00.123Z".into(), "edited".into()));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite, not whole", |n| n.is_finite() && n.fract() != 0.0)
            .prop_map(Value::from),
        "(?s)[^0-9.eE+-][^\u{0}]{0,20}".prop_map(Value::from),
        any::<String>()
            .prop_filter("SQLite reads some as numbers", |text| {
                text.parse::<f64>().is_err()
                    && !text.trim().starts_with(|c: char| c.is_ascii_digit())
            })
            .prop_map(Value::from),
        any::<Vec<u8>>().prop_map(|bytes| {
            use base64::{Engine, prelude::BASE64_STANDARD};
            json!({"$blob": BASE64_STANDARD.encode(bytes)})
        }),
    ]
}

/// What a column of this kind makes of a value that it takes.
fn expected(kind: &str, value: &Value) -> Value {
    match (kind, value) {
        ("text", Value::Number(number)) => {
            let text = goop2_proto::go_json::to_vec(number);
            Value::from(String::from_utf8(text).unwrap())
        }
        _ => value.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_comes_back_or_is_refused_in_words(values in proptest::collection::vec(any_value(), 8)) {
        let (_dir, folder) = site();
        for value in values {
            for kind in ["text", "integer", "real", "blob", "numeric"] {
                let row = json!({ kind: value }).to_string();
                match round(&folder, &row, true) {
                    Ok(stored) => {
                        let stored: Value = serde_json::from_str(&stored).unwrap();
                        prop_assert_eq!(&stored[kind], &expected(kind, &value), "{}", kind);
                    }
                    Err(error) => prop_assert!(error.contains("kept exactly"), "{}: {}", row, error),
                }
            }
        }
    }
}

#[test]
fn requests_without_marks_are_read_as_before() {
    let request = Request::decode(br#"{"op":"query","table":"t"}"#).unwrap();
    assert!(!request.marks_blobs());
}
