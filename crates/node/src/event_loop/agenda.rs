//! What the loop has to do later.

use std::{collections::HashMap, time::Instant};

use goop2_proto::PeerId;

/// Each is there once at most, so there are never more than connections and attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Chore {
    /// QUIC had its head start: TCP's turn, and the relays'.
    Rest(PeerId),
    /// Close connections to this peer that a better one has replaced.
    Tidy(PeerId),
    /// The peer is reached over a relay only: try again to do better.
    Upgrade(PeerId),
    /// The peer is reached over a relay only: call it from many ports.
    Punch(PeerId),
    /// Call the next of its many ports.
    Guess(PeerId),
    /// Close the hole if nobody came through.
    Hole(PeerId),
    /// The peer is no longer seen: close what connections there are.
    Leave(PeerId),
    /// See whether this peer is still reachable from outside, and needs no relay.
    Reachable,
    /// End the place at this relay, which is not needed any more.
    GiveBack(PeerId),
    /// End calls of this relay that have shown what they were for.
    HangUp(PeerId),
    /// The test of what can be reached from outside is over.
    Tested,
    /// See whether the machine has slept.
    Wake,
}

#[derive(Default)]
pub(super) struct Agenda(HashMap<Chore, Instant>);

impl Agenda {
    /// Replaces what was there for the same chore.
    pub(super) fn put(&mut self, chore: Chore, at: Instant) {
        self.0.insert(chore, at);
    }

    /// Puts it there unless it comes sooner anyway.
    pub(super) fn hurry(&mut self, chore: Chore, at: Instant) {
        let due = self.0.entry(chore).or_insert(at);
        *due = at.min(*due);
    }

    pub(super) fn drop(&mut self, chore: Chore) {
        self.0.remove(&chore);
    }

    pub(super) fn has(&self, chore: Chore) -> bool {
        self.0.contains_key(&chore)
    }

    /// Takes one that is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Chore> {
        let (&chore, _) = self.0.iter().find(|(_, at)| **at <= now)?;
        self.0.remove(&chore);
        Some(chore)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }
}
