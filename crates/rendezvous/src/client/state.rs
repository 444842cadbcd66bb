//! What a client reports: the state of its server, and what the server says of peers.

use std::{collections::HashSet, time::SystemTime};

use goop2_proto::{PeerId, presence::Presence, relay::Relay, roster::Source};

/// What a server tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A message of a peer. Forged ones never come here, nor one's own.
    Presence {
        /// The server.
        source: Source,
        /// What the peer says.
        presence: Presence,
        /// Whether its signature verified.
        proved: bool,
    },
    /// The server has said whom it sees: nobody else.
    Current {
        /// The server.
        source: Source,
        /// Everyone in its snapshot.
        seen: HashSet<PeerId>,
    },
    /// The server no longer sees the peer, which did not say so itself.
    Lost {
        /// The server.
        source: Source,
        /// The peer.
        peer: PeerId,
    },
    /// A server that tells only changes is still there: whom it saw, it sees. Comes every
    /// heartbeat.
    Alive {
        /// The server.
        source: Source,
    },
}

/// How it stands with the server.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The stream of events.
    pub link: Link,
    /// How many others are online there.
    pub peers: usize,
    /// The relay beside it, if it has one.
    pub relay: Option<Relay>,
    /// Why it does not take what we publish, in plain words.
    pub refusal: Option<String>,
    /// Whether our e-mail address is registered there; none = nobody has to be, or the server does
    /// not say.
    pub registration: Option<Registration>,
}

/// How it stands with our e-mail address at a server that shows registered peers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It is not registered for us, so nobody there sees us.
    Required,
    /// It is.
    Registered,
}

/// The stream of events. Reasons are in plain words.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// The first attempt is under way.
    Connecting,
    /// It is open.
    Connected {
        /// Since when.
        since: SystemTime,
        /// Whether only changes are told: one of our servers.
        changes: bool,
    },
    /// The server said no, or is none.
    Refused {
        /// Why.
        reason: String,
        /// When it is asked again.
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
