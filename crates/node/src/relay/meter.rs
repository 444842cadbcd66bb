//! The muxer of each connection, metered: what streams read and write is counted for its peer and
//! waits for its share.
//!
//! The library limits a circuit's bytes and life, but no rate. This host's swarm carries circuits
//! and next to nothing else, so the streams are the place for it: a read that has to wait is not
//! made, the muxer's window fills up, and the sender slows down. Nothing is buffered here.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::Ipv6Addr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use futures::{AsyncRead, AsyncWrite, task::AtomicWaker};
use goop2_proto::{Multiaddr, PeerId, household};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use tokio::{sync::Notify, time::sleep};

use super::shares::{Shares, TICK};
use crate::net::addresses::ip;

/// The accounts of one relay, and which streams to wake.
#[derive(Debug)]
pub(super) struct Meter {
    unlimited: bool,
    carried: AtomicU64,
    accounts: Mutex<Accounts>,
    waiting: Notify,
}

#[derive(Debug)]
struct Accounts {
    shares: Shares<Arc<Waiter>>,
    /// The connections of each peer, and its figures.
    peers: HashMap<PeerId, (usize, Arc<Tally>)>,
}

/// Bytes of one peer since it is connected.
#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    received: AtomicU64,
}

/// One end of a stream in the queue of its peer; it is in there once at most.
#[derive(Debug, Default)]
struct Waiter {
    queued: AtomicBool,
    waker: AtomicWaker,
}

impl Meter {
    /// Bytes a second in all and of one peer; 0 = no limit.
    pub(super) fn new(all: u64, each: u64) -> Arc<Self> {
        let shares = Shares::new(all, each, Instant::now());
        Arc::new(Self {
            unlimited: shares.is_unlimited(),
            carried: AtomicU64::new(0),
            accounts: Mutex::new(Accounts {
                shares,
                peers: HashMap::new(),
            }),
            waiting: Notify::new(),
        })
    }

    /// Bytes that came in, from all since the start.
    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Relaxed)
    }

    /// Bytes that a connected peer sent and was sent.
    pub(super) fn of(&self, peer: &PeerId) -> (u64, u64) {
        self.accounts()
            .peers
            .get(peer)
            .map_or((0, 0), |(_, tally)| {
                (tally.sent.load(Relaxed), tally.received.load(Relaxed))
            })
    }

    /// Wakes those whose turn it is, as long as it is polled. It sleeps while nobody waits.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            self.waiting.notified().await;
            loop {
                sleep(TICK).await;
                let (turn, idle) = {
                    let shares = &mut self.accounts().shares;
                    let turn = shares.refill(Instant::now());
                    (turn, shares.is_idle())
                };
                for waiter in turn {
                    waiter.queued.store(false, Relaxed);
                    waiter.waker.wake();
                }
                if idle {
                    break;
                }
            }
        }
    }

    /// The connection's muxer, on the account of its peer.
    pub(super) fn metered<M>(
        self: &Arc<Self>,
        peer: PeerId,
        remote: &Multiaddr,
        inner: M,
    ) -> Metered<M> {
        let home = household::of(ip(remote).unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
        let mut accounts = self.accounts();
        let tally = match accounts.peers.entry(peer) {
            Entry::Occupied(known) => {
                let (connections, tally) = known.into_mut();
                *connections += 1;
                Arc::clone(tally)
            }
            Entry::Vacant(new) => {
                let tally = Arc::default();
                new.insert((1, Arc::clone(&tally)));
                accounts.shares.open(peer, home, Instant::now());
                tally
            }
        };
        drop(accounts);
        Metered {
            inner,
            account: Arc::new(Account {
                peer,
                tally,
                meter: Arc::clone(self),
            }),
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the streams of one connection share.
#[derive(Debug)]
struct Account {
    peer: PeerId,
    tally: Arc<Tally>,
    meter: Arc<Meter>,
}

impl Account {
    fn poll_turn(&self, waiter: &Arc<Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        if self.meter.unlimited {
            return Poll::Ready(());
        }
        let shares = &mut self.meter.accounts().shares;
        if shares.may(&self.peer, Instant::now()) {
            return Poll::Ready(());
        }
        waiter.waker.register(cx.waker());
        if !waiter.queued.swap(true, Relaxed) {
            shares.wait(&self.peer, Arc::clone(waiter));
            self.meter.waiting.notify_one();
        }
        Poll::Pending
    }

    fn moved(&self, bytes: usize, tally: &AtomicU64) {
        tally.fetch_add(bytes as u64, Relaxed);
        if !self.meter.unlimited {
            self.meter.accounts().shares.charge(&self.peer, bytes);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut accounts = self.meter.accounts();
        if let Entry::Occupied(mut known) = accounts.peers.entry(self.peer) {
            known.get_mut().0 -= 1;
            if known.get().0 == 0 {
                known.remove();
                accounts.shares.close(&self.peer);
            }
        }
    }
}

/// A muxer whose streams are metered.
#[derive(Debug)]
pub(super) struct Metered<M> {
    inner: M,
    account: Arc<Account>,
}

impl<M> Metered<M> {
    fn stream<S>(&self, inner: S) -> Stream<S> {
        Stream {
            inner,
            account: Arc::clone(&self.account),
            reading: Arc::default(),
            writing: Arc::default(),
        }
    }
}

impl<M> StreamMuxer for Metered<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
{
    type Substream = Stream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_inbound(cx));
        Poll::Ready(stream.map(|stream| self.stream(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_outbound(cx));
        Poll::Ready(stream.map(|stream| self.stream(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// A stream that waits for the share of its peer.
#[derive(Debug)]
pub(super) struct Stream<S> {
    inner: S,
    account: Arc<Account>,
    reading: Arc<Waiter>,
    writing: Arc<Waiter>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.account.poll_turn(&self.reading, cx));
        let bytes = ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.account.meter.carried.fetch_add(bytes as u64, Relaxed);
        self.account.moved(bytes, &self.account.tally.sent);
        Poll::Ready(Ok(bytes))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.account.poll_turn(&self.writing, cx));
        let bytes = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.account.moved(bytes, &self.account.tally.received);
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
