//! What every handler of the server sees.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use goop2_proto::{PeerId, relay, rendezvous::Accepted};

use super::{
    auth::Auth,
    clock::Clock,
    config::Config,
    instance::Cluster,
    limit::{Limiter, Slots},
    log::Log,
    presence::{hub::Hub, table::Table},
};
use crate::registration::Registrations;

/// The parts of one server.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Log,
    pub(crate) registrations: Option<Registrations>,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) subscribers: Slots,
    pub(crate) by_address: Limiter<IpAddr>,
    pub(crate) by_peer: Limiter<Publisher>,
    pub(crate) admin: Auth,
    pub(crate) config: Config,
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) clock: Clock,
    pub(crate) started: Instant,
}

/// Whose messages are counted together. Unsigned ones also count by their sender, or anyone could
/// use up another peer's share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Publisher {
    Proved(PeerId),
    Claimed(PeerId, IpAddr),
}

impl App {
    pub(crate) fn new(
        config: Config,
        registrations: Option<Registrations>,
        addrs: Vec<SocketAddr>,
        clock: Clock,
    ) -> Self {
        let limits = &config.limits;
        let table = Table::new(limits.ttl, limits.peers);
        let app = Self {
            hub: Arc::new(Hub::new(table, rand::random(), config.cluster.is_some())),
            log: Log::default(),
            registrations,
            cluster: config.cluster.clone().map(Cluster::new),
            subscribers: Slots::new(limits.subscribers, limits.subscribers_each),
            by_address: Limiter::new(limits.publish),
            by_peer: Limiter::new(limits.publish_peer),
            admin: Auth::new(&config.admin_password),
            addrs,
            config,
            clock,
            started: Instant::now(),
        };
        for peer in app.registrations.iter().flat_map(Registrations::blocked) {
            app.hub.block(*peer, clock());
        }
        app.log.add(clock(), "Started");
        app
    }

    /// The relay of this server, if it has one now.
    pub(crate) fn relay(&self) -> Option<relay::State> {
        self.config.relay.as_ref()?.borrow().clone()
    }

    /// Whether a message is stored and broadcast; existing peers are answered 204 either way.
    pub(crate) fn admits(&self, accepted: &Accepted) -> bool {
        let registered = |registrations: &Registrations| {
            registrations.admits(&accepted.message, accepted.proved)
        };
        !self.config.registration_required || self.registrations.as_ref().is_some_and(registered)
    }

    /// As [`Self::admits`], of a message that another instance accepted.
    pub(crate) fn admits_remote(&self, accepted: &Accepted) -> bool {
        let registered = |registrations: &Registrations| {
            registrations.admits_remote(&accepted.message, accepted.proved)
        };
        !self.config.registration_required || self.registrations.as_ref().is_some_and(registered)
    }

    /// How many changes of registrations other instances have made.
    pub(crate) fn registration_changes(&self) -> u64 {
        let registrations = self.registrations.as_ref();
        registrations.map_or(0, Registrations::changes)
    }

    /// What `/healthz` says. The server works in any case, so the status stays 200.
    pub(crate) fn health(&self) -> &'static str {
        let registrations = self.registrations.as_ref();
        match &self.cluster {
            Some(cluster) if !cluster.connected() => "ok, alone: NATS is away",
            _ if !registrations.is_none_or(Registrations::changeable) => {
                "ok, nobody can register: JetStream is away"
            }
            _ => "ok",
        }
    }
}
