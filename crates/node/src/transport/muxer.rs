//! Yamux, as libp2p's own muxer but with larger frames, which that one does not offer: each costs a
//! slot in a queue, a message of the cipher, a system call and a wake-up at either end. A file
//! travels a tenth faster.

mod joined;
pub(crate) mod room;
pub(crate) mod wide;

use std::{
    collections::VecDeque,
    future, io, iter,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::{
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
};
use yamux::{Connection, ConnectionError, Mode, Stream};

use joined::Joined;
use room::{Place, Room, Share, Substream};
use wide::{Asks, Wide};

/// Streams on one TCP connection, as libp2p's: above it the muxer closes the whole connection, so
/// the limits on streams are ours (`stream`) and far below.
const MAX_STREAMS: usize = 4096;

/// What each stream may be sent before it is read, at first (Yamux's specification, "Flow
/// Control").
const WINDOW: usize = yamux::DEFAULT_CREDIT as usize;

/// By how much the windows of all streams of a connection may grow together: from 256 KiB a round
/// trip, 2.5 MB/s over 100 ms, to four times that. Some muxers, js-libp2p's among them, send frames
/// as large as the window, and the library takes none above 1 MiB.
const GROWTH: usize = 1024 * 1024 - WINDOW;

/// What one frame of a stream carries at the most, in bytes: with its header it fits in one message
/// of Noise (65,519 bytes).
pub const FRAME: usize = 63 * 1024;

/// Streams that the other side has opened and nobody has taken yet, as libp2p's: more are reset.
/// Twice as many as one of ours has open to a peer, because those that it has ended may still be
/// here.
const MAX_UNTAKEN: usize = 256;

/// How long they may wait before they are reset: as long as the negotiation that comes next may
/// take, so the next of those has ended by then.
const UNTAKEN_FOR: Duration = Duration::from_secs(10);

/// Streams that others have opened, on all connections together: 512 MiB if nobody reads any of
/// them.
const MAX_INBOUND: usize = 2048;

#[derive(Clone)]
pub(crate) struct Config {
    yamux: yamux::Config,
    room: Room,
}

impl Config {
    /// For a peer. Clones share the room for the streams that others open.
    pub(crate) fn new() -> Self {
        Self::with(GROWTH, MAX_INBOUND)
    }

    /// With so many bytes by which the windows of a connection may grow together, and so many
    /// streams that others open.
    pub(crate) fn with(growth: usize, inbound: usize) -> Self {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(MAX_STREAMS);
        config.set_split_send_size(FRAME);
        // Counted from the windows that all streams together begin with; at the default nothing
        // would be left to grow.
        config.set_max_connection_receive_window(Some(MAX_STREAMS * WINDOW + growth));
        Self {
            yamux: config,
            room: Room::new(inbound),
        }
    }

    fn connect<C: AsyncRead + AsyncWrite + Unpin>(self, io: C, mode: Mode) -> Upgraded<C> {
        let asks = Asks::default();
        let line = Wide::new(Joined::new(io), asks.clone());
        future::ready(Ok(Muxer {
            connection: Connection::new(line, self.yamux, mode),
            asks,
            share: self.room.share(),
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
    connection: Connection<Wide<Joined<C>>>,
    asks: Asks,
    share: Share,
    untaken: VecDeque<Untaken>,
    taker: Option<Waker>,
}

#[derive(Debug)]
struct Untaken {
    stream: Stream,
    place: Place,
    since: Instant,
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Substream;
    type Error = ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Substream, ConnectionError>> {
        while let Some(Untaken {
            stream,
            place,
            since,
        }) = self.untaken.pop_front()
        {
            if since.elapsed() < UNTAKEN_FOR {
                return Poll::Ready(Ok(Substream::inbound(stream, place)));
            }
        }
        self.taker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Substream, ConnectionError>> {
        let stream = ready!(self.connection.poll_new_outbound(cx))?;
        Poll::Ready(Ok(Substream::outbound(stream, self.asks.clone())))
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
        if self.untaken.len() < MAX_UNTAKEN
            && let Some(place) = self.share.take()
        {
            self.untaken.push_back(Untaken {
                stream,
                place,
                since: Instant::now(),
            });
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
    use std::{
        io::IoSlice,
        mem,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use bytes::BytesMut;
    use futures::{AsyncReadExt, AsyncWriteExt, future::poll_fn};
    use libp2p::core::muxing::StreamMuxerExt;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, split},
        sync::mpsc,
        time::{Instant, sleep_until},
    };
    use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

    use super::*;

    pub(super) type Side = Muxer<Compat<DuplexStream>>;

    pub(super) async fn pair() -> (Side, Side) {
        let (near, far) = tokio::io::duplex(FRAME);
        between(near, far).await
    }

    async fn between(near: DuplexStream, far: DuplexStream) -> (Side, Side) {
        let near = Config::new().upgrade_outbound(near.compat(), "").await;
        let far = Config::new().upgrade_inbound(far.compat(), "").await;
        (near.expect("no handshake"), far.expect("no handshake"))
    }

    pub(super) async fn open<C: AsyncRead + AsyncWrite + Unpin>(side: &mut Muxer<C>) -> Substream {
        poll_fn(|cx| side.poll_outbound_unpin(cx))
            .await
            .expect("the connection stands")
    }

    /// Does the work while the connection lives.
    pub(super) async fn driving<C: AsyncRead + AsyncWrite + Unpin, T>(
        side: &mut Muxer<C>,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::select! {
            done = work => done,
            event = poll_fn(|cx| side.poll_unpin(cx)) => panic!("the connection ended: {event:?}"),
        }
    }

    pub(super) async fn take(side: &mut Side) -> Substream {
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

    /// A line that takes all, and tells how much at a time.
    #[derive(Clone, Default)]
    struct Taken(Arc<Mutex<Vec<usize>>>);

    impl AsyncRead for Taken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Taken {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let taken = pieces.iter().map(|piece| piece.len()).sum();
            self.0.lock().expect("nobody panicked").push(taken);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_frame_goes_out_in_one_go() {
        const HEADER: usize = 12;
        let line = Taken::default();
        let side = Config::new().upgrade_outbound(line.clone(), "").await;
        let mut side = side.expect("no handshake");
        let mut stream = open(&mut side).await;
        let write = async {
            stream.write_all(&[7; 2 * FRAME]).await.expect("it fits");
            stream.flush().await.expect("it is sent");
        };
        driving(&mut side, write).await;
        // The last of it may still be on its way to the line.
        let _nothing_comes = side.poll_unpin(&mut Context::from_waker(Waker::noop()));
        let taken = line.0.lock().expect("nobody panicked");
        let frames = taken.iter().filter(|taken| **taken > FRAME);
        assert_eq!(
            frames.collect::<Vec<_>>(),
            [&(HEADER + FRAME); 2],
            "{taken:?}"
        );
    }

    /// What a line holds that is on its way.
    const LINE: usize = 4 * 1024 * 1024;

    /// Two ends of a line on which all takes its time.
    fn far_apart(one_way: Duration) -> (DuplexStream, DuplexStream) {
        let [(near, near_end), (far, far_end)] = [(); 2].map(|()| tokio::io::duplex(LINE));
        let (near_end, far_end) = (split(near_end), split(far_end));
        for (mut from, mut to) in [(near_end.0, far_end.1), (far_end.0, near_end.1)] {
            let (sender, mut on_the_way) = mpsc::channel(LINE / FRAME);
            tokio::spawn(async move {
                let room = || BytesMut::with_capacity(FRAME);
                let mut chunk = room();
                while from.read_buf(&mut chunk).await.is_ok_and(|read| read > 0) {
                    let sent = (Instant::now() + one_way, mem::replace(&mut chunk, room()));
                    let _the_other_end_is_gone = sender.send(sent).await;
                }
            });
            tokio::spawn(async move {
                while let Some((at, chunk)) = on_the_way.recv().await {
                    sleep_until(at).await;
                    let _the_other_end_is_gone = to.write_all(&chunk).await;
                }
            });
        }
        (near, far)
    }

    #[tokio::test]
    async fn a_long_way_does_not_slow_a_stream_down_for_long() {
        const ONE_WAY: Duration = Duration::from_millis(25);
        const BYTES: usize = 24 * 1024 * 1024;
        let (near, far) = far_apart(ONE_WAY);
        let (mut near, mut far) = between(near, far).await;
        let mut stream = open(&mut near).await;
        let write = async {
            stream
                .write_all(&vec![7; BYTES])
                .await
                .expect("it is taken");
            future::pending::<()>().await;
        };
        let read = async {
            let mut stream = take(&mut far).await;
            let mut received = vec![0; BYTES];
            let read = stream.read_exact(&mut received);
            driving(&mut far, read).await.expect("it comes whole");
        };
        let began = Instant::now();
        tokio::select! {
            () = driving(&mut near, write) => {}
            () = read => {}
        }
        // One round trip for each window, if they never grew.
        let never_grown = 2 * ONE_WAY * (BYTES / WINDOW) as u32;
        assert!(began.elapsed() < never_grown, "{:?}", began.elapsed());
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
        // They are not kept forever either.
        for untaken in &mut far.untaken {
            untaken.since -= UNTAKEN_FOR;
        }
        let taken = far.poll_inbound_unpin(&mut Context::from_waker(Waker::noop()));
        assert!(taken.is_pending() && far.untaken.is_empty());
    }

    #[tokio::test]
    async fn streams_of_others_are_bounded_over_all_connections() {
        let config = Config {
            room: Room::new(20),
            ..Config::new()
        };
        let mut sides = Vec::new();
        for _ in 0..4 {
            let (near, far) = tokio::io::duplex(FRAME);
            let near = Config::new().upgrade_outbound(near.compat(), "").await;
            let far = config.clone().upgrade_inbound(far.compat(), "").await;
            let (mut near, mut far) = (near.expect("no handshake"), far.expect("no handshake"));
            let mut opened = Vec::new();
            for _ in 0..20 {
                let mut stream = open(&mut near).await;
                // A stream is announced with what is written first.
                let write = async { drop(stream.write_all(b"x").await) };
                driving(&mut near, write).await;
                opened.push(stream);
            }
            let mut cx = Context::from_waker(Waker::noop());
            // Each time one frame, at least, is moved.
            for _ in 0..100 {
                let _both = (near.poll_unpin(&mut cx), far.poll_unpin(&mut cx));
            }
            sides.push((near, far, opened));
        }
        let all: usize = sides.iter().map(|(_, far, _)| far.untaken.len()).sum();
        assert!(all <= 20 && config.room.free() == 20 - all, "{all}");
        assert!(config.room.free() > 0, "the next one finds room");
        assert!(sides.iter().all(|(_, far, _)| !far.untaken.is_empty()));
        drop(sides);
        assert_eq!(config.room.free(), 20);
    }
}
