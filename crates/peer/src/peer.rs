//! [`Peer`], the façade: everything a skin can ask of a running peer.

mod people;
mod rendezvous;
mod settings;

use std::{
    iter,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures::StreamExt;
use goop2_node::Node;
use goop2_proto::{
    Multiaddr, PeerId, SitePath, data::Request, id, mdns::Tag, path::Refusal, roster::Roster,
    time::unix_millis,
};
use goop2_rendezvous::client::Http;
use goop2_store::{Caller, Config, Folder};
use multiaddr::Protocol;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::{
    io::ReaderStream,
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

use crate::{
    api::{
        network::{Attempt, Link, PeerReach},
        notice::Notice,
        rendezvous::Rendezvous,
        snapshot::Snapshot,
        visit::Place,
    },
    connections::path_of,
    disk::blocking,
    error::Error,
    known_peers::KnownPeers,
    link,
    notices::Notices,
    presence::{self, roster::SharedRoster},
    servers::{self, Servers},
    sites::{
        page::Page,
        serve::{PROTOCOLS, Responder},
        tables, visit,
    },
    supervisor::Supervisor,
};

/// Read from the own disk at a time.
const FILE_CHUNK: usize = 128 * 1024;
/// The whole of a shutdown; what has not ended by then is ended.
const SHUTDOWN: Duration = Duration::from_millis(1700);

/// A running peer. Cheap to clone; it runs until [`Peer::shutdown`].
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    folder: Arc<Folder>,
    node: Node,
    /// To rendezvous servers.
    http: Http,
    roster: SharedRoster,
    known_peers: KnownPeers,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    config: watch::Sender<Config>,
    /// What this run was started with.
    started: Config,
    /// Settings were changed that only another start puts in force.
    outdated: watch::Sender<bool>,
    /// Hash of the own picture.
    avatar: watch::Sender<String>,
    notices: Notices,
    running: Mutex<Option<Running>>,
    supervisor: Supervisor,
    released: CancellationToken,
    // Last: by then the folder is closed.
    _released: DropGuard,
}

struct Running {
    presence: CancellationToken,
    announcing: AbortOnDropHandle<()>,
    serving: CancellationToken,
    tasks: JoinSet<()>,
}

impl Peer {
    /// Goes online with this folder; returns once everything listens.
    pub async fn start(folder: Folder) -> Result<Self, Error> {
        let folder = Arc::new(folder);
        let config = folder.config();
        blocking(&folder, tables::create_missing).await??;
        let (avatar, avatar_seen) = watch::channel(blocking(&folder, avatar_hash).await?);
        let known_peers = KnownPeers::open(&folder).await?;
        let (node, inbound, events) = goop2_node::spawn(goop2_node::Config {
            keypair: folder.keypair().clone(),
            listen_port: config.p2p.listen_port,
            mdns_tag: Tag::parse(&config.p2p.mdns_tag).filter(|_| config.p2p.mdns),
            topic: config.presence.topic.clone(),
            protocols: PROTOCOLS.to_vec(),
        })
        .await?;
        known_peers.introduce(&node).await;
        let roster = SharedRoster::new(Roster::new(
            node.peer_id(),
            Duration::from_secs(config.presence.ttl_seconds.into()),
        ));
        let (presence, serving, mut tasks) = (
            CancellationToken::new(),
            CancellationToken::new(),
            JoinSet::new(),
        );
        let started = config.clone();
        let (config, config_seen) = watch::channel(config);
        let (notices, notices_seen) = Notices::new();
        let (said, saying) = watch::channel(None);
        let (heard, hearing) = mpsc::channel(servers::EVENTS);
        let (states, joined) = watch::channel(Vec::new());
        let (shown, rendezvous) = watch::channel(Rendezvous::default());
        let http = Http::new();
        let servers_task = Servers::run(
            node.clone(),
            folder.dir().to_owned(),
            folder.keypair().clone(),
            http.clone(),
            notices.clone(),
            states,
            shown,
            config_seen.clone(),
            saying,
            heard,
            presence.clone(),
        );
        let announcer = presence::Task::new(
            node.clone(),
            roster.clone(),
            config_seen,
            notices_seen,
            joined,
            rendezvous,
            avatar_seen,
            known_peers.clone(),
            said,
        );
        let snapshot = announcer.snapshot();
        let supervisor = Supervisor::new();
        let responder =
            Responder::new(Arc::clone(&folder), roster.clone()).run(inbound, serving.clone());
        tasks.spawn(supervisor.watch("What answers visitors", serving.clone(), responder));
        let announcing = announcer.run(events, hearing, presence.clone());
        let announcing = supervisor.watch("What tells others of you", presence.clone(), announcing);
        let announcing = AbortOnDropHandle::new(tokio::spawn(announcing));
        tasks.spawn(supervisor.watch(
            "What talks to rendezvous servers",
            presence.clone(),
            servers_task,
        ));
        let released = CancellationToken::new();
        let running = Mutex::new(Some(Running {
            presence,
            announcing,
            serving,
            tasks,
        }));
        Ok(Self(Arc::new(Inner {
            folder,
            node,
            http,
            roster,
            known_peers,
            snapshot,
            config,
            started,
            outdated: watch::Sender::new(false),
            avatar,
            notices,
            running,
            supervisor,
            _released: released.clone().drop_guard(),
            released,
        })))
    }

    /// Own peer id.
    pub fn id(&self) -> PeerId {
        self.0.node.peer_id()
    }

    /// What a skin shows, always the latest.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.snapshot.clone()
    }

    /// Every address this peer listens on, loopback included.
    pub fn listening(&self) -> Vec<Multiaddr> {
        let status = self.0.node.status();
        let status = status.borrow();
        let loopback = Multiaddr::from(Ipv4Addr::LOCALHOST).with(Protocol::Tcp(status.port));
        iter::once(loopback)
            .chain(status.listen.iter().cloned())
            .collect()
    }

    pub fn config(&self) -> Config {
        self.0.config.borrow().clone()
    }

    /// Changes `goop.json`; what can be applied live is applied before this returns.
    pub async fn update_config(
        &self,
        change: impl FnOnce(&mut Config) + Send + 'static,
    ) -> Result<(), Error> {
        let config = blocking(&self.0.folder, move |folder| folder.update_config(change)).await??;
        self.apply(config);
        Ok(())
    }

    /// Shows a notice until the peer ends; one of the same code is replaced.
    pub fn notify(&self, notice: Notice) {
        self.0.notices.show(notice);
    }

    /// The peer an id names, in any of the forms people paste.
    pub fn peer(&self, id: &str) -> Result<PeerId, Error> {
        id::parse(id).ok_or_else(|| Error::Invalid("This is not a peer's id.".into()))
    }

    /// Opens a file of a site. `path` is what follows the peer id in a visitor's URL, decoded; the
    /// own id reads the own folder.
    pub async fn open(&self, peer: PeerId, path: &str) -> Result<Page, Error> {
        if peer == self.id() {
            self.open_own(path).await
        } else {
            self.admit(&peer)?;
            visit::site(&self.0.node, peer, path).await
        }
    }

    /// Runs a data operation on the owner's database; on the own one without restriction.
    pub async fn data(&self, peer: PeerId, request: Request) -> Result<Option<Value>, Error> {
        let answer = if peer == self.id() {
            blocking(&self.0.folder, move |folder| {
                folder.database().execute(&Caller::Local, &request)
            })
            .await?
        } else {
            self.admit(&peer)?;
            visit::data(&self.0.node, peer, &request).await?
        };
        answer.map_err(Error::Data)
    }

    /// Who may insert into a table of the own database: `owner`, `email`, `open` or `public`.
    pub async fn set_policy(&self, table: String, policy: String) -> Result<(), Error> {
        blocking(&self.0.folder, move |folder| {
            folder.database().set_policy(&table, &policy)
        })
        .await?
        .map_err(Error::Data)
    }

    /// The picture a peer chose for itself, in whatever format it did.
    pub async fn avatar(&self, peer: PeerId) -> Result<Option<Bytes>, Error> {
        if peer == self.id() {
            Ok(blocking(&self.0.folder, Folder::avatar)
                .await??
                .map(|avatar| avatar.bytes.into()))
        } else {
            self.admit(&peer)?;
            visit::avatar(&self.0.node, peer).await
        }
    }

    /// Remembers a multiaddr ending in `/p2p/<id>` for this run, and connects to it as soon as that
    /// works.
    pub async fn add_address(&self, addr: &str) -> Result<PeerId, Error> {
        let addr: Multiaddr = addr.trim().parse().map_err(|_| {
            Error::Invalid("This is not a network address. One looks like /ip4/192.168.1.20/tcp/40123/p2p/12D3KooW…".into())
        })?;
        self.0
            .node
            .add_address(addr)
            .await
            .map_err(|error| Error::Invalid(error.to_string()))
    }

    /// Where an address typed or pasted leads; a multiaddr is remembered on the way.
    pub async fn place(&self, text: &str) -> Result<Place, Error> {
        if text.trim().starts_with('/') {
            return Ok(Place {
                peer: self.add_address(text).await?.to_base58(),
                path: "/".into(),
            });
        }
        link::parse(text)
    }

    /// How a peer is reached, and what was tried: for a page that somebody looks at, who asks again
    /// every second or so.
    pub async fn history(&self, peer: PeerId) -> PeerReach {
        let reach = self.0.node.history(peer).await;
        let status = self.0.node.status();
        let relays = status.borrow().reach.relays.clone();
        let label = |id: &PeerId| {
            let relay = relays.iter().find(|relay| relay.peer == *id);
            relay.map(|relay| relay.label.as_str())
        };
        let (now, clock) = (Instant::now(), SystemTime::now());
        let at = |then: Instant| unix_millis(clock - now.saturating_duration_since(then));
        let links: Vec<_> = reach
            .links
            .into_iter()
            .map(|link| Link {
                path: path_of(&link.connection, label),
                remote: link.connection.remote.to_string(),
                since: at(link.connection.since),
                received_bytes: link.received_bytes,
                sent_bytes: link.sent_bytes,
            })
            .collect();
        let attempts = reach.attempts.into_iter().map(|attempt| Attempt {
            at: at(attempt.at),
            what: attempt.what,
            outcome: match attempt.times {
                1 => attempt.outcome,
                n => format!("{}, {n} times", attempt.outcome),
            },
            worked: attempt.worked,
        });
        PeerReach {
            id: peer.to_base58(),
            path: links.first().map(|link| link.path.clone()),
            links,
            attempts: attempts.collect(),
        }
    }

    /// Finds out anew how this peer is reached from outside; the snapshot's network tells, within
    /// some seconds.
    pub async fn test_again(&self) {
        self.0.node.test_again().await;
    }

    /// The own network as a text to send to someone who helps. `redacted` leaves out addresses,
    /// names of servers and ids.
    pub fn network_report(&self, redacted: bool) -> String {
        self.0.snapshot.borrow().network.report(redacted)
    }

    /// Resolves when a part of the peer has ended that nobody asked to, with the reason in words;
    /// the peer is of no use then, but for [`Peer::shutdown`].
    pub async fn failed(&self) -> String {
        self.0.supervisor.failed().await
    }

    /// Says that something failed without which this peer is of no use.
    pub fn fail(&self, reason: String) {
        self.0.supervisor.fail(reason);
    }

    /// Resolves when the last handle is gone and with it the folder closed, which then can be
    /// opened again.
    pub fn released(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.released.clone().cancelled_owned()
    }

    /// Goes offline in order: says goodbye, answers nothing more, closes the connections. A second
    /// call does nothing.
    pub async fn shutdown(&self) {
        let running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut running) = running else {
            return;
        };
        // The goodbyes go out, here and at every rendezvous, while the connections that carry them
        // still stand.
        running.presence.cancel();
        let orderly = async {
            let _ended = (&mut running.announcing).await;
            running.serving.cancel();
            let tasks = async { while running.tasks.join_next().await.is_some() {} };
            tokio::join!(tasks, self.0.node.clone().shutdown());
        };
        if timeout(SHUTDOWN, orderly).await.is_err() {
            tracing::warn!("not everything ended in time");
        }
    }

    fn admit(&self, peer: &PeerId) -> Result<(), Error> {
        if self.0.known_peers.is_blocked(peer) {
            Err(Error::Blocked)
        } else {
            Ok(())
        }
    }

    async fn open_own(&self, path: &str) -> Result<Page, Error> {
        let path = SitePath::parse(path)?;
        let file = blocking(&self.0.folder, move |folder| folder.site().open(&path)).await??;
        let reader = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file.file), file.len);
        Ok(Page {
            mime: file.mime,
            len: file.len,
            body: ReaderStream::with_capacity(reader, FILE_CHUNK).boxed(),
        })
    }
}

fn avatar_hash(folder: &Folder) -> String {
    match folder.avatar() {
        Ok(avatar) => avatar.map(|avatar| avatar.hash).unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "avatar not readable");
            String::new()
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::NotFound,
            Refusal::Forbidden => Self::Forbidden,
        }
    }
}
