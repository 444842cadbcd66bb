//! A peer's connection to one rendezvous server (§7). Several run concurrently and independently.
//!
//! Three loops, owned by one task: one *listens* to `/events`, one *announces* the peer on
//! `/publish`, one asks for the *relay*. They share only what is known of the server ([`State`],
//! and the address it answers from). A server that is down, slow or lying delays only its own
//! loops.
//!
//! The client asks for the stream of changes: a snapshot, then only news, so that learning of N
//! peers costs N messages and not N every five seconds. What was received stays valid as long as
//! the stream is open ([`Event::Alive`]). Existing servers repeat every heartbeat instead, and
//! their peers expire without it.

mod address;
mod announce;
mod answer;
mod clock;
mod config;
mod fault;
mod find;
pub(crate) mod http;
mod listen;
mod opening;
mod portal;
mod register;
mod relay;
mod schedule;
mod sent;
mod session;
mod state;

use std::{sync::Mutex, time::Duration};

use goop2_proto::presence::Presence;
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use address::{Address, Error};
pub use config::Config;
pub use find::find;
pub use http::Http;
pub use register::register;
pub use state::{Event, Link, Registration, State};

use session::Session;

/// How long a leaving peer waits for its `offline` to arrive.
const GOODBYE: Duration = Duration::from_secs(2);

/// One client. Dropping it stops it at once; [`Self::shutdown`] says goodbye.
#[derive(Debug)]
pub struct Client {
    presence: watch::Sender<Option<Presence>>,
    state: watch::Receiver<State>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Client {
    /// Returns at once. Nothing is published before [`Self::publish`]. `events` may be shared by
    /// all clients; while it is full the stream is not read, and the server sends a snapshot later.
    pub fn spawn(config: Config, events: mpsc::Sender<Event>) -> Self {
        let (state, watched) = watch::channel(State {
            link: Link::Connecting,
            peers: 0,
            relay: None,
            refusal: None,
            registration: None,
            clock: None,
            twin: false,
        });
        let (presence, announced) = watch::channel(None);
        let stop = CancellationToken::new();
        let session = Session {
            config,
            state,
            moved: Mutex::default(),
            near: watch::Sender::new(None),
            opened: watch::Sender::new(0),
            sent: Mutex::default(),
        };
        let token = stop.clone();
        let task = tokio::spawn(async move {
            let receiving =
                async { tokio::join!(listen::run(&session, &events), relay::run(&session)) };
            tokio::join!(
                token.run_until_cancelled(receiving),
                announce::run(&session, announced, &token),
            );
        });
        Self {
            presence,
            state: watched,
            stop,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// What to publish from now on, at once and with every heartbeat; its kind and time are
    /// ignored. Call this when the peer knows its addresses, and after every change.
    pub fn publish(&self, presence: Presence) {
        self.presence.send_replace(Some(presence));
    }

    /// The state of the connection, as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Stops listening, publishes `offline` if the server knows of us, and waits for that up to two
    /// seconds.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if tokio::time::timeout(GOODBYE, self.task).await.is_err() {
            tracing::debug!("a rendezvous did not accept our goodbye in time");
        }
    }
}
