//! A peer's connection to one rendezvous server (§7). Several run beside each other, and none waits
//! for another.
//!
//! Three loops, owned by one task: one *listens* to `/events`, one *announces* the peer on
//! `/publish`, one asks for the *relay*. They share nothing but what the server was seen to be
//! ([`State`], and the address it answers from). A server that is away, slow or lying costs its own
//! loops some waiting, and nobody else anything.
//!
//! With our servers the stream is asked for changes: a snapshot, then only what is new, so that
//! hearing of N peers costs N messages and not N every five seconds. What was heard then stays good
//! as long as the stream lives ([`Event::Alive`]). Existing servers repeat every heartbeat, and
//! theirs grow old by themselves.

mod address;
mod announce;
mod config;
pub(crate) mod http;
mod listen;
mod register;
mod relay;
mod schedule;
mod session;
mod state;

use std::time::Duration;

use goop2_proto::presence::Presence;
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use address::{Address, Error};
pub use config::Config;
pub use http::Http;
pub use register::register;
pub use state::{Event, Link, Registration, State};

use session::Session;

/// How long a leaving peer waits for its `offline` to arrive.
const GOODBYE: Duration = Duration::from_secs(2);

/// One client. Dropping it ends it without a word; [`Self::shutdown`] says goodbye.
#[derive(Debug)]
pub struct Client {
    presence: watch::Sender<Option<Presence>>,
    state: watch::Receiver<State>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Client {
    /// Begins at once and returns at once. Nothing is published before [`Self::publish`]. `events`
    /// may be shared by all clients; while it is full the server is not read, and resynchronises us
    /// later.
    pub fn spawn(config: Config, events: mpsc::Sender<Event>) -> Self {
        let (state, watched) = watch::channel(State {
            link: Link::Connecting,
            peers: 0,
            relay: None,
            refusal: None,
            registration: None,
        });
        let (presence, announced) = watch::channel(None);
        let stop = CancellationToken::new();
        let session = Session {
            config,
            state,
            near: watch::Sender::new(None),
            opened: watch::Sender::new(0),
        };
        let token = stop.clone();
        let task = tokio::spawn(async move {
            let hearing =
                async { tokio::join!(listen::run(&session, &events), relay::run(&session)) };
            tokio::join!(
                token.run_until_cancelled(hearing),
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

    /// What to say from now on, at once and with every heartbeat. Kind and time of it do not count.
    /// Call this when the peer knows its addresses, and again when it changes.
    pub fn publish(&self, presence: Presence) {
        self.presence.send_replace(Some(presence));
    }

    /// How it stands, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Stops listening, says `offline` if the server heard of us, and waits for that up to two
    /// seconds.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if tokio::time::timeout(GOODBYE, self.task).await.is_err() {
            tracing::debug!("a rendezvous did not accept our goodbye in time");
        }
    }
}
