//! What the loops of one client share.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::Response;
use tokio::{sync::watch, time::Instant};

use super::{address::Address, answer, clock, config::Config, sent::Sent, state::State};

/// One client, from its start to its end.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) state: watch::Sender<State>,
    /// Where the server was found, if it sends its clients to another port of its host; see
    /// [`Self::address`].
    pub(super) moved: Mutex<Option<Address>>,
    /// Whether the server is on this host or network; none before its first answer.
    pub(super) near: watch::Sender<Option<bool>>,
    /// How many streams were opened; a new one may be to a restarted server.
    pub(super) opened: watch::Sender<u64>,
    pub(super) sent: Mutex<Sent>,
}

impl Session {
    /// Where to ask: at the configured address, or where that sent us to use TLS.
    pub(super) fn address(&self) -> Address {
        let configured = || self.config.address.clone();
        self.moved().clone().unwrap_or_else(configured)
    }

    /// Forgets where the server sent us: the next question begins at the configured address.
    pub(super) fn start_over(&self) {
        *self.moved() = None;
    }

    pub(super) fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) -> MutexGuard<'_, Option<Address>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where an answer came from, and when.
    pub(super) fn answered(&self, response: &Response) {
        if let Some(secure) = self.config.address.secured(response.url()) {
            *self.moved() = Some(secure);
        }
        let ahead = clock::ahead(response, SystemTime::now());
        if let Some(ahead) = ahead.filter(|_| !response.status().is_redirection()) {
            self.update(|state| state.clock = ahead);
        }
        let near = answer::ip(response).map(goop2_proto::audience::is_near);
        self.near
            .send_if_modified(|known| near.is_some() && std::mem::replace(known, near) != near);
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut State)) {
        self.state.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }
}

pub(super) fn later(wait: Duration) -> SystemTime {
    SystemTime::now() + wait
}

pub(super) fn at(wait: Duration) -> Instant {
    Instant::now() + wait
}
