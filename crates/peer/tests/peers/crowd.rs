//! Visitors who take all they can get, and thousands at a rendezvous.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use goop2_node::{Config, Keypair, Node, Stream};
use goop2_proto::{PeerId, http, roster::MAX_ONLINE, site};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::world::{PATIENCE, TestPeer, get};

/// More than any of them gets.
const STREAMS: usize = 128;

/// A stock program that asks for a large file and reads only the first bytes of the answer.
async fn hoarder(owner: &TestPeer, protocol: &'static str, request: &str) -> (Node, Vec<Stream>) {
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        listen_port: 0,
        mdns_tag: None,
        topic: "hoarder".into(),
        protocols: vec![],
    };
    let (node, _, _) = goop2_node::spawn(config).await.unwrap();
    let address = format!("{}/p2p/{}", owner.loopback(), owner.peer.id());
    node.add_address(address.parse().unwrap()).await.unwrap();
    node.connect(owner.peer.id()).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = timeout(PATIENCE, node.open(owner.peer.id(), protocol))
            .await
            .unwrap()
            .unwrap();
        // A stream beyond its share is reset.
        if stream.write_all(request.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {
            held.push(stream);
        }
    }
    // The first one is surely being answered; the others are too, or wait.
    let _first = timeout(PATIENCE, held[0].read(&mut [0; 16])).await.unwrap();
    (node, held)
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_who_take_all_they_can_get_leave_room_for_a_ninth() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    fs::File::create(owner.dir.path().join("site/large.bin"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    visitor.connect(&owner).await;
    let quiet = page(&visitor, &owner).await;
    let mut crowd = Vec::new();
    for one in 0..8 {
        crowd.push(if one % 2 == 0 {
            let request = "GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n";
            hoarder(&owner, http::SITE, request).await
        } else {
            hoarder(&owner, site::PROTOCOL, "GET /large.bin\n").await
        });
    }
    let newcomer = TestPeer::start("Newcomer").await;
    newcomer.connect(&owner).await;
    for one in [&visitor, &newcomer] {
        let beside = page(one, &owner).await;
        println!("a page: {quiet:?} alone, {beside:?} beside eight who take all they can get");
        // One second is promised.
        assert!(beside < Duration::from_secs(10), "{beside:?}");
    }
    for (node, held) in crowd {
        drop(held);
        node.shutdown().await;
    }
    for peer in [owner, visitor, newcomer] {
        peer.stop().await;
    }
}

async fn page(visitor: &TestPeer, owner: &TestPeer) -> Duration {
    let begun = Instant::now();
    assert_eq!(visitor.read(owner, "/").await.unwrap().1, b"<h1>Owner</h1>");
    begun.elapsed()
}

/// A server that lists strangers, all of whom claim to be at `addr`. Ends with the
/// process.
fn listing(strangers: &[PeerId], addr: &str) -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let events: String = strangers
        .iter()
        .map(|peer| {
            let message = json!({
                "type": "update", "peerId": peer.to_base58(), "content": "Stranger", "addrs": [addr], "ts": 1_795_423_273_770_i64,
            });
            format!("data: {message}\n\n")
        })
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

/// A peer ID, of a key that nobody has.
fn stranger(number: u32) -> PeerId {
    let mut id = [0; 38];
    id[..6].copy_from_slice(&[0, 36, 8, 1, 18, 32]);
    id[6..10].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(&id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_at_a_rendezvous_hide_no_neighbor_and_have_nothing_dialed() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    door.set_nonblocking(true).unwrap();
    let knocked = || match door.accept() {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    };
    let addr = format!("/dns4/localhost/tcp/{}", door.local_addr().unwrap().port());
    let strangers: Vec<_> = (0..4600).map(stranger).collect();
    let url = listing(&strangers, &addr);
    let (watcher, early) = (
        TestPeer::start("Watcher").await,
        TestPeer::start("Early").await,
    );
    let begun = Instant::now();
    watcher.connect(&early).await;
    let quiet = begun.elapsed();
    watcher
        .peer
        .update_config(move |config| config.presence.rendezvous_wan = url)
        .await
        .unwrap();
    watcher
        .until(|snapshot| snapshot.peers.len() >= MAX_ONLINE)
        .await;

    let newcomer = TestPeer::start("Newcomer").await;
    let begun = Instant::now();
    watcher.connect(&newcomer).await;
    println!(
        "a neighbor: {quiet:?} without, {:?} with 4600 strangers at a rendezvous",
        begun.elapsed()
    );
    assert!(!knocked(), "an address was dialed that nobody asked for");
    let _nobody = watcher.peer.fetch(strangers[0], get("/")).await;
    assert!(knocked(), "it is dialed for a visit");
    for peer in [watcher, early, newcomer] {
        peer.stop().await;
    }
}
