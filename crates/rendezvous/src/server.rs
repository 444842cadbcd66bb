//! The rendezvous server: peers publish that they are online, and learn who else is. It stores
//! nothing else.
//!
//! `POST /publish` → [`goop2_proto::rendezvous::check`] → limits → `presence`: table and feeds →
//! subscribers. The pages for people are in `pages`. Other instances of the same
//! rendezvous are reached through `cluster`.

mod app;
mod auth;
mod clock;
mod cluster;
mod config;
mod connections;
mod instance;
mod limit;
mod log;
mod metrics;
mod pages;
mod persist;
mod presence;
mod respond;
mod routes;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use goop2_proto::time::unix_millis;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

pub use clock::Clock;
pub use config::{Config, DEFAULT_PORT, Limits};
pub use connections::{
    client::{Net, NotANet},
    listen::Error as ListenError,
};
pub use goop2_proto::bucket::Rate;
pub use presence::members::Members;

use crate::registration::{self, Registrations};
use app::App;
use connections::{
    accept::{self, Clients},
    listen,
};
use limit::Slots;

/// How often the status is updated.
const STATUS_PAUSE: Duration = Duration::from_secs(1);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// It cannot open its registrations.
    #[error(transparent)]
    Registration(#[from] registration::Error),
    /// Existing servers let everyone in instead, which is not what the operator wants.
    #[error(
        "presence.registration_required needs presence.peer_db_path; without it, nobody could register"
    )]
    NoDatabase,
}

/// The system's clock.
pub fn system_clock() -> i64 {
    unix_millis(SystemTime::now())
}

/// The state of a server, at most a second old.
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
    /// Peers reachable through its relay; none = there is no relay.
    pub relayed: Option<usize>,
}

/// A running server. Dropping it stops it at once; [`Server::shutdown`] says goodbye.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    addrs: Vec<SocketAddr>,
    status: watch::Receiver<Status>,
    stop: CancellationToken,
    listeners: JoinSet<()>,
    /// Outlives the listeners, so that other instances receive the last messages.
    cluster: JoinSet<()>,
    leave_cluster: CancellationToken,
    background: JoinSet<()>,
}

impl Server {
    /// Returns when the server listens.
    pub async fn bind(config: Config, clock: Clock) -> Result<Self, Error> {
        let registrations = open_registrations(&config, clock).await?;
        let sockets = listen::bind(config.bind, config.port)?;
        let addrs: Vec<_> = sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect();
        let clients = Arc::new(Clients {
            room: Arc::new(Semaphore::new(config.limits.connections)),
            slots: Slots::new(usize::MAX, config.limits.connections_each),
            trusted_proxies: config.trusted_proxies.clone(),
        });
        let app = Arc::new(App::new(config, registrations, addrs.clone(), clock));
        let (router, stop) = (routes::router(Arc::clone(&app)), CancellationToken::new());
        let mut listeners = JoinSet::new();
        for socket in sockets {
            let (router, clients) = (router.clone(), Arc::clone(&clients));
            listeners.spawn(accept::serve(socket, router, clients, stop.clone()));
        }
        let mut background = JoinSet::new();
        let (sender, status) = watch::channel(Status::default());
        background.spawn(wake(Arc::clone(&app)));
        background.spawn(report(Arc::clone(&app), sender));
        background.spawn(persist::run(Arc::clone(&app)));
        let (mut cluster, leave_cluster) = (JoinSet::new(), CancellationToken::new());
        cluster.spawn(cluster::run(Arc::clone(&app), leave_cluster.clone()));
        tracing::info!(?addrs, "rendezvous listening");
        Ok(Self {
            app,
            addrs,
            status,
            stop,
            listeners,
            cluster,
            leave_cluster,
            background,
        })
    }

    /// Where it listens: one address, or one for each family.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The URLs that others paste to join; empty if nobody else can reach it.
    pub fn connect_urls(&self) -> Vec<String> {
        listen::connect_urls(&self.app.config.external_url, &self.addrs)
    }

    /// How many are online.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Whom the relay of this server may serve.
    pub fn members(&self) -> Members {
        Members(Arc::clone(&self.app.hub))
    }

    /// Stops, in order.
    pub async fn shutdown(mut self) {
        // No new connections; requests in progress are answered.
        self.stop.cancel();
        // Subscribers read to the end and get a goodbye.
        self.app.hub.close();
        while self.listeners.join_next().await.is_some() {}
        // Other instances have received everything published here.
        self.leave_cluster.cancel();
        while self.cluster.join_next().await.is_some() {}
        // Nobody is left to wake.
        self.background.shutdown().await;
        // Nobody is left to register.
        if let Some(registrations) = &self.app.registrations {
            registrations.close().await;
        }
        tracing::info!("rendezvous stopped");
    }
}

async fn open_registrations(config: &Config, clock: Clock) -> Result<Option<Registrations>, Error> {
    match config.registration.clone() {
        Some(stored) => {
            let opened = Registrations::open(stored, config.cluster.is_some(), clock()).await?;
            Ok(Some(opened))
        }
        None if config.registration_required => Err(Error::NoDatabase),
        None => Ok(None),
    }
}

async fn wake(app: Arc<App>) {
    let subscribers = || app.subscribers.taken();
    app.hub.run(&app.log, subscribers, app.clock).await;
}

async fn report(app: Arc<App>, status: watch::Sender<Status>) {
    let mut tick = interval(STATUS_PAUSE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = 0;
    loop {
        tick.tick().await;
        let delivered = app.hub.counters.delivered.load(Ordering::Relaxed);
        let now = Status {
            peers: app.hub.table().len(),
            subscribers: app.subscribers.taken(),
            delivered,
            delivered_per_second: delivered - std::mem::replace(&mut before, delivered),
            relayed: app.relay().map(|relay| relay.usage.reachable()),
        };
        status.send_if_modified(|known| std::mem::replace(known, now) != now);
    }
}
