//! Existing peers ask, with the first version of AutoNAT, whether they can be dialed. Only public
//! addresses are tried, so this runs in a network of its own, where there is one.

use std::{env, process::Command, time::Duration};

use futures::StreamExt;
use goop2_node::relay::Limits;
use goop2_proto::{Multiaddr, relay::Membership};
use libp2p::{
    Swarm,
    autonat::v1::{self, NatStatus},
    identify,
    identity::Keypair,
    multiaddr::Protocol,
    swarm::{NetworkBehaviour, SwarmEvent},
};
use tokio::time::timeout;

use crate::{
    swarm::swarm,
    world::{PATIENCE, World},
};

const NAME: &str = "autonat::existing_peers_learn_whether_they_can_be_dialed";
const INSIDE: &str = "GOOP2_PUBLIC_LOOPBACK";
const FURNISH: &str = r#"ip link set lo up && ip addr add 11.9.0.1/32 dev lo && exec "$0" "$@""#;
const HERE: &str = "/ip4/11.9.0.1";

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    autonat: v1::Behaviour,
}

fn peer() -> Swarm<Behaviour> {
    swarm(Keypair::generate_ed25519(), PATIENCE, |key, _| Behaviour {
        identify: identify::Behaviour::new(identify::Config::new(
            "/goop/1.0.0".into(),
            key.public(),
        )),
        autonat: v1::Behaviour::new(
            key.public().to_peer_id(),
            v1::Config {
                boot_delay: Duration::ZERO,
                retry_interval: Duration::from_millis(100),
                throttle_server_period: Duration::ZERO,
                ..v1::Config::default()
            },
        ),
    })
}

/// What the peer learns, once it has dialed the relay.
async fn told(world: &World, mut peer: Swarm<Behaviour>) -> NatStatus {
    world
        .here
        .publish(*peer.local_peer_id(), Membership::Proved);
    let relay: Multiaddr = HERE.parse().unwrap();
    peer.dial(relay.with(Protocol::Tcp(world.relay.port())))
        .unwrap();
    let answer = async {
        loop {
            if let SwarmEvent::Behaviour(BehaviourEvent::Autonat(v1::Event::StatusChanged {
                new,
                ..
            })) = peer.select_next_some().await
            {
                return new;
            }
        }
    };
    timeout(PATIENCE, answer).await.expect("an answer in time")
}

#[tokio::test]
async fn existing_peers_learn_whether_they_can_be_dialed() {
    if env::var_os(INSIDE).is_none() {
        let status = Command::new("unshare")
            .args(["-Urn", "--kill-child", "sh", "-c", FURNISH])
            .arg(env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(INSIDE, "1")
            .status()
            .expect("`unshare` of util-linux is installed");
        assert!(status.success(), "see above");
        return;
    }
    let world = World::new(Limits::default()).await;
    let mut public = peer();
    public
        .listen_on("/ip4/0.0.0.0/tcp/0".parse().unwrap())
        .unwrap();
    let listens = async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = public.select_next_some().await
                && address.to_string().starts_with(HERE)
            {
                return address;
            }
        }
    };
    let address = timeout(PATIENCE, listens).await.expect("it listens");
    let id = *public.local_peer_id();
    let called = told(&world, public).await;
    assert_eq!(called, NatStatus::Public(address.with(Protocol::P2p(id))));

    // It believes to be there, and is not.
    let mut hidden = peer();
    hidden.add_external_address(format!("{HERE}/tcp/9").parse().unwrap());
    assert_eq!(told(&world, hidden).await, NatStatus::Private);
}
