//! The process dies at any moment, fifty times: the folder opens again with every row and setting
//! it had acknowledged.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use common::{ok, stranger};
use goop2_store::{Caller, Folder};
use serde_json::Value;

const ROUNDS: u64 = 50;

#[test]
fn killed_while_writing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::create(dir.path(), "label 0").unwrap();
    let peer_id = folder.peer_id();
    ok(
        &folder,
        &Caller::Local,
        r#"{"op":"create-table","name":"t","column":{"name":"n","type":"INTEGER"}}"#,
    );
    folder.database().set_policy("t", "open").unwrap();
    drop(folder);

    let (mut rows, mut label, mut seed) = (0, 0, 0x9e37_79b9_7f4a_7c15_u64);
    for round in 0..ROUNDS {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let (row, saved) = run_and_kill(dir.path(), seed);
        (rows, label) = (rows.max(row), label.max(saved));

        let folder =
            Folder::open(dir.path()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(folder.peer_id(), peer_id);
        let found: i64 = folder
            .config()
            .profile
            .label
            .strip_prefix("label ")
            .unwrap()
            .parse()
            .unwrap();
        assert!(
            found >= label,
            "round {round}: label {found}, acknowledged {label}"
        );
        let list = ok(
            &folder,
            &Caller::Local,
            r#"{"op":"query","table":"t","columns":["n"]}"#,
        );
        let numbers: Vec<i64> = list
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| row["n"].as_i64().unwrap())
            .collect();
        assert!(
            numbers.iter().copied().eq(1..=numbers.len() as i64),
            "round {round}: none is lost in between"
        );
        assert!(
            numbers.len() as i64 >= rows,
            "round {round}: {} rows, acknowledged {rows}",
            numbers.len()
        );
    }
    assert!(
        rows > 20 && label > 5,
        "the child got to work: {rows} rows, {label} labels"
    );
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    let verdict: String = conn
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
}

/// The last row and label the child acknowledged before it was killed: after some of them, whatever
/// a write takes on this disk, and a moment more.
fn run_and_kill(dir: &Path, seed: u64) -> (i64, i64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_killed", "--nocapture"])
        .env("GOOP2_TEST_DIR", dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let ready = lines.by_ref().find(|line| line == "ready");
    assert!(ready.is_some(), "the child opened the folder");
    let mut acknowledged: Vec<_> = lines.by_ref().take((seed % 8) as usize).collect();
    // The moment is part of the test: there is no event to wait for.
    std::thread::sleep(Duration::from_micros(seed % 20_000));
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(lines);
    let (mut row, mut label) = (0, 0);
    for line in acknowledged {
        // The last line may be cut short: then it was not acknowledged.
        match line.split_once(' ') {
            Some(("row", number)) if number.ends_with('.') => {
                row = number[..number.len() - 1].parse().unwrap()
            }
            Some(("label", number)) if number.ends_with('.') => {
                label = number[..number.len() - 1].parse().unwrap()
            }
            _ => {}
        }
    }
    (row, label)
}

/// Not a test by itself: the process that [`killed_while_writing`] kills.
#[test]
fn writes_until_killed() {
    let Some(dir) = std::env::var_os("GOOP2_TEST_DIR") else {
        return;
    };
    let folder = Folder::open(Path::new(&dir)).unwrap();
    let count = ok(
        &folder,
        &Caller::Local,
        r#"{"op":"query","table":"t","columns":["_id"]}"#,
    );
    let mut rows = count.as_array().map_or(0, Vec::len);
    let mut label: i64 = folder
        .config()
        .profile
        .label
        .strip_prefix("label ")
        .unwrap()
        .parse()
        .unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\nready").unwrap();
    let visitor = stranger("");
    loop {
        for _ in 0..3 {
            rows += 1;
            let line = format!(r#"{{"op":"insert","table":"t","data":{{"n":{rows}}}}}"#);
            let answer: Value = ok(&folder, &visitor, &line);
            assert_eq!(answer["status"], "inserted");
            writeln!(out, "row {rows}.").unwrap();
        }
        label += 1;
        folder
            .update_config(|config| config.profile.label = format!("label {label}"))
            .unwrap();
        writeln!(out, "label {label}.").unwrap();
    }
}
