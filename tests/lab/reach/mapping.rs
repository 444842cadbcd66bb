//! Ports of the router: asked for at the start, and given back at the end.

use std::time::Instant;

use super::{World, says};
use crate::{
    inside,
    support::{lab::internet::Nat, millis, peer::Peer},
};

#[test]
fn what_the_router_mapped_is_given_back() {
    inside(
        "reach::mapping::what_the_router_mapped_is_given_back",
        || {
            let world = World::new();
            let site = world.internet.site(Nat::SymmetricMapped);
            let folder = world.joined("mapped", site.nat);
            let peer = Peer::start(&folder, Some(site.host()));
            says(&peer, 0, "TCP and UDP are mapped", "mapping", |fact| {
                fact["items"]
                    .as_array()
                    .is_some_and(|items| items.len() == 2)
            });
            assert_eq!(site.mappings(), 2);
            let stopped = Instant::now();
            peer.stop();
            println!("given back and ended in {}", millis(stopped.elapsed()));
            assert_eq!(site.mappings(), 0);
        },
    );
}
