//! A write that carries an id happens once, however often it is sent, and one that the peer was
//! asked to end does not keep its folder.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    thread,
    time::{Duration, Instant},
};

use common::{new_peer, ok, refused, run, stranger, visitor};
use goop2_store::{Caller, Folder};
use serde_json::json;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
const ID: &str = "0123456789abcdef";

fn site() -> (tempfile::TempDir, Folder) {
    let (dir, folder) = new_peer();
    let create = r#"{"op":"create-table","name":"t","column":{"name":"a","type":"TEXT"}}"#;
    ok(&folder, &Caller::Local, create);
    folder.database().set_policy("t", "public").unwrap();
    (dir, folder)
}

fn insert(text: &str, id: &str) -> String {
    json!({"op": "insert", "table": "t", "data": {"a": text}, "goop2": {"write": id}}).to_string()
}

fn rows(folder: &Folder) -> usize {
    let rows = ok(folder, &Caller::Local, r#"{"op":"query","table":"t"}"#);
    rows.as_array().map_or(0, Vec::len)
}

#[test]
fn asking_again_never_makes_a_second_row() {
    let (dir, folder) = site();
    let first = ok(&folder, &visitor(), &insert("x", ID));
    assert_eq!(ok(&folder, &visitor(), &insert("x", ID)), first);
    assert_eq!(rows(&folder), 1);
    // Not even after the owner's peer was restarted.
    drop(folder);
    let folder = Folder::open(dir.path()).unwrap();
    assert_eq!(ok(&folder, &visitor(), &insert("x", ID)), first);
    assert_eq!(rows(&folder), 1);
    let other = refused(&folder, &visitor(), &insert("y", ID));
    assert!(other.contains("another write"), "{other}");
    // The id of one peer is nothing to another.
    ok(&folder, &stranger(""), &insert("x", ID));
    ok(&folder, &visitor(), &insert("x", "0123456789abcdeg"));
    ok(
        &folder,
        &visitor(),
        r#"{"op":"insert","table":"t","data":{"a":"x"}}"#,
    );
    assert_eq!(rows(&folder), 4);
}

#[test]
fn a_deletion_and_a_change_may_be_asked_again_too() {
    let (_dir, folder) = site();
    let id = ok(&folder, &visitor(), &insert("x", ID))["id"].clone();
    for (op, write) in [
        ("update", "update0123456789"),
        ("delete", "delete0123456789"),
    ] {
        let line = json!({"op": op, "table": "t", "id": id, "data": {"a": "y"}, "goop2": {"write": write}});
        let first = ok(&folder, &visitor(), &line.to_string());
        assert_eq!(ok(&folder, &visitor(), &line.to_string()), first);
    }
    assert_eq!(rows(&folder), 0);
}

#[test]
fn what_was_refused_is_not_remembered() {
    let (_dir, folder) = site();
    folder.database().set_policy("t", "owner").unwrap();
    refused(&folder, &visitor(), &insert("x", ID));
    folder.database().set_policy("t", "public").unwrap();
    ok(&folder, &visitor(), &insert("x", ID));
    assert_eq!(rows(&folder), 1);
}

#[test]
fn only_so_many_writes_are_remembered() {
    let (dir, folder) = site();
    for n in 0..200 {
        ok(&folder, &visitor(), &insert("x", &format!("{n:016}")));
    }
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    let kept: i64 = conn
        .query_row("SELECT count(*) FROM _goop2_writes", [], |row| row.get(0))
        .unwrap();
    assert!((2..=64).contains(&kept), "{kept}");
}

#[test]
fn a_long_query_ends_when_the_database_stops() {
    let (dir, folder) = site();
    ok(
        &folder,
        &Caller::Local,
        r#"{"op":"insert","table":"t","data":{"a":"x"}}"#,
    );
    let endless =
        "(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r)";
    let query = json!({"op": "query", "table": "t", "where": endless}).to_string();
    let begun = Instant::now();
    thread::scope(|scope| {
        let running = scope.spawn(|| run(&folder, &Caller::Local, &query));
        // However early or late in the query: it ends.
        folder.database().stop();
        let answer = running.join().unwrap();
        assert_eq!(answer, Err("this peer is going offline".into()));
    });
    assert!(begun.elapsed() < PATIENCE);
    let refused = refused(&folder, &visitor(), &insert("x", ID));
    assert_eq!(refused, "this peer is going offline");
    drop(folder);
    assert_eq!(rows(&Folder::open(dir.path()).unwrap()), 1);
}
