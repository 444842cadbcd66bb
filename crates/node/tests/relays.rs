//! Reached through a relay: reservations made and made again, connections that become direct,
//! requests that survive it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
#[path = "../../../tests/support/promise.rs"]
mod promise;

use std::time::{Duration, Instant};

use common::{PATIENCE, Peer, ask, config, echo, relay::Relay, start};
use goop2_node::{Node, Reservation, Status};
use goop2_proto::{Multiaddr, PeerId};
use libp2p::multiaddr::Protocol;
use tokio::{task::JoinSet, time::timeout};

async fn until(node: &Node, wanted: impl FnMut(&Status) -> bool) -> Status {
    let mut status = node.status();
    let status = timeout(PATIENCE, status.wait_for(wanted)).await;
    status.expect("it becomes so").unwrap().clone()
}

fn holds(status: &Status) -> bool {
    let relays = &status.reach.relays;
    relays.len() == 1 && matches!(relays[0].state, Reservation::Held(_))
}

fn circuit(status: &Status) -> Option<&Multiaddr> {
    let mut published = status.published.iter();
    published.find(|addr| addr.iter().last() == Some(Protocol::P2pCircuit))
}

/// A peer with a reservation at the relay, and its address there.
async fn reserved(peer: &Peer, relay: &Relay) -> Multiaddr {
    peer.node.set_relays(vec![relay.offer()]).await;
    let status = until(&peer.node, holds).await;
    let address = circuit(&status).expect("it is announced").clone();
    assert!(address.to_string().contains(&relay.peer.to_base58()));
    address.with(Protocol::P2p(peer.id()))
}

fn is_direct(status: &Status, peer: PeerId) -> bool {
    let mut connections = status.connections.get(&peer).into_iter().flatten();
    connections.any(|connection| connection.relay.is_none())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_reached_through_its_relay_and_then_directly() {
    let relay = Relay::start(config().keypair, 0).await;
    let (a, b) = (start().await, start().await);
    let mut tasks = JoinSet::new();
    let address = reserved(&b, &relay).await;
    let (a_id, b_id) = (a.id(), b.id());
    let Peer { node, inbound, .. } = b;
    tasks.spawn(echo(inbound));
    let started = Instant::now();
    a.node.add_address(address).await.unwrap();
    ask(&a.node, b_id, b"hello").await.unwrap();
    println!("asked through the relay after {:?}", started.elapsed());
    // Hole punching over loopback needs no holes.
    until(&a.node, |status| is_direct(status, b_id)).await;
    until(&node, |status| is_direct(status, a_id)).await;
    println!("direct after {:?}", started.elapsed());
    ask(&a.node, b_id, &vec![7; 1 << 20]).await.unwrap();
    // The relayed connection, which nobody uses any more, is closed after a moment.
    until(&a.node, |status| {
        status.connections[&b_id].iter().all(|c| !c.relayed())
    })
    .await;
    ask(&a.node, b_id, b"still there").await.unwrap();
    let reach = a.node.history(b_id).await;
    assert!(reach.links[0].sent_bytes > 1 << 20, "{reach:?}");
    let told: Vec<_> = reach.attempts.iter().map(|a| a.outcome.as_str()).collect();
    assert!(
        told[0].starts_with("connected through the relay of"),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|text| text.starts_with("connected on this network")),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_was_restarted_has_a_reservation_again_within_ten_seconds() {
    let key = config().keypair;
    let relay = Relay::start(key.clone(), 0).await;
    let peer = start().await;
    reserved(&peer, &relay).await;
    let port = relay.port();
    relay.kill().await;
    // By then it was dialed in vain.
    let lost = until(&peer.node, |status| match &status.reach.relays[0].state {
        Reservation::Failed { reason, .. } => reason.contains("does not answer"),
        _ => false,
    });
    assert_eq!(circuit(&lost.await), None);
    let _relay = Relay::start(key, port).await;
    let back = Instant::now();
    until(&peer.node, holds).await;
    let took = back.elapsed();
    promise::time(
        "a reservation after the relay is back",
        took,
        Duration::from_secs(10),
    );
}

#[tokio::test]
async fn relays_no_longer_offered_are_left() {
    let relay = Relay::start(config().keypair, 0).await;
    let peer = start().await;
    reserved(&peer, &relay).await;
    peer.node.set_relays(Vec::new()).await;
    let left = until(&peer.node, |status| status.reach.relays.is_empty()).await;
    assert_eq!(circuit(&left), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_peer_is_connected_before_anybody_asks() {
    let relay = Relay::start(config().keypair, 0).await;
    let (a, b) = (start().await, start().await);
    let address = reserved(&b, &relay).await;
    let b_id = b.id();
    a.node.add_address(address).await.unwrap();
    until(&a.node, |status| status.connections.contains_key(&b_id)).await;
    a.node.keep_connected([b_id].into());
    b.node.shutdown().await;
    until(&a.node, |status| !status.connections.contains_key(&b_id)).await;
    let attempts = a.node.history(b_id).await.attempts;
    assert!(attempts.iter().any(|attempt| attempt.worked == Some(true)));
}
