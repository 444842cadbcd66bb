//! Ports on the router: mapped at the start, unmapped at the end and when switched off.

use std::{thread, time::Instant};

use serde_json::{Value, json};

use super::{World, says};
use crate::{
    PATIENCE, RETRY, inside,
    support::{
        lab::internet::{Nat, Site},
        millis,
        peer::Peer,
    },
};

#[test]
fn what_the_router_mapped_is_given_back() {
    inside(
        "reach::mapping::what_the_router_mapped_is_given_back",
        || given_back(|_| {}),
    );
}

#[test]
fn what_was_mapped_by_nat_pmp_is_given_back() {
    inside(
        "reach::mapping::what_was_mapped_by_nat_pmp_is_given_back",
        || given_back(Site::speaks_only_nat_pmp),
    );
}

fn given_back(router: impl FnOnce(&Site)) {
    let world = World::new();
    let site = world.internet.site(Nat::SymmetricMapped);
    router(&site);
    let folder = world.joined("mapped", site.nat);
    let peer = Peer::start(&folder, Some(site.host()));
    let mapped = |from| {
        says(&peer, from, "TCP and UDP are mapped", "mapping", |fact| {
            let items = fact["items"].as_array();
            items.is_some_and(|items| items.len() == 2)
        });
        assert_eq!(site.mappings(), 2);
    };
    mapped(0);
    let switch = |on: bool| {
        let before = peer.mark();
        let answer = peer.api("settings", &json!({ "p2p.port_mapping": on }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        before
    };
    let off = |fact: &Value| {
        let detail = fact["detail"].as_str();
        detail.is_some_and(|detail| detail.starts_with("Turned off"))
    };
    let given_back = || {
        let asked = Instant::now();
        while site.mappings() > 0 {
            assert!(asked.elapsed() < PATIENCE, "still mapped");
            thread::sleep(RETRY);
        }
    };
    says(&peer, switch(false), "it is off", "mapping", off);
    given_back();
    mapped(switch(true));
    let stopped = Instant::now();
    peer.stop();
    println!("ended in {}", millis(stopped.elapsed()));
    given_back();
}
