//! One attempt to reach a peer, and those who wait for it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use goop2_proto::Multiaddr;
use libp2p::swarm::{ConnectionId, DialError};
use tokio::sync::oneshot;

/// Tells someone who asked for a connection how it went.
pub(crate) type Reply = oneshot::Sender<Result<(), String>>;

/// Why a connection is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The user wants to reach the peer.
    Visit,
    /// Nobody asked for it.
    Background,
}

/// Requests that wait for a connection to one peer; far more than streams may be open to it.
const MAX_WAITING: usize = 1024;

/// All dials of one peer that run at the same time. It is one attempt until the last of them has
/// ended.
pub(crate) struct Attempt {
    pub(crate) since: Instant,
    pub(crate) dials: HashSet<ConnectionId>,
    /// Those of them on a local network: they win even when they answer second.
    pub(crate) near: HashSet<ConnectionId>,
    /// That of them which goes through relays.
    pub(crate) circuits: Option<ConnectionId>,
    pub(crate) addresses: usize,
    /// TCP addresses on other networks, for when QUIC had its head start.
    pub(crate) tcp: Vec<Multiaddr>,
    /// Why the last dial failed.
    pub(crate) failure: Option<String>,
    /// Why the first dial was not even started.
    pub(crate) refusal: Option<String>,
}

impl Attempt {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            dials: HashSet::new(),
            near: HashSet::new(),
            circuits: None,
            addresses: 0,
            tcp: Vec::new(),
            failure: None,
            refusal: None,
        }
    }

    /// One dial has ended; whether it was that through relays.
    pub(crate) fn end(&mut self, dial: ConnectionId) -> bool {
        self.dials.remove(&dial);
        self.near.remove(&dial);
        self.circuits.take_if(|id| *id == dial).is_some()
    }
}

/// Those who wait for a connection to one peer.
pub(crate) struct Waiting {
    since: Instant,
    replies: Vec<Reply>,
    pub(crate) tries: u32,
}

impl Waiting {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            replies: Vec::new(),
            tries: 0,
        }
    }

    /// Adds one; whether there was room.
    pub(crate) fn add(&mut self, reply: Reply, now: Instant) -> bool {
        self.replies.retain(|reply| !reply.is_closed());
        if self.replies.len() >= MAX_WAITING {
            let _gone = reply.send(Err("too many requests are already waiting".into()));
            return false;
        }
        if self.replies.is_empty() {
            *self = Self::new(now);
        }
        self.replies.push(reply);
        true
    }

    pub(crate) fn is_younger_than(&self, age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < age
    }

    pub(crate) fn answer(self, outcome: &Result<(), String>) {
        for reply in self.replies {
            let _gone = reply.send(outcome.clone());
        }
    }
}

/// A failed dial in plain words.
pub(crate) fn explain(error: &DialError) -> String {
    match error {
        DialError::WrongPeerId { .. } => "another peer answers at its address".into(),
        DialError::Denied { .. } => "there are too many connections already".into(),
        DialError::Transport(attempts) => match attempts.len() {
            1 => "its address does not answer".into(),
            n => format!("none of its {n} addresses answers"),
        },
        other => other.to_string(),
    }
}
