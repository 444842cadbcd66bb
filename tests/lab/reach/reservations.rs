//! Reservations at a relay, as the relay counts them: a peer that is reachable directly keeps none.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{World, again, says};
use crate::{
    PATIENCE, RETRY, measured,
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

/// From the moment a peer says that it needs no reservation until the relay has none.
const GIVEN_BACK: Duration = Duration::from_secs(10);
/// Takes longer, at the rate of the relay, than a reservation that is no longer needed lasts.
const LARGE: usize = 26_000_000;
const RATE: usize = 1_000_000;

impl World {
    /// A figure of the relay, from the page for machines.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let url = format!("{}/metrics", self.url(Nat::Public));
        let metrics = http::send(|client| client.get(url)).unwrap().text();
        let mut lines = metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.expect("a figure of the relay").parse().unwrap()
    }

    fn reservations_held(&self) -> u64 {
        self.figure("goop2_relay_reservations")
    }

    fn reservations_made(&self) -> u64 {
        self.figure("goop2_relay_reservations_total")
    }

    /// How long until the relay has no reservation.
    fn given_back(&self) -> Duration {
        let started = Instant::now();
        while self.reservations_held() > 0 {
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
fn a_reachable_peer_keeps_none() {
    measured("reach::reservations::a_reachable_peer_keeps_none", || {
        let world = World::new();
        let firewall = Firewall::new(&world.internet);
        let site = world.internet.site(Nat::Public);
        let folder = world.joined("public", site.nat);
        let peer = Peer::start(&folder, Some(site.host()));
        let needless = needs_none(&peer, 0);
        println!(
            "reachable directly and without a reservation {:.1} s after the start; the relay has none {} after that",
            (needless - peer.launched).as_secs_f64(),
            millis(world.given_back())
        );
        // A test needs the relay but no reservation, unless it changes the verdict; then one is
        // made and ended.
        assert_eq!(
            (again::press(&peer).as_str(), world.reservations_made()),
            (again::ARRIVES, 1)
        );
        firewall.close(&site);
        let held = peer.mark();
        again::press(&peer);
        says(&peer, held, "a reservation at the relay", "relay", |fact| {
            let words = fact["detail"].as_str();
            words.is_some_and(|words| words.starts_with("Passes on"))
        });
        firewall.open(&site);
        let open = peer.mark();
        again::press(&peer);
        needs_none(&peer, open);
        world.given_back();
        assert_eq!(
            world.reservations_made(),
            2,
            "no reservation was made in vain"
        );
    });
}

#[test]
fn a_transfer_through_the_relay_ends_before_the_reservation() {
    measured(
        "reach::reservations::a_transfer_through_the_relay_ends_before_the_reservation",
        || {
            let slow = json!({ "relay_bytes_per_second_per_peer": RATE });
            let world = World::with(Arc::new(Internet::new()), &slow);
            let firewall = Firewall::new(&world.internet);
            let sites = [Nat::PortRestricted, Nat::Public].map(|nat| world.internet.site(nat));
            // They reach each other only through the relay.
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
                world.reservations_held() >= 2,
                "a reservation ended while a circuit used it"
            );
            visitor.stop();
            println!(
                "{LARGE} bytes came whole in {}; the reservation ended {} after the visitor left",
                millis(came - asked),
                millis(world.given_back())
            );
        },
    );
}
