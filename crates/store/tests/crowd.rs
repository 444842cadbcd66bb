//! Fifty visitors write and read one table at the same time, while its owner looks at it: nothing is
//! lost, nobody waits long, memory stays bounded. And the same when the process dies.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../../tests/support/promise.rs"]
mod promise;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{new_peer, ok, stranger};
use goop2_proto::PeerId;
use goop2_store::{
    Caller, Folder,
    grid::{Kind, NewColumn, RowsQuery},
};
use serde_json::json;

const VISITORS: usize = 50;
/// What a visitor does between two writes: a person types, a page waits.
const PAUSE: Duration = Duration::from_millis(100);
const WRITE: Duration = Duration::from_millis(100);
const MEMORY: u64 = 64 * 1024 * 1024;
const KILLS: u32 = 5;

fn guestbook(folder: &Folder) {
    let message = NewColumn {
        name: "message".into(),
        kind: Kind::Text,
        not_null: true,
    };
    folder
        .database()
        .create_table("guestbook", &[message], "public")
        .unwrap();
}

fn write(folder: &Folder, caller: &Caller, message: &str) {
    let line = json!({"op": "insert", "table": "guestbook", "data": {"message": message}});
    ok(folder, caller, &line.to_string());
}

/// Messages in the table, as its owner pages through it.
fn kept(folder: &Folder) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut offset = 0;
    loop {
        let query = RowsQuery {
            table: "guestbook".into(),
            offset,
            limit: 200,
            ..RowsQuery::default()
        };
        let rows = folder.database().rows(&query).unwrap().rows;
        if rows.is_empty() {
            return found;
        }
        offset += rows.len();
        found.extend(rows.iter().map(|row| row[5].as_str().unwrap().to_owned()));
    }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

#[test]
fn fifty_visitors_and_an_owner() {
    let (_dir, folder) = new_peer();
    guestbook(&folder);
    let lasts = Duration::from_secs(if promise::measuring() { 60 } else { 2 });
    let (before, end) = (resident(), Instant::now() + lasts);
    let acknowledged: Vec<(String, Duration)> = thread::scope(|scope| {
        let visitors = (0..VISITORS).map(|visitor| {
            let folder = &folder;
            scope.spawn(move || {
                let caller = stranger("");
                let mut acknowledged = Vec::new();
                for number in 0.. {
                    if Instant::now() > end {
                        break;
                    }
                    let message = format!("{visitor} {number}");
                    let begin = Instant::now();
                    write(folder, &caller, &message);
                    acknowledged.push((message, begin.elapsed()));
                    let first = r#"{"op":"query","table":"guestbook","limit":20}"#;
                    ok(folder, &caller, first);
                    thread::sleep(PAUSE);
                }
                acknowledged
            })
        });
        let visitors: Vec<_> = visitors.collect();
        scope.spawn(|| {
            while Instant::now() < end {
                folder.database().tables().unwrap();
                kept(&folder);
                thread::sleep(PAUSE);
            }
        });
        let joined = visitors.into_iter().map(|visitor| visitor.join().unwrap());
        joined.flatten().collect()
    });
    let (messages, mut times): (BTreeSet<String>, Vec<Duration>) = acknowledged.into_iter().unzip();
    assert!(messages.len() >= VISITORS, "everybody got to write");
    // What the owner saw last may be of a moment before.
    let deadline = Instant::now() + Duration::from_secs(60);
    while kept(&folder) != messages {
        assert!(Instant::now() < deadline, "nothing is lost");
    }
    times.sort();
    let p99 = times[times.len() * 99 / 100];
    // Beside other tests, the processors decide how long a visitor waits.
    if promise::measuring() {
        promise::time("a write among 50 visitors, 99 of 100", p99, WRITE);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} bytes more");
}

#[test]
fn killed_while_fifty_visitors_write() {
    let (dir, folder) = new_peer();
    guestbook(&folder);
    drop(folder);
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        acknowledged.extend(run_and_kill(dir.path(), kill));
        let folder = Folder::open(dir.path()).unwrap();
        let kept = kept(&folder);
        let lost: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "after kill {kill}: {lost:?}");
    }
    assert!(
        acknowledged.len() >= VISITORS,
        "{} rows",
        acknowledged.len()
    );
}

/// What the child acknowledged before it was killed, in the middle of something.
fn run_and_kill(dir: &Path, kill: u32) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_with_fifty_visitors", "--nocapture"])
        .env("GOOP2_TEST_DIR", dir)
        .env("GOOP2_TEST_KILL", kill.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    // The last line may be cut short: then it was not acknowledged.
    let row = |line: String| Some(line.strip_prefix("row ")?.strip_suffix('.')?.to_owned());
    let mut rows: Vec<String> = lines.by_ref().filter_map(row).take(VISITORS).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    rows.extend(lines.filter_map(row));
    rows
}

/// Not a test by itself: the process that [`killed_while_fifty_visitors_write`] kills.
#[test]
fn writes_with_fifty_visitors() {
    let Some(dir) = std::env::var_os("GOOP2_TEST_DIR") else {
        return;
    };
    let run = std::env::var("GOOP2_TEST_KILL").unwrap();
    let folder = Folder::open(Path::new(&dir)).unwrap();
    thread::scope(|scope| {
        for visitor in 0..VISITORS {
            let (folder, run) = (&folder, &run);
            scope.spawn(move || {
                let caller = Caller::Remote {
                    peer: PeerId::random(),
                    email: String::new(),
                };
                for number in 0.. {
                    let message = format!("{run} {visitor} {number}");
                    write(folder, &caller, &message);
                    let line = format!("row {message}.\n");
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
