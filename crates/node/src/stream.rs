//! Streams between peers: one request each, by our own behaviour.
//!
//! Out: `Control::open` hands a request to the handler of one connection: the one that the event
//! loop prefers, and then direct ones before relayed ones, the newest first, since the newest has
//! seen the network as it is now. In: each handler delivers what was negotiated into one bounded
//! channel. It keeps what does not fit at once, so that a burst waits instead of being lost, and it
//! holds a peer to its share: a stream is delivered only while that peer has fewer than
//! [`MAX_SERVED_PER_PEER`] open.
//!
//! A handler registers itself when it is made and unregisters when it is dropped, so a connection
//! that another behaviour denies half-way leaves nothing behind.
//!
//! A stream that is cut reads as a clean end (the muxer says so), so every protocol above checks a
//! length.

mod handler;

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite};
use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    StreamProtocol,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::net::addresses::is_relayed;
use handler::Handler;

/// The node's own protocol: hole punching from many ports.
pub(crate) const PUNCH: &str = "/goop/punch/1.0.0";

/// Streams we have open to one peer at a time; more wait. Far below the 256 at which other
/// implementations start to refuse, and enough to fill any link with small files.
pub const MAX_OPEN_PER_PEER: usize = 128;

/// Streams of one peer that are served at a time: more than one of ours ever opens, so only a peer
/// that hoards waits.
pub const MAX_SERVED_PER_PEER: usize = 256;

/// Negotiated streams of one connection that wait for their turn; what comes beyond is reset. Each
/// may hold one receive window of 256 KiB, so a hoarder costs 128 MiB at most.
pub const MAX_WAITING_PER_CONNECTION: usize = 256;

/// Streams on their way to the application. Small: the waiting happens in the handlers, where it is
/// counted by peer.
pub(crate) const INBOUND_CHANNEL: usize = 64;

/// How long one attempt at a stream may take: three round trips of the slowest usable link.
const ATTEMPT: Duration = Duration::from_secs(3);

/// A stream another peer opened.
#[derive(Debug)]
pub struct InboundStream {
    /// Who opened it; proved by the connection.
    pub peer: PeerId,
    /// One of the protocols of the configuration.
    pub protocol: &'static str,
    /// Whether it comes through a relay, where bytes are scarce.
    pub relayed: bool,
    /// The bytes.
    pub stream: Stream,
}

/// One open stream. Close it when everything is written: dropping it resets it, and what was still
/// queued is lost.
#[derive(Debug)]
pub struct Stream {
    inner: libp2p::Stream,
    /// The peer's share this stream takes, given back when it ends.
    _share: OwnedSemaphorePermit,
    /// The connection, which is not closed for a better one until then.
    carrier: InUse,
}

impl Stream {
    fn count_sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.carrier.0.sent.fetch_add(*bytes as u64, Relaxed);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(bytes)) = &read {
            self.carrier.0.received.fetch_add(*bytes as u64, Relaxed);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.count_sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.count_sent(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// What the streams of one connection have carried, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    streams: AtomicUsize,
}

impl Traffic {
    /// Bytes that came in and that went out.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.received.load(Relaxed), self.sent.load(Relaxed))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.streams.load(Relaxed) == 0
    }
}

/// One stream of a connection, as long as it is open.
#[derive(Debug)]
struct InUse(Arc<Traffic>);

impl InUse {
    fn new(traffic: Arc<Traffic>) -> Self {
        traffic.streams.fetch_add(1, Relaxed);
        Self(traffic)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

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
pub(crate) struct Control(Arc<Mutex<HashMap<PeerId, Peer>>>);

struct Peer {
    connections: Vec<Connection>,
    preferred: Option<ConnectionId>,
    outbound: Arc<Semaphore>,
    inbound: Arc<Semaphore>,
}

struct Connection {
    id: ConnectionId,
    relayed: bool,
    requests: mpsc::Sender<Request>,
    traffic: Arc<Traffic>,
}

/// What a handler is asked for.
struct Request {
    protocol: StreamProtocol,
    reply: oneshot::Sender<Result<libp2p::Stream, Failure>>,
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
        protocol: &'static str,
        share: OwnedSemaphorePermit,
        attempt: usize,
    ) -> Result<Stream, Failure> {
        let (requests, carrier) = {
            let peers = self.peers();
            let Peer {
                connections,
                preferred,
                ..
            } = peers.get(&peer).ok_or(Failure::NotConnected)?;
            let mut best: Vec<&Connection> = connections.iter().rev().collect();
            best.sort_by_key(|c| (*preferred != Some(c.id), c.relayed));
            let chosen = best
                .get(attempt % best.len().max(1))
                .ok_or(Failure::NotConnected)?;
            (chosen.requests.clone(), InUse::new(chosen.traffic.clone()))
        };
        Ok(Stream {
            inner: request(&requests, StreamProtocol::new(protocol)).await?,
            _share: share,
            carrier,
        })
    }

    /// Streams take this connection from now on.
    pub(crate) fn prefer(&self, peer: &PeerId, connection: ConnectionId) {
        if let Some(peer) = self.peers().get_mut(peer) {
            peer.preferred = Some(connection);
        }
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
                    request(&requests, libp2p::ping::PROTOCOL_NAME).await,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection known for as long as the registration lives.
    fn register(
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
    protocol: StreamProtocol,
) -> Result<libp2p::Stream, Failure> {
    let (reply, answer) = oneshot::channel();
    let request = Request { protocol, reply };
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
struct Registration {
    control: Control,
    peer: PeerId,
    id: ConnectionId,
    inbound: Arc<Semaphore>,
    traffic: Arc<Traffic>,
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
    }
}

/// Makes one [`Handler`] for each connection.
pub(crate) struct Behaviour {
    control: Control,
    protocols: Arc<[&'static str]>,
    inbound: mpsc::Sender<InboundStream>,
    /// Where those of the node's own protocol go.
    punches: mpsc::Sender<InboundStream>,
}

impl Behaviour {
    pub(crate) fn new(
        control: Control,
        mut protocols: Vec<&'static str>,
        inbound: mpsc::Sender<InboundStream>,
        punches: mpsc::Sender<InboundStream>,
    ) -> Self {
        protocols.push(PUNCH);
        Self {
            control,
            protocols: protocols.into(),
            inbound,
            punches,
        }
    }

    /// One that accepts no streams, for a host that only asks whether others still answer.
    pub(crate) fn asking(control: Control) -> Self {
        Self {
            control,
            protocols: [].into(),
            inbound: mpsc::channel(1).0,
            punches: mpsc::channel(1).0,
        }
    }

    fn handler(&self, peer: PeerId, id: ConnectionId, remote: &Multiaddr) -> Handler {
        let relayed = is_relayed(remote);
        let (registration, requests) = self.control.register(peer, id, relayed);
        Handler::new(
            registration,
            requests,
            relayed,
            self.protocols.clone(),
            self.inbound.clone(),
            self.punches.clone(),
        )
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, id, local))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, id, addr))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
