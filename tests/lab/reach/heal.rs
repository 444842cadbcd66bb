//! What breaks, comes back by itself: nothing is restarted by hand but what the test itself had killed.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{DEADLINE, Pair, World};
use crate::{
    PATIENCE, inside_alone,
    support::{lab::internet::Nat, millis, peer::is},
};

/// After the relay is back, its reservations are.
const RESERVED: Duration = Duration::from_secs(10);
/// After a change of the network at one end; a peer may notice only by silence.
const HEALED: Duration = Duration::from_secs(20);
/// The rendezvous is away this long.
const AWAY: Duration = Duration::from_secs(60);
const UNPLUGGED: Duration = Duration::from_secs(5);
/// A direct path needs no time to heal.
const AT_ONCE: Duration = Duration::from_millis(1);

#[test]
fn a_relay_that_died_is_used_again() {
    inside_alone("reach::heal::a_relay_that_died_is_used_again", || {
        let mut world = World::new();
        let pair = Pair::new(&world, Nat::Symmetric, |_| {});
        world.server.kill();
        let asked = Instant::now();
        let answer = pair.visitor.visit(&pair.owner.id(), "").unwrap();
        println!(
            "relay killed: a request ends with {} after {}",
            answer.status,
            millis(asked.elapsed())
        );
        assert!(asked.elapsed() < DEADLINE);
        world.restart();
        let back = pair.visited(PATIENCE);
        println!(
            "relay restarted: relayed visits again after {}",
            millis(back)
        );
        assert!(back < RESERVED, "limit {RESERVED:?}");
    });
}

#[test]
fn a_rendezvous_may_be_away_for_a_minute() {
    inside_alone("reach::heal::a_rendezvous_may_be_away_for_a_minute", || {
        let mut world = World::new();
        let pairs = [Nat::PortRestricted, Nat::Symmetric].map(|nat| Pair::new(&world, nat, |_| {}));
        world.server.kill();
        thread::sleep(AWAY);
        // The direct path needs nobody.
        let meanwhile = pairs[0].visited(AT_ONCE);
        let before = pairs.each_ref().map(|pair| pair.visitor.mark());
        let started = Instant::now();
        world.restart();
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
        assert!(
            back.iter().all(|back| *back < RESERVED),
            "limit {RESERVED:?}"
        );
    });
}

#[test]
fn a_network_may_change_under_a_peer() {
    inside_alone("reach::heal::a_network_may_change_under_a_peer", || {
        let world = World::new();
        for nat in [Nat::Public, Nat::PortRestricted, Nat::Symmetric] {
            let mut pair = Pair::new(&world, nat, |_| {});
            let mut times = Vec::new();
            pair.sites[1].readdress(77);
            times.push(("another address", pair.visited(PATIENCE * 2)));
            pair.sites[1].unplug();
            thread::sleep(UNPLUGGED);
            pair.sites[1].plug_in();
            times.push(("interface down and up", pair.visited(PATIENCE * 2)));
            if nat != Nat::Public {
                pair.sites[1].renumber();
                times.push(("another address of its router", pair.visited(PATIENCE * 2)));
            }
            for (what, time) in &times {
                println!(
                    "{}, {what}: visited again after {}",
                    nat.name(),
                    millis(*time)
                );
            }
            assert!(
                times.iter().all(|(_, time)| *time < HEALED),
                "limit {HEALED:?}"
            );
        }
    });
}
