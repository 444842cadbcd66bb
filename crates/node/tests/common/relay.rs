//! A relay on loopback, like that of a rendezvous server: the library's own, without limits that
//! matter here.

use std::time::Duration;

use futures::StreamExt;
use goop2_node::{Keypair, RelayOffer};
use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    identify, relay,
    swarm::{NetworkBehaviour, SwarmEvent},
};
use tokio_util::task::AbortOnDropHandle;

use super::swarm::swarm;

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::Behaviour,
    identify: identify::Behaviour,
}

pub(crate) struct Relay {
    pub(crate) peer: PeerId,
    pub(crate) tcp: Multiaddr,
    pub(crate) quic: Multiaddr,
    task: AbortOnDropHandle<()>,
}

impl Relay {
    /// With port 0 it takes a free one.
    pub(crate) async fn start(key: Keypair, port: u16) -> Self {
        let peer = key.public().to_peer_id();
        let mut config = relay::Config {
            max_circuit_duration: Duration::from_secs(600),
            max_circuit_bytes: 0,
            ..relay::Config::default()
        };
        config.reservation_rate_limiters.clear();
        config.circuit_src_rate_limiters.clear();
        let mut swarm = swarm(key, Duration::from_secs(600), |key, _| Behaviour {
            relay: relay::Behaviour::new(peer, config),
            identify: identify::Behaviour::new(identify::Config::new(
                "/relay/1.0.0".into(),
                key.public(),
            )),
        });
        let mut addrs = Vec::new();
        for addr in [
            format!("/ip4/127.0.0.1/tcp/{port}"),
            format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
        ] {
            swarm.listen_on(addr.parse().unwrap()).unwrap();
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    swarm.add_external_address(address.clone());
                    addrs.push(address);
                    break;
                }
            }
        }
        let task = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self {
            peer,
            quic: addrs.pop().unwrap(),
            tcp: addrs.pop().unwrap(),
            task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        let text = self.tcp.to_string();
        text.rsplit('/').next().unwrap().parse().unwrap()
    }

    pub(crate) fn offer(&self) -> RelayOffer {
        RelayOffer {
            peer: self.peer,
            addrs: vec![self.tcp.clone(), self.quic.clone()],
            label: "meet.example".into(),
        }
    }

    /// Ends without a goodbye.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
