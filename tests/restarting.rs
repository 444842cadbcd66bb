//! A setting that needs a restart, while the database works on something that would take a minute.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use goop2_proto::id;
use serde_json::json;
use support::{
    lab::inside,
    peer::{Folder, Peer},
};

/// Ten times what a restart takes on a busy computer, and less than the query's own limit of 60 s.
const PATIENCE: Duration = Duration::from_secs(40);
/// Long enough that an ordinary query would have been answered.
const RUNNING: Duration = Duration::from_millis(500);

#[test]
fn a_peer_restarts_during_a_long_query() {
    inside("a_peer_restarts_during_a_long_query", || {
        let folder = Folder::new("busy", "goop-mdns");
        let tables =
            json!({ "t": { "policy": "owner", "columns": [{ "name": "a", "type": "TEXT" }] } });
        folder.write("tables.json", tables.to_string());
        let peer = Peer::start(&folder, None);
        let row = json!({ "table": "t", "data": { "a": "x" } });
        assert_eq!(peer.api("data/insert", &row).status, 200);
        let mut query = long_query(&peer);
        let nothing = query.read(&mut [0]).unwrap_err();
        let waits = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        assert!(waits.contains(&nothing.kind()), "the query runs: {nothing}");

        let port = free_port();
        let saved = peer.api("settings", &json!({ "p2p.listen_port": port }));
        assert_eq!(saved.status, 200, "{}", saved.text());
        let begun = Instant::now();
        let is_back = || TcpStream::connect(("127.0.0.1", port)).is_ok() && peer.get("").is_ok();
        while !is_back() {
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not answer: {}",
                peer.errors()
            );
            thread::sleep(Duration::from_millis(20));
        }
        println!("it answers again after {:?}", begun.elapsed());
        let rows = peer.as_site(&peer.id(), "query", &json!({ "table": "t" }));
        assert_eq!(rows.json().as_array().unwrap().len(), 1);
        peer.stop();
    });
}

/// Asked by a page of the peer's own site; nobody waits for the answer.
fn long_query(peer: &Peer) -> TcpStream {
    let endless =
        "(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r)";
    let body = json!({ "table": "t", "where": endless }).to_string();
    let viewer = peer.viewer();
    let port = viewer.trim_end_matches('/').rsplit(':').next().unwrap();
    let (peer_id, len) = (peer.id(), body.len());
    let label = id::to_label(&peer_id.parse().unwrap());
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.set_read_timeout(Some(RUNNING)).unwrap();
    let head = format!(
        "POST /api/p/{peer_id}/data/query HTTP/1.1\r\nHost: {label}.localhost:{port}\r\n\
         Content-Type: application/json\r\nContent-Length: {len}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    stream
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
