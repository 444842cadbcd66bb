//! A household with many keys at the relay of a rendezvous.

use std::{
    iter,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use goop2_hostile::Guest;
use goop2_node::Keypair;
use goop2_proto::{Multiaddr, PeerId};
use serde_json::json;

use super::{Held, LOOK, during};
use crate::{
    PATIENCE, measured,
    reach::{Pair, World, announce, relay_of},
    support::{
        lab::internet::{Internet, Nat},
        promise,
    },
};

/// Reservations and circuits that the relay has, each.
const PLACES: usize = 8;
/// Keys of the household.
const KEYS: usize = 3 * PLACES;
/// How long two who can meet only at the relay may take, from their start to the first page.
const MEETING: Duration = Duration::from_secs(10);

#[test]
fn a_household_with_many_keys_keeps_nobody_from_the_relay() {
    measured(
        "siege::relay::a_household_with_many_keys_keeps_nobody_from_the_relay",
        || {
            let few = json!({ "relay_max_reservations": PLACES, "relay_max_circuits": PLACES });
            let world = World::with(Arc::new(Internet::new()), &few);
            let quiet = meeting(&world);
            until(&world, 0);
            let before = Held::of(&world.server);
            let site = world.internet.site(Nat::Public);
            let keys: Vec<_> = iter::repeat_with(Keypair::generate_ed25519)
                .take(KEYS)
                .collect();
            let url = world.url(site.nat);
            for key in &keys {
                announce(site.host(), &url, key);
            }
            let relay = relay_of(site.host(), &url);
            let at = relay.addrs.iter().find(|addr| is_tcp_over_ipv4(addr));
            let crowd = crowd(at.expect("it is there").clone(), relay.peer, &keys);
            during(site.host(), crowd, || {
                until(&world, PLACES as u64);
                let attacked = meeting(&world);
                println!("alone {quiet:?}, during the attack {attacked:?}");
                promise::time("meeting at a relay that is full", attacked, MEETING);
            });
            before.comes_back(&world.server);
        },
    );
}

/// How long two who have never been there take to meet at the relay: behind their routers there is
/// no other way.
fn meeting(world: &World) -> Duration {
    let begun = Instant::now();
    let pair = Pair::new(world, Nat::Symmetric, |_| {});
    let took = begun.elapsed();
    pair.stop();
    took
}

/// Waits until so many reservations and circuits are taken.
fn until(world: &World, taken: u64) {
    let deadline = Instant::now() + PATIENCE;
    let figures = ["goop2_relay_reservations", "goop2_relay_circuits"];
    while figures.iter().any(|name| world.figure(name) != taken) {
        assert!(Instant::now() < deadline, "not {taken} in {PATIENCE:?}");
        thread::sleep(LOOK);
    }
}

fn is_tcp_over_ipv4(addr: &Multiaddr) -> bool {
    let text = addr.to_string();
    text.starts_with("/ip4/") && text.contains("/tcp/")
}

/// As many reservations as there are, and a circuit from each who has one to the next.
async fn crowd(relay: Multiaddr, id: PeerId, keys: &[Keypair]) -> Vec<Guest> {
    let relay = relay.with_p2p(id).unwrap();
    let mut guests = Vec::new();
    for key in keys {
        // Beyond what there is, it is refused.
        guests.extend(Guest::start(relay.clone(), key).await);
    }
    assert_eq!(guests.len(), PLACES, "reservations of the household");
    for (guest, next) in guests.iter().zip(guests.iter().cycle().skip(1)) {
        assert!(guest.call(next.id()).await, "there is a circuit left");
    }
    guests
}
