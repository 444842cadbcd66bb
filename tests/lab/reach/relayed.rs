//! A large site through the relay, because there is no other path: complete, and at a speed that is
//! compared with bare bytes through the same relay in the same run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt};
use goop2_node::{Config, InboundStream, Keypair, Node, RelayOffer, spawn};
use goop2_proto::{Multiaddr, relay::Relay};
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    time::timeout,
};

use super::{
    Pair, World, announce,
    observer::{Observer, Way},
    relay_of,
};
use crate::{
    PATIENCE, measured,
    support::{
        lab::internet::{Internet, Nat, Site},
        median, promise,
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
    measured("reach::relayed::a_large_site_comes_whole_and_fast", || {
        // The rate of the relay is in question, not that which its owner allows.
        let unlimited =
            json!({ "relay_bytes_per_second": 0, "relay_bytes_per_second_per_peer": 0 });
        let world = World::with(Arc::new(Internet::new()), &unlimited);
        let raw = Copiers::start(&world);
        let pair = Pair::new(&world, Nat::Symmetric, |folder| {
            folder.write("site/large.bin", vec![b'x'; SITE_BYTES]);
        });
        // In turns, so that both run under the same conditions.
        let times: Vec<_> = (0..ROUNDS)
            .map(|_| (raw.copy(), fetch(&world, &pair)))
            .collect();
        let (raw, site): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        let (raw, site) = (median(&raw), median(&site));
        let rate = |time: Duration| SITE_BYTES as f64 / 1e6 / time.as_secs_f64();
        let ratio = raw.as_secs_f64() / site.as_secs_f64();
        println!(
            "{} MB through the relay, {ROUNDS} times: a site comes at {:.0} MB/s, bare bytes at {:.0} MB/s, {ratio:.2} of it",
            SITE_BYTES / 1_000_000,
            rate(site),
            rate(raw)
        );
        promise::at_least("the speed of a relayed site, of bare bytes", ratio, LEAST);
    });
}

/// Fetches the whole of it, and sees that the relay carried it.
fn fetch(world: &World, pair: &Pair) -> Duration {
    let observer = Observer {
        world,
        owner: (&pair.sites[1], pair.sites[1].host()),
        visitor: (&pair.sites[0], pair.sites[0].host()),
    };
    let before = observer.count();
    let fetched = pair
        .visitor
        .fetch(&format!("p/{}/large.bin", pair.owner.id()))
        .unwrap();
    let answer = &fetched.answer;
    assert_eq!((answer.status, answer.body.len()), (200, SITE_BYTES));
    assert_eq!(observer.way_since(&before), Some(Way::Relayed));
    fetched.whole
}

/// A node without a peer around it, at its own site.
pub(crate) struct Copier {
    key: Keypair,
    rendezvous: String,
    pub(crate) site: Site,
    pub(crate) runtime: Runtime,
    pub(crate) node: Node,
}

impl Copier {
    /// Also gives what will be asked of it.
    pub(crate) fn start(world: &World, nat: Nat) -> (Self, mpsc::Receiver<InboundStream>) {
        let site = world.internet.site(nat);
        let (key, rendezvous) = (Keypair::generate_ed25519(), world.url(site.nat));
        let config = Config {
            keypair: key.clone(),
            listen_port: 0,
            mdns_tag: None,
            topic: "lab".into(),
            protocols: vec![RAW],
        };
        let (runtime, (node, asked, _events)) = site.host().enter(|| {
            // The threads that it starts are of this network.
            let runtime = Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let spawned = runtime.block_on(spawn(config)).unwrap();
            (runtime, spawned)
        });
        let copier = Self {
            key,
            rendezvous,
            site,
            runtime,
            node,
        };
        copier.announce();
        let Relay { peer, addrs } = relay_of(copier.site.host(), &copier.rendezvous);
        let offer = RelayOffer {
            peer,
            addrs,
            label: "the lab's".into(),
        };
        copier.runtime.block_on(copier.node.set_relays(vec![offer]));
        (copier, asked)
    }

    pub(crate) fn announce(&self) {
        announce(self.site.host(), &self.rendezvous, &self.key);
    }
}

/// One sends the bytes, the other asks for them and drops them.
struct Copiers {
    visitor: Copier,
    owner: Copier,
}

impl Copiers {
    fn start(world: &World) -> Self {
        let (visitor, _) = Copier::start(world, Nat::Symmetric);
        let (owner, mut asked) = Copier::start(world, Nat::Symmetric);
        let circuits = owner.runtime.block_on(async {
            let mut status = owner.node.status();
            let held = status.wait_for(|status| status.published.iter().any(is_circuit));
            let held = timeout(PATIENCE, held)
                .await
                .expect("a reservation at the relay")
                .unwrap();
            held.published
                .iter()
                .filter(|addr| is_circuit(addr))
                .cloned()
                .collect()
        });
        visitor.node.learn(owner.node.peer_id(), circuits);
        owner.runtime.spawn(async move {
            let bytes = vec![b'x'; SITE_BYTES];
            while let Some(mut inbound) = asked.recv().await {
                inbound.stream.write_all(&bytes).await.unwrap();
                inbound.stream.close().await.unwrap();
            }
        });
        Self { visitor, owner }
    }

    /// How long the same bytes take, from the question on.
    fn copy(&self) -> Duration {
        self.visitor.announce();
        self.owner.announce();
        let started = Instant::now();
        let came = self.visitor.runtime.block_on(async {
            let mut stream = self
                .visitor
                .node
                .open(self.owner.node.peer_id(), RAW)
                .await
                .unwrap();
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

fn is_circuit(addr: &Multiaddr) -> bool {
    addr.to_string().contains("/p2p-circuit")
}
