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
    /// The addresses of this machine at which others may reach this peer, without `/p2p` (§1.3).
    pub listen: Vec<Multiaddr>,
    /// What to tell others: `listen`, then those given to this peer from outside (mapped, seen by
    /// others, through relays). At most [`goop2_proto::presence::MAX_ADDRS`].
    pub published: Vec<Multiaddr>,
    /// The connections to each peer; new streams take the last.
    pub connections: BTreeMap<PeerId, Vec<Connection>>,
    /// Whether peers on the local network can be found without being told.
    pub multicast: Multicast,
    /// How this peer is reached from beyond its networks.
    pub reach: Reach,
}

/// How a node is reached from beyond its own networks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reach {
    /// Where others saw this peer come from, the most often seen first.
    pub observed: Vec<Observed>,
    /// What stands between this machine and the rest of the world.
    pub nat: Nat,
    /// A relay answers over TCP, and not over QUIC.
    pub udp_blocked: bool,
    /// Calls from outside arrive at an address of this machine, or at one that the router maps: no
    /// relay is needed.
    pub reachable: bool,
    /// Addresses from which a test call by another machine arrived.
    pub confirmed: Vec<Multiaddr>,
    /// Addresses from which it did not.
    pub unreachable: Vec<Multiaddr>,
    /// Port mapping by the router.
    pub mapping: Mapping,
    /// The relays offered, in the order of their ids.
    pub relays: Vec<Relay>,
    /// Something is being found out: it may all be different in a moment.
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

/// What a router does with the port of this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nat {
    /// Nobody outside has seen this peer yet.
    #[default]
    Unknown,
    /// Nothing in between: others see an address of this machine.
    None,
    /// The same port for everybody: others can be told where to call.
    Cone,
    /// Another port than the own one, seen by one observer: perhaps the same for everybody, perhaps
    /// not.
    Changed,
    /// Another port for each destination: nobody can be told where to call.
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
    /// There is no router that can do it, or it does not want to.
    NotFound,
    /// The router passes on what comes to these addresses.
    Mapped(Vec<Multiaddr>),
}

/// A relay that a rendezvous server offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Relay {
    /// Who it is.
    pub peer: PeerId,
    /// Whose it is, for people: the host name of the server.
    pub label: String,
    /// How it stands with our place there.
    pub state: Reservation,
}

/// A place kept at a relay: whoever asks the relay for us is passed on. Reasons are in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// This peer is reached without.
    NotNeeded,
    /// Being connected to, or asked.
    Asking,
    /// Kept for us since then.
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
    /// The other side is on this machine or on a network of its own.
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
    /// Nobody can be found or find us by multicast, and why.
    Off(String),
}
