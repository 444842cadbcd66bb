//! What the handle asks of the event loop, and what the event loop reports.

use std::collections::HashSet;

use goop2_proto::{Multiaddr, PeerId, presence::Presence};
use tokio::sync::oneshot;

use crate::{
    outside::relays::RelayOffer,
    reach::attempt::{Purpose, Reply},
    status::PeerReach,
};

/// What is asked of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    Connect {
        peer: PeerId,
        purpose: Purpose,
        reply: Reply,
    },
    /// The user wants to reach this peer, which is connected.
    Visit(PeerId),
    Learn {
        peer: PeerId,
        addrs: Vec<Multiaddr>,
    },
    Add {
        peer: PeerId,
        addr: Multiaddr,
    },
    /// Stay connected to these, and to no others that were named this way before.
    KeepConnected(HashSet<PeerId>),
    /// A request to it got no answer on the connection it took.
    CheckConnections(PeerId),
    Relays(Vec<RelayOffer>),
    MapPorts(bool),
    TestAgain,
    History {
        peer: PeerId,
        reply: oneshot::Sender<PeerReach>,
    },
    Publish(Vec<u8>),
    Block {
        peer: PeerId,
        blocked: bool,
    },
    Shutdown,
}

/// What happened in the network.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A presence message, signed by the very peer it speaks of, received on the local network.
    Presence(Presence),
    /// The same, from a peer that is connected to us but not on the local network.
    FarPresence(Presence),
    /// A connected peer has joined the presence topic: announce again, it has missed what was
    /// published before.
    Subscribed(PeerId),
    /// The first connection to a peer was made.
    Connected(PeerId),
    /// The last connection to a peer ended.
    Disconnected(PeerId),
}
