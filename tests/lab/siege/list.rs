//! Thousands who are invented at a rendezvous.

use std::{net::TcpListener, time::Duration};

use goop2_proto::roster::MAX_ONLINE;
use serde_json::json;

use super::{Held, during_an_attack};
use crate::{
    PATIENCE, measured,
    strangers::{listing, stranger},
    support::{
        lab::{Host, Lan},
        peer::{Folder, Peer},
    },
};

const STRANGERS: u32 = 4600;

#[test]
fn invented_peers_hide_no_neighbor() {
    measured("siege::list::invented_peers_hide_no_neighbor", || {
        let mut lan = Lan::new(1);
        let hosts = [(); 4].map(|()| lan.host());
        let (url, folders) = (
            invented(&hosts[3]),
            ["watcher", "early", "late"].map(|label| Folder::new(label, "goop-mdns")),
        );
        let watcher = Peer::start(&folders[0], Some(&hosts[0]));
        let quiet = seen(&watcher, &folders[1], &hosts[1]);
        let before = Held::of(&watcher);
        join(&watcher, &url);
        let last = stranger(MAX_ONLINE as u32 - 2).to_base58();
        watcher.sees(&last, PATIENCE);
        let attacked = seen(&watcher, &folders[2], &hosts[2]);
        during_an_attack("a neighbor next to 4,600 at a rendezvous", quiet, attacked);
        join(&watcher, "");
        before.comes_back(&watcher);
    });
}

fn join(peer: &Peer, url: &str) {
    let joined = peer.api("settings", &json!({ "presence.rendezvous_wan": url }));
    assert_eq!(joined.status, 200, "{}", joined.text());
}

/// How long a peer that starts now takes to be seen.
fn seen(watcher: &Peer, folder: &Folder, host: &Host) -> Duration {
    let newcomer = Peer::start(folder, Some(host));
    let ready = newcomer.ready().at;
    let seen = watcher.sees(&newcomer.id(), PATIENCE).at;
    seen.saturating_duration_since(ready)
}

/// A server on this host that lists strangers, all at one address.
fn invented(host: &Host) -> String {
    let server = host.enter(|| TcpListener::bind((host.address(), 0)).unwrap());
    let strangers: Vec<_> = (0..STRANGERS).map(stranger).collect();
    listing(server, &strangers, "/ip4/11.77.1.200/tcp/4001")
}
