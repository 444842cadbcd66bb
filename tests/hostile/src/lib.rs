//! Strangers who want everything: one opens all the streams there may be on a connection and fills
//! them, another has many keys at a relay ([`Guest`]).
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on should stop"
)]

mod guest;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, future::poll_fn};
use libp2p::{
    Multiaddr, Transport,
    core::{
        Endpoint,
        muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox},
        transport::{DialOpts, PortUse},
        upgrade::Version,
    },
    identity::Keypair,
    multiaddr::Protocol,
    noise, quic, tcp, yamux,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

pub use guest::Guest;

/// All that a stream may be sent before it is read.
const WINDOW: usize = 256 * 1024;

/// What a word of a negotiation may have (multistream-select 1.0, as libp2p reads it).
const WORD: usize = 16 * 1024 - 1;

/// Three times as long as a stream waits at each of the places where it may.
const ENDED: Duration = Duration::from_secs(90);

/// A stream that has lived for so long was not refused, so another one takes its place when it ends.
const KEPT: Duration = Duration::from_secs(3);

/// Streams on one connection, as many as a muxer lets wait for an answer.
pub const STREAMS: usize = 256;

/// A connection with [`STREAMS`] streams, on each of which the same is said, as far as the other side
/// lets it be.
pub struct Hoard {
    counts: Arc<Counts>,
    changed: watch::Receiver<()>,
    _tasks: JoinSet<()>,
}

/// Streams that the other side has ended: all, and those that it kept for a while.
#[derive(Default)]
struct Counts {
    ended: AtomicUsize,
    given_up: AtomicUsize,
}

impl Hoard {
    /// None = the connection was refused.
    pub async fn start(at: Multiaddr, key: &Keypair, words: Arc<[u8]>) -> Option<Self> {
        let mut transport = if at.iter().any(|part| part == Protocol::QuicV1) {
            quic::tokio::Transport::new(quic::Config::new(key))
                .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
                .boxed()
        } else {
            tcp::tokio::Transport::new(tcp::Config::default())
                .upgrade(Version::V1Lazy)
                .authenticate(noise::Config::new(key).unwrap())
                .multiplex(yamux::Config::default())
                .boxed()
        };
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let (_, mut muxer) = transport.dial(at, options).unwrap().await.ok()?;
        let (counts, (change, changed)) = (Arc::<Counts>::default(), watch::channel(()));
        let mut tasks = JoinSet::new();
        let count = Arc::clone(&counts);
        tasks.spawn(async move {
            let mut wanted = STREAMS;
            let mut streams = JoinSet::new();
            poll_fn(|cx| {
                while wanted > 0
                    && let Poll::Ready(Ok(stream)) = muxer.poll_outbound_unpin(cx)
                {
                    wanted -= 1;
                    streams.spawn(lived(stream, Arc::clone(&words)));
                }
                while let Poll::Ready(Some(lived)) = streams.poll_join_next(cx) {
                    count.ended.fetch_add(1, Relaxed);
                    if lived.unwrap() > KEPT {
                        count.given_up.fetch_add(1, Relaxed);
                        wanted += 1;
                        cx.waker().wake_by_ref();
                    }
                    let _nobody_waits = change.send(());
                }
                drive(&mut muxer, cx)
            })
            .await;
        });
        Some(Self {
            counts,
            changed,
            _tasks: tasks,
        })
    }

    /// How many of them the other side has ended.
    pub fn gone(&self) -> usize {
        self.counts.ended.load(Relaxed)
    }

    /// Until the other side has ended one of those that it kept.
    pub async fn given_up(&mut self) {
        let counts = Arc::clone(&self.counts);
        let given_up = || counts.given_up.load(Relaxed);
        let ended = async { while given_up() == 0 && self.changed.changed().await.is_ok() {} };
        let waited = timeout(ENDED, ended).await;
        assert!(waited.is_ok(), "none was given up");
    }

    /// Until the other side has ended so many of them, or the connection.
    pub async fn ended(&mut self, streams: usize) {
        let ended =
            async { while self.gone() < streams && self.changed.changed().await.is_ok() {} };
        let waited = timeout(ENDED, ended).await;
        assert!(waited.is_ok(), "{} ended", self.gone());
    }
}

/// Moves everything as long as the connection lives, and takes no stream of the other side.
fn drive(muxer: &mut StreamMuxerBox, cx: &mut Context<'_>) -> Poll<()> {
    while let Poll::Ready(theirs) = muxer.poll_inbound_unpin(cx) {
        if theirs.is_err() {
            return Poll::Ready(());
        }
    }
    match muxer.poll_unpin(cx) {
        Poll::Ready(Err(_)) => Poll::Ready(()),
        Poll::Ready(Ok(_)) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Pending,
    }
}

/// How long it lived, when the other side ends the stream.
async fn lived(stream: SubstreamBox, words: Arc<[u8]>) -> Duration {
    let begun = Instant::now();
    say_and_wait(stream, &words).await;
    begun.elapsed()
}

async fn say_and_wait(mut stream: SubstreamBox, words: &[u8]) {
    if stream.write_all(words).await.is_err() {
        return;
    }
    let _flushed = stream.flush().await;
    let mut answer = [0; 64];
    while stream.read(&mut answer).await.is_ok_and(|read| read > 0) {}
}

/// Fills a stream of this protocol.
pub fn filled(protocol: &str) -> Arc<[u8]> {
    let mut words = negotiated(protocol);
    words.resize(WINDOW, 7);
    words.into()
}

/// A negotiation that fills its stream and leads nowhere: nobody speaks any of these protocols.
pub fn undecided() -> Arc<[u8]> {
    let unknown = "x".repeat(WORD - "/\n".len());
    let mut words = word("/multistream/1.0.0");
    while words.len() + 2 + WORD <= WINDOW {
        words.extend(word(&format!("/{unknown}")));
    }
    words.into()
}

/// What opens a stream of a protocol (multistream-select 1.0).
pub fn negotiated(protocol: &str) -> Vec<u8> {
    [word("/multistream/1.0.0"), word(protocol)].concat()
}

/// With its length before it, as an unsigned varint.
fn word(text: &str) -> Vec<u8> {
    let len = text.len() + 1;
    let (low, high) = (
        u8::try_from(len % 128).unwrap(),
        u8::try_from(len / 128).unwrap(),
    );
    let mut word = if high == 0 {
        vec![low]
    } else {
        vec![low | 128, high]
    };
    word.extend_from_slice(text.as_bytes());
    word.push(b'\n');
    word
}
