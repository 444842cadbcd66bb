//! The tables as their owner works on them: rows by position, changes and what takes them back,
//! files in and out.
#![allow(clippy::unwrap_used)]

mod common;

use common::{VISITOR, new_peer, ok, stranger, visitor};
use goop2_store::{
    Caller, Database, Folder,
    grid::{Format, Kind, NewColumn, Rows, RowsQuery},
};
use proptest::prelude::*;
use rusqlite::types::Value as Sql;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const COLUMNS: [(&str, Kind, bool); 3] = [
    ("name", Kind::Text, false),
    ("message", Kind::Text, true),
    ("stars", Kind::Whole, false),
];

fn columns(list: &[(&str, Kind, bool)]) -> Vec<NewColumn> {
    let column = |(name, kind, not_null): &(&str, Kind, bool)| NewColumn {
        name: (*name).into(),
        kind: *kind,
        not_null: *not_null,
    };
    list.iter().map(column).collect()
}

/// A peer with a guestbook.
fn guestbook() -> (TempDir, Folder) {
    let (dir, folder) = new_peer();
    let made = folder
        .database()
        .create_table("guestbook", &columns(&COLUMNS), "public");
    made.unwrap();
    (dir, folder)
}

fn sign(folder: &Folder, caller: &Caller, message: &str) -> i64 {
    let line =
        json!({"op": "insert", "table": "guestbook", "data": {"name": "A", "message": message}});
    ok(folder, caller, &line.to_string())["id"]
        .as_i64()
        .unwrap()
}

fn query() -> RowsQuery {
    RowsQuery {
        table: "guestbook".into(),
        limit: 200,
        ..RowsQuery::default()
    }
}

fn messages(database: &Database, query: &RowsQuery) -> Vec<String> {
    let found = database.rows(query).unwrap();
    let text = |row: &Vec<Value>| row[6].as_str().unwrap_or_default().to_owned();
    found.rows.iter().map(text).collect()
}

/// All of a table, as SQLite holds it.
fn everything(dir: &TempDir, table: &str) -> Vec<Vec<Sql>> {
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    let mut all = conn
        .prepare(&format!("SELECT * FROM {table} ORDER BY 1"))
        .unwrap();
    let count = all.column_count();
    all.query_map([], |row| (0..count).map(|at| row.get(at)).collect())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn values(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn what_there_is_and_what_is_new() {
    let (dir, folder) = guestbook();
    let database = folder.database();
    database
        .create_table("posts", &columns(&[("title", Kind::Text, true)]), "owner")
        .unwrap();
    for number in 0..3 {
        sign(&folder, &visitor(), &format!("hello {number}"));
    }
    sign(&folder, &Caller::Local, "mine");
    let tables = database.tables().unwrap();
    let names: Vec<_> = tables
        .iter()
        .map(|table| (&*table.name, &*table.policy, table.rows, table.fresh))
        .collect();
    assert_eq!(
        names,
        [("guestbook", "public", 4, 3), ("posts", "owner", 0, 0)]
    );
    assert!(tables[0].bytes > 4 * 64 && tables[0].full > 0.0 && tables[0].full < 0.01);
    let own: Vec<_> = tables[0]
        .columns
        .iter()
        .filter(|column| !column.system)
        .collect();
    assert_eq!(own.len(), 3);
    assert_eq!((own[1].kind, own[1].not_null), (Kind::Text, true));

    database.mark_seen("Guestbook").unwrap();
    sign(&folder, &visitor(), "again");
    assert_eq!(database.tables().unwrap()[0].fresh, 1);
    drop(folder);
    let folder = Folder::open(dir.path()).unwrap();
    assert_eq!(
        folder.database().tables().unwrap()[0].fresh,
        1,
        "over a restart"
    );
    let unknown = folder.database().rows(&RowsQuery {
        table: "_tables".into(),
        ..query()
    });
    assert!(
        unknown.is_err(),
        "the program's own tables are none of the site's"
    );
}

#[test]
fn rows_by_position_order_and_filter() {
    let (_dir, folder) = guestbook();
    let database = folder.database();
    for message in ["Beta", "alpha", "Gamma 100%", "delta_x", "Ärger"] {
        sign(&folder, &visitor(), message);
    }
    let sorted = RowsQuery {
        sort: Some("message".into()),
        ..query()
    };
    assert_eq!(
        messages(database, &sorted)[..4],
        ["alpha", "Beta", "delta_x", "Gamma 100%"]
    );
    let newest = RowsQuery {
        descending: true,
        limit: 2,
        ..query()
    };
    assert_eq!(messages(database, &newest), ["Ärger", "delta_x"]);
    for (filter, expected) in [
        ("A 100%", 1),
        ("_", 1),
        ("ä", 1),
        ("Ä", 1),
        ("%", 1),
        ("nobody", 0),
        ("A", 5),
    ] {
        let filtered = RowsQuery {
            filter: filter.into(),
            ..query()
        };
        assert_eq!(
            database.rows(&filtered).unwrap().total,
            expected,
            "{filter}"
        );
    }
    let by_author = RowsQuery {
        filter: "nobody".into(),
        authors: vec![VISITOR.into()],
        ..query()
    };
    let Rows { total, authors, .. } = database.rows(&by_author).unwrap();
    assert_eq!(
        (total, authors.into_iter().collect::<Vec<_>>()),
        (5, vec![VISITOR.to_owned()])
    );
    let beyond = RowsQuery {
        offset: 99,
        ..query()
    };
    assert_eq!(
        database.rows(&beyond).unwrap().rows,
        Vec::<Vec<Value>>::new()
    );
    let wrong = RowsQuery {
        sort: Some("message; DROP TABLE guestbook".into()),
        ..query()
    };
    assert!(database.rows(&wrong).is_err());
}

#[test]
fn every_position_of_a_table_with_gaps() {
    const MANY: i64 = 30_000;
    let (dir, folder) = guestbook();
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    let fill = "INSERT INTO guestbook (_owner, message) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                SELECT 'x', 'm' || i FROM n";
    conn.execute(fill, [MANY]).unwrap();
    let at = |offset: usize, descending: bool| {
        let found = folder
            .database()
            .rows(&RowsQuery {
                offset,
                descending,
                limit: 3,
                ..query()
            })
            .unwrap();
        (found.total, found.ids)
    };
    assert_eq!(at(15_000, false), (30_000, vec![15_001, 15_002, 15_003]));
    assert_eq!(at(0, true), (30_000, vec![30_000, 29_999, 29_998]));
    conn.execute("DELETE FROM guestbook WHERE _id % 3 = 0", [])
        .unwrap();
    // Whatever is kept of the order before is used for moments only.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while at(0, false).0 != 20_000 {
        assert!(std::time::Instant::now() < end, "the change is seen");
        std::thread::yield_now();
    }
    for offset in [0, 3, 4_999, 10_000, 14_998, 19_996] {
        let expected: Vec<i64> = (0..3)
            .map(|n| (offset + n) as i64)
            .map(|n| n / 2 * 3 + 1 + n % 2)
            .collect();
        assert_eq!(at(offset, false).1, expected, "{offset}");
        let backwards = at(20_000 - 3 - offset, true).1;
        assert_eq!(
            backwards.into_iter().rev().collect::<Vec<_>>(),
            expected,
            "{offset} from the end"
        );
    }
}

#[test]
fn cells_are_exact_or_marked() {
    let (dir, folder) = guestbook();
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    let long = "ä".repeat(400);
    conn.execute(
        "INSERT INTO guestbook (_owner, name, message, stars) VALUES ('x', x'00ff', ?, 9223372036854775807)",
        [&long],
    )
    .unwrap();
    let row = folder.database().rows(&query()).unwrap().rows.remove(0);
    assert_eq!(row[5], json!({ "$blob": 2 }));
    assert_eq!(row[6], json!({ "$cut": "ä".repeat(150), "bytes": 800 }));
    assert_eq!(row[7], json!({ "$int": "9223372036854775807" }));
    let whole = folder.database().row("guestbook", 1).unwrap();
    assert_eq!(whole[6], json!(long));
    let smaller = values(json!({ "stars": { "$int": "-9223372036854775808" } }));
    folder
        .database()
        .update_row("guestbook", 1, smaller)
        .unwrap();
    assert_eq!(everything(&dir, "guestbook")[0][7], Sql::Integer(i64::MIN));
    for wrong in [
        json!({ "name": { "$blob": 2 } }),
        json!({ "message": null }),
        json!({ "nothing": 1 }),
    ] {
        let refused = folder
            .database()
            .update_row("guestbook", 1, values(wrong.clone()));
        assert!(refused.is_err(), "{wrong}");
    }
}

#[test]
fn whatever_takes_something_away_is_undone() {
    let (dir, folder) = guestbook();
    let database = folder.database();
    let Caller::Remote { peer, .. } = &visitor() else {
        panic!()
    };
    for number in 0..4 {
        sign(&folder, &visitor(), &format!("hello {number}"));
        sign(&folder, &stranger(""), "other");
    }
    database
        .create_table("posts", &columns(&[("title", Kind::Text, true)]), "open")
        .unwrap();
    ok(
        &folder,
        &visitor(),
        r#"{"op":"insert","table":"posts","data":{"title":"hers"}}"#,
    );
    let before = (
        everything(&dir, "guestbook"),
        everything(&dir, "posts"),
        everything(&dir, "_tables"),
    );
    let now = || {
        (
            everything(&dir, "guestbook"),
            everything(&dir, "posts"),
            everything(&dir, "_tables"),
        )
    };

    let csv = "name,message\nA,one\nB,two\n";
    let changes: [(&str, &dyn Fn() -> String); 5] = [
        ("update", &|| {
            database
                .update_row(
                    "guestbook",
                    3,
                    values(json!({"message": "else", "stars": 5})),
                )
                .unwrap()
                .id
        }),
        ("remove", &|| {
            database.remove_rows("guestbook", &[1, 2, 7]).unwrap().id
        }),
        ("author", &|| {
            database.remove_author(VISITOR, Some(*peer)).unwrap().id
        }),
        ("drop", &|| database.drop_table("GUESTBOOK").unwrap().id),
        ("import", &|| {
            database.import("guestbook", Format::Csv, csv).unwrap().id
        }),
    ];
    for (what, change) in changes {
        let id = change();
        assert_ne!(
            database.tables().unwrap().len() + everything(&dir, "_tables").len(),
            0
        );
        let blocked = database.undo(&id).unwrap();
        assert_eq!(blocked.is_some(), what == "author", "{what}");
        assert_eq!(now(), before, "{what}");
        assert!(database.undo(&id).is_err(), "{what}: only once");
    }
    let removed = database.remove_author(VISITOR, None).unwrap();
    assert_eq!((removed.rows, removed.tables), (5, 2));
    // Deleted rows are not given their ids to others, so they always fit back in.
    sign(&folder, &stranger(""), "later");
    database.undo(&removed.id).unwrap();
    assert_eq!(everything(&dir, "guestbook").len(), 9);
}

#[test]
fn an_undo_that_cannot_be_changes_nothing() {
    let (dir, folder) = guestbook();
    let database = folder.database();
    sign(&folder, &visitor(), "hello");
    let dropped = database.drop_table("guestbook").unwrap();
    assert!(database.tables().unwrap().is_empty());
    database
        .create_table("guestbook", &columns(&COLUMNS), "owner")
        .unwrap();
    let why = database.undo(&dropped.id).unwrap_err();
    assert!(why.starts_with("This can't be undone: "), "{why}");
    let second = database.drop_table("guestbook").unwrap();
    database.undo(&dropped.id).unwrap();
    assert_eq!(everything(&dir, "guestbook").len(), 1);
    assert!(database.undo(&second.id).is_err());
}

#[test]
fn old_changes_and_those_of_an_earlier_run_are_gone() {
    let (dir, folder) = guestbook();
    let kept = || {
        let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
        let count = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%bin%'";
        conn.query_row(count, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let mut first = None;
    for number in 0..30 {
        let id = sign(&folder, &visitor(), &number.to_string());
        let done = folder.database().remove_rows("guestbook", &[id]).unwrap();
        first.get_or_insert(done.id);
    }
    assert!(folder.database().undo(&first.unwrap()).is_err());
    assert_eq!(kept(), 20);
    let tables = ok(&folder, &visitor(), r#"{"op":"tables"}"#);
    assert_eq!(
        tables.as_array().unwrap().len(),
        1,
        "visitors see none of it"
    );
    drop(folder);
    let _folder = Folder::open(dir.path()).unwrap();
    assert_eq!(kept(), 0);
}

#[test]
fn tables_are_made_and_grow() {
    let (dir, folder) = guestbook();
    let database = folder.database();
    database
        .insert_row("guestbook", values(json!({"message": "hello"})))
        .unwrap();
    for kind in [
        Kind::Text,
        Kind::Whole,
        Kind::Number,
        Kind::Date,
        Kind::YesNo,
    ] {
        let name = format!("{kind:?}");
        for not_null in [false, true] {
            let column = NewColumn {
                name: format!("{name}{not_null}"),
                kind,
                not_null,
            };
            database.add_column("guestbook", &column).unwrap();
        }
    }
    let shown = database.tables().unwrap().remove(0).columns;
    assert_eq!(shown.iter().filter(|column| !column.system).count(), 13);
    assert_eq!(everything(&dir, "guestbook").len(), 1);
    let again = NewColumn {
        name: "NAME".into(),
        kind: Kind::Text,
        not_null: false,
    };
    assert_eq!(
        database.add_column("guestbook", &again),
        Err("There is already a column “NAME”.".into())
    );
    for name in ["", "_mine", "9", "a b", "guestbook", "sqlite_x"] {
        assert!(
            database
                .create_table(name, &columns(&COLUMNS), "owner")
                .is_err(),
            "{name}"
        );
    }
    assert!(database.create_table("t", &[], "owner").is_err());
    assert!(
        database
            .create_table("t", &columns(&COLUMNS), "everybody")
            .is_err()
    );
    assert_eq!(
        database.tables().unwrap().len(),
        1,
        "nothing is left of what failed"
    );
    let empty = database.insert_row("guestbook", values(json!({"name": "A"})));
    assert_eq!(empty, Err("“message” can't be empty.".into()));
}

#[test]
fn a_file_with_a_mistake_adds_nothing_and_says_where_it_is() {
    let (dir, folder) = guestbook();
    for (format, text, place) in [
        (Format::Csv, "", "Line 1: "),
        (Format::Csv, "name,message\n", "There are no rows"),
        (
            Format::Csv,
            "name,what\nA,B\n",
            "Line 1: There is no column “what”",
        ),
        (
            Format::Csv,
            "name,Name\nA,B\n",
            "Line 1: There are two columns",
        ),
        (
            Format::Csv,
            "name,message\nA,\"x\ny\"\nB,y,z\n",
            "Line 4: There are 3 values for 2 columns",
        ),
        (
            Format::Csv,
            "name,message\nA,x\n\nB,\"y\n",
            "Line 4: A quote",
        ),
        (
            Format::Csv,
            "message,stars\nx,123456789012345678901\n",
            "Line 2: “stars”",
        ),
        (Format::Csv, "name\nA\n", "Line 2: “message” can't be empty"),
        (
            Format::Csv,
            "message,_owner\nx,Anselm\n",
            "Line 2: “_owner”: is not a peer ID",
        ),
        (
            Format::Json,
            "[{\"message\": \"x\"}, {\"message\": null}]",
            "Row 2: “message” can't be empty",
        ),
        (Format::Json, "[{\"message\": []}]", "Row 1: “message”"),
        (
            Format::Json,
            "[{\"message\": \"x\"},\n 1]",
            "This is not a list of rows",
        ),
        (
            Format::Json,
            "[{\"stars\": 123456789012345678901}]",
            "123456789012345678901",
        ),
    ] {
        let why = folder
            .database()
            .import("guestbook", format, text)
            .unwrap_err();
        assert!(why.starts_with(place), "{text:?}: {why}");
    }
    assert!(everything(&dir, "guestbook").is_empty());
}

#[test]
fn files_of_other_programs() {
    let (dir, folder) = guestbook();
    let database = folder.database();
    let excel = "\u{feff}Message;stars\r\nhello;5\r\n\"a; b\";\r\n";
    assert_eq!(
        database
            .import("guestbook", Format::Csv, excel)
            .unwrap()
            .rows,
        2
    );
    let rows = everything(&dir, "guestbook");
    assert_eq!(
        (&rows[0][6], &rows[0][7]),
        (&Sql::Text("hello".into()), &Sql::Integer(5))
    );
    assert_eq!(
        (&rows[1][6], &rows[1][7]),
        (&Sql::Text("a; b".into()), &Sql::Null)
    );
    assert_eq!(rows[0][1], Sql::Text(folder.peer_id().to_base58()));
    let json = r#"[{"message": "x"}, {"stars": 1, "message": "y"}]"#;
    assert_eq!(
        database
            .import("guestbook", Format::Json, json)
            .unwrap()
            .rows,
        2
    );
}

fn exported(database: &Database, table: &str, format: Format) -> String {
    let mut bytes = vec![];
    let write = |chunk: Vec<u8>| {
        bytes.extend(chunk);
        true
    };
    database.export(table, format, write).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Values as a column of each kind may hold them.
fn stored() -> impl Strategy<Value = (Sql, Sql, Sql, Sql)> {
    let text = prop_oneof![
        "[ -~äß'=+@\\-\\t\\r\\n\",;]{0,20}".prop_map(Sql::Text),
        Just(Sql::Text(
            "data:application/octet-stream;base64,AP8=".into()
        )),
        Just(Sql::Null),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(Sql::Blob),
    ];
    let whole = prop_oneof![
        any::<i64>().prop_map(Sql::Integer),
        Just(Sql::Null),
        "[a-z]{1,5}".prop_map(Sql::Text)
    ];
    let number = prop_oneof![
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Sql::Real),
        Just(Sql::Null)
    ];
    let any = prop_oneof![
        any::<i64>().prop_map(Sql::Integer),
        "[a-z0-9.]{0,9}".prop_map(Sql::Text),
        Just(Sql::Blob(vec![0, 255]))
    ];
    (text, whole, number, any)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// JSON loses nothing; nor does CSV, in columns that have a type.
    #[test]
    fn what_is_exported_comes_back(rows in proptest::collection::vec(stored(), 1..12)) {
        let (dir, folder) = new_peer();
        let database = folder.database();
        let list = [("a", Kind::Text, false), ("b", Kind::Whole, false), ("c", Kind::Number, false)];
        database.create_table("t", &columns(&list), "public").unwrap();
        let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
        conn.execute("ALTER TABLE t ADD COLUMN d", []).unwrap();
        for (a, b, c, d) in &rows {
            conn.execute("INSERT INTO t (_owner, _created_at, a, b, c, d) VALUES (?, '2020-01-02', ?, ?, ?, ?)", (VISITOR, a, b, c, d)).unwrap();
        }
        let before = everything(&dir, "t");
        for format in [Format::Json, Format::Csv] {
            if format == Format::Csv {
                conn.execute("UPDATE t SET d = NULL", []).unwrap();
            }
            let before = if format == Format::Csv { everything(&dir, "t") } else { before.clone() };
            let file = exported(database, "t", format);
            conn.execute("DELETE FROM t", []).unwrap();
            prop_assert_eq!(database.import("t", format, &file).unwrap().rows, rows.len());
            let after = everything(&dir, "t");
            for (before, after) in before.iter().zip(&after) {
                prop_assert_eq!(&before[1..], &after[1..], "{:?}", format);
            }
        }
    }
}

#[test]
fn no_file_runs_in_a_spreadsheet() {
    let (_dir, folder) = guestbook();
    sign(&folder, &visitor(), "=HYPERLINK(\"https://example.org\")");
    let file = exported(folder.database(), "guestbook", Format::Csv);
    assert!(
        file.contains("\"'=HYPERLINK(\"\"https://example.org\"\")\""),
        "{file}"
    );
}
