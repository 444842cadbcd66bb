//! Thousands who are invented at a rendezvous.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use goop2_proto::{PeerId, roster::MAX_ONLINE};
use serde_json::{Value, json};

use super::{Held, during_an_attack};
use crate::{
    PATIENCE, measured,
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
            listing(&hosts[3]),
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

/// A server that lists strangers, all at one address. Ends with the process.
fn listing(host: &Host) -> String {
    let server = host.enter(|| TcpListener::bind((host.address(), 0)).unwrap());
    let url = format!("http://{}", server.local_addr().unwrap());
    let events: String = (0..STRANGERS)
        .map(|number| format!("data: {}\n\n", update(number)))
        .collect();
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            if request[..read].starts_with(b"GET /events") {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nGoop2-Events: changes\r\nConnection: close\r\n\r\n";
                let _gone = stream.write_all(format!("{head}{events}").as_bytes());
                held.push(stream);
            } else {
                let _gone = stream.write_all(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
            }
        }
    });
    url
}

fn update(number: u32) -> Value {
    json!({
        "type": "update",
        "peerId": stranger(number).to_base58(),
        "content": "Stranger",
        "addrs": ["/ip4/11.77.1.200/tcp/4001"],
        "ts": 1_795_423_273_770_i64,
    })
}

/// A peer ID, of a key that nobody has.
fn stranger(number: u32) -> PeerId {
    let mut id = [0; 38];
    id[..6].copy_from_slice(&[0, 36, 8, 1, 18, 32]);
    id[6..10].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(&id).unwrap()
}
