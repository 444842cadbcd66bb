//! Those who want more than their part: what they get, and that others get theirs.

use std::time::Duration;

use futures::{StreamExt, stream};
use goop2_node::relay::Limits;
use goop2_proto::relay::{Membership, Refusal, Usage};
use tokio::time::timeout;

use crate::{
    MIB, pipe,
    world::{Client, Over, PATIENCE, World},
};

/// Circuits asked for at once; the relay negotiates ten at a time on one connection.
const IN_FLIGHT: usize = 64;

fn limits() -> Limits {
    Limits {
        circuits: 40,
        circuits_per_peer: 16,
        ..Limits::default()
    }
}

#[tokio::test]
async fn thousands_of_circuits_are_refused_and_others_still_meet() {
    let world = World::new(limits()).await;
    let (host, greedy, visitor) = (
        world.guest().await,
        world.guest().await,
        world.guest().await,
    );
    world.reserve(&host, Over::Tcp).await.unwrap();
    greedy.dial(world.addr(Over::Tcp)).await.unwrap();
    let (relay, to) = (world.relay.peer_id(), host.id);
    let attack = stream::iter(0..3000)
        .map(|_| greedy.pipes.connect(relay, to))
        .buffer_unordered(IN_FLIGHT)
        .filter_map(|answer| async { answer })
        .filter(|(status, _)| std::future::ready(*status == pipe::OK))
        .map(|(_, held)| held)
        .collect::<Vec<_>>();
    let most = async {
        let (mut state, mut most) = (world.state.clone(), 0);
        while state.changed().await.is_ok() {
            most = most.max(world.usage().circuits.len());
            assert!(most <= limits().circuits_per_peer, "{most}");
        }
    };
    let held = tokio::select! {
        held = attack => held,
        () = most => unreachable!("the relay runs"),
    };
    world.connect(&visitor, &host, Over::Quic).await.unwrap();
    assert_eq!(visitor.pipes.fetch(host.id, MIB, |_| {}).await, MIB);
    let usage = world
        .told(|usage| usage.refused.contains_key(&Refusal::Peer))
        .await;
    println!(
        "3000 circuits asked for by one peer: {} held, refused {:?}, the rest not looked at",
        held.len(),
        usage.refused
    );
    assert!(usage.refused[&Refusal::Peer] > 100);
    drop(held);
}

#[tokio::test]
async fn a_guest_that_never_answers_costs_only_those_who_call_it() {
    let world = World::new(limits()).await;
    let (host, caller, visitor) = (
        world.guest().await,
        world.guest().await,
        world.guest().await,
    );
    world.reserve(&host, Over::Tcp).await.unwrap();
    let silent = Client::silent();
    world.here.publish(silent.id, Membership::Proved);
    silent.dial(world.addr(Over::Tcp)).await.unwrap();
    let relay = world.relay.peer_id();
    assert_eq!(silent.pipes.reserve(relay).await, Some(pipe::OK));

    caller.dial(world.addr(Over::Tcp)).await.unwrap();
    let calls = stream::iter(0..200)
        .map(|_| caller.pipes.connect(relay, silent.id))
        .buffer_unordered(IN_FLIGHT)
        .filter_map(|answer| async { answer })
        .filter(|(status, _)| std::future::ready(*status == pipe::OK))
        .count();
    let meanwhile = async {
        world
            .told(|usage| usage.refused.contains_key(&Refusal::Peer))
            .await;
        world.connect(&visitor, &host, Over::Quic).await.unwrap();
        assert_eq!(visitor.pipes.fetch(host.id, MIB, |_| {}).await, MIB);
    };
    tokio::select! {
        opened = calls => panic!("{opened} calls were answered, the rest refused"),
        () = meanwhile => {}
    }
}

#[tokio::test]
async fn a_visit_ends_when_its_time_or_its_bytes_are_used_up() {
    let short = Limits {
        circuit: Duration::from_secs(1),
        ..Limits::default()
    };
    let small = Limits {
        circuit_bytes: MIB,
        ..Limits::default()
    };
    for limits in [short, small] {
        let world = World::new(limits).await;
        let (host, mut visitor) = (world.guest().await, world.guest().await);
        world.reserve(&host, Over::Tcp).await.unwrap();
        world.connect(&visitor, &host, Over::Tcp).await.unwrap();
        let endless = visitor.pipes.fetch(host.id, u64::MAX, |_| {});
        let came = timeout(PATIENCE, endless).await.expect("an end");
        assert!(came < u64::MAX);
        world.told(|usage| usage.circuits.is_empty()).await;
        // Its connection to the relay stays, and it may come again.
        let one = visitor.connections.wait_for(|count| *count == 1);
        timeout(PATIENCE, one).await.expect("in time").unwrap();
        world.connect(&visitor, &host, Over::Tcp).await.unwrap();
    }
}

#[tokio::test]
async fn peers_that_do_not_sign_have_a_part() {
    let world = World::new(Limits::default()).await;
    let mut guests = Vec::new();
    for place in 0..9 {
        let guest = Client::start();
        world.here.publish(guest.id, Membership::Claimed);
        let reserved = world.reserve(&guest, Over::Tcp).await;
        assert_eq!(reserved.is_ok(), place < 8, "{reserved:?}");
        guests.push(guest);
    }
    let signs = world.guest().await;
    world.reserve(&signs, Over::Tcp).await.unwrap();
    let usage = world.told(|usage| usage.reachable() == 9).await;
    assert_eq!(usage.refused[&Refusal::Unsigned], 1);
}

#[tokio::test]
async fn a_crowd_of_strangers_leaves_room() {
    let world = World::new(Limits::default()).await;
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let stranger = Client::start();
        let _refused = stranger.dial(world.addr(Over::Tcp)).await;
        crowd.push(stranger);
    }
    let usage = world
        .told(|usage| usage.refused.contains_key(&Refusal::Connection))
        .await;
    assert!(usage.connections <= 32, "{}", usage.connections);
    let guest = world.guest().await;
    world.reserve(&guest, Over::Tcp).await.unwrap();
}

/// One household has all reservations, on as many keys; another one asks for its first.
#[tokio::test]
async fn a_household_with_many_keys_gives_way_to_another() {
    let limits = Limits {
        reservations: 6,
        ..Limits::default()
    };
    let world = World::new(limits).await;
    let mut crowd = Vec::new();
    for _ in 0..6 {
        let guest = world.guest().await;
        world.reserve(&guest, Over::Tcp).await.unwrap();
        crowd.push(guest);
    }
    let more = world.guest().await;
    world.reserve(&more, Over::Tcp).await.unwrap_err();

    let another = "/ip6/::1".parse().unwrap();
    let mut newcomers = Vec::new();
    for taken in 1..=3 {
        let guest = world.guest().await;
        world.reserve_from(&guest, &another).await.unwrap();
        newcomers.push(guest);
        let held = |usage: &Usage, client: &Client| {
            let mut guests = usage.guests.iter();
            guests.any(|guest| guest.peer == client.id && guest.reservations == 1)
        };
        world
            .told(|usage| {
                usage.reachable() == 6 && newcomers.iter().all(|client| held(usage, client))
            })
            .await;
        for client in crowd.iter_mut().rev().take(taken) {
            client.alone().await;
        }
        let gone = crowd
            .iter()
            .filter(|client| *client.connections.borrow() == 0);
        assert_eq!(gone.count(), taken);
    }
    // Both have three.
    let guest = world.guest().await;
    world.reserve_from(&guest, &another).await.unwrap_err();
}
