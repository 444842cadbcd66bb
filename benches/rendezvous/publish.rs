//! Publishers: messages prepared in advance, and connections that send them.

use std::time::{Duration, Instant};

use futures::future::join_all;
use goop2_proto::{
    Keypair, PeerId,
    presence::{Kind, Presence},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::sleep_until,
};

use crate::server::{Server, connect};

/// Authors of messages that carry the time; a server accepts 60 a minute from each.
const TELLERS: usize = 500;
/// Connections that publish, each of a separate client; a server accepts 6,000 messages a minute
/// from each.
const CONNECTIONS: usize = 32;
/// What precedes the label in the events that [`stamped`] reads; the id is one of [`Author`]'s,
/// which all have one length.
const BEFORE_ID: &str = r#"data: {"type":"update","peerId":""#;
const ID: usize = 52;
const BEFORE_LABEL: &str = r#"","content":""#;
const STAMP: usize = 12;

/// One peer.
pub(crate) struct Author {
    key: Keypair,
    id: PeerId,
    /// Later with each message.
    ts: i64,
}

/// Requests in order, for one connection.
pub(crate) type Work = Vec<Vec<u8>>;

/// What was sent, and answered with 204.
pub(crate) struct Sent {
    pub(crate) messages: u32,
    /// Requests and answers.
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

impl Author {
    pub(crate) fn many(count: usize) -> Vec<Self> {
        let ts = std::time::UNIX_EPOCH
            .elapsed()
            .expect("a clock that was set");
        let author = |number: usize| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&number.to_le_bytes());
            let key = Keypair::ed25519_from_bytes(seed).expect("32 bytes");
            Self {
                id: key.public().to_peer_id(),
                key,
                ts: i64::try_from(ts.as_millis()).expect("a clock that is right"),
            }
        };
        (0..count).map(author).collect()
    }

    /// A request that publishes a typical peer: a name, a private address, a public one and one
    /// with QUIC.
    fn request(&mut self, label: &str, signed: bool) -> Vec<u8> {
        self.ts += 1;
        let addrs = [
            "/ip4/192.168.1.20/tcp/40123",
            "/ip4/203.0.113.9/tcp/4001",
            "/ip4/203.0.113.9/udp/4001/quic-v1",
        ];
        let presence = Presence {
            kind: Kind::Update,
            label: label.into(),
            addrs: addrs.map(|addr| addr.parse().expect("an address")).into(),
            ..Presence::offline(self.id, self.ts)
        };
        let mut message = presence.message();
        if signed {
            message.sign(&self.key);
        }
        let body = message.encode();
        let head = format!(
            "POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), &body].concat()
    }
}

/// The time in the event of one of the [`stamps`].
pub(crate) fn stamped(event: &[u8]) -> Option<Duration> {
    let at = BEFORE_ID.len() + ID + BEFORE_LABEL.len();
    let digits = event.get(at..at + STAMP)?;
    let micros = digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    });
    micros.map(Duration::from_micros)
}

/// Messages of all authors in order, so many times; repeated unchanged they are heartbeats.
pub(crate) fn say(label: &str, authors: &mut [Author], times: usize, signed: bool) -> Vec<Work> {
    let mut work = vec![Work::new(); CONNECTIONS.min(authors.len())];
    for _ in 0..times {
        for (index, author) in authors.iter_mut().enumerate() {
            // One connection for each author, to keep the order.
            let connection = index % work.len();
            work[connection].push(author.request(label, signed));
        }
    }
    work
}

/// Messages that carry their scheduled time from the start, so that any delay counts.
pub(crate) fn stamps(messages: usize, gap: Duration) -> Vec<Work> {
    let mut authors = Author::many(TELLERS);
    let mut work = vec![Work::new(); CONNECTIONS.min(messages)];
    for turn in 0..messages {
        let due = gap * u32::try_from(turn).expect("not that many");
        let label = format!("{:0STAMP$}", due.as_micros());
        let connection = turn % work.len();
        work[connection].push(authors[turn % TELLERS].request(&label, false));
    }
    work
}

/// Work, and connections for it.
pub(crate) struct Publishers {
    runtime: Runtime,
    connections: Vec<TcpStream>,
    work: Vec<Work>,
}

impl Publishers {
    pub(crate) fn connect(server: &Server, work: Vec<Work>) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let all = (1..)
            .take(work.len())
            .map(|host| connect(server.address(), [2, host]));
        Self {
            connections: runtime.block_on(join_all(all)),
            runtime,
            work,
        }
    }

    /// Sends on all connections at once, on each one after the other, none before its turn: `gap`
    /// is the time between any two.
    pub(crate) fn send(mut self, gap: Duration) -> Sent {
        let (started, all) = (Instant::now(), self.connections.len());
        let sending = self.connections.iter_mut().zip(self.work).enumerate().map(
            |(first, (connection, work))| async move {
                let (mut messages, mut bytes) = (0, 0);
                for (index, request) in work.iter().enumerate() {
                    let turn = u32::try_from(first + index * all).expect("not that many");
                    sleep_until((started + gap * turn).into()).await;
                    bytes += publish(connection, request).await;
                    messages += 1;
                }
                (messages, bytes)
            },
        );
        let sent = self.runtime.block_on(join_all(sending));
        Sent {
            messages: sent.iter().map(|(messages, _)| messages).sum(),
            bytes: sent.iter().map(|(_, bytes)| bytes).sum(),
            time: started.elapsed(),
        }
    }
}

/// Returns the bytes of the request and its answer.
async fn publish(connection: &mut TcpStream, request: &[u8]) -> u64 {
    connection.write_all(request).await.expect("it reads");
    let (mut answer, mut len) = ([0; 1024], 0);
    while !answer[..len].ends_with(b"\r\n\r\n") {
        let more = connection
            .read(&mut answer[len..])
            .await
            .expect("it answers");
        assert!(
            more > 0,
            "closed: {}",
            String::from_utf8_lossy(&answer[..len])
        );
        len += more;
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 204"),
        "{}",
        String::from_utf8_lossy(&answer[..len])
    );
    (request.len() + len) as u64
}
