//! Whole nodes: connecting, gossip, limits on what is believed, and shutdown.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
#[path = "../../../tests/support/promise.rs"]
mod promise;

use std::time::{Duration, Instant};

use common::{PATIENCE, config, presence, start, start_with};
use goop2_node::{Error, Event, Invalid, Multicast, OpenError};
use goop2_proto::presence::Kind;
use tokio::{net::TcpListener, time::timeout};

#[tokio::test]
async fn presence_passes_as_soon_as_two_are_connected() {
    let (mut a, mut b) = (start().await, start().await);
    let started = Instant::now();
    a.node.add_address(b.tcp()).await.unwrap();
    a.subscribed(b.id()).await;
    let said = presence(a.id(), Kind::Online);
    a.node.publish(said.encode()).await;
    assert_eq!(b.presence().await, said);
    let took = started.elapsed();
    promise::time("presence reaches a new peer", took, Duration::from_secs(2));
}

#[tokio::test]
async fn a_message_about_another_peer_is_neither_believed_nor_forwarded() {
    let (mut liar, mut middle, mut end) = (start().await, start().await, start().await);
    liar.node.add_address(middle.tcp()).await.unwrap();
    end.node.add_address(middle.tcp()).await.unwrap();
    liar.subscribed(middle.id()).await;
    middle.subscribed(end.id()).await;
    end.subscribed(middle.id()).await;
    liar.node
        .publish(presence(end.id(), Kind::Offline).encode())
        .await;
    liar.node
        .publish(presence(middle.id(), Kind::Offline).encode())
        .await;
    liar.node.publish(b"no presence at all".to_vec()).await;
    liar.node.publish(vec![b'x'; (1 << 20) + 1]).await;
    let truth = presence(liar.id(), Kind::Update);
    liar.node.publish(truth.encode()).await;
    assert_eq!(middle.presence().await, truth);
    assert_eq!(end.presence().await, truth, "two hops");
}

#[tokio::test]
async fn a_flooder_is_ignored() {
    let (mut a, mut b) = (start().await, start().await);
    a.node.add_address(b.tcp()).await.unwrap();
    a.subscribed(b.id()).await;
    for n in 0..1000 {
        let mut message = presence(a.id(), Kind::Update);
        message.ts += n;
        a.node.publish(message.encode()).await;
    }
    let mut received = 0;
    while let Ok(Some(event)) = timeout(Duration::from_millis(500), b.events.recv()).await {
        received += usize::from(matches!(event, Event::Presence(_)));
    }
    assert!((100..160).contains(&received), "{received} of 1000");
}

/// Existing peers dial once, at the same moment, and then 3 of 28 starts never connect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_dial_at_the_same_moment_and_always_connect() {
    let mut slowest = Duration::ZERO;
    for round in 0..100 {
        let (mut a, mut b) = (start().await, start().await);
        let started = Instant::now();
        let (to_b, to_a) = if round % 2 == 0 {
            (b.tcp(), a.tcp())
        } else {
            (b.quic(), a.quic())
        };
        let (x, y) = tokio::join!(a.node.add_address(to_b), b.node.add_address(to_a));
        x.unwrap();
        y.unwrap();
        let (a_id, b_id) = (a.id(), b.id());
        tokio::join!(a.connected(b_id), b.connected(a_id));
        slowest = slowest.max(started.elapsed());
        tokio::join!(a.node.shutdown(), b.node.shutdown());
    }
    println!("100 of 100, the slowest in {slowest:?}");
}

#[tokio::test]
async fn a_typed_address_is_dialed_until_the_peer_is_online() {
    let key = config().keypair;
    let gone = start_with(goop2_node::Config {
        keypair: key.clone(),
        ..config()
    })
    .await;
    let (addr, port, id) = (gone.tcp(), gone.port(), gone.id());
    gone.node.shutdown().await;
    let mut a = start().await;
    // Somebody accepts the connection and says nothing: the dial is made, and in vain.
    let nobody = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    a.node.add_address(addr).await.unwrap();
    drop(timeout(PATIENCE, nobody.accept()).await.unwrap().unwrap());
    drop(nobody);
    let back = start_with(goop2_node::Config {
        keypair: key.clone(),
        listen_port: port,
        ..config()
    })
    .await;
    a.connected(id).await;
    // And again when it is lost.
    back.node.shutdown().await;
    a.event(|e| (*e == Event::Disconnected(id)).then_some(()))
        .await;
    let _back = start_with(goop2_node::Config {
        keypair: key,
        listen_port: port,
        ..config()
    })
    .await;
    a.connected(id).await;
}

#[tokio::test]
async fn typed_addresses_are_checked() {
    let a = start().await;
    let other = start().await;
    assert_eq!(a.node.add_address(a.tcp()).await, Err(Invalid::Own));
    let without = format!("/ip4/127.0.0.1/tcp/{}", other.port())
        .parse()
        .unwrap();
    assert_eq!(a.node.add_address(without).await, Err(Invalid::NoPeer));
    let odd = format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{}", other.id())
        .parse()
        .unwrap();
    assert_eq!(a.node.add_address(odd).await, Err(Invalid::Transport));
}

#[tokio::test]
async fn the_last_message_arrives_and_shutdown_is_quick() {
    let (mut a, mut b) = (start().await, start().await);
    a.node.add_address(b.tcp()).await.unwrap();
    a.subscribed(b.id()).await;
    b.subscribed(a.id()).await;
    let (node, id) = (a.node.clone(), a.id());
    a.node.publish(presence(id, Kind::Offline).encode()).await;
    let started = Instant::now();
    a.node.shutdown().await;
    let took = started.elapsed();
    promise::time("the shutdown of a node", took, Duration::from_secs(1));
    assert_eq!(b.presence().await.kind, Kind::Offline);
    b.event(|e| (*e == Event::Disconnected(id)).then_some(()))
        .await;
    // Handles that are left say so, and nothing panics.
    assert!(matches!(
        node.open(b.id(), common::ECHO).await,
        Err(OpenError::NotReachable(_))
    ));
    assert_eq!(node.add_address(b.tcp()).await, Err(Invalid::Closed));
    node.publish(Vec::new()).await;
    node.learn(b.id(), Vec::new());
    timeout(PATIENCE, node.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let a = start().await;
    let port = a.port();
    let refused = goop2_node::spawn(goop2_node::Config {
        listen_port: port,
        ..config()
    })
    .await
    .err()
    .unwrap();
    assert!(matches!(refused, Error::PortTaken(taken) if taken == port));
    assert!(refused.to_string().contains(&port.to_string()));
    assert!(refused.to_string().contains("listen_port"));
}

#[tokio::test]
async fn switched_off_discovery_is_in_the_status() {
    let a = start().await;
    let mut status = a.node.status();
    let seen = timeout(
        PATIENCE,
        status.wait_for(|s| matches!(&s.multicast, Multicast::Off(why) if why.contains("off"))),
    );
    seen.await.unwrap().unwrap();
}
