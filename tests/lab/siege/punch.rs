//! Hole punching aimed at somebody else.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures::{AsyncBufReadExt, AsyncWriteExt, io::BufReader};
use goop2_node::Stream;
use goop2_proto::{Multiaddr, PeerId};
use serde_json::json;

use super::LOOK;
use crate::{
    PATIENCE, inside,
    reach::{World, relay_of, relayed::Copier},
    support::{
        lab::{
            firewall::Firewall,
            internet::{Carrier, Internet, Nat},
        },
        peer::Peer,
    },
};

const PUNCH: &str = "/goop/punch/1.0.0";
/// How often it is told again who asks: a third of the time that a rendezvous keeps it.
const ANNOUNCED: Duration = Duration::from_secs(10);

#[test]
fn nobody_is_dialed_where_the_relay_does_not_see_it() {
    inside(
        "siege::punch::nobody_is_dialed_where_the_relay_does_not_see_it",
        || {
            let world = World::with(Arc::new(Internet::new()), &json!({}));
            let firewall = Firewall::new(&world.internet);
            let site = world.internet.site(Nat::PortRestricted);
            let bystander = world.internet.site(Nat::Public);
            let folder = world.joined("owner", site.nat);
            let owner = Peer::start(&folder, Some(site.host()));
            let (asker, _) = Copier::start(&world, Nat::Public);
            // They reach each other only through the relay.
            firewall.part([&site, &asker.site]);
            let id: PeerId = owner.id().parse().unwrap();
            asker.node.learn(id, circuits(&world, &asker));

            let [own, others] = [&asker.site, &bystander].map(|site| site.public[0].to_string());
            let deadline = Instant::now() + PATIENCE * 2;
            let mut announced = Instant::now();
            // In vain until the owner knows its router and has a reservation.
            let waits = |answer: Option<String>| answer.is_none_or(|answer| answer == "later\n");
            while waits(asker.runtime.block_on(ask(&asker, id, &own))) {
                assert!(Instant::now() < deadline, "{}", owner.errors());
                // The relay knows only who has been heard of lately.
                if announced.elapsed() > ANNOUNCED {
                    asker.announce();
                    announced = Instant::now();
                }
                thread::sleep(LOOK);
            }
            let aimed = asker.runtime.block_on(ask(&asker, id, &others));
            assert_eq!(aimed, None, "it would dial somebody else");
            let sent = world.internet.sent();
            let sent = sent.bytes(&site.public, &bystander.public, Carrier::Udp);
            assert_eq!(sent, 0, "bytes to somebody else");
        },
    );
}

/// Addresses through the relay.
fn circuits(world: &World, asker: &Copier) -> Vec<Multiaddr> {
    let relay = relay_of(asker.site.host(), &world.url(asker.site.nat));
    let through = |addr: &Multiaddr| format!("{addr}/p2p/{}/p2p-circuit", relay.peer);
    let through = relay.addrs.iter().map(through);
    through.map(|addr| addr.parse().unwrap()).collect()
}

/// Asks the owner to dial this address at many ports, and says that all is ready; what it answered
/// first.
async fn ask(asker: &Copier, owner: PeerId, ip: &str) -> Option<String> {
    let stream: Stream = asker.node.open(owner, PUNCH).await.ok()?;
    let mut stream = BufReader::new(stream);
    let line = format!("{ip}\n");
    stream.get_mut().write_all(line.as_bytes()).await.ok()?;
    stream.get_mut().flush().await.ok()?;
    let mut answer = String::new();
    let read = stream.read_line(&mut answer).await.ok()?;
    if ip != asker.site.public[0].to_string() {
        let _gone = stream.get_mut().write_all(b"go\n").await;
    }
    (read > 0).then_some(answer)
}
