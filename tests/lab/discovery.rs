//! Finding each other by multicast.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    PATIENCE, inside, measured,
    support::{
        lab::{Host, Lan},
        median, millis,
        peer::{Folder, Peer, is},
        promise,
    },
};

/// Existing peers need 5.0 s.
const MEETING: Duration = Duration::from_secs(1);
const STARTS: usize = 20;
const SIMULTANEOUS_STARTS: u32 = 100;
/// Pairs that start at once: enough to keep two processors busy and the test short.
const PAIRS: u8 = 4;
/// How long peers with another tag are given to find each other by mistake.
const STRANGERS: Duration = Duration::from_secs(60);
/// How long two that knew each other are given to find each other again by mistake: each remembers
/// where the other was, and asks for its tag within seconds of a start.
const FORGOTTEN: Duration = Duration::from_secs(15);

#[test]
fn a_newcomer_is_found() {
    measured("discovery::a_newcomer_is_found", || {
        let mut lan = Lan::new(1);
        let (here, there) = (lan.host(), lan.host());
        let settled = Folder::new("settled", "goop-mdns");
        let settled = Peer::start(&settled, Some(&here));
        let (mut starts, mut sees, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let before = settled.mark();
            // Always another one: a peer that returns twice a second is not heard every time.
            let folder = Folder::new("newcomer", "goop-mdns");
            let newcomer = Peer::start(&folder, Some(&there));
            let ready = newcomer.ready().at;
            let id = newcomer.id();
            starts.push(ready - newcomer.launched);
            sees.push(
                newcomer
                    .sees(&settled.id(), PATIENCE)
                    .at
                    .saturating_duration_since(ready),
            );
            let heard = settled.wait_from(before, "the newcomer", PATIENCE, |event| {
                is(event, &id, "online")
            });
            seen.push(heard.at.saturating_duration_since(ready));
            let before = settled.mark();
            newcomer.stop();
            settled.wait_from(before, "its goodbye", PATIENCE, |event| {
                is(event, &id, "offline")
            });
        }
        let figures = [median(&sees), median(&seen)];
        println!(
            "{STARTS} starts beside a running peer: ready after {} (median); the newcomer sees it {} later (worst {}), it sees the newcomer {} \
             later (worst {}). Existing peers: 5.0 s",
            millis(median(&starts)),
            millis(figures[0]),
            millis(*sees.iter().max().unwrap()),
            millis(figures[1]),
            millis(*seen.iter().max().unwrap()),
        );
        promise::time("a newcomer sees a running peer", figures[0], MEETING);
        promise::time("a running peer sees a newcomer", figures[1], MEETING);
    });
}

#[test]
fn two_that_start_at_the_same_moment_always_find_each_other() {
    measured(
        "discovery::two_that_start_at_the_same_moment_always_find_each_other",
        || {
            let left = AtomicU32::new(SIMULTANEOUS_STARTS);
            let started = Instant::now();
            let times: Vec<Duration> = thread::scope(|scope| {
                let workers: Vec<_> = (1..=PAIRS)
                    .map(|number| {
                        let mut lan = Lan::new(number);
                        let hosts = [lan.host(), lan.host()];
                        let left = &left;
                        scope.spawn(move || {
                            let mut times = Vec::new();
                            while left
                                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                                    left.checked_sub(1)
                                })
                                .is_ok()
                            {
                                times.push(start_together(&hosts));
                            }
                            times
                        })
                    })
                    .collect();
                workers
                    .into_iter()
                    .flat_map(|worker| worker.join().expect("each pair finds each other"))
                    .collect()
            });
            println!(
                "{} pairs started at the same moment, all found each other: {} after both were ready (median), worst {}; {:.0} s in all. Existing peers: \
             5.0 s, and 3 of 28 never met",
                times.len(),
                millis(median(&times)),
                millis(*times.iter().max().unwrap()),
                started.elapsed().as_secs_f64(),
            );
        },
    );
}

/// How long two fresh peers need from the moment that both are ready until each sees the other.
fn start_together(hosts: &[Host; 2]) -> Duration {
    let folders = [Folder::new("a", "goop-mdns"), Folder::new("b", "goop-mdns")];
    let moment = Barrier::new(2);
    let launch = |index: usize| {
        moment.wait();
        Peer::launch(&folders[index], Some(&hosts[index]))
    };
    let (a, b) = thread::scope(|scope| {
        let a = scope.spawn(|| launch(0));
        let b = launch(1);
        (a.join().expect("it was launched"), b)
    });
    let ready = a.ready().at.max(b.ready().at);
    let met = a
        .sees(&b.id(), PATIENCE)
        .at
        .max(b.sees(&a.id(), PATIENCE).at);
    met.saturating_duration_since(ready)
}

#[test]
fn another_tag_is_never_found() {
    inside("discovery::another_tag_is_never_found", || {
        let mut lan = Lan::new(1);
        let folders =
            ["goop-mdns", "goop-mdns", "goop-mdns-2"].map(|tag| Folder::new("somebody", tag));
        let hosts = [(); 3].map(|()| lan.host());
        let started = Instant::now();
        let [a, b, stranger] =
            [0, 1, 2].map(|index| Peer::start(&folders[index], Some(&hosts[index])));
        a.sees(&b.id(), PATIENCE);
        b.sees(&a.id(), PATIENCE);
        thread::sleep(STRANGERS.saturating_sub(started.elapsed()));
        for (peer, unseen) in [
            (&a, &stranger),
            (&b, &stranger),
            (&stranger, &a),
            (&stranger, &b),
        ] {
            let met = peer
                .events()
                .into_iter()
                .any(|event| event["event"] == "peer" && event["peer_id"] == unseen.id());
            assert!(!met, "{} found {}", peer.id(), unseen.id());
        }
        assert!(a.shows(&b.id()) && b.shows(&a.id()));
        println!(
            "another tag: not found in {STRANGERS:?}, while two of the same tag stayed online to each other"
        );
    });
}

#[test]
fn a_changed_tag_hides_those_of_the_old_one_at_once() {
    inside(
        "discovery::a_changed_tag_hides_those_of_the_old_one_at_once",
        || {
            let mut lan = Lan::new(1);
            let folders =
                ["goop-mdns", "goop-mdns", "another"].map(|tag| Folder::new("somebody", tag));
            let hosts = [(); 3].map(|()| lan.host());
            let [leaving, staying, newer] =
                [0, 1, 2].map(|index| Peer::start(&folders[index], Some(&hosts[index])));
            leaving.sees(&staying.id(), PATIENCE);
            staying.sees(&leaving.id(), PATIENCE);
            let marks = [leaving.mark(), staying.mark()];
            let changed = leaving.api("settings", &json!({ "p2p.mdns_tag": "another" }));
            assert_eq!(changed.status, 200, "{}", changed.text());
            for (peer, gone, mark) in [
                (&leaving, &staying, marks[0]),
                (&staying, &leaving, marks[1]),
            ] {
                let id = gone.id();
                peer.wait_from(mark, "that it is gone", PATIENCE, |event| {
                    is(event, &id, "offline")
                });
            }
            leaving.sees(&newer.id(), PATIENCE);
            newer.sees(&leaving.id(), PATIENCE);
            thread::sleep(FORGOTTEN);
            assert!(leaving.shows(&newer.id()) && newer.shows(&leaving.id()));
            assert!(!leaving.shows(&staying.id()) && !staying.shows(&leaving.id()));
        },
    );
}
