//! What breaks, comes back by itself: nothing is restarted by hand but what the test itself had killed.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::World;
use crate::{
    PATIENCE,
    support::{
        lab::{
            inside,
            internet::{Nat, Site},
        },
        millis,
        peer::{Folder, Peer},
    },
};

/// After the relay is back, its reservations are.
const RESERVED: Duration = Duration::from_secs(10);
/// The viewer gives up a visit after 10 s; a busy machine may be late.
const DEADLINE: Duration = Duration::from_secs(12);
/// After a change of the network at one end; a peer may notice only by silence.
const HEALED: Duration = Duration::from_secs(20);
/// The rendezvous is away this long.
const AWAY: Duration = Duration::from_secs(60);
const UNPLUGGED: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(100);

/// Two peers at sites of one kind, who have met.
struct Pair {
    sites: [Site; 2],
    visitor: Peer,
    owner: Peer,
    _folders: [Folder; 2],
}

impl Pair {
    fn new(world: &World, nat: Nat) -> Self {
        let sites = [(); 2].map(|()| world.internet.site(nat));
        let folders = ["visitor", "owner"].map(|label| world.joined(label, nat));
        let [visitor, owner] =
            [0, 1].map(|index| Peer::launch(&folders[index], Some(sites[index].host())));
        let pair = Self {
            sites,
            visitor,
            owner,
            _folders: folders,
        };
        pair.visitor.sees(&pair.owner.id(), PATIENCE);
        pair.visited(PATIENCE);
        pair
    }

    /// How long until the owner's page comes. No request takes longer than it may.
    fn visited(&self, within: Duration) -> Duration {
        let (started, owner) = (Instant::now(), self.owner.id());
        loop {
            let asked = Instant::now();
            let answer = self.visitor.visit(&owner, "").unwrap();
            assert!(
                asked.elapsed() < DEADLINE,
                "a request hung for {:?}",
                asked.elapsed()
            );
            if answer.status == 200 {
                return started.elapsed();
            }
            assert!(
                started.elapsed() < within,
                "still {}: {}",
                answer.status,
                answer.text()
            );
            thread::sleep(RETRY);
        }
    }
}

#[test]
fn a_relay_that_died_is_used_again() {
    inside("reach::heal::a_relay_that_died_is_used_again", || {
        let mut world = World::new();
        let pair = Pair::new(&world, Nat::Symmetric);
        world.server.kill();
        let asked = Instant::now();
        let refused = pair.visitor.visit(&pair.owner.id(), "").unwrap();
        println!(
            "relay killed: a request in vain ends after {}, {}",
            millis(asked.elapsed()),
            refused.status
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
    inside("reach::heal::a_rendezvous_may_be_away_for_a_minute", || {
        let mut world = World::new();
        let pairs = [Nat::PortRestricted, Nat::Symmetric].map(|nat| Pair::new(&world, nat));
        world.server.kill();
        thread::sleep(AWAY);
        // The direct path needs nobody.
        let meanwhile = pairs[0].visited(RETRY);
        world.restart();
        let started = Instant::now();
        let before = pairs.each_ref().map(|pair| pair.visitor.mark());
        let back = pairs.each_ref().map(|pair| {
            pair.visited(PATIENCE);
            started.elapsed()
        });
        println!(
            "rendezvous away for {AWAY:?}: a direct visit meanwhile takes {}; after its return visits work after {} (direct) and {} (relayed)",
            millis(meanwhile),
            millis(back[0]),
            millis(back[1])
        );
        for (pair, before) in pairs.iter().zip(before) {
            let id = pair.owner.id();
            if !pair.visitor.shows(&id) {
                pair.visitor
                    .wait_from(before, "it is online again", PATIENCE, |event| {
                        crate::support::peer::is(event, &id, "online")
                    });
            }
        }
        assert!(
            back.iter().all(|back| *back < RESERVED),
            "limit {RESERVED:?}"
        );
    });
}

#[test]
fn a_network_may_change_under_a_peer() {
    inside("reach::heal::a_network_may_change_under_a_peer", || {
        let world = World::new();
        for nat in [Nat::Public, Nat::PortRestricted, Nat::Symmetric] {
            let mut pair = Pair::new(&world, nat);
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
