//! Who is online (§3.4, §3.5): presence per peer *and per source*, so that an `offline` heard from one source never removes a
//! peer that another still sees. A state machine: messages and time go in, changes come out.

use std::time::{Duration, Instant};

use crate::{PeerId, presence::Presence};

/// Where a message was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Gossip on the local network.
    Lan,
    /// The rendezvous server with this number in the configuration.
    Wan(u16),
}

/// What changed, for those who show it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The peer appeared, or its record is different now.
    Updated(PeerId),
    /// No source sees the peer any more.
    Gone(PeerId),
}

/// What is known of one peer.
#[derive(Clone, Debug)]
pub struct Record {
    pub presence: Presence,
    /// The sources that see it now, in order; empty once it is gone.
    pub sources: Vec<Source>,
    pub online: bool,
    /// When a message of it was last accepted.
    pub last_seen: Instant,
}

pub struct Roster {}

impl Roster {
    /// `own` is ignored in messages; `ttl` is how long a peer counts as online without a message (§3.5).
    pub fn new(own: PeerId, ttl: Duration) -> Self {
        todo!()
    }

    /// Takes one decoded message; older than the newest accepted `ts` of that peer and source (with slack) is ignored.
    pub fn handle(&mut self, message: Presence, source: Source, now: Instant) -> Option<Change> {
        todo!()
    }

    /// Everything a source said is forgotten (a rendezvous was left).
    pub fn forget(&mut self, source: Source, now: Instant) -> Vec<Change> {
        todo!()
    }

    /// Expires what is due.
    pub fn poll(&mut self, now: Instant) -> Vec<Change> {
        todo!()
    }

    /// When [`Self::poll`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }

    pub fn get(&self, peer: &PeerId) -> Option<&Record> {
        todo!()
    }

    /// All records, those seen earlier included, ordered by peer id.
    pub fn records(&self) -> impl Iterator<Item = (&PeerId, &Record)> {
        std::iter::empty()
    }
}
