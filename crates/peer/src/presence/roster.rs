//! The roster, shared between the task that feeds it and those that ask it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goop2_proto::{PeerId, roster::Roster};

#[derive(Clone)]
pub(crate) struct SharedRoster(Arc<Mutex<Roster>>);

impl SharedRoster {
    pub(crate) fn new(roster: Roster) -> Self {
        Self(Arc::new(Mutex::new(roster)))
    }

    /// Never held across an await; a panic of another holder leaves a roster that is still
    /// consistent enough to read.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Roster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The e-mail a peer announced while it is online, if it is known to have said so itself; empty
    /// otherwise.
    pub(crate) fn email(&self, peer: &PeerId) -> String {
        self.lock()
            .get(peer)
            .filter(|record| record.online && record.proved)
            .map(|record| record.presence.email.clone())
            .unwrap_or_default()
    }
}
