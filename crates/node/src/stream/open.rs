//! Open streams, and what they carry.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use goop2_proto::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::sync::OwnedSemaphorePermit;

use crate::transport::muxer::wide::widening;

/// A stream, and the protocol that was agreed on.
pub(super) type Negotiated = (libp2p::Stream, &'static str);

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
    pub(super) inner: libp2p::Stream,
    /// The peer's share this stream takes, given back when it ends.
    pub(super) _share: OwnedSemaphorePermit,
    pub(super) connection: ConnectionId,
    /// The connection, which is not closed for a better one until then.
    pub(super) carrier: InUse,
    /// Becomes wide with the next write.
    pub(super) widens: bool,
}

impl Stream {
    /// The connection that carries it; see [`Node::carrier`](crate::node::Node::carrier).
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Lets the other side send much more before it is read, from the first request on: for one
    /// large answer from far away. Before anything is written. Up to 8 MiB wait here when nobody reads,
    /// so how many streams are wide is bounded by who asks for this.
    pub fn widen(&mut self) {
        self.widens = true;
    }

    fn write(
        &mut self,
        write: impl FnOnce(Pin<&mut libp2p::Stream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let inner = Pin::new(&mut self.inner);
        let written = if self.widens {
            widening(|| write(inner))
        } else {
            write(inner)
        };
        if let Poll::Ready(Ok(bytes)) = &written {
            self.widens = false;
            self.carrier.0.sent.fetch_add(*bytes as u64, Relaxed);
        }
        written
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
        self.write(|inner| inner.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(|inner| inner.poll_write_vectored(cx, bufs))
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
pub(super) struct InUse(Arc<Traffic>);

impl InUse {
    pub(super) fn new(traffic: Arc<Traffic>) -> Self {
        traffic.streams.fetch_add(1, Relaxed);
        Self(traffic)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}
