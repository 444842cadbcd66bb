//! Streams of the test's own: who is asked for so many bytes sends them.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use futures::{AsyncReadExt, AsyncWriteExt};
use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use tokio::sync::{mpsc, oneshot};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/test/pipe/1.0.0");

/// What is written at a time.
const CHUNK: usize = 64 * 1024;

type Reply = oneshot::Sender<Stream>;

/// Opens streams on the newest connection to a peer.
#[derive(Clone, Default)]
pub(crate) struct Pipes(Arc<Mutex<HashMap<PeerId, mpsc::Sender<Reply>>>>);

impl Pipes {
    pub(crate) async fn open(&self, peer: PeerId) -> Option<Stream> {
        let connection = self.0.lock().unwrap().get(&peer).cloned()?;
        let (reply, stream) = oneshot::channel();
        connection.send(reply).await.ok()?;
        stream.await.ok()
    }

    /// Asks for so many bytes and returns how many came, told as they come.
    pub(crate) async fn fetch(&self, peer: PeerId, bytes: u64, mut came: impl FnMut(usize)) -> u64 {
        let Some(mut stream) = self.open(peer).await else {
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

#[derive(Default)]
pub(crate) struct Behaviour(pub(crate) Pipes);

impl Behaviour {
    fn handler(&self, peer: PeerId) -> Handler {
        let (requests, wanted) = mpsc::channel(64);
        self.0.0.lock().unwrap().insert(peer, requests);
        Handler(wanted)
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

pub(crate) struct Handler(mpsc::Receiver<Reply>);

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Reply, Infallible>> {
        match ready!(self.0.poll_recv(cx)) {
            Some(reply) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), reply),
            }),
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
            }) => drop(tokio::spawn(send(stream))),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: reply,
            }) => drop(reply.send(stream)),
            _ => {}
        }
    }
}
