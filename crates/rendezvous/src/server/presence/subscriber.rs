//! One subscriber's connection after its request: from then on it only writes.
//!
//! The HTTP library keeps a read buffer, a write buffer and a body for each connection; for
//! eighteen thousand of them that is hundreds of megabytes of nothing. So the connection is taken
//! over from it after the request. What remains is a socket and a position in the feed.

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::watch,
    task::yield_now,
    time::{Instant, timeout_at},
};

use super::{
    feed::{Head, Read, chunk, unchunk},
    hub::{Audience, Hub, Snapshot},
};
use crate::server::limit::Slot;

/// A client that reads nothing for this long is gone or hostile.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// The system's send buffer for a slow client; without a limit it grows to megabytes.
const SEND_BUFFER: usize = 256 * 1024;
/// Writes in a row before other tasks get their turn.
const TURN: usize = 16;

/// What is to be written to one subscriber.
pub(crate) struct Subscriber {
    hub: Arc<Hub>,
    audience: Audience,
    head: watch::Receiver<Head>,
    /// The rest of a piece that was partly written, or the beginning of the answer.
    rest: Bytes,
    /// What is sent before the feed, and how many of its pieces have been.
    snapshot: Option<(Snapshot, usize)>,
    /// The position in the feed.
    next: u64,
    chunked: bool,
    _slot: Slot,
}

enum Step {
    Idle,
    Blocked,
    Busy,
}

impl Subscriber {
    /// `last_id`: the last event the client knows. `chunked`: it speaks HTTP/1.1.
    pub(crate) fn new(
        hub: Arc<Hub>,
        audience: Audience,
        last_id: Option<&str>,
        chunked: bool,
        slot: Slot,
    ) -> Self {
        let feed = hub.feed(audience);
        let head = feed.head();
        let resumed = last_id
            .filter(|_| audience == Audience::Changes)
            .and_then(|id| feed.resume(id));
        let snapshot = match resumed {
            Some(_) => None,
            None => Some((hub.snapshot(audience), 0)),
        };
        let next = resumed
            .or(snapshot.as_ref().map(|(snapshot, _)| snapshot.next))
            .expect("one of the two is there");
        Self {
            rest: Bytes::from(answer(audience, chunked)),
            audience,
            head,
            snapshot,
            next,
            chunked,
            _slot: slot,
            hub,
        }
    }

    /// Writes until the client or the feed ends.
    pub(crate) async fn serve(mut self, mut socket: TcpStream) {
        let _best_effort = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
        if let Err(error) = self.run(&socket).await {
            tracing::debug!(%error, "subscriber lost");
            return;
        }
        if self.chunked {
            let _gone_either_way = socket.try_write(b"0\r\n\r\n");
        }
        let _gone_either_way = socket.shutdown().await;
    }

    async fn run(&mut self, socket: &TcpStream) -> io::Result<()> {
        let mut last_progress = Instant::now();
        loop {
            match self.step(socket)? {
                Step::Busy => {
                    last_progress = Instant::now();
                    yield_now().await;
                }
                Step::Blocked => {
                    let deadline = last_progress + WRITE_DEADLINE;
                    if timeout_at(deadline, socket.writable()).await.is_err() {
                        self.hub.counters.stalled.fetch_add(1, Ordering::Relaxed);
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Step::Idle if self.head.borrow().closed => return Ok(()),
                Step::Idle => {
                    tokio::select! {
                        changed = self.head.changed() => changed.map_err(io::Error::other)?,
                        () = ended(socket) => return Err(ErrorKind::UnexpectedEof.into()),
                    }
                    last_progress = Instant::now();
                }
            }
        }
    }

    /// As many writes as the socket accepts now, within one turn. `Blocked` = no progress.
    fn step(&mut self, socket: &TcpStream) -> io::Result<Step> {
        for turn in 0..TURN {
            let pieces = self.gather();
            if pieces.is_empty() {
                return Ok(Step::Idle);
            }
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            match socket.try_write_vectored(&slices) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(&pieces, written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(if turn == 0 { Step::Blocked } else { Step::Busy });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Step::Busy)
    }

    /// The next pieces to write, in order. Changes nothing, except for a subscriber that fell
    /// behind.
    fn gather(&mut self) -> Vec<Bytes> {
        if !self.rest.is_empty() {
            return vec![self.rest.clone()];
        }
        loop {
            if let Some((snapshot, written)) = &self.snapshot {
                // The pieces of a snapshot are long; a few fill any socket.
                let pieces = snapshot.pieces.iter().skip(*written).take(4);
                let pieces: Vec<_> = pieces.map(|piece| self.framed(piece)).collect();
                if !pieces.is_empty() {
                    return pieces;
                }
                self.snapshot = None;
            }
            match self.hub.feed(self.audience).read(self.next) {
                Read::Nothing => return Vec::new(),
                Read::Pieces(pieces) => {
                    return pieces.iter().map(|piece| self.framed(piece)).collect();
                }
                Read::Behind => {
                    let snapshot = self.hub.snapshot(self.audience);
                    self.next = snapshot.next;
                    self.snapshot = Some((snapshot, 0));
                    let counters = &self.hub.counters;
                    counters.resynchronised.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn framed(&self, piece: &Bytes) -> Bytes {
        if self.chunked {
            piece.clone()
        } else {
            unchunk(piece)
        }
    }

    fn advance(&mut self, pieces: &[Bytes], written: usize) {
        let counters = &self.hub.counters;
        counters
            .delivered_bytes
            .fetch_add(written as u64, Ordering::Relaxed);
        let mut left = written;
        let mut done = 0;
        for piece in pieces {
            if left == 0 {
                break;
            }
            let taken = left.min(piece.len());
            left -= taken;
            let was_rest = !self.rest.is_empty();
            self.rest = piece.slice(taken..);
            if was_rest {
                continue;
            }
            match &mut self.snapshot {
                Some((_, written)) => *written += 1,
                None => {
                    self.next += 1;
                    done += 1;
                }
            }
        }
        if done > 0 {
            self.hub
                .counters
                .delivered
                .fetch_add(done, Ordering::Relaxed);
        }
    }
}

/// Returns when the client has closed the connection. Anything it still sends is dropped.
async fn ended(socket: &TcpStream) {
    let mut nothing = [0; 64];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut nothing) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// The head of the answer, and the first bytes that existing clients wait for (§6.4).
fn answer(audience: Audience, chunked: bool) -> Vec<u8> {
    let version = if chunked { "HTTP/1.1" } else { "HTTP/1.0" };
    let framing = if chunked {
        "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n"
    } else {
        "Connection: close\r\n"
    };
    let changes = match audience {
        Audience::Changes => "Goop2-Events: changes\r\n",
        Audience::Everything => "",
    };
    let mut answer = format!(
        "{version} 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n\
         X-Content-Type-Options: nosniff\r\n{changes}{framing}\r\n"
    )
    .into_bytes();
    let ok = chunk(b": ok\n\n");
    answer.extend_from_slice(&if chunked { ok } else { unchunk(&ok) });
    answer
}
