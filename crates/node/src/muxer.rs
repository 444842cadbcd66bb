//! Yamux, as libp2p's own muxer but with larger frames, which that one does not offer: each costs a queue's place, a message of the
//! cipher, a call of the system and a wake-up at either end. A file travels a tenth faster.

use std::{
    collections::VecDeque,
    future, io, iter,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::{
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
};
use yamux::{Connection, ConnectionError, Mode, Stream};

/// Streams on one TCP connection, as libp2p's: above it the muxer closes the whole connection, so the limits on streams are ours
/// (`stream`) and far below.
const MAX_STREAMS: usize = 4096;

/// What one frame carries at the most: with its header it fits in one message of Noise (65,519 bytes).
const FRAME: usize = 63 * 1024;

/// Streams that the other side has opened and nobody has taken yet, as libp2p's: more are reset.
const MAX_UNTAKEN: usize = 256;

#[derive(Clone)]
pub(crate) struct Config(yamux::Config);

impl Config {
    pub(crate) fn new() -> Self {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(MAX_STREAMS);
        config.set_split_send_size(FRAME);
        Self(config)
    }

    fn connect<C: AsyncRead + AsyncWrite + Unpin>(self, io: C, mode: Mode) -> Upgraded<C> {
        future::ready(Ok(Muxer {
            connection: Connection::new(io, self.0, mode),
            untaken: VecDeque::new(),
            taker: None,
        }))
    }
}

type Upgraded<C> = future::Ready<io::Result<Muxer<C>>>;

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Upgraded<C>;

    fn upgrade_inbound(self, io: C, _: Self::Info) -> Self::Future {
        self.connect(io, Mode::Server)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Upgraded<C>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        self.connect(io, Mode::Client)
    }
}

#[derive(Debug)]
pub(crate) struct Muxer<C> {
    connection: Connection<C>,
    untaken: VecDeque<Stream>,
    taker: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.untaken.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        self.taker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_new_outbound(cx)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ConnectionError>> {
        self.connection.poll_close(cx)
    }

    /// Moves everything: what comes in is read, what the streams have written is sent.
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        let opened = ready!(self.connection.poll_next_inbound(cx));
        let stream = opened.ok_or(ConnectionError::Closed)??;
        if self.untaken.len() < MAX_UNTAKEN {
            self.untaken.push_back(stream);
            if let Some(taker) = self.taker.take() {
                taker.wake();
            }
        }
        // On with it once others had their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, AsyncWriteExt, future::poll_fn};
    use libp2p::core::muxing::StreamMuxerExt;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

    use super::*;

    type Side = Muxer<Compat<DuplexStream>>;

    async fn pair() -> (Side, Side) {
        let (near, far) = tokio::io::duplex(FRAME);
        let near = Config::new().upgrade_outbound(near.compat(), "").await;
        let far = Config::new().upgrade_inbound(far.compat(), "").await;
        (near.expect("no handshake"), far.expect("no handshake"))
    }

    async fn open(side: &mut Side) -> Stream {
        poll_fn(|cx| side.poll_outbound_unpin(cx))
            .await
            .expect("the connection stands")
    }

    /// Does the work while the connection lives.
    async fn driving<T>(side: &mut Side, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            event = poll_fn(|cx| side.poll_unpin(cx)) => panic!("the connection ended: {event:?}"),
        }
    }

    async fn take(side: &mut Side) -> Stream {
        poll_fn(|cx| {
            if let Poll::Ready(event) = side.poll_unpin(cx) {
                panic!("the connection ended: {event:?}");
            }
            side.poll_inbound_unpin(cx)
        })
        .await
        .expect("the connection stands")
    }

    #[tokio::test]
    async fn what_is_written_at_once_arrives_in_large_frames() {
        let (mut near, mut far) = pair().await;
        let bytes: Vec<u8> = (0..3 * FRAME).map(|at| at as u8).collect();
        let mut stream = open(&mut near).await;
        let mut writes = Vec::new();
        let write = async {
            let mut left = &bytes[..];
            while !left.is_empty() {
                let written = stream.write(left).await.expect("the window is larger");
                writes.push(written);
                left = &left[written..];
            }
            future::pending::<()>().await;
        };
        let mut received = vec![0; bytes.len()];
        let read = async {
            let mut stream = take(&mut far).await;
            let read = stream.read_exact(&mut received);
            driving(&mut far, read).await.expect("it comes whole");
        };
        tokio::select! {
            () = driving(&mut near, write) => {}
            () = read => {}
        }
        assert!(received == bytes);
        assert_eq!(writes, [FRAME; 3]);
    }

    #[tokio::test]
    async fn streams_that_nobody_takes_are_bounded() {
        const OPENS_A_STREAM: [u8; 4] = [0, 1, 0, 1];
        const RESET: u8 = 8;
        let (mut raw, far) = tokio::io::duplex(FRAME);
        let far = Config::new().upgrade_inbound(far.compat(), "").await;
        let mut far = far.expect("no handshake");
        for id in (1_u32..).step_by(2).take(MAX_UNTAKEN + 1) {
            let frame = [OPENS_A_STREAM, id.to_be_bytes(), [0; 4]].concat();
            raw.write_all(&frame).await.expect("there is room");
        }
        let reset = async {
            let mut header = [0; 12];
            while header[3] & RESET == 0 {
                raw.read_exact(&mut header)
                    .await
                    .expect("the other side lives");
            }
            u32::from_be_bytes([header[4], header[5], header[6], header[7]])
        };
        assert_eq!(driving(&mut far, reset).await as usize, 2 * MAX_UNTAKEN + 1);
        assert_eq!(far.untaken.len(), MAX_UNTAKEN);
    }
}
