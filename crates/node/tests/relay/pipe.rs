//! Streams of the test's own: who is asked for so many bytes sends them. And streams of the relay's
//! protocols, for those who do not keep to them.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse, upgrade::ReadyUpgrade},
    relay::{HOP_PROTOCOL_NAME, STOP_PROTOCOL_NAME},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use tokio::sync::{mpsc, oneshot};

const PIPE: StreamProtocol = StreamProtocol::new("/test/pipe/1.0.0");
const SEEN: StreamProtocol = StreamProtocol::new("/goop/seen/1.0.0");

/// What is written at a time.
const CHUNK: usize = 64 * 1024;

/// How the relay says that it agrees.
pub(crate) const OK: u64 = 100;

type Reply = oneshot::Sender<Stream>;
type Wanted = (StreamProtocol, Reply);

/// Opens streams on the newest connection to a peer.
#[derive(Clone, Default)]
pub(crate) struct Pipes(Arc<Mutex<HashMap<PeerId, mpsc::Sender<Wanted>>>>);

impl Pipes {
    async fn open(&self, peer: PeerId, protocol: StreamProtocol) -> Option<Stream> {
        let connection = self.0.lock().unwrap().get(&peer).cloned()?;
        let (reply, stream) = oneshot::channel();
        connection.send((protocol, reply)).await.ok()?;
        stream.await.ok()
    }

    /// Asks for so many bytes and returns how many came, told as they come.
    pub(crate) async fn fetch(&self, peer: PeerId, bytes: u64, mut came: impl FnMut(usize)) -> u64 {
        let Some(mut stream) = self.open(peer, PIPE).await else {
            return 0;
        };
        if stream.write_all(&bytes.to_be_bytes()).await.is_err() {
            return 0;
        }
        let (mut buffer, mut total) = (vec![0; CHUNK], 0);
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            total += read as u64;
            came(read);
        }
        let _gone = stream.close().await;
        total
    }
}

impl Pipes {
    /// Asks for bytes without an end, and reads none; what holds them up.
    pub(crate) async fn neglect(&self, peer: PeerId) -> Option<Stream> {
        let mut stream = self.open(peer, PIPE).await?;
        stream.write_all(&u64::MAX.to_be_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        Some(stream)
    }

    /// Asks a relay for a reservation; what it says.
    pub(crate) async fn reserve(&self, relay: PeerId) -> Option<u64> {
        Some(self.hop(relay, &[2, 0x08, 0]).await?.0)
    }

    /// Asks a relay for a circuit, and does nothing with it; what it says, and what holds the
    /// circuit.
    pub(crate) async fn connect(&self, relay: PeerId, to: PeerId) -> Option<(u64, Stream)> {
        let id = to.to_bytes();
        let len = u8::try_from(id.len()).unwrap();
        let head = [len + 6, 0x08, 1, 0x12, len + 2, 0x0a, len];
        self.hop(relay, &[&head, id.as_slice()].concat()).await
    }

    /// Asks a relay where it sees a peer; what it says.
    pub(crate) async fn seen(&self, relay: PeerId, peer: PeerId) -> Option<String> {
        let mut stream = self.open(relay, SEEN).await?;
        let question = format!("{peer}\n");
        stream.write_all(question.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    async fn hop(&self, relay: PeerId, request: &[u8]) -> Option<(u64, Stream)> {
        let mut stream = self.open(relay, HOP_PROTOCOL_NAME).await?;
        stream.write_all(request).await.ok()?;
        stream.flush().await.ok()?;
        let mut answer = vec![0; varint(&mut stream).await?.try_into().ok()?];
        stream.read_exact(&mut answer).await.ok()?;
        // Fields by number: type, reservation, limit, and the status last.
        let status = answer.iter().rposition(|byte| *byte == 0x28)?;
        let status = varint(&mut &answer[status + 1..]).await?;
        Some((status, stream))
    }
}

async fn varint(from: &mut (impl AsyncRead + Unpin)) -> Option<u64> {
    let (mut value, mut byte) = (0, [0x80]);
    for shift in (0..64).step_by(7) {
        from.read_exact(&mut byte).await.ok()?;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

async fn send(mut stream: Stream) -> std::io::Result<()> {
    let mut length = [0; 8];
    stream.read_exact(&mut length).await?;
    let (chunk, mut left) = (vec![7; CHUNK], u64::from_be_bytes(length));
    while left > 0 {
        let part = left.min(CHUNK as u64) as usize;
        stream.write_all(&chunk[..part]).await?;
        left -= part as u64;
    }
    stream.close().await
}

pub(crate) struct Behaviour {
    pub(crate) pipes: Pipes,
    /// Accepts circuits, and never says so.
    pub(crate) silent: bool,
}

impl Behaviour {
    fn handler(&self, peer: PeerId) -> Handler {
        let (requests, wanted) = mpsc::channel(64);
        self.pipes.0.lock().unwrap().insert(peer, requests);
        Handler {
            wanted,
            silent: self.silent,
            held: Vec::new(),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
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

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

pub(crate) struct Handler {
    wanted: mpsc::Receiver<Wanted>,
    silent: bool,
    held: Vec<Stream>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        let protocol = if self.silent {
            STOP_PROTOCOL_NAME
        } else {
            PIPE
        };
        SubstreamProtocol::new(ReadyUpgrade::new(protocol), ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Reply, Infallible>> {
        match ready!(self.wanted.poll_recv(cx)) {
            Some((protocol, reply)) => {
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                    protocol: SubstreamProtocol::new(ReadyUpgrade::new(protocol), reply),
                })
            }
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol, (), Reply>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) if self.silent => self.held.push(stream),
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => drop(tokio::spawn(send(stream))),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: reply,
            }) => drop(reply.send(stream)),
            _ => {}
        }
    }
}
