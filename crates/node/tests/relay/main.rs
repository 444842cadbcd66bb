//! The relay host with real swarms of the library on either side.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod abuse;
#[cfg(target_os = "linux")]
mod autonat;
#[cfg(target_os = "linux")]
mod load;
mod pipe;
#[path = "../../../../tests/support/promise.rs"]
mod promise;
mod seen;
mod share;
#[path = "../common/swarm.rs"]
mod swarm;
mod world;

use std::time::Duration;

use goop2_node::relay::Limits;
use goop2_proto::relay::{Membership, Refusal};
use libp2p::identity::Keypair;

use world::{Client, Over, World};

pub(crate) const MIB: u64 = 1 << 20;

#[tokio::test]
async fn two_meet_over_every_pair_of_transports() {
    let world = World::new(Limits::default()).await;
    for (here, there) in [
        (Over::Tcp, Over::Tcp),
        (Over::Tcp, Over::Quic),
        (Over::Quic, Over::Tcp),
        (Over::Quic, Over::Quic),
    ] {
        let (host, visitor) = (world.guest().await, world.guest().await);
        world.reserve(&host, there).await.unwrap();
        world.connect(&visitor, &host, here).await.unwrap();
        let came = visitor.pipes.fetch(host.id, 5 * MIB, |_| {}).await;
        assert_eq!(came, 5 * MIB, "{here:?} to {there:?}");
        let usage = world
            .told(|usage| {
                let sent = usage.guests.iter().find(|guest| guest.peer == host.id);
                let all = sent.is_some_and(|guest| guest.sent > 5 * MIB);
                all && usage.circuits.len() == 1 && usage.reachable() == 1
            })
            .await;
        assert_eq!(
            (usage.circuits[0].from, usage.circuits[0].to),
            (visitor.id, host.id)
        );
        let guest = usage
            .guests
            .iter()
            .find(|guest| guest.peer == host.id)
            .unwrap();
        assert!(guest.received < MIB, "{guest:?}");
        drop((host, visitor));
        world
            .told(|usage| usage.circuits.is_empty() && usage.guests.is_empty())
            .await;
    }
    let usage = world.usage();
    assert_eq!((usage.reserved, usage.connected), (4, 4));
    assert!(usage.bytes > 20 * MIB);
    assert_eq!(usage.refused.into_iter().collect::<Vec<_>>(), []);
    world.relay.shutdown().await;
}

#[tokio::test]
async fn it_is_nobodys_free_tunnel() {
    let world = World::new(Limits::default()).await;
    let host = Client::start();
    assert!(
        world
            .reserve(&host, Over::Tcp)
            .await
            .unwrap_err()
            .contains("ResourceLimitExceeded")
    );
    world.here.publish(host.id, Membership::Proved);
    world.reserve(&host, Over::Tcp).await.unwrap();

    let visitor = Client::start();
    world.connect(&visitor, &host, Over::Tcp).await.unwrap_err();
    world.here.publish(visitor.id, Membership::Claimed);
    world.connect(&visitor, &host, Over::Tcp).await.unwrap();
    let usage = world
        .told(|usage| usage.refused.contains_key(&Refusal::Stranger))
        .await;
    assert_eq!(usage.refused[&Refusal::Stranger], 2);
}

#[tokio::test]
async fn who_is_gone_is_gone_after_a_while_and_who_is_barred_at_once() {
    let limits = Limits {
        grace: Duration::from_millis(100),
        ..Limits::default()
    };
    let world = World::new(limits).await;
    let (mut gone, mut barred, stays) = (
        world.guest().await,
        world.guest().await,
        world.guest().await,
    );
    for guest in [&gone, &barred, &stays] {
        world.reserve(guest, Over::Tcp).await.unwrap();
    }
    world.here.leave(gone.id);
    world.here.publish(barred.id, Membership::Barred);
    gone.alone().await;
    barred.alone().await;
    assert_eq!(*stays.connections.borrow(), 1);
    world.reserve(&gone, Over::Tcp).await.unwrap_err();
    world.reserve(&barred, Over::Quic).await.unwrap_err();
}

#[tokio::test]
async fn places_are_counted() {
    let limits = Limits {
        reservations: 3,
        reservations_per_peer: 1,
        ..Limits::default()
    };
    let world = World::new(limits).await;
    let key = Keypair::generate_ed25519();
    let (first, again) = (Client::with_key(key.clone()), Client::with_key(key));
    world.here.publish(first.id, Membership::Proved);
    world.reserve(&first, Over::Tcp).await.unwrap();
    world.reserve(&again, Over::Quic).await.unwrap_err();
    let mut guests = vec![first];
    for _ in 0..2 {
        let guest = world.guest().await;
        world.reserve(&guest, Over::Tcp).await.unwrap();
        guests.push(guest);
    }
    let late = world.guest().await;
    world.reserve(&late, Over::Tcp).await.unwrap_err();
    let usage = world.told(|usage| usage.refused.len() == 2).await;
    assert_eq!(
        (usage.refused[&Refusal::Peer], usage.refused[&Refusal::Full]),
        (1, 1)
    );
    drop(guests.pop());
    world.told(|usage| usage.reachable() == 2).await;
    world.reserve(&late, Over::Tcp).await.unwrap();
}

#[tokio::test]
async fn a_restart_is_seen_at_once_and_the_place_is_the_same() {
    let world = World::new(Limits::default()).await;
    let mut host = world.guest().await;
    world.reserve(&host, Over::Tcp).await.unwrap();
    let before = world.addr(Over::Tcp);
    let world = world.restart().await;
    host.alone().await;
    assert_eq!(world.addr(Over::Tcp), before);
    world.reserve(&host, Over::Tcp).await.unwrap();
}
