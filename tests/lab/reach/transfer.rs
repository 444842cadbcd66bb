//! A long download through the relay, which dies in the middle of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Pair, World};
use crate::{
    PATIENCE, measured,
    support::{
        lab::{
            firewall::Firewall,
            internet::{Internet, Nat},
        },
        millis, promise,
    },
    transfer::{Download, furnish},
};

/// How much is read before anything happens, and in all.
const FIRST: usize = 3 << 20;
const ALL: usize = 50_000_000;
/// After the relay is back, its reservations are within ten seconds (`heal`); then the next attempt
/// works.
const TAKEN_UP: Duration = Duration::from_secs(12);

#[test]
fn the_relay_dies_and_comes_back() {
    measured("reach::transfer::the_relay_dies_and_comes_back", || {
        let mut world = World::new();
        let sites = [(); 2].map(|()| world.internet.site(Nat::Symmetric));
        let pair = Pair::talkative(&world, sites, furnish);
        let mut download = Download::begin(&pair.visitor, pair.sites[0].host(), &pair.owner.id());
        download.read(FIRST);
        world.server.kill();
        world.restart();
        let back = Instant::now();
        let longest = download.read(ALL);
        println!(
            "relay killed and restarted in the middle of a download: the longest pause is {}, the rest came within {}",
            millis(longest),
            millis(back.elapsed())
        );
        download.came_once(&pair.owner);
        promise::time(
            "the pause of a download whose relay restarts",
            longest,
            TAKEN_UP,
        );
    });
}

#[test]
fn a_relayed_path_becomes_direct_and_the_relay_dies() {
    measured(
        "reach::transfer::a_relayed_path_becomes_direct_and_the_relay_dies",
        || {
            let world = World::on(Arc::new(Internet::new()));
            let firewall = Firewall::new(&world.internet);
            let sites = [(); 2].map(|()| world.internet.site(Nat::Public));
            firewall.part(sites.each_ref());
            let pair = Pair::talkative(&world, sites, furnish);
            let id = pair.owner.id();
            let mut download = Download::begin(&pair.visitor, pair.sites[0].host(), &id);
            download.read(FIRST);
            let relayed = pair.visitor.mark();
            firewall.join(pair.sites.each_ref());
            pair.visitor
                .wait_from(relayed, "a direct path", PATIENCE * 2, |event| {
                    event["event"] == "path" && event["peer_id"] == id && event["kind"] == "direct"
                });
            download.read(2 * FIRST);
            world.server.kill();
            let dead = Instant::now();
            let longest = download.read(ALL);
            println!(
                "relayed, then direct, and the relay killed: the longest pause is {}, the rest came within {}",
                millis(longest),
                millis(dead.elapsed())
            );
            download.came_once(&pair.owner);
            promise::time(
                "the pause of a download whose relay dies when there is a direct path",
                longest,
                TAKEN_UP,
            );
        },
    );
}
