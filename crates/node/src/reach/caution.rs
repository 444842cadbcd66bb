//! Which addresses are dialed although no user asked for the peer.
//!
//! What a peer says of itself, at a rendezvous or on a connection, may be the word of a stranger,
//! and a key costs nothing: proved or not, it could have this computer knock at the doors of a
//! company's network, or look up names. So what others say leads only where the Internet is, and
//! into the networks this computer is in. All of a peer's addresses are dialed once the user wants
//! to visit it, and those at which it has answered before.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};

use crate::{
    net::{addresses, ip::is_public, network::Network},
    reach::address_book::Source,
};

/// How long a visit counts, so that a better connection is found while the page is read.
const VISITED_FOR: Duration = Duration::from_secs(10 * 60);

/// Visits remembered: more than anyone makes in that time.
const MAX_VISITED: usize = 256;

/// The peers that the user wants to reach.
#[derive(Default)]
pub(crate) struct Visited(HashMap<PeerId, Instant>);

impl Visited {
    /// The user wants to reach the peer; whether that is news.
    pub(crate) fn add(&mut self, peer: PeerId, now: Instant) -> bool {
        let is_news = !self.contains(&peer, now);
        if is_news && self.0.len() >= MAX_VISITED {
            self.0.retain(|_, at| is_recent(*at, now));
            let oldest = self.0.iter().min_by_key(|(_, at)| **at);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer)
                && self.0.len() >= MAX_VISITED
            {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(peer, now);
        is_news
    }

    pub(crate) fn contains(&self, peer: &PeerId, now: Instant) -> bool {
        self.0.get(peer).is_some_and(|at| is_recent(*at, now))
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < VISITED_FOR
}

/// Whether an address may be dialed for a peer that the user does not visit.
pub(crate) fn allows(addr: &Multiaddr, source: Source, net: &Network) -> bool {
    source > Source::Learned
        || addresses::relay(addr).is_some_and(|relay| net.connections.is_connected(&relay))
        || addresses::ip(addr).is_some_and(|ip| is_public(ip) || net.host.interfaces.is_own(ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{
        addresses::circuit,
        connections::tests::known,
        interfaces::{Interface, Interfaces},
        network::tests::network,
    };

    #[test]
    fn what_strangers_say_leads_to_the_internet_and_into_the_own_networks() {
        let mut net = network();
        let own = vec![("192.168.7.2".parse().unwrap(), 24)];
        net.host.interfaces = Interfaces(vec![Interface {
            index: 1,
            name: "eth0".into(),
            addrs: own,
        }]);
        let allows = |addr: &str, source| allows(&addr.parse().unwrap(), source, &net);
        for refused in [
            "/ip4/10.0.0.1/tcp/22",
            "/ip4/192.168.1.1/tcp/80",
            "/ip4/100.64.0.1/udp/4001/quic-v1",
            "/ip6/fd00::1/tcp/4001",
            "/ip6/64:ff9b::a00:1/tcp/4001",
            "/dns4/intranet.example/tcp/443",
            "/dns/intranet.example/udp/443/quic-v1",
        ] {
            assert!(!allows(refused, Source::Learned), "{refused}");
            assert!(allows(refused, Source::Reached), "{refused}");
            assert!(allows(refused, Source::Manual), "{refused}");
            let relay = circuit(refused.parse().unwrap(), PeerId::random());
            assert!(!allows(&relay.to_string(), Source::Learned), "{relay}");
        }
        for allowed in [
            "/ip4/192.168.7.3/tcp/4001",
            "/ip4/11.0.0.1/tcp/4001",
            "/ip6/2600::1/udp/4001/quic-v1",
        ] {
            assert!(allows(allowed, Source::Learned), "{allowed}");
        }
    }

    #[test]
    fn a_relay_that_is_connected_is_used_whatever_its_address() {
        let (now, relay, mut net) = (Instant::now(), PeerId::random(), network());
        let addr = circuit("/dns4/relay.example/tcp/4002".parse().unwrap(), relay);
        assert!(!allows(&addr, Source::Learned, &net));
        let made = known(relay, "/ip4/10.0.0.1/tcp/4002", None, now);
        let id = libp2p::swarm::ConnectionId::new_unchecked(1);
        net.connections.add(id, made);
        assert!(allows(&addr, Source::Learned, &net));
    }

    #[test]
    fn visits_are_forgotten_and_bounded() {
        let (mut visited, now, peer) = (Visited::default(), Instant::now(), PeerId::random());
        assert!(visited.add(peer, now));
        assert!(!visited.add(peer, now));
        assert!(!visited.contains(&peer, now + VISITED_FOR));
        for at in 1..2 * MAX_VISITED as u64 {
            visited.add(PeerId::random(), now + Duration::from_millis(at));
        }
        assert_eq!(visited.0.len(), MAX_VISITED);
        assert!(!visited.contains(&peer, now));
    }
}
