//! Opening streams on the connections there are, within each peer's share.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use goop2_proto::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::open::{InUse, Negotiated, Stream, Traffic};

/// The node's own protocol: hole punching from many ports.
pub(crate) const PUNCH: &str = "/goop/punch/1.0.0";

/// The protocol that everybody speaks (libp2p/specs, `ping`).
const PING: &str = "/ipfs/ping/1.0.0";

/// Streams we have open to one peer at a time; more wait. Far below the 256 at which other
/// implementations start to refuse, and enough to fill any link with small files.
pub const MAX_OPEN_PER_PEER: usize = 128;

/// Streams of one peer that are served at a time: more than one of ours ever opens, so only a peer
/// that hoards waits.
pub const MAX_SERVED_PER_PEER: usize = 256;

/// Negotiated streams of one connection that wait for their turn; what comes beyond is reset. Each
/// may hold one receive window of 256 KiB. Twice as many as one of ours has open to a peer: where
/// the application is slow, they wait for it too.
pub const MAX_WAITING_PER_CONNECTION: usize = 256;

/// How long they may wait before they are reset: as long as anyone waits for a page.
pub(super) const WAITING_FOR: Duration = Duration::from_secs(10);

/// Streams on their way to the application. Small: the waiting happens in the handlers, where it is
/// counted by peer.
pub(crate) const INBOUND_CHANNEL: usize = 64;

/// How long one attempt at a stream may take: three round trips of the slowest usable link.
pub(super) const ATTEMPT: Duration = Duration::from_secs(3);

/// Why one attempt at a stream failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no connection")]
    NotConnected,
    #[error("the peer does not speak the protocol")]
    Unsupported,
    #[error("no answer in time")]
    TimedOut,
    #[error("the connection broke: {0}")]
    Broken(io::Error),
}

/// Opens streams on whatever connections there are now.
#[derive(Clone, Default)]
pub(crate) struct Control {
    peers: Arc<Mutex<HashMap<PeerId, Peer>>>,
    /// Connections came or went, or another one is preferred.
    changes: Arc<watch::Sender<()>>,
}

struct Peer {
    connections: Vec<Connection>,
    preferred: Option<ConnectionId>,
    outbound: Arc<Semaphore>,
    inbound: Arc<Semaphore>,
}

impl Peer {
    /// Its connections, the best first.
    fn best(&self) -> impl Iterator<Item = &Connection> {
        let mut best: Vec<&Connection> = self.connections.iter().rev().collect();
        best.sort_by_key(|c| (self.preferred != Some(c.id), c.relayed));
        best.into_iter()
    }
}

struct Connection {
    id: ConnectionId,
    relayed: bool,
    requests: mpsc::Sender<Request>,
    traffic: Arc<Traffic>,
}

/// What a handler is asked for.
pub(super) struct Request {
    /// In the order of preference; one of them is agreed on.
    pub(super) protocols: Vec<&'static str>,
    pub(super) reply: oneshot::Sender<Result<Negotiated, Failure>>,
}

impl Control {
    /// A share of the streams open to `peer`; waits while all are taken.
    pub(crate) async fn share(&self, peer: PeerId) -> Result<OwnedSemaphorePermit, Failure> {
        let share = self
            .peers()
            .get(&peer)
            .map(|p| p.outbound.clone())
            .ok_or(Failure::NotConnected)?;
        share
            .acquire_owned()
            .await
            .map_err(|_| Failure::NotConnected)
    }

    /// One attempt; the first takes the best connection, each further one the next best.
    pub(crate) async fn open(
        &self,
        peer: PeerId,
        protocols: &[&'static str],
        share: OwnedSemaphorePermit,
        attempt: usize,
    ) -> Result<(Stream, &'static str), Failure> {
        let (id, requests, carrier) = {
            let peers = self.peers();
            let peer = peers.get(&peer).ok_or(Failure::NotConnected)?;
            let chosen = peer
                .best()
                .nth(attempt % peer.connections.len().max(1))
                .ok_or(Failure::NotConnected)?;
            let carrier = InUse::new(chosen.traffic.clone());
            (chosen.id, chosen.requests.clone(), carrier)
        };
        let (inner, protocol) = request(&requests, protocols).await?;
        let stream = Stream {
            inner,
            _share: share,
            connection: id,
            carrier,
            widens: false,
        };
        Ok((stream, protocol))
    }

    /// The connection that the next stream to `peer` takes.
    pub(crate) fn best(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.peers().get(peer)?.best().next().map(|c| c.id)
    }

    /// Streams take this connection from now on.
    pub(crate) fn prefer(&self, peer: &PeerId, connection: ConnectionId) {
        if let Some(peer) = self.peers().get_mut(peer) {
            peer.preferred = Some(connection);
        }
        self.changes.send_replace(());
    }

    /// Whenever [`Control::best`] may be another.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// What a connection's streams have carried so far; none when it is gone.
    pub(crate) fn traffic(&self, peer: &PeerId, connection: ConnectionId) -> Option<Arc<Traffic>> {
        let peers = self.peers();
        let connections = &peers.get(peer)?.connections;
        let connection = connections.iter().find(|c| c.id == connection)?;
        Some(connection.traffic.clone())
    }

    /// Whether the other side of this very connection still answers. Opens a ping stream, which
    /// every peer accepts, and lets it go: one round trip, taken after everything that was queued
    /// on the connection before.
    pub(crate) async fn answers(&self, peer: PeerId, connection: ConnectionId) -> bool {
        let requests = self
            .peers()
            .get(&peer)
            .and_then(|p| p.connections.iter().find(|c| c.id == connection))
            .map(|c| c.requests.clone());
        match requests {
            Some(requests) => {
                matches!(
                    request(&requests, &[PING]).await,
                    Ok(_) | Err(Failure::Unsupported)
                )
            }
            None => false,
        }
    }

    /// All there are to a peer.
    pub(crate) fn connections(&self, peer: &PeerId) -> Vec<ConnectionId> {
        let peers = self.peers();
        let connections = peers.get(peer).into_iter().flat_map(|p| &p.connections);
        connections.map(|connection| connection.id).collect()
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<PeerId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection known for as long as the registration lives.
    pub(super) fn register(
        &self,
        peer: PeerId,
        id: ConnectionId,
        relayed: bool,
    ) -> (Registration, mpsc::Receiver<Request>) {
        let (requests, rx) = mpsc::channel(MAX_OPEN_PER_PEER);
        let mut peers = self.peers();
        let entry = peers.entry(peer).or_insert_with(|| Peer {
            connections: Vec::new(),
            preferred: None,
            outbound: Arc::new(Semaphore::new(MAX_OPEN_PER_PEER)),
            inbound: Arc::new(Semaphore::new(MAX_SERVED_PER_PEER)),
        });
        let traffic = Arc::<Traffic>::default();
        entry.connections.push(Connection {
            id,
            relayed,
            requests,
            traffic: traffic.clone(),
        });
        let inbound = entry.inbound.clone();
        drop(peers);
        self.changes.send_replace(());
        (
            Registration {
                control: self.clone(),
                peer,
                id,
                inbound,
                traffic,
            },
            rx,
        )
    }
}

async fn request(
    requests: &mpsc::Sender<Request>,
    protocols: &[&'static str],
) -> Result<Negotiated, Failure> {
    let (reply, answer) = oneshot::channel();
    let request = Request {
        protocols: protocols.to_vec(),
        reply,
    };
    let attempt = async {
        requests
            .send(request)
            .await
            .map_err(|_| Failure::NotConnected)?;
        answer
            .await
            .unwrap_or_else(|_| Err(Failure::Broken(io::ErrorKind::ConnectionReset.into())))
    };
    tokio::time::timeout(ATTEMPT, attempt)
        .await
        .unwrap_or(Err(Failure::TimedOut))
}

/// A connection's entry in [`Control`].
pub(super) struct Registration {
    control: Control,
    pub(super) peer: PeerId,
    pub(super) id: ConnectionId,
    pub(super) inbound: Arc<Semaphore>,
    pub(super) traffic: Arc<Traffic>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut peers = self.control.peers();
        if let Some(peer) = peers.get_mut(&self.peer) {
            peer.connections.retain(|c| c.id != self.id);
            if peer.connections.is_empty() {
                peers.remove(&self.peer);
            }
        }
        drop(peers);
        self.control.changes.send_replace(());
    }
}
