//! Visitors who take all they can get.

use std::{fs, time::Duration};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use goop2_node::{Config, Keypair, Node, Stream};
use goop2_proto::{http, site};
use tokio::time::{Instant, timeout};

use crate::world::{PATIENCE, TestPeer};

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
