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
}

impl Stream {
    /// The connection that carries it; see [`Node::carrier`](crate::node::Node::carrier).
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

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
