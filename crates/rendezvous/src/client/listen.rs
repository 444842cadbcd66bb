//! Reads `/events`, for as long as the client lives: connect, read until it ends, wait, connect
//! again.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant, SystemTime},
};

use goop2_proto::{
    PeerId,
    events::{self, Parser},
    id,
    presence::{Kind, Message, Proof},
};
use reqwest::{Response, header::HeaderName};
use tokio::{
    sync::mpsc,
    time::{self, sleep, sleep_until, timeout},
};

use super::{
    fault::{self, Fault},
    opening,
    schedule::at_least,
    session::{Session, at, later},
    state::{Event, Link},
};
use crate::backoff::Backoff;

/// The header of a server that sends only changes.
const EVENTS: HeaderName = HeaderName::from_static("goop2-events");
/// A server that has not answered by then is said to be slow; people look at the page.
const SLOW: Duration = Duration::from_secs(4);
/// Names of events that are not messages.
const SNAPSHOT: &str = "snapshot";
const CURRENT: &str = "current";
const GONE: &str = "gone";
/// A peer that an existing server has not repeated for so long has expired there (§6.5).
const FORGOTTEN: Duration = Duration::from_secs(30);
/// The longest wait between attempts: a server that is back is found soon, and thousands of clients
/// do not flood it.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Most peers remembered of one server: more than any server serves.
const MAX_PEERS: usize = 65_536;

/// The receiver of events is gone, so the client ends.
struct Closed;

enum End {
    Fault(Fault),
    Closed,
}

/// What is remembered from one connection to the next.
#[derive(Default)]
struct Memory {
    last_id: Option<String>,
    /// When each peer was last mentioned.
    peers: HashMap<PeerId, Instant>,
}

pub(super) async fn run(session: &Session, events: &mpsc::Sender<Event>) {
    let mut backoff = Backoff::new(LONGEST_WAIT);
    let mut memory = Memory::default();
    loop {
        let mut opened = None;
        let fault = match connection(session, events, &mut memory, &mut opened).await {
            End::Fault(fault) => fault,
            End::Closed => return,
        };
        let lived = opened.map(|at: Instant| at.elapsed());
        let wait = at_least(backoff.wait(lived, rand::random()), fault.retry_after);
        tracing::debug!(server = %session.config.address, fault.reason, ?wait, "the stream ended");
        session.start_over();
        let (reason, next) = (fault.reason, later(wait));
        session.update(|state| {
            state.link = if fault.refused {
                Link::Refused { reason, next }
            } else {
                Link::Retrying { reason, next }
            };
        });
        sleep(wait).await;
    }
}

async fn connection(
    session: &Session,
    events: &mpsc::Sender<Event>,
    memory: &mut Memory,
    opened: &mut Option<Instant>,
) -> End {
    let response = match open(session, memory.last_id.as_deref()).await {
        Ok(response) => response,
        Err(fault) => return End::Fault(fault),
    };
    let changes = response
        .headers()
        .get(EVENTS)
        .is_some_and(|value| value == "changes");
    *opened = Some(Instant::now());
    session.update(|state| {
        state.link = Link::Connected {
            since: SystemTime::now(),
            changes,
        };
    });
    session.opened.send_modify(|opened| *opened += 1);
    tracing::debug!(server = %session.config.address, changes, "connected");
    let mut reader = Reader {
        session,
        events,
        own: session.config.key.public().to_peer_id(),
        changes,
        snapshot: None,
        memory,
    };
    reader.read(response).await
}

/// The stream. A server that is slow to answer is said to be so, and waited for.
async fn open(session: &Session, last_id: Option<&str>) -> Result<Response, Fault> {
    let (http, address) = (&session.config.http, session.address());
    let mut asking = std::pin::pin!(opening::ask(http, &address, last_id));
    let response = match timeout(SLOW, &mut asking).await {
        Ok(response) => response?,
        Err(_) => {
            session.update(|state| {
                let reason = "the server doesn't answer".into();
                let next = later(SLOW);
                state.link = Link::Retrying { reason, next };
            });
            asking.await?
        }
    };
    session.answered(&response);
    opening::check(http, &session.address(), response).await
}

struct Reader<'a> {
    session: &'a Session,
    events: &'a mpsc::Sender<Event>,
    own: PeerId,
    changes: bool,
    /// The peers of the snapshot that is being received.
    snapshot: Option<HashSet<PeerId>>,
    memory: &'a mut Memory,
}

impl Reader<'_> {
    async fn read(&mut self, mut response: Response) -> End {
        let config = &self.session.config;
        let mut parser = Parser::new();
        let mut beat = time::interval(config.heartbeat);
        let mut dead = at(config.silence);
        loop {
            let step = tokio::select! {
                // What arrived while the computer slept is read before the silence counts.
                biased;
                _ = beat.tick() => self.beat().await,
                chunk = response.chunk() => {
                    dead = at(config.silence);
                    match chunk {
                        Ok(Some(chunk)) => self.take(&mut parser, &chunk).await,
                        Ok(None) => return End::Fault(Fault::unreachable("the server closed the connection".into())),
                        Err(error) => return End::Fault(Fault::unreachable(fault::describe(&error, &config.address.authority(), false))),
                    }
                }
                () = sleep_until(dead) => {
                    return End::Fault(Fault::unreachable("the connection timed out".into()));
                }
            };
            if step.is_err() {
                return End::Closed;
            }
        }
    }

    async fn take(&mut self, parser: &mut Parser, chunk: &[u8]) -> Result<(), Closed> {
        for event in parser.push(chunk) {
            match &*event.name {
                SNAPSHOT => {
                    self.snapshot.get_or_insert_default();
                    self.messages(&event.data).await?;
                }
                CURRENT => self.current().await?,
                GONE => self.gone(&event.data).await?,
                "" => self.messages(&event.data).await?,
                _ => {}
            }
        }
        // Only now: an id counts when everything before it was sent on.
        if let Some(id) = parser
            .last_id()
            .filter(|_| self.changes && self.snapshot.is_none())
        {
            id.clone_into(self.memory.last_id.get_or_insert_default());
        }
        let peers = self.memory.peers.len();
        self.session.update(|state| state.peers = peers);
        Ok(())
    }

    async fn messages(&mut self, data: &[u8]) -> Result<(), Closed> {
        for message in events::messages(data) {
            self.message(message).await?;
        }
        Ok(())
    }

    async fn message(&mut self, message: Message) -> Result<(), Closed> {
        let Message { kind, peer, .. } = message;
        // Our own messages come back with every heartbeat, and verifying is the most expensive
        // part.
        if peer == self.own {
            self.own(&message);
            return Ok(());
        }
        let proof = message.proof();
        if proof == Proof::Forged {
            return Ok(());
        }
        let source = self.session.config.source;
        if kind == Kind::Offline {
            self.memory.peers.remove(&peer);
        } else if self.memory.peers.len() < MAX_PEERS {
            self.memory.peers.insert(peer, Instant::now());
        }
        if let Some(snapshot) = self.snapshot.as_mut().filter(|seen| seen.len() < MAX_PEERS) {
            snapshot.insert(peer);
        }
        self.send(Event::Presence {
            source,
            presence: message.presence(),
            proved: proof == Proof::Proved,
        })
        .await
    }

    /// A message under our own identity: another program's, if we did not send it.
    fn own(&self, message: &Message) {
        let strange = self.session.sent().is_strange(message.ts);
        if strange
            && message.kind != Kind::Offline
            && message.proof() == Proof::Proved
            && self.session.sent().meet(message.ts)
        {
            self.session.update(|state| state.twin = true);
        }
    }

    /// The server reports that the peer timed out there.
    async fn gone(&mut self, data: &[u8]) -> Result<(), Closed> {
        let Some(peer) = str::from_utf8(data).ok().and_then(id::parse) else {
            return Ok(());
        };
        self.memory.peers.remove(&peer);
        let source = self.session.config.source;
        self.send(Event::Lost { source, peer }).await
    }

    async fn current(&mut self) -> Result<(), Closed> {
        let Some(seen) = self.snapshot.take() else {
            return Ok(());
        };
        self.memory.peers.retain(|peer, _| seen.contains(peer));
        let source = self.session.config.source;
        self.send(Event::Current { source, seen }).await
    }

    /// Every heartbeat: peers of a stream of changes stay; those that an existing server no longer
    /// repeats expire.
    async fn beat(&mut self) -> Result<(), Closed> {
        if self.changes {
            let source = self.session.config.source;
            return self.send(Event::Alive { source }).await;
        }
        self.memory
            .peers
            .retain(|_, heard| heard.elapsed() < FORGOTTEN);
        let peers = self.memory.peers.len();
        self.session.update(|state| state.peers = peers);
        Ok(())
    }

    async fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }
}
