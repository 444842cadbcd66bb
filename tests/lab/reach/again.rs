//! “Test again”: each press makes others dial this peer again, regardless of earlier results; and
//! what follows for the relay.

use std::iter;

use serde_json::{Value, json};

use super::{World, says};
use crate::{
    PATIENCE, inside,
    support::{
        lab::{
            firewall::Firewall,
            internet::{Nat, Site},
        },
        millis,
        peer::Peer,
    },
};

pub(super) const ARRIVES: &str = "Another computer connected to this one from outside.";
const DOES_NOT: &str = "A test connection from outside failed";

/// Presses once, and again during that test; returns what the page then says about incoming
/// connections.
pub(super) fn press(peer: &Peer) -> String {
    let (before, press) = (peer.mark(), || {
        let answer = peer.api("network/test", &json!({}));
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
    press();
    let testing = |event: &Value| event["network"]["testing"].as_bool();
    let seen = peer.wait_from(before, "it tests", PATIENCE, |event| {
        testing(event) == Some(true)
    });
    press();
    let during = peer.mark();
    let over = peer.wait_from(during, "it has tested", PATIENCE, |event| {
        testing(event) == Some(false)
    });
    println!("tested in {}", millis(over.at - seen.at));
    let network = &over.event["network"];
    let facts = network["facts"].as_array().into_iter().flatten();
    let reachable = facts.filter(|fact| fact["code"] == "reachable");
    let detail = reachable
        .filter_map(|fact| fact["detail"].as_str())
        .collect();
    println!("{}: {detail}", network["headline"]);
    detail
}

pub(super) fn reachable(peer: &Peer) {
    says(peer, 0, "it is reachable", "reachable", |fact| {
        fact["detail"] == ARRIVES
    });
}

/// Waits for the end of the test that a peer starts automatically: a press during it adds nothing.
fn settled(peer: &Peer) {
    peer.wait_from(0, "it is reachable and has tested", PATIENCE * 2, |event| {
        let network = &event["network"];
        let facts = network["facts"].as_array().into_iter().flatten();
        let mut arrives = facts.filter(|fact| fact["detail"] == ARRIVES);
        network["testing"] == false && arrives.next().is_some()
    });
}

/// A router that lets connections in, then does not, then does again.
fn both_ways(nat: Nat, also: impl FnOnce(&Firewall, &Site, &Peer)) {
    let world = World::new();
    let firewall = Firewall::new(&world.internet);
    let site = world.internet.site(nat);
    let folder = world.joined("tested", nat);
    let peer = Peer::start(&folder, Some(site.host()));
    settled(&peer);
    firewall.close(&site);
    for _ in 0..2 {
        let begun = firewall.begun(&site);
        let said = press(&peer);
        assert!(said.starts_with(DOES_NOT), "{said}");
        assert!(firewall.begun(&site) > begun, "nobody dialed");
    }
    firewall.open(&site);
    assert_eq!(press(&peer), ARRIVES);
    also(&firewall, &site, &peer);
    firewall.close(&site);
    let said = press(&peer);
    assert!(said.starts_with(DOES_NOT), "{said}");
}

/// One, unless the second press came when the test was over.
fn tests_since(peer: &Peer, mark: usize) -> usize {
    let events = peer.events();
    let states = events[mark..]
        .iter()
        .filter_map(|event| event["network"]["testing"].as_bool());
    let states: Vec<_> = iter::once(false).chain(states).collect();
    states
        .windows(2)
        .map(|two| usize::from(two == [false, true]))
        .sum()
}

#[test]
fn each_press_tests_again() {
    inside("reach::again::each_press_tests_again", || {
        both_ways(Nat::Public, |firewall, site, peer| {
            // More often than there may be connections to one peer.
            for _ in 0..7 {
                let (before, begun) = (peer.mark(), firewall.begun(site));
                assert_eq!(press(peer), ARRIVES);
                let calls = firewall.begun(site) - begun;
                assert_eq!(
                    calls,
                    tests_since(peer, before),
                    "its one TCP address is dialed once per test"
                );
            }
        });
    });
}

#[test]
fn a_port_that_the_router_maps_is_tested_again() {
    inside(
        "reach::again::a_port_that_the_router_maps_is_tested_again",
        || both_ways(Nat::SymmetricMapped, |_, _, _| {}),
    );
}
