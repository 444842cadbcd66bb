//! The rendezvous server: peers publish that they are here, and hear who else is. It stores nothing
//! else.
//!
//! `POST /publish` → [`goop2_proto::rendezvous::check`] → limits → `hub`: table and feeds →
//! `subscriber`s. The pages for people are in `page` and `admin`. Other instances of the same
//! rendezvous are reached through `cluster`.

mod accept;
mod address;
mod admin;
mod cluster;
mod feed;
mod guests;
mod hub;
mod keep;
mod limit;
mod listen;
mod log;
mod metrics;
mod outbox;
mod page;
mod patience;
mod register;
mod routes;
mod subscriber;
mod table;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use goop2_proto::{relay, rendezvous::Accepted, time::unix_millis};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

pub use address::{Net, NotANet};
pub use goop2_proto::bucket::Rate;
pub use guests::Guests;
pub use listen::Error as ListenError;

use self::cluster::Cluster;
use crate::{
    cluster::Address,
    registration::{self, Registrations},
};
use hub::Hub;
use limit::{Limiter, Seats};
use log::Log;
use table::Table;

/// The port people know.
pub const DEFAULT_PORT: u16 = 8787;
/// How often the status is brought up to date for those who watch it.
const STATUS_PAUSE: Duration = Duration::from_secs(1);

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// The one address to listen on; none = all, IPv4 and IPv6.
    pub bind: Option<IpAddr>,
    /// 0 = any free one.
    pub port: u16,
    /// Empty = no administration.
    pub admin_password: String,
    /// How the server is reached from outside, if that differs from its own addresses; empty = it
    /// does not.
    pub external_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Net>,
    /// Whether peers that do not sign are refused.
    pub require_signed: bool,
    /// Whether only peers with a registered e-mail address are seen.
    pub registration_required: bool,
    /// How people register; none = they cannot, since there is no database.
    pub registration: Option<registration::Config>,
    /// Where the NATS is that joins several instances to one rendezvous; none = this is the only
    /// one.
    pub cluster: Option<Address>,
    /// The relay beside it, as it changes; none = there never is one.
    pub relay: Option<watch::Receiver<Option<relay::State>>>,
    /// How much anyone may ask.
    pub limits: Limits,
}

/// How much anyone may ask, each with room for what is usual many times over.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections in all, event streams included; beyond it the next one waits. Stay below the
    /// system's descriptors.
    pub connections: usize,
    /// Connections from one address that is no trusted proxy.
    pub connections_each: usize,
    /// Event streams in all.
    pub subscribers: usize,
    /// Event streams by one client address: a company behind one.
    pub subscribers_each: usize,
    /// Peers in all.
    pub peers: usize,
    /// Messages from one client address; a peer sends 12 a minute.
    pub publish: Rate,
    /// Messages of one peer.
    pub publish_peer: Rate,
    /// How long a peer counts as online without a message (§6.5).
    pub ttl: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: None,
            port: DEFAULT_PORT,
            admin_password: String::new(),
            external_url: String::new(),
            trusted_proxies: Net::LOOPBACK.to_vec(),
            require_signed: false,
            registration_required: false,
            registration: None,
            cluster: None,
            relay: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            connections: 30_000,
            connections_each: 3000,
            subscribers: 25_000,
            subscribers_each: 1000,
            peers: 50_000,
            publish: Rate {
                burst: 6000,
                per: minute,
            },
            publish_peer: Rate {
                burst: 60,
                per: minute,
            },
            ttl: Duration::from_secs(30),
        }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// It does not know who is registered.
    #[error(transparent)]
    Registration(#[from] registration::Error),
    /// Existing servers let everyone in instead, which is not what the operator wants.
    #[error(
        "presence.registration_required needs presence.peer_db_path: without it nobody could register"
    )]
    NoDatabase,
}

/// The server's clock: unix time in milliseconds.
pub type Clock = fn() -> i64;

/// The system's clock.
pub fn system_clock() -> i64 {
    unix_millis(SystemTime::now())
}

/// What goes on, at most a second old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Peers online.
    pub peers: usize,
    /// Open event streams.
    pub subscribers: usize,
    /// Messages written to subscribers since the start.
    pub delivered: u64,
    /// Of those, in the last second.
    pub delivered_per_second: u64,
    /// Peers that can be reached through the relay beside it; none = there is no relay.
    pub relayed: Option<usize>,
}

/// A server that listens. Dropping it ends it at once; [`Server::shutdown`] says goodbye.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    addrs: Vec<SocketAddr>,
    status: watch::Receiver<Status>,
    stop: CancellationToken,
    listeners: JoinSet<()>,
    /// Outlives the listeners, so that others hear the last of what was published.
    conversation: JoinSet<()>,
    hang_up: CancellationToken,
    background: JoinSet<()>,
}

impl App {
    /// The relay beside this server now.
    pub(crate) fn relay(&self) -> Option<relay::State> {
        self.config.relay.as_ref()?.borrow().clone()
    }

    /// Whether a message is stored and told; existing peers are answered 204 either way.
    pub(crate) fn admits(&self, accepted: &Accepted) -> bool {
        let registered = |registrations: &Registrations| {
            registrations.admits(&accepted.message, accepted.proved)
        };
        !self.config.registration_required || self.registrations.as_ref().is_some_and(registered)
    }

    /// As [`Self::admits`], of a message that another instance took.
    pub(crate) fn admits_elsewhere(&self, accepted: &Accepted) -> bool {
        let registered = |registrations: &Registrations| {
            registrations.admits_elsewhere(&accepted.message, accepted.proved)
        };
        !self.config.registration_required || self.registrations.as_ref().is_some_and(registered)
    }

    /// Counts the changes of registrations that other instances made.
    pub(crate) fn registration_changes(&self) -> u64 {
        let registrations = self.registrations.as_ref();
        registrations.map_or(0, Registrations::changes)
    }

    /// What `/healthz` says. It serves either way: a load balancer keeps sending people here.
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

/// What every handler sees.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Log,
    pub(crate) registrations: Option<Registrations>,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) sockets: Seats,
    pub(crate) seats: Seats,
    pub(crate) by_address: Limiter<IpAddr>,
    pub(crate) by_peer: Limiter<routes::Publisher>,
    pub(crate) trusted_proxies: Vec<Net>,
    pub(crate) admin: admin::Admin,
    pub(crate) config: Config,
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) clock: Clock,
    pub(crate) started: std::time::Instant,
}

impl Server {
    /// Returns when the server listens.
    pub async fn bind(config: Config, clock: Clock) -> Result<Self, Error> {
        let registrations = match config.registration.clone() {
            Some(kept) => Some(Registrations::open(kept, config.cluster.is_some(), clock()).await?),
            None if config.registration_required => return Err(Error::NoDatabase),
            None => None,
        };
        let sockets = listen::bind(config.bind, config.port)?;
        let addrs: Vec<_> = sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect();
        let limits = config.limits.clone();
        let app = Arc::new(App {
            hub: Arc::new(Hub::new(
                Table::new(limits.ttl, limits.peers),
                rand::random(),
                config.cluster.is_some(),
            )),
            log: Log::default(),
            registrations,
            cluster: config.cluster.clone().map(Cluster::new),
            sockets: Seats::new(usize::MAX, limits.connections_each),
            seats: Seats::new(limits.subscribers, limits.subscribers_each),
            by_address: Limiter::new(limits.publish),
            by_peer: Limiter::new(limits.publish_peer),
            trusted_proxies: config.trusted_proxies.clone(),
            admin: admin::Admin::new(&config.admin_password),
            addrs: addrs.clone(),
            config,
            clock,
            started: std::time::Instant::now(),
        });
        for peer in app.registrations.iter().flat_map(|known| known.blocked()) {
            app.hub.block(*peer, clock());
        }
        app.log.add(clock(), "started");
        let stop = CancellationToken::new();
        let (router, room) = (
            routes::router(Arc::clone(&app)),
            Arc::new(Semaphore::new(limits.connections)),
        );
        let mut listeners = JoinSet::new();
        for socket in sockets {
            let (router, app) = (router.clone(), Arc::clone(&app));
            listeners.spawn(accept::serve(
                socket,
                router,
                app,
                Arc::clone(&room),
                stop.clone(),
            ));
        }
        let mut background = JoinSet::new();
        let hub = Arc::clone(&app);
        background.spawn(async move {
            let subscribers = || hub.seats.taken();
            hub.hub.run(&hub.log, subscribers, hub.clock).await;
        });
        let (told, status) = watch::channel(Status::default());
        background.spawn(tell(Arc::clone(&app), told));
        background.spawn(keep::run(Arc::clone(&app)));
        let (mut conversation, hang_up) = (JoinSet::new(), CancellationToken::new());
        conversation.spawn(cluster::run(Arc::clone(&app), hang_up.clone()));
        tracing::info!(?addrs, "rendezvous listens");
        Ok(Self {
            app,
            addrs,
            status,
            stop,
            listeners,
            conversation,
            hang_up,
            background,
        })
    }

    /// Where it listens: one address, or one for each family.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// What others paste to meet here; empty when nobody else can reach it.
    pub fn connect_urls(&self) -> Vec<String> {
        listen::connect_urls(&self.app.config.external_url, &self.addrs)
    }

    /// How many are here.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Whom the relay beside it may serve.
    pub fn guests(&self) -> Guests {
        Guests(Arc::clone(&self.app.hub))
    }

    /// Ends in order.
    pub async fn shutdown(mut self) {
        // No new connections; requests under way are answered.
        self.stop.cancel();
        // Subscribers read to the end and are told that it is one.
        self.app.hub.close();
        while self.listeners.join_next().await.is_some() {}
        // Other instances have heard what was published here.
        self.hang_up.cancel();
        while self.conversation.join_next().await.is_some() {}
        // Nobody is left to wake.
        self.background.shutdown().await;
        // Nobody is left to register.
        if let Some(registrations) = &self.app.registrations {
            registrations.close().await;
        }
        tracing::info!("rendezvous ended");
    }
}

async fn tell(app: Arc<App>, told: watch::Sender<Status>) {
    let mut tick = interval(STATUS_PAUSE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = 0;
    loop {
        tick.tick().await;
        let delivered = app.hub.counters.delivered.load(Ordering::Relaxed);
        let status = Status {
            peers: app.hub.table().len(),
            subscribers: app.seats.taken(),
            delivered,
            delivered_per_second: delivered - std::mem::replace(&mut before, delivered),
            relayed: app.relay().map(|relay| relay.usage.reachable()),
        };
        told.send_if_modified(|current| std::mem::replace(current, status) != status);
    }
}
