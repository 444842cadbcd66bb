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
pub(crate) mod http;
mod listen;
mod pace;

use std::{
    collections::HashSet,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use goop2_proto::{
    Keypair, PeerId,
    presence::Presence,
    registration,
    relay::{self, Relay},
    roster::Source,
};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use address::{Address, Error};
use http::Fault;
pub use http::Http;

/// How long a leaving peer waits for its `offline` to arrive.
const GOODBYE: Duration = Duration::from_secs(2);
/// How often the relay is asked for while nothing happens.
const RELAY_AGAIN: Duration = Duration::from_secs(5 * 60);

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server.
    pub address: Address,
    /// What its messages are marked with.
    pub source: Source,
    /// Signs what is published.
    pub key: Keypair,
    /// How often the peer says that it is online.
    pub heartbeat: Duration,
    /// A stream that is silent for so long is dead; servers say something every 25 s.
    pub silence: Duration,
    /// Shared by all clients.
    pub http: Http,
}

/// What a server tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A message of a peer. Forged ones never come here, nor one's own.
    Presence {
        /// The server.
        source: Source,
        /// What the peer says.
        presence: Presence,
        /// Whether its signature verified.
        proved: bool,
    },
    /// The server has said whom it sees: nobody else.
    Current {
        /// The server.
        source: Source,
        /// Everyone in its snapshot.
        seen: HashSet<PeerId>,
    },
    /// The server no longer sees the peer, which did not say so itself.
    Lost {
        /// The server.
        source: Source,
        /// The peer.
        peer: PeerId,
    },
    /// A server that tells only changes is still there: whom it saw, it sees. Comes every
    /// heartbeat.
    Alive {
        /// The server.
        source: Source,
    },
}

/// How it stands with the server.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The stream of events.
    pub link: Link,
    /// How many others are online there.
    pub peers: usize,
    /// The relay beside it, if it has one.
    pub relay: Option<Relay>,
    /// Why it does not take what we publish, in plain words.
    pub refusal: Option<String>,
    /// Whether our e-mail address is registered there; none = nobody has to be, or the server does
    /// not say.
    pub registration: Option<Registration>,
}

/// How it stands with our e-mail address at a server that shows registered peers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It is not registered for us, so nobody there sees us.
    Required,
    /// It is.
    Registered,
}

/// The stream of events. Reasons are in plain words.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// The first attempt is under way.
    Connecting,
    /// It is open.
    Connected {
        /// Since when.
        since: SystemTime,
        /// Whether only changes are told: one of our servers.
        changes: bool,
    },
    /// The server said no, or is none.
    Refused {
        /// Why.
        reason: String,
        /// When it is asked again.
        next: SystemTime,
    },
    /// It could not be reached, or the stream ended.
    Retrying {
        /// Why.
        reason: String,
        /// When the next attempt begins.
        next: SystemTime,
    },
}

/// One client. Dropping it ends it without a word; [`Self::shutdown`] says goodbye.
#[derive(Debug)]
pub struct Client {
    presence: watch::Sender<Option<Presence>>,
    state: watch::Receiver<State>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// What the loops share.
#[derive(Debug)]
struct Session {
    config: Config,
    state: watch::Sender<State>,
    /// Whether the server answers from this machine or network; none before its first answer.
    near: watch::Sender<Option<bool>>,
    /// How many streams were opened: after a new one the server may be a new one.
    opened: watch::Sender<u64>,
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
                async { tokio::join!(listen::run(&session, &events), look_for_relay(&session)) };
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
            tracing::debug!("a rendezvous did not take our goodbye in time");
        }
    }
}

/// Asks a server to register an address for the peer of this key. What it answers is for people,
/// whichever way it goes.
pub async fn register(
    http: &Http,
    server: &Address,
    key: &Keypair,
    email: &str,
    now_unix_ms: i64,
) -> Result<String, String> {
    let request = registration::Request {
        email: registration::email(email)
            .ok_or("that is not an e-mail address")?
            .to_owned(),
        peer: key.public().to_peer_id(),
        ts: now_unix_ms,
    };
    let answer = http.post(server.at("register"), request.sign(key));
    let response = answer.await.map_err(|fault| fault.reason)?;
    let status = response.status();
    let body = http::body(response, registration::MAX_BODY)
        .await
        .unwrap_or_default();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |key| answer.get(key).and_then(Value::as_str).map(str::to_owned);
    match text("message") {
        Some(message) if status.is_success() => Ok(message),
        _ => Err(text("error")
            .unwrap_or_else(|| "this server does not register addresses for a peer".into())),
    }
}

impl Session {
    /// Takes note of where an answer came from.
    fn answered_from(&self, ip: Option<IpAddr>) {
        let near = ip.map(goop2_proto::audience::is_near);
        self.near
            .send_if_modified(|known| near.is_some() && std::mem::replace(known, near) != near);
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.state.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }
}

async fn look_for_relay(session: &Session) {
    let mut opened = session.opened.subscribe();
    loop {
        match relay(session).await {
            Ok(relay) => session.update(|state| state.relay = relay),
            Err(fault) => tracing::debug!(fault.reason, "the relay is not known"),
        }
        tokio::select! {
            changed = opened.changed() => if changed.is_err() { return },
            () = sleep(RELAY_AGAIN.mul_f64(0.5 + rand::random::<f64>() / 2.0)) => {}
        }
    }
}

/// None when the server says that it has none.
async fn relay(session: &Session) -> Result<Option<Relay>, Fault> {
    let Config { address, http, .. } = &session.config;
    let response = http.get(address.at("relay"), HeaderMap::new()).await?;
    session.answered_from(http::ip(&response));
    match response.status() {
        StatusCode::OK => {
            let body = http::body(response, relay::MAX_BODY).await;
            Ok(body.and_then(|body| Relay::decode(&body)))
        }
        StatusCode::NOT_FOUND | StatusCode::BAD_GATEWAY => Ok(None),
        _ => Err(Fault::of(response, address).await),
    }
}

fn later(wait: Duration) -> SystemTime {
    SystemTime::now() + wait
}

fn at(wait: Duration) -> Instant {
    Instant::now() + wait
}
