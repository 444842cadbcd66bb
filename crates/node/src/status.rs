//! What the node knows of itself, for those who show it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};

/// A snapshot; intermediate ones may be missed, the last one never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The port listened on, TCP and UDP.
    pub port: u16,
    /// Addresses at which other machines may reach this peer, without `/p2p` (§1.3).
    pub listen: Vec<Multiaddr>,
    /// The connections to each peer, oldest first.
    pub connections: BTreeMap<PeerId, Vec<Connection>>,
    /// Whether peers on the local network can be found without being told.
    pub multicast: Multicast,
}

/// One connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Where the other side is.
    pub remote: Multiaddr,
    /// Over a relay instead of directly.
    pub relayed: bool,
    /// The other side is on this machine or on a network of its own.
    pub lan: bool,
    /// What carries it.
    pub transport: Transport,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// When it was made.
    pub since: Instant,
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
