//! Broken connections recover automatically: the test restarts only what it killed itself.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{DEADLINE, Pair, World, says};
use crate::{
    PATIENCE, measured,
    support::{
        lab::internet::Nat,
        millis,
        peer::{Peer, is},
        promise,
    },
};

/// After the relay is back, its reservations are.
const RESERVED: Duration = Duration::from_secs(10);
/// After a change of the network at one end, which a peer may notice only by silence; and after the
/// rendezvous is back, which peers notice at their next attempt.
const HEALED: Duration = Duration::from_secs(20);
/// The rendezvous is away this long.
const AWAY: Duration = Duration::from_secs(60);
const UNPLUGGED: Duration = Duration::from_secs(5);
/// A direct path needs no time to heal.
const AT_ONCE: Duration = Duration::from_millis(1);

#[test]
fn a_relay_that_died_is_used_again() {
    measured("reach::heal::a_relay_that_died_is_used_again", || {
        let mut world = World::new();
        let pair = Pair::new(&world, Nat::Symmetric, |_| {});
        world.server.kill();
        let asked = Instant::now();
        let answer = pair.visitor.visit(&pair.owner.id(), "").unwrap();
        let took = asked.elapsed();
        println!(
            "relay killed: a request ends with {} after {}",
            answer.status,
            millis(took)
        );
        promise::time("the end of a request whose relay died", took, DEADLINE);
        let marks = [&pair.visitor, &pair.owner].map(Peer::mark);
        world.restart();
        let started = Instant::now();
        let held = [&pair.visitor, &pair.owner]
            .into_iter()
            .zip(marks)
            .map(|(peer, mark)| {
                let held = says(
                    peer,
                    mark,
                    "a reservation at the relay again",
                    "relay",
                    |fact| {
                        fact["detail"]
                            .as_str()
                            .is_some_and(|words| words.starts_with("Passes on"))
                    },
                );
                held.saturating_duration_since(started)
            });
        let held = held.max().unwrap_or_default();
        pair.visited(PATIENCE);
        println!(
            "relay restarted: both have a reservation after {}, visits work after {}",
            millis(held),
            millis(started.elapsed())
        );
        promise::time("a reservation after the relay is back", held, RESERVED);
    });
}

#[test]
fn a_rendezvous_may_be_away_for_a_minute() {
    measured("reach::heal::a_rendezvous_may_be_away_for_a_minute", || {
        let mut world = World::new();
        let pairs = [Nat::PortRestricted, Nat::Symmetric].map(|nat| Pair::new(&world, nat, |_| {}));
        world.server.kill();
        thread::sleep(AWAY);
        // The direct path needs nobody.
        let meanwhile = pairs[0].visited(AT_ONCE);
        let before = pairs.each_ref().map(|pair| pair.visitor.mark());
        world.restart();
        let started = Instant::now();
        let back = pairs.each_ref().map(|pair| {
            pair.visited(PATIENCE * 2);
            started.elapsed()
        });
        let seen = pairs.each_ref().map(|pair| pair.owner.id());
        for ((pair, id), before) in pairs.iter().zip(&seen).zip(before) {
            if !pair.visitor.shows(id) {
                let online = |event: &serde_json::Value| is(event, id, "online");
                pair.visitor
                    .wait_from(before, "it is online again", PATIENCE, online);
            }
        }
        println!(
            "rendezvous away for {AWAY:?}: a direct visit meanwhile takes {}; from its start on visits work after {} (direct) and {} \
             (relayed), and all are seen after {}",
            millis(meanwhile),
            millis(back[0]),
            millis(back[1]),
            millis(started.elapsed())
        );
        promise::time(
            "a direct visit after the rendezvous is back",
            back[0],
            HEALED,
        );
        promise::time(
            "a relayed visit after the rendezvous is back",
            back[1],
            HEALED,
        );
    });
}

#[test]
fn the_network_of_a_public_peer_may_change() {
    measured(
        "reach::heal::the_network_of_a_public_peer_may_change",
        || {
            change_under(Nat::Public);
        },
    );
}

#[test]
fn the_network_behind_a_router_may_change() {
    measured(
        "reach::heal::the_network_behind_a_router_may_change",
        || {
            change_under(Nat::PortRestricted);
        },
    );
}

#[test]
fn the_network_behind_a_symmetric_router_may_change() {
    measured(
        "reach::heal::the_network_behind_a_symmetric_router_may_change",
        || {
            change_under(Nat::Symmetric);
        },
    );
}

/// Changes the network of an owner who is visited before and after.
fn change_under(nat: Nat) {
    let world = World::new();
    let mut pair = Pair::new(&world, nat, |_| {});
    let healed = |pair: &Pair, what: &str| {
        let time = pair.visited(PATIENCE * 2);
        println!(
            "{}, {what}: visited again after {}",
            nat.name(),
            millis(time)
        );
        promise::time(
            &format!("a visit after a change: {}, {what}", nat.name()),
            time,
            HEALED,
        );
    };
    pair.sites[1].readdress(77);
    healed(&pair, "another address");
    pair.sites[1].unplug();
    thread::sleep(UNPLUGGED);
    pair.sites[1].plug_in();
    healed(&pair, "interface down and up");
    if nat != Nat::Public {
        pair.sites[1].renumber();
        healed(&pair, "another address of its router");
    }
}
