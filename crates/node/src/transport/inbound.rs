//! Streams that the other side opens, bounded: in number and in time until somebody takes them, and
//! in all. QUIC's muxer alone keeps what nobody takes for as long as the connection lives.

pub(crate) mod room;

use std::{
    collections::VecDeque,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use goop2_proto::household;
use libp2p::core::{
    ConnectedPoint,
    muxing::{StreamMuxer, StreamMuxerEvent},
};

use crate::net::addresses;
use room::{Place, Room, Share, Substream};

/// Streams that the other side has opened and nobody has taken yet, as libp2p's: more are reset.
/// Twice as many as one of ours has open to a peer, because those that it has ended may still be
/// here.
const MAX_UNTAKEN: usize = 256;

/// How long they may wait before they are reset: as long as the negotiation that comes next may
/// take, so the next of those has ended by then.
const UNTAKEN_FOR: Duration = Duration::from_secs(10);

/// The household that a connection leads to.
pub(crate) fn household(point: &ConnectedPoint) -> Option<IpAddr> {
    addresses::ip(point.get_remote_address()).map(household::of)
}

/// A muxer with these bounds.
#[derive(Debug)]
pub(crate) struct Bounded<M: StreamMuxer> {
    inner: M,
    share: Share,
    untaken: VecDeque<Untaken<M::Substream>>,
    taker: Option<Waker>,
}

#[derive(Debug)]
struct Untaken<S> {
    stream: S,
    place: Place,
    since: Instant,
}

impl<M: StreamMuxer> Bounded<M> {
    /// With a share of this room, for a household where it is known.
    pub(crate) fn new(inner: M, room: &Room, household: Option<IpAddr>) -> Self {
        Self {
            inner,
            share: room.share(household),
            untaken: VecDeque::new(),
            taker: None,
        }
    }

    /// Keeps it until it is taken, or resets it.
    fn keep(&mut self, stream: M::Substream) {
        if self.untaken.len() >= MAX_UNTAKEN {
            return;
        }
        let Some(place) = self.share.take() else {
            return;
        };
        let since = Instant::now();
        self.untaken.push_back(Untaken {
            stream,
            place,
            since,
        });
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Bounded<M>
where
    M::Substream: Unpin,
{
    type Substream = Substream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        while let Some(Untaken {
            stream,
            place,
            since,
        }) = self.untaken.pop_front()
        {
            if since.elapsed() < UNTAKEN_FOR {
                return Poll::Ready(Ok(Substream::new(stream, Some(place))));
            }
        }
        self.taker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_outbound(cx))?;
        Poll::Ready(Ok(Substream::new(stream, None)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        if let Poll::Ready(opened) = Pin::new(&mut self.inner).poll_inbound(cx) {
            self.keep(opened?);
            // On with it once others had their turn.
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.inner).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt, future::poll_fn,
        stream::FuturesUnordered,
    };
    use libp2p::{
        Transport,
        core::{
            Endpoint,
            muxing::StreamMuxerExt,
            transport::{DialOpts, ListenerId, PortUse},
            upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
        },
        identity::Keypair,
        quic,
    };
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::timeout,
    };
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;
    use crate::transport::muxer::{Config, FRAME, Muxer};

    /// Does the work while the connection lives.
    async fn driving<C: AsyncRead + AsyncWrite + Unpin, T>(
        side: &mut Bounded<Muxer<C>>,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::select! {
            done = work => done,
            event = poll_fn(|cx| side.poll_unpin(cx)) => panic!("the connection ended: {event:?}"),
        }
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
        let config = Config::with(0, 20);
        let mut sides = Vec::new();
        for _ in 0..4 {
            let (near, far) = tokio::io::duplex(FRAME);
            let near = Config::new().upgrade_outbound(near.compat(), "").await;
            let far = config.clone().upgrade_inbound(far.compat(), "").await;
            let (mut near, mut far) = (near.expect("no handshake"), far.expect("no handshake"));
            let mut opened = Vec::new();
            for _ in 0..20 {
                let opening = poll_fn(|cx| near.poll_outbound_unpin(cx));
                let mut stream = opening.await.expect("the connection stands");
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

    #[tokio::test]
    async fn streams_over_quic_are_bounded_too() {
        const ROOM: usize = 20;
        const OPENED: usize = 5 * ROOM;
        let transport = || {
            let key = Keypair::generate_ed25519();
            crate::transport::quic(quic::Config::new(&key), ROOM).boxed()
        };
        let (mut near, mut far) = (transport(), transport());
        let any = "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap();
        far.listen_on(ListenerId::next(), any).unwrap();
        let mut next = async || poll_fn(|cx| Pin::new(&mut far).poll(cx)).await;
        let at = next().await.into_new_address().unwrap();
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let dial = near.dial(at, options).unwrap();
        let accept = async { next().await.into_incoming().unwrap().0.await };
        let (dialed, accepted) = tokio::join!(dial, accept);
        let ((_, mut near), (_, mut far)) = (dialed.unwrap(), accepted.unwrap());
        let mut reset = FuturesUnordered::new();
        for _ in 0..OPENED {
            let opened = poll_fn(|cx| near.poll_outbound_unpin(cx)).await;
            let mut stream = opened.expect("the connection stands");
            reset.push(async move {
                let _reset_already = stream.write_all(b"x").await;
                let _reset_already = stream.flush().await;
                stream.read(&mut [0]).await
            });
        }
        let all = async { while reset.len() > ROOM && reset.next().await.is_some() {} };
        // Nobody takes any.
        tokio::select! {
            done = timeout(Duration::from_secs(60), all) => done.expect("those beyond are reset"),
            event = poll_fn(|cx| far.poll_unpin(cx)) => panic!("the connection ended: {event:?}"),
        }
    }
}
