//! Leaving: announced, or by accident.

use std::time::{Duration, Instant};

use crate::{
    PATIENCE, inside, measured,
    support::{
        lab::Lan,
        millis,
        peer::{Folder, Peer, is},
        promise,
    },
};

/// From the signal until the others know.
const GOODBYE: Duration = Duration::from_secs(1);
/// From the signal until the process is gone.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// The default TTL, and some time for a busy host.
const FORGOTTEN: Duration = Duration::from_secs(20 + 3);

#[test]
fn a_peer_that_ends_in_order_is_offline_at_once() {
    measured(
        "leaving::a_peer_that_ends_in_order_is_offline_at_once",
        || {
            let mut lan = Lan::new(1);
            let (here, there) = (lan.host(), lan.host());
            let folders = [
                Folder::new("leaving", "goop-mdns"),
                Folder::new("staying", "goop-mdns"),
            ];
            let mut leaving = Peer::start(&folders[0], Some(&here));
            let staying = Peer::start(&folders[1], Some(&there));
            let id = leaving.id();
            staying.sees(&id, PATIENCE);
            leaving.sees(&staying.id(), PATIENCE);

            leaving.terminate();
            let asked = Instant::now();
            let offline = staying
                .wait("its goodbye", PATIENCE, |event| is(event, &id, "offline"))
                .at
                - asked;
            let (ended, status) = leaving.ended();
            println!(
                "SIGTERM: the others know after {}, the process is gone after {}. Existing peers: 15.9–18.3 s",
                millis(offline),
                millis(ended - asked)
            );
            assert!(status.success(), "{status}");
            promise::time("a goodbye on the local network", offline, GOODBYE);
            promise::time("the end of a peer", ended - asked, SHUTDOWN);
        },
    );
}

#[test]
fn a_peer_that_dies_is_offline_after_the_ttl() {
    inside("leaving::a_peer_that_dies_is_offline_after_the_ttl", || {
        let mut lan = Lan::new(1);
        let (here, there) = (lan.host(), lan.host());
        let folders = [
            Folder::new("dying", "goop-mdns"),
            Folder::new("staying", "goop-mdns"),
        ];
        let dying = Peer::start(&folders[0], Some(&here));
        let staying = Peer::start(&folders[1], Some(&there));
        let id = dying.id();
        staying.sees(&id, PATIENCE);
        assert_eq!(staying.visit(&id, "").unwrap().status, 200);
        dying.kill();
        let killed = Instant::now();
        assert_ne!(staying.visit(&id, "").unwrap().status, 200);
        let offline = staying
            .wait("that it is offline", PATIENCE, |event| {
                is(event, &id, "offline")
            })
            .at
            - killed;
        promise::time("offline to the others after kill -9", offline, FORGOTTEN);
        for (kind, field) in [("peer", "state"), ("path", "kind")] {
            let said = staying.events();
            let said = said
                .iter()
                .filter(|event| event["event"] == kind && event["peer_id"] == id);
            let mut said: Vec<_> = said.map(|event| &event[field]).collect();
            said.dedup();
            assert!(said.len() <= 2, "it came, went, and came again: {said:?}");
        }

        let before = staying.mark();
        drop(dying);
        let again = Peer::start(&folders[0], Some(&here));
        staying.wait_from(before, "it is back", PATIENCE, |event| {
            is(event, &id, "online")
        });
        assert_eq!(again.id(), id, "the same identity");
    });
}
