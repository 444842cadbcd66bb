//! What a state has to do later.

use std::{collections::HashMap, hash::Hash, time::Instant};

/// When each chore is due. A chore is in it at most once, so it is as bounded as the chores are.
pub(crate) struct Agenda<C>(HashMap<C, Instant>);

impl<C: Copy + Eq + Hash> Agenda<C> {
    /// Replaces an earlier time of the same chore.
    pub(crate) fn put(&mut self, chore: C, at: Instant) {
        self.0.insert(chore, at);
    }

    /// Adds the chore, or brings it forward; it is never postponed.
    pub(crate) fn hurry(&mut self, chore: C, at: Instant) {
        let due = self.0.entry(chore).or_insert(at);
        *due = at.min(*due);
    }

    pub(crate) fn drop(&mut self, chore: C) {
        self.0.remove(&chore);
    }

    pub(crate) fn has(&self, chore: C) -> bool {
        self.0.contains_key(&chore)
    }

    /// Takes one that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<C> {
        let (&chore, _) = self.0.iter().find(|(_, at)| **at <= now)?;
        self.0.remove(&chore);
        Some(chore)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }
}

impl<C> Default for Agenda<C> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}
