//! A network that changes, or lacks what discovery needs.

use std::{
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    PATIENCE, RETRY, inside, measured,
    support::{
        lab::{Host, Lan},
        millis,
        peer::{Folder, Peer},
        promise,
    },
};

/// An address change is followed within this.
const FOLLOWED: Duration = Duration::from_secs(5);
/// Longer than the default TTL: by then, what is still shown has been heard again.
const TTL_PASSED: Duration = Duration::from_secs(24);
/// By then a peer that would say more than once that its network has no multicast has done so.
const NOTICED: Duration = Duration::from_secs(8);

#[test]
fn an_address_change_is_followed() {
    measured("change::an_address_change_is_followed", || {
        let mut lan = Lan::new(1);
        let (mut wanderer_host, settled_host) = (lan.host_ipv4(), lan.host_ipv4());
        let folders = [
            Folder::new("wanderer", "goop-mdns"),
            Folder::new("settled", "goop-mdns"),
        ];
        folders[0].write("site/where.txt", "on the road");
        folders[1].write("site/where.txt", "at home");
        let wanderer = Peer::start(&folders[0], Some(&wanderer_host));
        let settled = Peer::start(&folders[1], Some(&settled_host));
        let (wanderer_id, settled_id) = (wanderer.id(), settled.id());
        settled.sees(&wanderer_id, PATIENCE);
        wanderer.sees(&settled_id, PATIENCE);
        assert_eq!(
            settled.visit(&wanderer_id, "where.txt").unwrap().text(),
            "on the road"
        );

        wanderer_host.move_to(200);
        let moved = Instant::now();
        let [to_it, from_it] = thread::scope(|scope| {
            let to_it = scope.spawn(|| visited(&settled, &wanderer_id, "on the road"));
            let from_it = scope.spawn(|| visited(&wanderer, &settled_id, "at home"));
            [to_it, from_it].map(|visit| visit.join().unwrap() - moved)
        });
        println!(
            "address changed: visited at the new one after {}, visits from it after {}",
            millis(to_it),
            millis(from_it)
        );
        promise::time("visited at a new address", to_it, FOLLOWED);
        promise::time("a visit from a new address", from_it, FOLLOWED);
        assert!(settled.shows(&wanderer_id) && wanderer.shows(&settled_id));

        thread::sleep(TTL_PASSED);
        assert!(
            settled.shows(&wanderer_id) && wanderer.shows(&settled_id),
            "presence was not heard from the new address"
        );
    });
}

/// When a page of the peer arrived.
fn visited(visitor: &Peer, owner: &str, content: &str) -> Instant {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = visitor.visit(owner, "where.txt").unwrap();
        if answer.status == 200 {
            assert_eq!(answer.text(), content);
            return Instant::now();
        }
        assert!(
            Instant::now() < deadline,
            "still {}: {}",
            answer.status,
            answer.text()
        );
        thread::sleep(RETRY);
    }
}

#[test]
fn neighbors_are_judged_again_when_the_network_changes() {
    inside(
        "change::neighbors_are_judged_again_when_the_network_changes",
        || {
            let mut lan = Lan::new(1);
            let hosts = [lan.host_ipv4(), lan.host_ipv4()];
            let folders = ["here", "there"].map(|label| Folder::new(label, "goop-mdns"));
            let [here, there] =
                [0, 1].map(|index| Peer::start(&folders[index], Some(&hosts[index])));
            let id = there.id();
            let path = |from: usize, kind: &str| {
                here.wait_from(from, kind, PATIENCE, |event| {
                    event["event"] == "path" && event["peer_id"] == id && event["kind"] == kind
                });
                // Where both dialed at once, one of the connections is closed after a while.
                let asked = Instant::now();
                loop {
                    let reach = here.api("network/reach", &json!({ "peer": id })).json();
                    if let Some([link]) = reach["links"].as_array().map(Vec::as_slice) {
                        return link["since"].clone();
                    }
                    assert!(asked.elapsed() < PATIENCE, "{reach}");
                    thread::sleep(RETRY);
                }
            };
            let met = path(0, "lan");
            let [own, other] = hosts.each_ref().map(Host::address);
            let [alone, together, other] = [
                format!("{own}/32"),
                format!("{own}/24"),
                format!("{other}/32"),
            ];

            let before = here.mark();
            hosts[0].ip(&["addr", "add", &alone, "dev", "eth0"]);
            hosts[0].ip(&["route", "add", &other, "dev", "eth0"]);
            hosts[0].ip(&["addr", "del", &together, "dev", "eth0"]);
            assert_eq!(path(before, "direct"), met, "the same connection");

            let before = here.mark();
            hosts[0].ip(&["addr", "add", &together, "dev", "eth0"]);
            assert_eq!(path(before, "lan"), met, "the same connection");
        },
    );
}

#[test]
fn without_multicast_a_peer_says_so_once_and_serves_by_address() {
    inside(
        "change::without_multicast_a_peer_says_so_once_and_serves_by_address",
        || {
            let mut lan = Lan::new(1);
            let [usual, filtered, taken] = [(); 3].map(|()| lan.host());
            let folders =
                ["usual", "filtered", "taken"].map(|label| Folder::new(label, "goop-mdns"));
            let friend = Peer::start(&folders[0], Some(&usual));

            drop_mdns(&filtered);
            serves_by_address("a firewall", &filtered, &folders[1], &friend, &usual);

            let port = taken.enter(|| UdpSocket::bind("[::]:5353")).unwrap();
            serves_by_address("a taken port", &taken, &folders[2], &friend, &usual);
            drop(port);

            assert!(
                !friend.events().iter().any(no_multicast),
                "it has multicast"
            );
        },
    );
}

pub(crate) fn drop_mdns(host: &Host) {
    host.run("nft", &["add", "table", "inet", "lab"]);
    for hook in ["input", "output"] {
        let kind = format!("{{ type filter hook {hook} priority 0 ; }}");
        host.run("nft", &["add", "chain", "inet", "lab", hook, &kind]);
        host.run(
            "nft",
            &[
                "add", "rule", "inet", "lab", hook, "udp", "dport", "5353", "drop",
            ],
        );
    }
}

fn serves_by_address(why: &str, host: &Host, folder: &Folder, friend: &Peer, friends_host: &Host) {
    let peer = Peer::start(folder, Some(host));
    let ready = peer.ready().at;
    let noticed = peer.wait(
        "a notice that there is no multicast",
        PATIENCE,
        no_multicast,
    );
    thread::sleep(NOTICED.saturating_sub(ready.elapsed()));
    let events = peer.events();
    let notices = events.iter().filter(|event| no_multicast(event)).count();
    assert_eq!(notices, 1, "said once: {events:?}");
    let met = events.iter().any(|event| event["event"] == "peer");
    assert!(!met, "nobody can have been found: {events:?}");

    peer.add_address(&friend.address(friends_host.address()));
    for (visitor, owner) in [(&peer, friend), (friend, &peer)] {
        let answer = visitor.visit(&owner.id(), "").unwrap();
        assert!(
            answer.text().contains("front"),
            "{}: {}",
            answer.status,
            answer.text()
        );
        visitor.sees(&owner.id(), PATIENCE);
    }
    println!(
        "no multicast for {why}: said after {}, serves and visits by address: {}",
        millis(noticed.at.saturating_duration_since(ready)),
        noticed.event["message"],
    );
    peer.stop();
}

fn no_multicast(event: &Value) -> bool {
    event["event"] == "notice" && event["code"] == "no-multicast"
}
