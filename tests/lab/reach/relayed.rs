//! A large site through the relay, because there is no other way: complete, and at a speed that is judged by what the same relay
//! copies, in the same run, between two programs that do nothing else.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures::{AsyncReadExt, AsyncWriteExt};
use goop2_node::{Config, Keypair, Node, RelayOffer, spawn};
use goop2_proto::{
    Multiaddr, PeerId,
    presence::{Kind, Presence},
    relay::Relay,
};
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use super::{
    Pair, World,
    witness::{Way, Witness},
};
use crate::{
    PATIENCE, inside_alone,
    support::{
        http,
        lab::internet::{Internet, Nat, Site},
        median,
    },
};

/// A photo album, or a film of some minutes.
const SITE_BYTES: usize = 50_000_000;
/// As often as it takes to see one that is cut.
const ROUNDS: usize = 5;
/// What a site gets of the relay's own rate, at least.
const LEAST: f64 = 0.5;
const RAW: &str = "/lab/raw";

#[test]
fn a_large_site_comes_whole_and_fast() {
    inside_alone("reach::relayed::a_large_site_comes_whole_and_fast", || {
        // The rate of the relay is in question, not that which its owner allows.
        let unlimited =
            json!({ "relay_bytes_per_second": 0, "relay_bytes_per_second_per_peer": 0 });
        let world = World::with(Arc::new(Internet::new()), &unlimited);
        let raw = Copiers::start(&world);
        let pair = Pair::new(&world, Nat::Symmetric, |folder| {
            folder.write("site/large.bin", vec![b'x'; SITE_BYTES]);
        });
        // In turns, so that both have the same machine.
        let times: Vec<_> = (0..ROUNDS)
            .map(|_| (raw.copy(), fetch(&world, &pair)))
            .collect();
        let (raw, site): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        let (raw, site) = (median(&raw), median(&site));
        let rate = |time: Duration| SITE_BYTES as f64 / 1e6 / time.as_secs_f64();
        let ratio = raw.as_secs_f64() / site.as_secs_f64();
        println!(
            "{} MB through the relay, {ROUNDS} times: a site comes at {:.0} MB/s, bare bytes at {:.0} MB/s, {ratio:.2} of it; the relay \
             took {:.0} MB at its peak",
            SITE_BYTES / 1_000_000,
            rate(site),
            rate(raw),
            world.server.memory("VmHWM") / 1e6
        );
        assert!(ratio >= LEAST, "{ratio:.2}, at least {LEAST} is asked for");
    });
}

/// Fetches the whole of it, and sees that the relay carried it.
fn fetch(world: &World, pair: &Pair) -> Duration {
    let witness = Witness {
        world,
        owner: (&pair.sites[1], pair.sites[1].host()),
        visitor: (&pair.sites[0], pair.sites[0].host()),
    };
    let before = witness.count();
    let fetched = pair
        .visitor
        .fetch(&format!("p/{}/large.bin", pair.owner.id()))
        .unwrap();
    let answer = &fetched.answer;
    assert_eq!((answer.status, answer.body.len()), (200, SITE_BYTES));
    assert_eq!(witness.way_since(&before), Some(Way::Relayed));
    fetched.whole
}

/// Two nodes without a peer around them: the one sends whoever asks, the other asks and throws it away.
struct Copiers {
    visitor: (Runtime, Node),
    owner: PeerId,
    _sending: Runtime,
    _sites: [Site; 2],
}

impl Copiers {
    fn start(world: &World) -> Self {
        let sites = [(); 2].map(|()| world.internet.site(Nat::Symmetric));
        let [visitor, owner] = sites.each_ref().map(|site| here(world, site));
        let (runtime, node, mut asked) = owner;
        let (reached, told) = oneshot::channel();
        let id = node.peer_id();
        runtime.spawn(async move {
            let mut status = node.status();
            let circuits = |addrs: &[Multiaddr]| -> Vec<_> {
                let relayed = |addr: &&Multiaddr| addr.to_string().contains("p2p-circuit");
                addrs.iter().filter(relayed).cloned().collect()
            };
            let held = status.wait_for(|status| !circuits(&status.published).is_empty());
            let circuits = circuits(&held.await.unwrap().published);
            reached.send(circuits).unwrap();
            while let Some(mut inbound) = asked.recv().await {
                let bytes = vec![b'x'; SITE_BYTES];
                inbound.stream.write_all(&bytes).await.unwrap();
                inbound.stream.close().await.unwrap();
            }
        });
        let circuits = visitor.0.block_on(async {
            let waited = tokio::time::timeout(PATIENCE, told).await;
            waited.expect("a place at the relay").unwrap()
        });
        visitor.1.learn(id, circuits);
        Self {
            visitor: (visitor.0, visitor.1),
            owner: id,
            _sending: runtime,
            _sites: sites,
        }
    }

    /// How long the same bytes take, from the question on.
    fn copy(&self) -> Duration {
        let (runtime, node) = &self.visitor;
        let started = Instant::now();
        let came = runtime.block_on(async {
            let mut stream = node.open(self.owner, RAW).await.unwrap();
            let (mut buffer, mut came) = (vec![0; 64 * 1024], 0);
            loop {
                match stream.read(&mut buffer).await.unwrap() {
                    0 => break came,
                    bytes => came += bytes,
                }
            }
        });
        assert_eq!(came, SITE_BYTES);
        started.elapsed()
    }
}

/// A node at a site, known to the rendezvous and to its relay.
fn here(
    world: &World,
    site: &Site,
) -> (
    Runtime,
    Node,
    tokio::sync::mpsc::Receiver<goop2_node::InboundStream>,
) {
    let url = world.url(Nat::Symmetric);
    let key = Keypair::generate_ed25519();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let presence = Presence {
        kind: Kind::Online,
        ..Presence::offline(key.public().to_peer_id(), now.try_into().unwrap())
    };
    let mut message = presence.message();
    message.sign(&key);
    site.host().enter(|| {
        let body = message.encode();
        let answer = http::send(|client| client.post(format!("{url}/publish")).body(body)).unwrap();
        assert!(answer.status < 300, "{}", answer.text());
        let relay = http::send(|client| client.get(format!("{url}/relay"))).unwrap();
        let Relay { peer, addrs } = Relay::decode(&relay.body).expect("it has a relay");
        // The threads that it starts are of this network.
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (node, asked) = runtime.block_on(async {
            let config = Config {
                keypair: key.clone(),
                listen_port: 0,
                mdns_tag: None,
                topic: "lab".into(),
                protocols: vec![RAW],
            };
            let (node, asked, _events) = spawn(config).await.unwrap();
            let label = "the lab's".into();
            node.set_relays(vec![RelayOffer { peer, addrs, label }])
                .await;
            (node, asked)
        });
        (runtime, node, asked)
    })
}
