//! Two computers with one identity: a folder was copied, and both copies run.

use std::{thread, time::Instant};

use serde_json::json;

use crate::{
    PATIENCE, RETRY, inside,
    support::{
        http,
        lab::{Host, Lan},
        peer::{Folder, Peer},
    },
};

#[test]
fn both_owners_learn_of_it_on_one_network() {
    inside("twin::both_owners_learn_of_it_on_one_network", || {
        let mut lan = Lan::new(1);
        let hosts = [lan.host(), lan.host()];
        both_learn_of_it(&Folder::new("mira", "goop-mdns"), &hosts, || true);
    });
}

#[test]
fn both_owners_learn_of_it_through_a_rendezvous() {
    inside("twin::both_owners_learn_of_it_through_a_rendezvous", || {
        let mut lan = Lan::new(1);
        let hosts = [lan.host_ipv4(), lan.host_ipv4()];
        let there = lan.host_ipv4();
        let server_folder = Folder::with(&json!({}));
        let server = Peer::rendezvous(&server_folder, Some(&there));
        let folder = Folder::with(&json!({
            "profile": { "label": "mira" },
            "p2p": { "mdns": false },
            "presence": { "rendezvous_wan": server.ready().event["connect_urls"][0] },
            "viewer": { "http_addr": "127.0.0.1:0" },
        }));
        let told = || twins(&there, &server) > 0;
        both_learn_of_it(&folder, &hosts, told);
    });
}

/// How many peers the rendezvous takes for two programs.
fn twins(there: &Host, server: &Peer) -> usize {
    let url = format!(
        "{}/metrics",
        server.ready().event["connect_urls"][0].as_str().unwrap()
    );
    let metrics = there.enter(|| http::send(|client| client.get(url)).unwrap().text());
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix("goop2_rendezvous_twins "));
    let value = value.unwrap_or_else(|| panic!("no such figure: {metrics}"));
    value.parse().unwrap()
}

/// `others`: whether everybody else who should knows it too.
fn both_learn_of_it(folder: &Folder, hosts: &[Host; 2], others: impl Fn() -> bool) {
    let first = Peer::start(folder, Some(&hosts[0]));
    let id = first.id();
    let copy = Folder::copy(folder.path());
    let second = Peer::start(&copy, Some(&hosts[1]));
    assert_eq!(second.id(), id, "a copy is the same peer");
    for peer in [&first, &second] {
        peer.wait("a notice of two with one identity", PATIENCE, |event| {
            event["event"] == "notice" && event["code"] == "twin"
        });
    }
    let started = Instant::now();
    while !others() {
        assert!(
            started.elapsed() < PATIENCE,
            "the rendezvous did not notice"
        );
        thread::sleep(RETRY);
    }
    let before = second.mark();
    assert_eq!(second.api("identity/renew", &json!({})).status, 200);
    second.wait_from(before, "a new identity", PATIENCE, |event| {
        event["event"] == "ready" && event["peer_id"] != id
    });
}
