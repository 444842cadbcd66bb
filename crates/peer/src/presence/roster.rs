//! The roster, shared between the task that updates it and those that read it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use goop2_proto::{PeerId, roster::Roster};

#[derive(Clone)]
pub(crate) struct SharedRoster(Arc<Mutex<Roster>>);

impl SharedRoster {
    /// The roster of peer `me`; others expire after `ttl` seconds of silence.
    pub(crate) fn new(me: PeerId, ttl: u32) -> Self {
        let ttl = Duration::from_secs(ttl.into());
        Self(Arc::new(Mutex::new(Roster::new(me, ttl))))
    }

    /// Never held across an await; a panic of another holder leaves a roster that is still
    /// consistent enough to read.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Roster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The email address a peer announced, if the peer is online and the announcement is proved to
    /// be its own; empty otherwise.
    pub(crate) fn email(&self, peer: &PeerId) -> String {
        self.lock()
            .get(peer)
            .filter(|record| record.online && record.proved)
            .map(|record| record.presence.email.clone())
            .unwrap_or_default()
    }
}
