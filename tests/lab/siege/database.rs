//! A database that others ask too much of, or fill.

use std::{
    fs,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Held, during_an_attack, meet};
use crate::{
    measured,
    support::{
        lab::Lan,
        peer::{Folder, Peer},
        promise::measuring,
    },
};

/// Visitors who ask costly questions, and how many each asks at a time.
const GREEDY: usize = 2;
const AT_ONCE: usize = 4;
/// Rows as long as a visitor may write them, about.
const ROWS: usize = 31;
const LONG: usize = 200_000;

#[test]
fn costly_questions_keep_nobody_waiting() {
    measured(
        "siege::database::costly_questions_keep_nobody_waiting",
        || {
            let mut lan = Lan::new(1);
            let hosts = [(); 2 + GREEDY].map(|()| lan.host());
            let folders: Vec<_> = (0..2 + GREEDY)
                .map(|_| Folder::new("mira", "goop-mdns"))
                .collect();
            let mut peers = folders
                .iter()
                .zip(&hosts)
                .map(|(folder, host)| Peer::start(folder, Some(host)));
            let (owner, visitor) = (peers.next().unwrap(), peers.next().unwrap());
            let greedy: Vec<_> = peers.collect();
            let id = owner.id();
            fill(&owner);
            for peer in greedy.iter().chain([&visitor]) {
                meet(peer, &owner);
            }
            ask(&visitor, &id);
            let (quiet, before) = (ask(&visitor, &id), Held::of(&owner));
            let over = AtomicBool::new(false);
            thread::scope(|scope| {
                for peer in greedy.iter().flat_map(|peer| [peer; AT_ONCE]) {
                    scope.spawn(|| {
                        while !over.load(Relaxed) {
                            peer.as_site(&id, "query", &costly());
                        }
                    });
                }
                // Each of them has begun when one of a greedy visitor has been answered.
                greedy[0].as_site(&id, "query", &costly());
                let attacked = (0..5).map(|_| ask(&visitor, &id)).max().unwrap();
                over.store(true, Relaxed);
                during_an_attack("a question next to costly ones", quiet, attacked);
            });
            before.comes_back(&owner);
        },
    );
}

/// Hundreds of long rows take minutes where other work shares the processors: a store with less
/// room shows the rules (`crates/store/src/db/usage.rs`).
#[test]
fn a_flood_leaves_room_for_others_and_is_cleared_in_one_step() {
    if !measuring() {
        return;
    }
    measured(
        "siege::database::a_flood_leaves_room_for_others_and_is_cleared_in_one_step",
        || {
            let mut lan = Lan::new(1);
            let hosts = [(); 3].map(|()| lan.host());
            let folders = ["owner", "visitor", "greedy"].map(|name| Folder::new(name, "goop-mdns"));
            let [owner, visitor, greedy] =
                [0, 1, 2].map(|number| Peer::start(&folders[number], Some(&hosts[number])));
            let id = owner.id();
            fill(&owner);
            for peer in [&greedy, &visitor] {
                meet(peer, &owner);
            }
            write(&visitor, &id);
            let (quiet, before) = (write(&visitor, &id), Held::of(&owner));
            let flooding = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| flood(&greedy, &id, &flooding));
                flooding.wait();
                let attacked = (0..5).map(|_| write(&visitor, &id)).max().unwrap();
                during_an_attack("a row next to a flood of rows", quiet, attacked);
            });
            // It has all that it can get, and everybody else has not noticed.
            write(&visitor, &id);
            let clear = json!({ "name": greedy.id() });
            let size = || {
                fs::metadata(folders[0].path().join("data.db"))
                    .unwrap()
                    .len()
            };
            let usage = owner.read("data/usage");
            let most = &usage["tables"][0]["owners"][0];
            assert_eq!(most["owner"], greedy.id(), "{usage}");
            assert_eq!(owner.api("data/remove-rows", &clear).status, 200);
            let (full, compacted) = (size(), owner.api("data/compact", &json!({})));
            assert_eq!(compacted.status, 200, "{}", compacted.text());
            println!("{full} bytes, {} when it was cleared", size());
            assert!(size() < full / 4, "{} of {full}", size());
            before.comes_back(&owner);
        },
    );
}

/// Writes the longest rows there may be until it may write no more.
fn flood(greedy: &Peer, owner: &str, begun: &Barrier) {
    let row = json!({ "table": "long", "data": { "text": "x".repeat(LONG) } });
    thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let row = &row;
            scope.spawn(move || {
                let mut rows = 0;
                let refused = loop {
                    let answer = greedy.as_site(owner, "insert", row);
                    if answer.status != 200 {
                        break answer;
                    }
                    rows += 1;
                    if (number, rows) == (0, 1) {
                        begun.wait();
                    }
                };
                assert!(refused.text().contains("one visitor"), "{}", refused.text());
                println!("{rows} rows of {LONG} bytes");
            });
        }
    });
}

/// How long it takes to write an ordinary row.
fn write(visitor: &Peer, owner: &str) -> Duration {
    let begun = Instant::now();
    let row = json!({ "table": "short", "data": { "text": "hello" } });
    let answer = visitor.as_site(owner, "insert", &row);
    assert_eq!(answer.status, 200, "{}", answer.text());
    begun.elapsed()
}

/// Calls that are allowed on each row, of a column with long values.
fn costly() -> Value {
    let calls = ["lower(upper(text)) = upper(lower(text))"; 4].join(" OR ");
    json!({ "table": "long", "where": calls })
}

fn fill(owner: &Peer) {
    let columns = json!([{ "name": "text", "type": "TEXT" }]);
    for table in ["long", "short"] {
        let create = json!({ "name": table, "columns": columns, "policy": "public" });
        let made = owner.api("data/tables/create", &create);
        assert_eq!(made.status, 200, "{}", made.text());
        let open = json!({ "table": table, "policy": "public" });
        assert_eq!(owner.api("data/tables/set-policy", &open).status, 200);
    }
    let rows = (0..ROWS).map(|_| ("long", "%J".repeat(LONG / 2)));
    for (table, text) in rows.chain([("short", "hello".to_owned())]) {
        let row = json!({ "table": table, "data": { "text": text } });
        let written = owner.api("data/insert", &row);
        assert_eq!(written.status, 200, "{}", written.text());
    }
}

/// How long an ordinary question takes.
fn ask(visitor: &Peer, owner: &str) -> Duration {
    let begun = Instant::now();
    let query = json!({ "table": "short", "where": "text = ?", "args": ["hello"] });
    let answer = visitor.as_site(owner, "query", &query);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()[0]["text"], "hello");
    begun.elapsed()
}
