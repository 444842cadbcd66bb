//! What a table keeps from visitors: tables that an existing peer keeps private, and the email
//! addresses of other visitors.
#![allow(clippy::unwrap_used)]

mod common;

use common::{copy_of, dump, new_peer, ok, refused, run, stranger};
use goop2_store::{Caller, Folder};
use serde_json::{Value, json};

const QUERY: &str = r#"{"op":"query","table":"posts"}"#;

/// The folder of an existing peer of the HEAD generation, with this note about its `posts`.
fn head_with(schema: &str) -> (tempfile::TempDir, Folder) {
    let dir = copy_of("peer-head");
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    conn.execute(
        "INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('posts', ?)",
        [schema],
    )
    .unwrap();
    conn.execute("UPDATE _tables SET insert_policy = 'public'", [])
        .unwrap();
    drop(conn);
    let folder = Folder::open(dir.path()).unwrap();
    (dir, folder)
}

#[test]
fn tables_that_an_existing_peer_keeps_private_give_no_rows() {
    for schema in [
        r#"{"name":"posts","access":{"read":"local","insert":"local","update":"local","delete":"local"}}"#,
        r#"{"access":{"read":"group","insert":"group","update":"group","delete":"group"}}"#,
        r#"{"access":{"read":"friends","insert":"x","update":"x","delete":"x"}}"#,
        r#"{"access":{"read":["open"],"insert":1,"update":null}}"#,
        r#"{"access":"local"}"#,
        "not JSON",
    ] {
        let (dir, folder) = head_with(schema);
        let before = dump(dir.path());
        for line in [
            QUERY,
            r#"{"op":"query","table":"POSTS"}"#,
            r#"{"op":"describe","table":"posts"}"#,
            r#"{"op":"insert","table":"posts","data":{"title":"x"}}"#,
            r#"{"op":"update","table":"posts","id":1,"data":{"title":"x"}}"#,
            r#"{"op":"delete","table":"posts","id":1}"#,
        ] {
            let error = refused(&folder, &stranger("a@b.c"), line);
            assert!(error.contains("not allowed"), "{schema} {line}: {error}");
        }
        let listed = ok(&folder, &stranger(""), r#"{"op":"tables"}"#);
        assert!(!listed.to_string().contains("posts"), "{listed}");
        assert_eq!(dump(dir.path()), before, "{schema}");

        assert_eq!(
            ok(&folder, &Caller::Local, QUERY).as_array().unwrap().len(),
            3
        );
        let listed = ok(&folder, &Caller::Local, r#"{"op":"tables"}"#);
        let posts = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|t| t["name"] == "posts");
        assert!(
            posts.unwrap()["access"].is_object(),
            "the owner sees why: {listed}"
        );
    }
}

#[test]
fn rules_of_an_existing_peer_never_widen_a_policy() {
    let open = r#"{"access":{"read":"open","insert":"open","update":"open","delete":"open"}}"#;
    let (_dir, folder) = head_with(open);
    assert_eq!(
        ok(&folder, &stranger(""), QUERY).as_array().unwrap().len(),
        3
    );
    let change = r#"{"op":"update","table":"posts","id":1,"data":{"title":"x"}}"#;
    assert!(refused(&folder, &stranger(""), change).contains("not owned by caller"));
    folder.database().set_policy("posts", "open").unwrap();
    assert_eq!(ok(&folder, &stranger(""), QUERY), Value::Null);

    let (_dir, folder) = head_with(r#"{"access":{"read":"owner","insert":"owner"}}"#);
    assert_eq!(
        ok(&folder, &stranger(""), QUERY),
        Value::Null,
        "only own rows"
    );
    let insert = r#"{"op":"insert","table":"posts","data":{"title":"x"}}"#;
    assert!(refused(&folder, &stranger(""), insert).contains("site owner"));
    // A schema that says nothing about access leaves it to the policy.
    let (_dir, folder) = head_with(r#"{"name":"posts","columns":[]}"#);
    assert_eq!(
        ok(&folder, &stranger(""), QUERY).as_array().unwrap().len(),
        3
    );
}

#[test]
fn email_addresses_are_for_the_owner_and_the_author() {
    let (_dir, folder) = new_peer();
    let create = r#"{"op":"create-table","name":"g","column":{"name":"a","type":"TEXT"}}"#;
    ok(&folder, &Caller::Local, create);
    folder.database().set_policy("g", "public").unwrap();
    let (ann, bob) = (stranger("ann@x.y"), stranger("bob@x.y"));
    for (caller, text) in [(&ann, "from ann"), (&bob, "from bob")] {
        let insert = json!({"op": "insert", "table": "g", "data": {"a": text}});
        ok(&folder, caller, &insert.to_string());
    }
    let emails = |caller: &Caller, line: &str| -> Vec<String> {
        let rows = ok(&folder, caller, line);
        let rows = rows.as_array().cloned().unwrap_or_default();
        let email = |row: &Value| row["_owner_email"].as_str().unwrap().to_owned();
        rows.iter().map(email).collect()
    };
    let all = r#"{"op":"query","table":"g"}"#;
    assert_eq!(emails(&Caller::Local, all), ["ann@x.y", "bob@x.y"]);
    assert_eq!(emails(&ann, all), ["ann@x.y", ""]);
    assert_eq!(emails(&bob, all), ["", "bob@x.y"]);
    assert_eq!(emails(&stranger(""), all), ["", ""]);
    let one = r#"{"op":"query","table":"g","columns":["_owner_email"],"limit":1}"#;
    assert_eq!(emails(&bob, one), [""]);
    // Nor can they be guessed.
    for condition in [
        "_owner_email LIKE 'ann%'",
        "g._owner_email = 'ann@x.y'",
        "\"_OWNER_EMAIL\" = 'ann@x.y'",
        "length(_owner_email) > 0",
        "CASE WHEN _owner_email > 'a' THEN 1 ELSE 0 END",
    ] {
        let line = json!({"op": "query", "table": "g", "where": condition}).to_string();
        assert_eq!(
            emails(&bob, &line),
            ["bob@x.y"; 1]
                .map(String::from)
                .iter()
                .filter(|_| !condition.contains("ann"))
                .cloned()
                .collect::<Vec<_>>(),
            "{condition}"
        );
    }
    let described = run(&folder, &bob, r#"{"op":"describe","table":"g"}"#);
    assert!(described.is_ok());
}
