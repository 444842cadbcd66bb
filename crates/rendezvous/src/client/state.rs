//! What a client reports: the state of its connection, and events.

use std::{collections::HashSet, time::SystemTime};

use goop2_proto::{PeerId, presence::Presence, relay::Relay, roster::Source};

use super::clock;

/// An event of a server.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A message of a peer. Forged ones and our own are left out.
    Presence {
        /// The server.
        source: Source,
        /// The peer's presence.
        presence: Presence,
        /// Whether its signature verified.
        proved: bool,
    },
    /// A snapshot is complete: nobody else is online there.
    Current {
        /// The server.
        source: Source,
        /// Everyone in its snapshot.
        seen: HashSet<PeerId>,
    },
    /// The peer timed out at the server, without a goodbye.
    Lost {
        /// The server.
        source: Source,
        /// The peer.
        peer: PeerId,
    },
    /// The stream of changes is still open, so its peers are still online. Sent every heartbeat.
    Alive {
        /// The server.
        source: Source,
    },
}

/// The state of the connection to the server.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The stream of events.
    pub link: Link,
    /// How many others are online there.
    pub peers: usize,
    /// Its relay, if it has one.
    pub relay: Option<Relay>,
    /// Why it rejects what we publish, in plain words.
    pub refusal: Option<String>,
    /// Whether our email address is registered there; none = not required, or unknown.
    pub registration: Option<Registration>,
    /// By how many seconds the server's clock is ahead of this computer's, to the minute; negative
    /// if it is behind. None = less than five minutes, or unknown.
    pub clock: Option<i64>,
    /// Another program publishes there under this identity.
    pub twin: bool,
}

impl State {
    /// What is wrong with this computer's clock, in plain words.
    pub fn clock_problem(&self) -> Option<String> {
        self.clock.map(clock::words)
    }
}

/// Whether our email address is registered at a server that shows only registered peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It is not, so nobody there sees us.
    Required,
    /// It is.
    Registered,
}

/// The stream of events. Reasons are in plain words.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// The first attempt is in progress.
    Connecting,
    /// It is open.
    Connected {
        /// Since when.
        since: SystemTime,
        /// Whether the server sends only changes (not an existing server).
        changes: bool,
    },
    /// The server refused, or is not a rendezvous.
    Refused {
        /// Why.
        reason: String,
        /// When the next attempt begins.
        next: SystemTime,
    },
    /// It could not be reached, or the stream ended.
    Retrying {
        /// Why.
        reason: String,
        /// When the next attempt begins.
        next: SystemTime,
    },
}
