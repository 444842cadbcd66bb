//! What the node knows of itself, for those who show it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};

use crate::reach::history::Attempt;

/// A snapshot; intermediate ones may be missed, the last one never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The port listened on, TCP and UDP.
    pub port: u16,
    /// The addresses of this host at which others may reach this peer, without `/p2p` (§1.3).
    pub listen: Vec<Multiaddr>,
    /// What to announce: `listen`, then the addresses on other networks (mapped, seen by others,
    /// through relays). At most [`goop2_proto::presence::MAX_ADDRS`].
    pub published: Vec<Multiaddr>,
    /// The connections to each peer; new streams take the last.
    pub connections: BTreeMap<PeerId, Vec<Connection>>,
    /// Whether peers on the local network are found automatically.
    pub multicast: Multicast,
    /// Another peer with this identity was found on the local network.
    pub twin: bool,
    /// How other networks reach this peer.
    pub reach: Reach,
}

/// How other networks reach a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reach {
    /// Where others saw this peer come from, the most often seen first.
    pub observed: Vec<Observed>,
    /// What is between this host and other networks.
    pub nat: Nat,
    /// A relay answers over TCP, and not over QUIC.
    pub udp_blocked: bool,
    /// Dials from outside arrive at an address of this host, or at one that the router maps: no
    /// relay is needed.
    pub reachable: bool,
    /// Addresses at which a test dial by another host arrived.
    pub confirmed: Vec<Multiaddr>,
    /// Addresses from which it did not.
    pub unreachable: Vec<Multiaddr>,
    /// Port mapping by the router.
    pub mapping: Mapping,
    /// The relays offered, in the order of their ids.
    pub relays: Vec<Relay>,
    /// A test runs: all of this may change in a moment.
    pub testing: bool,
}

/// An address of ours as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Without `/p2p`.
    pub addr: Multiaddr,
    /// How many others saw it.
    pub observers: usize,
}

/// What a router does with the port of this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nat {
    /// Nobody outside has seen this peer yet.
    #[default]
    Unknown,
    /// Nothing in between: others see an address of this host.
    None,
    /// The same port for everybody: it can be announced.
    Cone,
    /// A port that differs from our own, seen by one observer: perhaps the same for everybody,
    /// perhaps not.
    Changed,
    /// Another port for each destination: none can be announced.
    Symmetric,
}

/// Port mapping by the router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// Switched off by the user.
    #[default]
    Off,
    /// The router is being asked.
    Asking,
    /// No router maps ports, or it refuses.
    NotFound,
    /// The router forwards these addresses to this host.
    Mapped(Vec<Multiaddr>),
}

/// A relay that a rendezvous server offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Relay {
    /// Its peer ID.
    pub peer: PeerId,
    /// The host name of its server, for people.
    pub label: String,
    /// The reservation there.
    pub state: Reservation,
}

/// A reservation at a relay, which connects others to us. Reasons are in plain English.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// This peer is reached directly.
    NotNeeded,
    /// Being connected to, or asked.
    Asking,
    /// Held since then.
    Held(Instant),
    /// Not now, and why; tried again then.
    Failed {
        /// Why.
        reason: String,
        /// When it is tried again.
        next: Instant,
    },
}

/// One connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Where the other side is; through a relay, where that is, ending in `/p2p-circuit`.
    pub remote: Multiaddr,
    /// The relay that passes it on; none when it is direct.
    pub relay: Option<PeerId>,
    /// The other side is on this host or on one of its networks.
    pub lan: bool,
    /// What carries it.
    pub transport: Transport,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// When it was made.
    pub since: Instant,
}

impl Connection {
    /// Over a relay instead of directly.
    pub fn relayed(&self) -> bool {
        self.relay.is_some()
    }
}

/// How a peer is reached, and what was tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeerReach {
    /// Every connection there is now; new streams take the first.
    pub links: Vec<Link>,
    /// What was tried, oldest first.
    pub attempts: Vec<Attempt>,
}

/// A connection, and what the streams on it have carried.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The connection.
    pub connection: Connection,
    /// Bytes that came in.
    pub received_bytes: u64,
    /// Bytes that went out.
    pub sent_bytes: u64,
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TCP with Noise or TLS, and Yamux.
    Tcp,
    /// QUIC.
    Quic,
}

/// The state of multicast discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Multicast {
    /// Not known yet: the node has just started.
    #[default]
    Starting,
    /// At least one interface takes part.
    Working,
    /// Peers cannot find each other by multicast, and why.
    Off(String),
}
