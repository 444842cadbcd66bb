//! What strangers may try, and that none of it gets anywhere: each request is refused or harmless,
//! takes little time, shows no row of others, and leaves every row as it was.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{VISITOR, dump, new_peer, ok, run, stranger, visitor};
use goop2_proto::data::{MAX_RESPONSE, encode_answer};
use goop2_store::{Caller, Folder};
use serde_json::{Value, json};

/// What stands in rows and tables the visitor must not see.
const SECRET: &str = "s3cr3t";
/// No request may keep a thread longer: ten times the 5 s of a query, for a busy computer.
const PATIENCE: Duration = Duration::from_secs(50);

/// `posts` (owner) and `games` (open) with the visitor's row, a stranger's row and the owner's;
/// `diary` is not registered.
fn site() -> (tempfile::TempDir, Folder) {
    let (dir, folder) = new_peer();
    for (table, policy) in [("posts", "owner"), ("games", "open"), ("club", "email")] {
        let create = json!({"op": "create-table", "name": table, "column_defs": [{"name": "a", "type": "TEXT"}, {"name": "n", "type": "REAL"}]});
        ok(&folder, &Caller::Local, &create.to_string());
        folder.database().set_policy(table, policy).unwrap();
    }
    ok(
        &folder,
        &Caller::Local,
        r#"{"op":"insert","table":"posts","data":{"a":"public","n":1}}"#,
    );
    for caller in [Caller::Local, stranger("e@x.y")] {
        for table in ["games", "club"] {
            ok(
                &folder,
                &caller,
                &json!({"op": "insert", "table": table, "data": {"a": SECRET}}).to_string(),
            );
        }
    }
    ok(
        &folder,
        &visitor(),
        r#"{"op":"insert","table":"games","data":{"a":"mine","n":1}}"#,
    );
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    conn.execute_batch(&format!(
        "CREATE TABLE diary (a TEXT); INSERT INTO diary VALUES ('{SECRET}');
         INSERT INTO _groups (id, name) VALUES ('{SECRET}', '{SECRET}'); INSERT INTO _meta VALUES ('k', '{SECRET}');
         CREATE VIEW peek AS SELECT * FROM diary; INSERT INTO _tables (name, schema) VALUES ('peek', ''), ('_meta', '')"
    ))
    .unwrap();
    (dir, folder)
}

/// Runs a request as the visitor and checks everything that must hold whatever the answer is.
fn attack(dir: &std::path::Path, folder: &Folder, line: &str) -> Result<Option<Value>, String> {
    let before = dump(dir);
    let start = Instant::now();
    let answer = run(folder, &visitor(), line);
    let shown = &line[..line.len().min(200)];
    assert!(start.elapsed() < PATIENCE, "{:?}: {shown}", start.elapsed());
    let bytes = encode_answer(&answer);
    assert!(bytes.len() < MAX_RESPONSE);
    // A refusal may repeat the request, but no more than that.
    let told = String::from_utf8(bytes).unwrap().replace(line, "");
    assert!(answer.is_err() || !told.contains(SECRET), "{shown}: {told}");
    assert_eq!(dump(dir), before, "{shown}");
    answer
}

#[test]
fn conditions_that_are_refused() {
    let (dir, folder) = site();
    let long = |part: &str, times: usize| part.repeat(times);
    let conditions = [
        // Other statements.
        "1=1; DELETE FROM games".to_owned(),
        "1=1; DROP TABLE posts; --".into(),
        "1=1); DELETE FROM games; --".into(),
        "1=1; ATTACH DATABASE 'x.db' AS x".into(),
        "1=1; PRAGMA writable_schema = ON".into(),
        // Out of the parentheses.
        "1=1) OR (1=1".into(),
        "1=1) OR 1=1 --".into(),
        "1=1)) OR ((1=1".into(),
        "1=1) UNION SELECT * FROM diary WHERE (1=1".into(),
        "(1=1".into(),
        "1=1)".into(),
        // Comments.
        "1=1 -- ".into(),
        "1=1 /* ".into(),
        "/**/1=1".into(),
        // Other tables.
        "_id IN (SELECT _id FROM diary)".into(),
        "EXISTS (SELECT 1 FROM _groups WHERE name LIKE 's%')".into(),
        "(SELECT count(*) FROM sqlite_master) > 0".into(),
        "(SELECT a FROM games WHERE a LIKE 's%' LIMIT 1) IS NOT NULL".into(),
        "_id IN games".into(),
        "(_id, _owner, _owner_email, _created_at, _updated_at, a, n) IN games".into(),
        "a IN \"diary\"".into(),
        "a IN json_each('[1]')".into(),
        "a IN pragma_table_info('diary')".into(),
        "_id IN (VALUES(1))".into(),
        "_id IN (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT n FROM r)"
            .into(),
        "diary.a = 'x'".into(),
        "main.diary.a = 'x'".into(),
        "sqlite_master.sql LIKE '%'".into(),
        // Functions with an effect, a secret or an appetite.
        "load_extension('x')".into(),
        "LOAD_EXTENSION ( 'x' )".into(),
        "\"load_extension\"('x')".into(),
        "[load_extension]('x')".into(),
        "`readfile`('/etc/passwd') <> ''".into(),
        "writefile('x', 'y')".into(),
        "length(printf('%.*c', 100000000, 'x')) > 0".into(),
        "length(format('%999999999d', 1)) > 0".into(),
        "length(zeroblob(1000000000)) > 0".into(),
        "length(randomblob(1000000000)) > 0".into(),
        "length(hex(hex(hex(a)))) > 0".into(),
        "length(replace(a, 'm', a)) > 0".into(),
        "length(group_concat(a)) > 0".into(),
        "instr(a, 'm') > 0".into(),
        "sqlite_version() > ''".into(),
        "sqlite_compileoption_get(1) > ''".into(),
        "last_insert_rowid() > 0".into(),
        "total_changes() > 0".into(),
        "count(*) OVER () > 0".into(),
        "fts3_tokenizer('x') = 1".into(),
        "max(n) > 0".into(),
        // Growing texts.
        long("a||", 500) + "a <> ''",
        "a ->> '$' = 1".into(),
        // Costly shapes.
        long("NOT ", 900) + "1",
        long("(", 900) + "1" + &long(")", 900),
        long("a LIKE '%a%' OR ", 50) + "1",
        long("1 OR ", 5000) + "1",
        long("-", 1) + &long(" -", 900) + "1",
        "a LIKE '".to_owned() + &long("%a", 100) + "'",
        // Parameters that might be the scope's.
        "?1 = _owner".into(),
        "?2 = 1".into(),
        ":owner = _owner".into(),
        "@owner = 1".into(),
        "$owner = 1".into(),
        // Bytes.
        "1=1\0 OR 1=1".into(),
        "\0".into(),
        "1=1\u{a0}OR 1=1".into(),
        "1=1 \u{ff1b} DROP TABLE games".into(),
        "a = 'open".into(),
        "a = \"open".into(),
        "[a = 1".into(),
        "1 = 1 ORDER BY (SELECT a FROM diary)".into(),
        "1 LIMIT 100".into(),
        "RAISE(ABORT, 'x')".into(),
        "a MATCH 'x'".into(),
        "a REGEXP 'x'".into(),
    ];
    assert!(conditions.len() >= 40);
    for table in ["posts", "games"] {
        for condition in &conditions {
            let line =
                json!({"op": "query", "table": table, "where": condition, "args": ["x", "y"]})
                    .to_string();
            let answer = attack(dir.path(), &folder, &line);
            assert!(answer.is_err(), "{condition}: {answer:?}");
        }
    }
}

#[test]
fn conditions_that_are_harmless() {
    let (dir, folder) = site();
    let other = "\u{430}"; // a Cyrillic letter that looks like a Latin one
    for condition in [
        "1=1 OR 1=1",
        "_owner <> 'x'",
        "_owner IS NOT NULL OR a IS NULL",
        "NOT _owner = ?",
        "a = ''' OR 1=1 --'",
        "a <> ';DROP TABLE games'",
        "\"x' OR 1=1 --\" <> a",
        "a <> 'a)' OR (a <> '(')",
        "CASE WHEN 1 THEN 1 ELSE abs(-9223372036854775807 - 1) END",
        "a COLLATE NOCASE <> 'x' ESCAPE",
        "games.a = 'mine' OR _owner = 'x'",
        "a = x'00' OR 1",
        "1e999 > n",
        "n / 0 IS NULL",
        other,
    ] {
        let line =
            json!({"op": "query", "table": "games", "where": condition, "args": ["x"]}).to_string();
        // Refused for its grammar, or the visitor's own row: never more.
        if let Ok(Some(Value::Array(rows))) = attack(dir.path(), &folder, &line) {
            assert_eq!(rows.len(), 1, "{condition}");
            assert_eq!(rows[0]["_owner"], VISITOR, "{condition}");
        }
    }
}

#[test]
fn invalid_names() {
    let (dir, folder) = site();
    let tables = [
        "_groups",
        "_tables",
        "_meta",
        "_goop2_meta",
        "_goop2_peers",
        "sqlite_master",
        "sqlite_schema",
        "sqlite_sequence",
        "diary",
        "DIARY",
        "peek",
        "pragma_table_info",
        "json_each",
        "dbstat",
        "temp.games",
        "main.games",
        "games; DELETE FROM games; --",
        "games AS g, diary",
        "games JOIN diary",
        "(SELECT * FROM diary)",
        "\"diary\"",
        "games\0",
        "g\u{430}mes",
        " games",
        "games--",
        "",
    ];
    for table in tables {
        for op in ["query", "describe", "insert", "update", "delete"] {
            let line = json!({"op": op, "table": table, "id": 1, "data": {"a": "x"}}).to_string();
            let answer = attack(dir.path(), &folder, &line);
            // A registered view may be described; its rows stay where they are.
            assert!(
                answer.is_err() || (table, op) == ("peek", "describe"),
                "{op} {table:?}: {answer:?}"
            );
        }
    }
    for column in [
        "a, (SELECT a FROM diary)",
        "*",
        "count(*)",
        "diary.a",
        "a FROM diary --",
        "sql",
        "\"a\"",
        "a\0",
        "rowid",
        "",
    ] {
        let line = json!({"op": "query", "table": "games", "columns": [column]}).to_string();
        assert!(attack(dir.path(), &folder, &line).is_err(), "{column}");
    }
    for column in [
        "a = 1, _owner",
        "a\" = 1 --",
        "a) VALUES (1); --",
        "é",
        "a b",
        "",
    ] {
        for op in ["insert", "update"] {
            let line =
                json!({"op": op, "table": "games", "id": 3, "data": {column: "x"}}).to_string();
            assert!(attack(dir.path(), &folder, &line).is_err(), "{op} {column}");
        }
    }
}

#[test]
fn a_scope_does_not_depend_on_the_case_of_a_name() {
    let (dir, folder) = site();
    for table in ["GAMES", "Games", "gAmEs"] {
        let line = json!({"op": "query", "table": table}).to_string();
        let rows = attack(dir.path(), &folder, &line).unwrap().unwrap();
        assert_eq!(rows.as_array().unwrap().len(), 1, "{table}");
    }
}

#[test]
fn system_columns_are_not_the_visitors_to_write() {
    let (_dir, folder) = site();
    let own = folder.peer_id().to_base58();
    let data = json!({
        "a": "x", "_id": 1000, "_owner": own, "_OWNER": own, "_owner_email": "owner@x.y", "_created_at": "1970-01-01", "_updated_at": "1970-01-01",
    });
    let id = ok(
        &folder,
        &visitor(),
        &json!({"op": "insert", "table": "games", "data": data}).to_string(),
    )["id"]
        .clone();
    assert_ne!(id, 1000);
    ok(
        &folder,
        &visitor(),
        &json!({"op": "update", "table": "games", "id": id, "data": data}).to_string(),
    );
    let rows = ok(
        &folder,
        &Caller::Local,
        &json!({"op": "query", "table": "games", "where": "_id = ?", "args": [id]}).to_string(),
    );
    assert_eq!(
        (&rows[0]["_owner"], &rows[0]["_owner_email"], &rows[0]["a"]),
        (&json!(VISITOR), &json!(""), &json!("x"))
    );
    assert!(
        rows[0]["_created_at"].as_str() > Some("2000")
            && rows[0]["_updated_at"].as_str() > Some("2000")
    );
}

#[test]
fn the_owners_operations_are_refused() {
    let (dir, folder) = site();
    for line in [
        r#"{"op":"create-table","name":"x","column":{"name":"a","type":"TEXT"}}"#,
        r#"{"op":"delete-table","table":"games"}"#,
        r#"{"op":"rename-table","old_name":"games","new_name":"x"}"#,
        r#"{"op":"add-column","table":"games","column":{"name":"x","type":"TEXT"}}"#,
        r#"{"op":"drop-column","table":"games","name":"a"}"#,
        r#"{"op":"set-policy","table":"games","policy":"public"}"#,
        r#"{"op":"QUERY","table":"games"}"#,
        r#"{"op":"query\u0000","table":"games"}"#,
        r#"{"op":"update","table":"games","id":1,"data":{"a":"x"}}"#,
        r#"{"op":"delete","table":"games","id":1}"#,
        r#"{"op":"delete","table":"games","id":9223372036854775807}"#,
        r#"{"op":"delete","table":"games","id":-9223372036854775808}"#,
        r#"{"op":"insert","table":"club","data":{"a":"x"}}"#,
        r#"{"op":"insert","table":"posts","data":{"a":"x"}}"#,
        r#"{"op":"insert","table":"games","data":{"a":{"b":[]}}}"#,
        r#"{"op":"query","table":"games","where":"a = ?","args":[[1]]}"#,
        r#"{"op":"query","table":"games","where":"a = ?"}"#,
    ] {
        assert!(attack(dir.path(), &folder, line).is_err(), "{line}");
    }
    let big = json!({"op": "insert", "table": "games", "data": {"a": "x".repeat(300 * 1024)}})
        .to_string();
    assert!(
        attack(dir.path(), &folder, &big)
            .unwrap_err()
            .starts_with("row too large")
    );
    let many = json!({"op": "query", "table": "games", "where": "a = ?", "args": ["x".repeat(100 * 1024)]}).to_string();
    assert!(
        attack(dir.path(), &folder, &many)
            .unwrap_err()
            .starts_with("args: at most")
    );
    let columns =
        json!({"op": "query", "table": "games", "columns": vec!["a"; 100_000]}).to_string();
    assert_eq!(
        attack(dir.path(), &folder, &columns),
        Ok(Some(json!([{"a": "mine"}]))),
        "a key is there once"
    );
}

#[test]
fn answers_are_bounded() {
    let (dir, folder) = site();
    let fill = |sql: &str| {
        let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
        conn.execute_batch("DELETE FROM posts").unwrap();
        conn.execute_batch(sql).unwrap();
    };
    let numbers = |count: u32| {
        format!("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {count})")
    };
    fill(&format!(
        "{} INSERT INTO posts (_owner, n) SELECT 'x', n FROM r",
        numbers(10_001)
    ));
    let all = r#"{"op":"query","table":"posts","columns":["n"]}"#;
    assert!(
        attack(dir.path(), &folder, all)
            .unwrap_err()
            .starts_with("too many rows")
    );
    let part = r#"{"op":"query","table":"posts","columns":["n"],"limit":10000,"offset":1}"#;
    assert_eq!(
        ok(&folder, &visitor(), part).as_array().unwrap().len(),
        10_000
    );
    let beyond = r#"{"op":"query","table":"posts","limit":9223372036854775807,"offset":9223372036854775807}"#;
    assert_eq!(ok(&folder, &visitor(), beyond), Value::Null);

    // Each `<` takes six bytes on the wire.
    fill("INSERT INTO posts (_owner, a) VALUES ('x', replace(hex(zeroblob(1000000)), '0', '<'))");
    let large = r#"{"op":"query","table":"posts"}"#;
    assert!(
        attack(dir.path(), &folder, large)
            .unwrap_err()
            .starts_with("answer too large")
    );
    fill("INSERT INTO posts (_owner, a) VALUES ('x', zeroblob(20000000))");
    assert!(attack(dir.path(), &folder, large).is_err());
}

#[test]
fn time_is_bounded() {
    let (dir, folder) = site();
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    conn.execute_batch(
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 100)
         INSERT INTO games (_owner, a) SELECT 'x', replace(hex(zeroblob(60000)), '0', 'ab') FROM r;
         UPDATE games SET _owner = '12D3KooWQuX36bUushwbM8m3Jas54d3N1zadfxo1MshD6iJZPAVr' WHERE _owner = 'x'",
    )
    .unwrap();
    drop(conn);
    // The worst the condition's rules let through: every row as long as a visitor can make it,
    // every pattern as bad.
    let pattern = "%ab".repeat(20) + "_c";
    let condition = ["a LIKE ?"; 8].join(" OR ");
    let line =
        json!({"op": "query", "table": "games", "where": condition, "args": vec![pattern; 8]})
            .to_string();
    let start = Instant::now();
    let answer = run(&folder, &visitor(), &line);
    assert!(
        start.elapsed() < PATIENCE,
        "{:?} {answer:?}",
        start.elapsed()
    );
    // Others are served meanwhile and afterwards.
    assert!(run(&folder, &stranger(""), r#"{"op":"query","table":"games"}"#).is_ok());
}

/// Within a row SQLite cannot be interrupted: whatever a condition does with the longest rows, the
/// time of a query holds.
#[test]
fn the_time_of_one_row_is_bounded() {
    let (dir, folder) = site();
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    // Rows as long as a visitor may make them, and one of the owner's that is longer.
    conn.execute_batch(
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 15)
         INSERT INTO posts (_owner, a) SELECT 'x', replace(hex(zeroblob(60000)), '0', '%J') FROM r;
         INSERT INTO posts (_owner, a) SELECT 'x', replace(hex(zeroblob(60000)), '0', '11') FROM posts;
         INSERT INTO posts (_owner, a) SELECT 'x', replace(hex(zeroblob(1900000)), '0', 'ab')",
    )
    .unwrap();
    drop(conn);
    let refused = "strftime(a,1)=0 OR ".repeat(190) + "0";
    let line =
        json!({"op": "query", "table": "posts", "columns": ["n"], "where": refused}).to_string();
    assert!(
        attack(dir.path(), &folder, &line)
            .unwrap_err()
            .contains("strftime needs a format")
    );
    let conditions = [
        "a=lower(a) OR ".repeat(64) + "0",
        "lower(".repeat(31) + "upper(a)" + &")".repeat(31) + " = 'x'",
        "max(a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a)=1 OR ".repeat(60) + "0",
        "strftime('%J%J%J%J%J%J%J%J%J%J%J%J',a)=1 OR ".repeat(60) + "0",
        "date(a,a,a,a,a,a,a,a)=1 OR ".repeat(64) + "0",
        "a COLLATE NOCASE < a COLLATE NOCASE OR ".repeat(100) + "0",
        "CAST(a AS REAL)=1 OR ".repeat(190) + "0",
        "a LIKE '%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1%2' OR ".repeat(8) + "0",
        "a GLOB '*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1*2' OR ".repeat(8) + "0",
        "substr(a, 2) = substr(a, 3) OR ".repeat(32) + "0",
        "a IN (".to_owned() + &"a,".repeat(1500) + "0)",
    ];
    let mut too_long = 0;
    for (round, condition) in [1, 2]
        .iter()
        .flat_map(|round| conditions.iter().map(move |c| (round, c)))
    {
        if *round == 2 {
            remove_long_row(dir.path());
        }
        let line = json!({"op": "query", "table": "posts", "columns": ["n"], "where": condition})
            .to_string();
        let start = Instant::now();
        let answer = run(&folder, &visitor(), &line);
        assert!(
            start.elapsed() < PATIENCE,
            "{condition}: {:?}",
            start.elapsed()
        );
        too_long += usize::from(answer.is_err_and(|why| why.contains("use a simpler one")));
    }
    assert!(too_long > 5, "the long row is refused: {too_long}");
}

fn remove_long_row(dir: &std::path::Path) {
    let conn = rusqlite::Connection::open(dir.join("data.db")).unwrap();
    conn.execute("DELETE FROM posts WHERE length(a) > 1000000", [])
        .unwrap();
}
