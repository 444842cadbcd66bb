//! Places at a relay, as the relay counts them: who is reachable without keeps none.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{RETRY, World, again, says};
use crate::{
    PATIENCE, measured,
    support::{
        http,
        lab::{
            firewall::Firewall,
            internet::{Internet, Nat},
        },
        millis,
        peer::Peer,
        promise,
    },
};

/// From the word of the peer that it needs no place until the relay has it back.
const GIVEN_BACK: Duration = Duration::from_secs(10);
/// Longer than it takes from being reachable to the end of the place, at the rate that the relay
/// gives.
const LARGE: usize = 26_000_000;
const RATE: usize = 1_000_000;

impl World {
    /// A figure of the relay, from the page for machines.
    fn figure(&self, name: &str) -> u64 {
        let url = format!("{}/metrics", self.url(Nat::Public));
        let metrics = http::send(|client| client.get(url)).unwrap().text();
        let mut lines = metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.expect("a figure of the relay").parse().unwrap()
    }

    fn places_kept(&self) -> u64 {
        self.figure("goop2_relay_reservations")
    }

    fn places_made(&self) -> u64 {
        self.figure("goop2_relay_reservations_total")
    }

    /// How long until the relay keeps no place.
    fn given_back(&self) -> Duration {
        let started = Instant::now();
        while self.places_kept() > 0 {
            assert!(started.elapsed() < PATIENCE * 2, "still reserved");
            thread::sleep(RETRY);
        }
        let took = started.elapsed();
        promise::time("a reservation that is not needed ends", took, GIVEN_BACK);
        took
    }
}

fn needs_none(peer: &Peer, from: usize) -> Instant {
    says(peer, from, "no relay is needed", "relay", |fact| {
        fact["detail"] == "Not needed: peers can connect directly."
    })
}

#[test]
fn who_is_reachable_keeps_none() {
    measured("reach::places::who_is_reachable_keeps_none", || {
        let world = World::new();
        let firewall = Firewall::new(&world.internet);
        let site = world.internet.site(Nat::Public);
        let folder = world.joined("public", site.nat);
        let peer = Peer::start(&folder, Some(site.host()));
        let needless = needs_none(&peer, 0);
        println!(
            "reachable by itself, and no place at a relay, {:.1} s after the start; given back {} after that",
            (needless - peer.launched).as_secs_f64(),
            millis(world.given_back())
        );
        // A test needs the relay, and no place there, unless it changes the verdict; then one place
        // is made and given back.
        assert_eq!(
            (again::press(&peer).as_str(), world.places_made()),
            (again::ARRIVES, 1)
        );
        firewall.close(&site);
        let held = peer.mark();
        again::press(&peer);
        says(&peer, held, "a place at the relay", "relay", |fact| {
            let words = fact["detail"].as_str();
            words.is_some_and(|words| words.starts_with("Passes on"))
        });
        firewall.open(&site);
        let open = peer.mark();
        again::press(&peer);
        needs_none(&peer, open);
        world.given_back();
        assert_eq!(world.places_made(), 2, "no place was asked for in vain");
    });
}

#[test]
fn what_goes_through_a_relay_ends_before_the_place_does() {
    measured(
        "reach::places::what_goes_through_a_relay_ends_before_the_place_does",
        || {
            let slow = json!({ "relay_bytes_per_second_per_peer": RATE });
            let world = World::with(Arc::new(Internet::new()), &slow);
            let firewall = Firewall::new(&world.internet);
            let sites = [Nat::PortRestricted, Nat::Public].map(|nat| world.internet.site(nat));
            // To each other they are reachable through the relay only.
            firewall.part(sites.each_ref());
            let folders = sites
                .each_ref()
                .map(|site| world.joined("somebody", site.nat));
            folders[1].write("site/large.bin", vec![b'x'; LARGE]);
            let [visitor, owner] =
                [0, 1].map(|index| Peer::start(&folders[index], Some(sites[index].host())));
            visitor.sees(&owner.id(), PATIENCE);
            again::reachable(&owner);
            let asked = Instant::now();
            let path = format!("p/{}/large.bin", owner.id());
            let fetched = visitor.fetch(&path).unwrap();
            let came = Instant::now();
            let needless = needs_none(&owner, 0);
            assert!(
                asked < needless && needless < came,
                "none was needed meanwhile"
            );
            let answer = &fetched.answer;
            assert_eq!((answer.status, answer.body.len()), (200, LARGE));
            assert!(
                world.places_kept() >= 2,
                "a place ended with a circuit on it"
            );
            visitor.stop();
            println!(
                "{LARGE} bytes came whole in {}; given back {} after the visitor left",
                millis(came - asked),
                millis(world.given_back())
            );
        },
    );
}
