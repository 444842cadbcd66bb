//! A long download through the relay, which dies in the middle of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Pair, Site, World};
use crate::{
    PATIENCE, measured,
    support::{
        lab::{
            firewall::Firewall,
            internet::{Internet, Nat},
        },
        millis, promise,
    },
    transfer::{Download, FIRST, LEN, furnish},
};

/// After the relay is back, its reservations are within ten seconds (`heal`); then the next attempt
/// works.
const TAKEN_UP: Duration = Duration::from_secs(12);

#[test]
fn the_relay_dies_and_comes_back() {
    measured("reach::transfer::the_relay_dies_and_comes_back", || {
        let mut world = World::new();
        let sites = [(); 2].map(|()| world.internet.site(Nat::Symmetric));
        let (pair, mut download) = begun(&world, sites);
        world.server.kill();
        world.restart();
        let back = Instant::now();
        let longest = download.read(LEN);
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
            let (pair, mut download) = begun(&world, sites);
            let id = pair.owner.id();
            let relayed = pair.visitor.mark();
            firewall.join(pair.sites.each_ref());
            pair.visitor
                .wait_from(relayed, "a direct path", PATIENCE * 4, |event| {
                    event["event"] == "path" && event["peer_id"] == id && event["kind"] == "direct"
                });
            download.read(2 * FIRST);
            world.server.kill();
            let dead = Instant::now();
            let longest = download.read(LEN);
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

/// A download that is in its middle.
fn begun(world: &World, sites: [Site; 2]) -> (Pair, Download) {
    let pair = Pair::talkative(world, sites, furnish);
    let mut download = Download::begin(&pair.visitor, pair.sites[0].host(), &pair.owner.id());
    download.read(FIRST);
    (pair, download)
}
