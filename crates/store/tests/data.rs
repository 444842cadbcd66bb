//! The operations of §5 as existing peers perform them.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{dump, fixture, new_peer, ok, refused, run, stranger, visitor};
use goop2_proto::data;
use goop2_store::{Caller, Folder};
use serde_json::{Value, json};

const LOCAL: Caller = Caller::Local;

#[test]
fn the_recorded_exchanges() {
    let recorded: Value =
        serde_json::from_slice(&fs::read(fixture("streams-feb.json")).unwrap()).unwrap();
    let (_dir, folder) = new_peer();
    let setup = &recorded["setup"];
    folder
        .update_config(|config| config.profile.email = setup["email"].as_str().unwrap().into())
        .unwrap();
    for request in setup["local_requests"].as_array().unwrap() {
        let (path, body) = (request[0].as_str().unwrap(), &request[1]);
        let text = |key: &str| body[key].as_str().unwrap();
        match path.rsplit('/').next().unwrap() {
            "create" => {
                let line = json!({"op": "create-table", "name": body["name"], "column_defs": body["columns"]});
                ok(&folder, &LOCAL, &line.to_string());
            }
            "insert" => {
                let line = json!({"op": "insert", "table": body["table"], "data": body["data"]});
                ok(&folder, &LOCAL, &line.to_string());
            }
            "set-policy" => folder
                .database()
                .set_policy(text("table"), text("policy"))
                .unwrap(),
            other => panic!("{other}"),
        }
    }
    let own = recorded["server_peer_id"].as_str().unwrap();
    let mut seen = 0;
    for exchange in recorded["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|exchange| exchange["protocol"] == data::PROTOCOL)
    {
        let request = exchange["request"].as_str().unwrap();
        let answer = run(&folder, &visitor(), request);
        let line = String::from_utf8(data::encode_answer(&answer)).unwrap();
        seen += 1;
        match exchange["ours"].as_str().unwrap() {
            ours if ours == "same" || ours.starts_with("ours_response") => {
                let recorded = exchange.get("ours_response");
                let expected = recorded
                    .unwrap_or(&exchange["response"])
                    .as_str()
                    .unwrap()
                    .replace(own, &folder.peer_id().to_base58());
                assert_eq!(timeless(&line), timeless(&expected), "{request}");
            }
            ours if ours.contains("invalid json: ") => assert!(
                answer.unwrap_err().starts_with("invalid json: "),
                "{request}"
            ),
            ours if ours.contains("naming the table") => {
                assert!(answer.unwrap_err().contains("nope"), "{request}")
            }
            _ => assert!(answer.is_err(), "{request}"),
        }
    }
    assert!(seen > 20, "{seen}");
}

/// Time stamps of the recording replaced; those that were given by hand are of another day.
fn timeless(line: &str) -> String {
    let mut text = line.to_owned();
    for key in [
        "\"_created_at\":\"",
        "\"_updated_at\":\"",
        "\"created_at\":\"",
    ] {
        let mut from = 0;
        while let Some(at) = text[from..].find(key) {
            let start = from + at + key.len();
            let end = start + text[start..].find('"').unwrap();
            let shape: String = text[start..end]
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            text.replace_range(start..end, &shape);
            from = end;
        }
    }
    text
}

fn with_table(policy: &str) -> (tempfile::TempDir, Folder) {
    let (dir, folder) = new_peer();
    ok(
        &folder,
        &LOCAL,
        r#"{"op":"create-table","name":"t","column_defs":[{"name":"a","type":"TEXT"},{"name":"n","type":"INTEGER"},{"name":"at","type":"datetime"}]}"#,
    );
    folder.database().set_policy("t", policy).unwrap();
    (dir, folder)
}

#[test]
fn policies() {
    let query = r#"{"op":"query","table":"t"}"#;
    let insert = r#"{"op":"insert","table":"t","data":{"a":"x"}}"#;
    let (plain, known) = (stranger(""), stranger("a@b.c"));

    let (_dir, folder) = with_table("owner");
    ok(&folder, &LOCAL, insert);
    assert_eq!(
        refused(&folder, &known, insert),
        "insert not allowed: this table only accepts data from the site owner"
    );
    assert_eq!(ok(&folder, &plain, query).as_array().unwrap().len(), 1);

    folder.database().set_policy("T", "email").unwrap();
    assert_eq!(
        refused(&folder, &plain, insert),
        "insert not allowed: your peer must have an email address configured"
    );
    assert_eq!(ok(&folder, &plain, query), Value::Null);
    ok(&folder, &known, insert);
    let rows = ok(&folder, &known, query);
    assert_eq!(
        (rows.as_array().unwrap().len(), &rows[0]["_owner_email"]),
        (1, &json!("a@b.c"))
    );

    folder.database().set_policy("t", "open").unwrap();
    ok(&folder, &plain, insert);
    assert_eq!(ok(&folder, &plain, query).as_array().unwrap().len(), 1);
    assert_eq!(ok(&folder, &LOCAL, query).as_array().unwrap().len(), 3);

    for policy in ["group", "", "OPEN"] {
        assert_eq!(
            folder.database().set_policy("t", policy),
            Err("policy must be owner, email, open or public".into())
        );
    }
    assert!(
        folder
            .database()
            .set_policy("nope", "open")
            .unwrap_err()
            .contains("no such table: nope")
    );
    assert!(
        folder
            .database()
            .set_policy("t; --", "open")
            .unwrap_err()
            .contains("invalid table name")
    );
}

#[test]
fn policies_only_other_programs_set() {
    let (dir, folder) = with_table("open");
    let (one, other) = (stranger(""), stranger(""));
    let insert = r#"{"op":"insert","table":"t","data":{"a":"x"}}"#;
    ok(&folder, &one, insert);
    let set = |policy: &str| {
        let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
        conn.execute("UPDATE _tables SET insert_policy = ?", [policy])
            .unwrap();
    };
    set("public");
    ok(&folder, &other, insert);
    assert_eq!(
        ok(&folder, &one, r#"{"op":"query","table":"t"}"#)
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(folder.database().set_policy("t", "public"), Ok(()), "kept");
    set("group");
    assert_eq!(
        refused(&folder, &one, insert),
        "insert not allowed: unknown table policy"
    );
    assert_eq!(
        ok(&folder, &one, r#"{"op":"query","table":"t"}"#)
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn rows_of_others_cannot_be_changed() {
    let (_dir, folder) = with_table("open");
    let (one, other) = (stranger(""), stranger(""));
    ok(
        &folder,
        &one,
        r#"{"op":"insert","table":"t","data":{"a":"x"}}"#,
    );
    for op in ["update", "delete"] {
        let line = format!(r#"{{"op":"{op}","table":"t","id":1,"data":{{"a":"y"}}}}"#);
        assert_eq!(
            refused(&folder, &other, &line),
            "row not found or not owned by caller"
        );
    }
    ok(
        &folder,
        &one,
        r#"{"op":"update","table":"t","id":1,"data":{"a":"y","n":5}}"#,
    );
    let rows = ok(
        &folder,
        &LOCAL,
        r#"{"op":"query","table":"t","columns":["a","n"]}"#,
    );
    assert_eq!(rows, json!([{"a": "y", "n": 5}]));
    assert_eq!(
        ok(&folder, &one, r#"{"op":"delete","table":"t","id":1}"#),
        json!({"status": "deleted"})
    );
    assert_eq!(
        ok(
            &folder,
            &LOCAL,
            r#"{"op":"update","table":"t","id":9,"data":{}}"#
        ),
        json!({"status": "updated"})
    );
}

#[test]
fn values_in_and_out() {
    let (_dir, folder) = with_table("owner");
    ok(
        &folder,
        &LOCAL,
        r#"{"op":"insert","table":"t","data":{"a":5,"n":5,"at":"2026-02-07T01:00:00+02:00"}}"#,
    );
    ok(
        &folder,
        &LOCAL,
        r#"{"op":"insert","table":"t","data":{"a":true,"n":"five","at":"soon","_id":7,"_created_at":"2020-01-01"}}"#,
    );
    let rows = ok(
        &folder,
        &visitor(),
        r#"{"op":"query","table":"t","columns":["_id","a","n","at"]}"#,
    );
    assert_eq!(
        rows,
        json!([{"_id": 1, "a": "5", "at": "2026-02-06 23:00:00", "n": 5}, {"_id": 7, "a": "1", "at": "soon", "n": "five"}])
    );
    assert!(
        refused(
            &folder,
            &LOCAL,
            r#"{"op":"insert","table":"t","data":{"a":[1]}}"#
        )
        .starts_with("a: lists")
    );
    assert_eq!(
        refused(
            &folder,
            &LOCAL,
            r#"{"op":"insert","table":"t","data":{"x":1}}"#
        ),
        "SQL logic error: table t has no column named x (1)"
    );
}

#[test]
fn dates_keep_their_form_under_a_scope() {
    let (_dir, folder) = with_table("open");
    let caller = stranger("");
    ok(
        &folder,
        &caller,
        r#"{"op":"insert","table":"t","data":{"at":"2026-02-07T12:00:00Z"}}"#,
    );
    let rows = ok(
        &folder,
        &caller,
        r#"{"op":"query","table":"t","columns":["at"],"where":"at > ?","args":["2026"]}"#,
    );
    assert_eq!(rows, json!([{"at": "2026-02-07 12:00:00"}]));
}

#[test]
fn conditions_limits_and_arguments() {
    let (_dir, folder) = with_table("open");
    let caller = stranger("");
    for n in 0..5 {
        ok(
            &folder,
            &caller,
            &format!(r#"{{"op":"insert","table":"t","data":{{"a":"row {n}","n":{n}}}}}"#),
        );
    }
    let numbers = |line: &str| -> Vec<i64> {
        ok(&folder, &caller, line)
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| row["n"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(
        numbers(r#"{"op":"query","table":"t","where":"n >= ? AND a LIKE ?","args":[2,"row%"]}"#),
        [2, 3, 4]
    );
    assert_eq!(
        numbers(r#"{"op":"query","table":"T","where":"t.n IN (1, 3) OR n = 0"}"#),
        [0, 1, 3]
    );
    assert_eq!(
        numbers(r#"{"op":"query","table":"t","limit":2,"offset":1}"#),
        [1, 2]
    );
    assert_eq!(
        numbers(r#"{"op":"query","table":"t","offset":3}"#).len(),
        5,
        "no offset without a limit"
    );
    assert_eq!(numbers(r#"{"op":"query","table":"t","limit":-1}"#).len(), 5);
    assert_eq!(
        numbers(r#"{"op":"query","table":"t","where":"n < ?","args":[1, 2, 3]}"#),
        [0],
        "surplus arguments"
    );
    assert_eq!(
        numbers(r#"{"op":"query","table":"t","where":"  "}"#).len(),
        5
    );
    let missing = r#"{"op":"query","table":"t","where":"n = ? OR n = ?","args":[1]}"#;
    assert_eq!(
        refused(&folder, &caller, missing),
        "missing argument with index 2"
    );
}

#[test]
fn tables_are_the_owners() {
    let (dir, folder) = with_table("open");
    ok(
        &folder,
        &stranger(""),
        r#"{"op":"insert","table":"t","data":{"a":"x"}}"#,
    );
    ok(
        &folder,
        &LOCAL,
        r#"{"op":"create-table","name":"T","column":{"name":"z","type":"TEXT"}}"#,
    );
    let listed = ok(&folder, &LOCAL, r#"{"op":"tables"}"#);
    assert_eq!(
        (
            listed.as_array().unwrap().len(),
            &listed[0]["insert_policy"]
        ),
        (1, &json!("open")),
        "kept"
    );

    assert_eq!(
        ok(
            &folder,
            &LOCAL,
            r#"{"op":"add-column","table":"t","column":{"name":"b","type":"TEXT","not_null":true}}"#
        ),
        json!({"status": "added"})
    );
    assert_eq!(
        ok(
            &folder,
            &LOCAL,
            r#"{"op":"drop-column","table":"t","name":"n"}"#
        ),
        json!({"status": "dropped"})
    );
    assert_eq!(
        ok(
            &folder,
            &LOCAL,
            r#"{"op":"rename-table","old_name":"t","new_name":"u"}"#
        ),
        json!({"new_name": "u", "status": "renamed"})
    );
    let columns = ok(&folder, &visitor(), r#"{"op":"describe","name":"u"}"#);
    let names: Vec<_> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "_id",
            "_owner",
            "_owner_email",
            "_created_at",
            "_updated_at",
            "a",
            "at",
            "b"
        ]
    );
    assert_eq!(columns[7]["default"], "''");
    assert_eq!(
        ok(&folder, &LOCAL, r#"{"op":"delete-table","table":"u"}"#),
        json!({"status": "deleted", "table": "u"})
    );
    assert_eq!(ok(&folder, &LOCAL, r#"{"op":"tables"}"#), Value::Null);
    assert_eq!(
        ok(&folder, &LOCAL, r#"{"op":"describe","table":"u"}"#),
        Value::Null
    );

    let before = dump(dir.path());
    for (line, error) in [
        (r#"{"op":"create-table"}"#, "table name required"),
        (
            r#"{"op":"create-table","name":"a b","column":{"name":"a"}}"#,
            "invalid table name: a b",
        ),
        (
            r#"{"op":"create-table","name":"_tables","column":{"name":"a"}}"#,
            "invalid table name: _tables",
        ),
        (
            r#"{"op":"create-table","name":"v"}"#,
            "at least one column required",
        ),
        (
            r#"{"op":"create-table","name":"v","column":{"type":"TEXT"}}"#,
            "column name required",
        ),
        (
            r#"{"op":"create-table","name":"v","column":{"name":"a;"}}"#,
            "invalid column name: a;",
        ),
        (
            r#"{"op":"create-table","name":"v","column":{"name":"a","type":"TEXT); DROP TABLE _tables; SELECT (1"}}"#,
            "create table: only one statement is allowed",
        ),
        (
            r#"{"op":"create-table","name":"v","column":{"name":"_id"}}"#,
            "create table: SQL logic error: duplicate column name: _id (1)",
        ),
        (
            r#"{"op":"add-column","table":"v"}"#,
            "column definition required",
        ),
        (
            r#"{"op":"drop-column","table":"v"}"#,
            "column name required",
        ),
        (
            r#"{"op":"rename-table","old_name":"v"}"#,
            "old and new name required",
        ),
        (
            r#"{"op":"rename-table","old_name":"v","new_name":"w"}"#,
            "rename table: SQL logic error: no such table: v (1)",
        ),
        (
            r#"{"op":"delete-table","table":"v"}"#,
            "drop table: SQL logic error: no such table: v (1)",
        ),
        (
            r#"{"op":"delete-table","table":"_tables"}"#,
            "invalid table name: _tables",
        ),
        (r#"{"op":"insert"}"#, "table name required"),
        (r#"{"op":"update"}"#, "table name required"),
        (r#"{"op":"update","table":"v"}"#, "valid row id required"),
        (
            r#"{"op":"delete","table":"v","id":-1}"#,
            "valid row id required",
        ),
        (
            r#"{"op":"query","table":"v"}"#,
            "SQL logic error: no such table: v (1)",
        ),
        (
            r#"{"op":"lua-call","function":"x"}"#,
            "lua scripting not enabled",
        ),
        (r#"{"op":"frob"}"#, "unknown op: frob"),
    ] {
        assert_eq!(refused(&folder, &LOCAL, line), error, "{line}");
    }
    assert_eq!(dump(dir.path()), before);
}

#[test]
fn the_owner_asks_freely_but_one_thing_at_a_time() {
    let (dir, folder) = with_table("owner");
    ok(
        &folder,
        &LOCAL,
        r#"{"op":"insert","table":"t","data":{"a":"x"}}"#,
    );
    let before = dump(dir.path());
    let freely =
        r#"{"op":"query","table":"t","where":"_id IN (SELECT max(_id) FROM t) ORDER BY _id DESC"}"#;
    assert_eq!(ok(&folder, &LOCAL, freely).as_array().unwrap().len(), 1);
    assert!(run(&folder, &LOCAL, r#"{"op":"query","table":"_tables"}"#).is_ok());
    for line in [
        r#"{"op":"query","table":"t","where":"1=1; DELETE FROM t"}"#,
        r#"{"op":"query","table":"t","where":"1=1\u0000; DELETE FROM t"}"#,
        r#"{"op":"query","table":"t; DELETE FROM t"}"#,
        r#"{"op":"query","table":"t","columns":["a, (SELECT 1)"]}"#,
    ] {
        assert!(run(&folder, &LOCAL, line).is_err(), "{line}");
    }
    assert_eq!(dump(dir.path()), before);
}

#[test]
fn a_table_from_a_template_may_lack_system_columns() {
    let (dir, folder) = new_peer();
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    conn.execute_batch(
        "CREATE TABLE levels (_id INTEGER PRIMARY KEY, name TEXT); INSERT INTO levels (name) VALUES ('one');
         INSERT INTO _tables (name, schema, insert_policy) VALUES ('levels', '', 'owner')",
    )
    .unwrap();
    assert_eq!(
        ok(&folder, &visitor(), r#"{"op":"query","table":"levels"}"#),
        json!([{"_id": 1, "name": "one"}])
    );
    conn.execute("UPDATE _tables SET insert_policy = 'open'", [])
        .unwrap();
    let error = refused(&folder, &visitor(), r#"{"op":"query","table":"levels"}"#);
    assert_eq!(
        error, "SQL logic error: no such column: _owner (1)",
        "whose rows nobody knows, nobody sees"
    );
}

#[test]
fn many_threads_at_once() {
    let (_dir, folder) = with_table("open");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let caller = stranger("");
                for n in 1..=25 {
                    ok(
                        &folder,
                        &caller,
                        r#"{"op":"insert","table":"t","data":{"a":"x"}}"#,
                    );
                    let rows = ok(
                        &folder,
                        &caller,
                        r#"{"op":"query","table":"t","columns":["_id"]}"#,
                    );
                    assert_eq!(rows.as_array().unwrap().len(), n);
                }
            });
        }
    });
    assert_eq!(
        ok(
            &folder,
            &LOCAL,
            r#"{"op":"query","table":"t","columns":["_id"]}"#
        )
        .as_array()
        .unwrap()
        .len(),
        200
    );
}
