//! Helpers of the tests.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file compiles its own copy and uses a part of it"
)]

pub mod web;

use std::{
    fs,
    path::{Path, PathBuf},
};

use goop2_proto::{PeerId, data::Answer, data::Request};
use goop2_store::{Caller, Folder};
use serde_json::Value;
use tempfile::TempDir;

/// The caller of the recorded streams.
pub const VISITOR: &str = "12D3KooWQuX36bUushwbM8m3Jas54d3N1zadfxo1MshD6iJZPAVr";

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A writable copy of a recorded peer folder.
pub fn copy_of(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture(name), dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

pub fn new_peer() -> (TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::create(dir.path(), "alpha").unwrap();
    (dir, folder)
}

pub fn visitor() -> Caller {
    Caller::Remote {
        peer: VISITOR.parse().unwrap(),
        email: String::new(),
    }
}

pub fn stranger(email: &str) -> Caller {
    Caller::Remote {
        peer: PeerId::random(),
        email: email.into(),
    }
}

/// Runs one request as it stands on the wire.
pub fn run(folder: &Folder, caller: &Caller, line: &str) -> Answer {
    let request = Request::decode(line.as_bytes()).map_err(|invalid| invalid.to_string())?;
    folder.database().execute(caller, &request)
}

pub fn ok(folder: &Folder, caller: &Caller, line: &str) -> Value {
    run(folder, caller, line)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
        .unwrap_or_default()
}

pub fn refused(folder: &Folder, caller: &Caller, line: &str) -> String {
    match run(folder, caller, line) {
        Ok(value) => panic!("{line}: {value:?}"),
        Err(error) => error,
    }
}

/// Everything in the database, as text.
pub fn dump(dir: &Path) -> String {
    let conn = rusqlite::Connection::open_with_flags(
        dir.join("data.db"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    )
    .unwrap();
    let tables: Vec<(String, String)> = conn
        .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut text = String::new();
    for (name, sql) in tables {
        text += &format!("{name}: {sql}\n");
        let Ok(mut rows) = conn.prepare(&format!("SELECT * FROM \"{name}\"")) else {
            continue;
        };
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns)
                .map(|index| row.get_ref(index).unwrap())
                .collect();
            text += &format!("  {values:?}\n");
        }
    }
    text
}
