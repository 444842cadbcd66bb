//! What the loops of one client share.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

use super::{config::Config, state::State};

/// One client, from its start to its end.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) state: watch::Sender<State>,
    /// Whether the server is on this host or network; none before its first answer.
    pub(super) near: watch::Sender<Option<bool>>,
    /// How many streams were opened; a new one may be to a restarted server.
    pub(super) opened: watch::Sender<u64>,
}

impl Session {
    /// Notes where an answer came from.
    pub(super) fn answered_from(&self, ip: Option<IpAddr>) {
        let near = ip.map(goop2_proto::audience::is_near);
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
