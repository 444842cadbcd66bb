//! The relay of a rendezvous server, for peers that cannot reach each other directly.
//!
//! A separate swarm, with its own key and port, so that it may be switched, limited and watched
//! independently. It forwards circuits (circuit relay v2), shows peers their address (identify) and
//! tests whether it can be reached (AutoNAT, both versions). What passes through is encrypted
//! between the two ends.
//!
//! ```text
//!   rendezvous: who is online? ◀── admission ◀── gate ── the library's relay: reservations, circuits
//!                                                     │ streams
//!   addresses ── external ──▶ host (the swarm) ◀──────┴── meter ◀── shares: whose turn is it?
//! ```
//!
//! - `admission` decides who may reserve and connect, by asking the rendezvous who is online: it is
//!   not a free tunnel.
//! - `room` says who gives way when something is full, `meter` and `shares` hold everyone to a rate
//!   and to an equal part when there is not enough for all: each household first, because keys cost
//!   nothing, and then each of its peers.
//! - It does not join the presence topic. Any peer that may use it has published at the rendezvous
//!   and hears everybody through it; a forwarder would carry to everyone, at every heartbeat, also
//!   the presence of those whom the rendezvous does not show: blocked, not registered, not signed.
//!   The relays of existing peers do not forward it either.
//! - It does not ask AutoNAT for itself: those it could ask are the peers that want to use it. The
//!   operator configures where it is reached (`external`), as for the rendezvous itself.

mod admission;
mod external;
mod gate;
mod host;
mod limits;
mod meter;
mod room;
mod shares;
mod transport;

use std::{
    fmt, io,
    time::{Duration, Instant},
};

use goop2_proto::{PeerId, relay::State};
use libp2p::identity::Keypair;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::transport::{port as ports, port::Port};
use host::{Host, Setup};

pub use admission::Ask;
pub use external::External;
pub use limits::Limits;

/// How long the start waits for names to be looked up; they are advertised when they are found.
const FIRST_LOOK_UP: Duration = Duration::from_secs(2);

/// How long the port may still be taken by the relay that ran before, and how often to look.
const RELEASE: Duration = Duration::from_secs(1);
const RELEASE_LOOK: Duration = Duration::from_millis(20);

/// The pause before another start after a failure.
const AGAIN: Duration = Duration::from_secs(1);

/// How the relay is set up.
pub struct Config {
    /// Its identity, which no peer has: peers remember it with their addresses.
    pub keypair: Keypair,
    /// TCP and UDP port; 0 takes a free one.
    pub port: u16,
    /// Where it is reached from outside; nothing = at the addresses of this host.
    pub external: Vec<External>,
    /// How much the relay and each of its peers may use.
    pub limits: Limits,
    /// Looks up a peer's membership at the rendezvous. Called often, and must not block.
    pub ask: Ask,
}

/// Why the relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program has the port.
    #[error(
        "port {port} is in use by another program. Stop that program, or set presence.relay_port in goop.json to {}",
        free.map_or_else(|| "another number".into(), |free| format!("{free}, which is free"))
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// One that is free.
        free: Option<u16>,
    },
    /// The system does not let us listen.
    #[error("the relay cannot listen on port {port}: {error}")]
    Listen {
        /// The port, 0 for any.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
}

/// A relay that listens. Dropping it ends it at once; [`Relay::shutdown`] closes connections and
/// frees the port.
#[derive(Debug)]
pub struct Relay {
    peer_id: PeerId,
    port: u16,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
    looking: AbortOnDropHandle<()>,
}

impl Relay {
    /// Returns when it listens. From then on `state` holds its state, at most a second old; at
    /// the end, nothing.
    pub async fn bind(config: Config, state: watch::Sender<Option<State>>) -> Result<Self, Error> {
        let listen = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => Error::PortTaken {
                port: config.port,
                free: ports::free_above(config.port),
            },
            _ => Error::Listen {
                port: config.port,
                error,
            },
        };
        let port = free_port(config.port).await.map_err(listen)?;
        let stop = CancellationToken::new();
        let (found, mut addrs) = watch::channel(Vec::new());
        let looking = tokio::spawn(external::follow(config.external, port, found, stop.clone()));
        let looking = AbortOnDropHandle::new(looking);
        let _later = timeout(FIRST_LOOK_UP, addrs.changed()).await;
        let peer_id = config.keypair.public().to_peer_id();
        let setup = Setup {
            key: config.keypair,
            port,
            limits: config.limits,
            ask: config.ask,
            addrs,
            state,
        };
        let host = setup.clone().listen().await.map_err(listen)?;
        let task = AbortOnDropHandle::new(tokio::spawn(keep(host, setup, stop.clone())));
        Ok(Self {
            peer_id,
            port: port.number,
            stop,
            task,
            looking,
        })
    }

    /// Who it is.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The port it listens on, TCP and UDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends in order.
    pub async fn shutdown(self) {
        // Peers notice by the end of their connections.
        self.stop.cancel();
        let _ended = self.task.await;
        let _ended = self.looking.await;
        tracing::info!("the relay has stopped");
    }
}

/// Runs the host until it is stopped. The library keeps its own accounts with `expect`, and
/// strangers write in them: should it fail, everybody reserves again, and the relay goes on.
async fn keep(mut host: Host, setup: Setup, stop: CancellationToken) {
    loop {
        let running = AbortOnDropHandle::new(tokio::spawn(host.run(stop.clone())));
        let Err(error) = running.await else { return };
        tracing::error!(%error, "the relay has failed and is restarted");
        host = loop {
            sleep(AGAIN).await;
            match setup.clone().listen().await {
                Ok(host) => break host,
                Err(error) => tracing::warn!(%error, "the relay cannot listen"),
            }
        };
    }
}

/// The port, free or freed in a moment: sockets outlive the relay that had them by the time their
/// last packets take.
async fn free_port(wanted: u16) -> io::Result<Port> {
    let deadline = Instant::now() + RELEASE;
    loop {
        match ports::choose(wanted) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                sleep(RELEASE_LOOK).await;
            }
            chosen => return chosen,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("port", &self.port)
            .field("external", &self.external)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
