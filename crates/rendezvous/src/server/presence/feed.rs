//! What subscribers read: one ring of encoded pieces for all of them, and a position in it for
//! each.
//!
//! With a queue per subscriber, the same message would be stored thousands of times and wake
//! thousands of tasks. Here a message is encoded once, and a subscriber is a number that counts up.
//! They are woken together, and the more there are, the longer the pause between two wakes, so that
//! each finds several messages and writes them with one call. A subscriber that falls behind the
//! ring gets a snapshot and continues from there: late, never wrong.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::watch;

/// Pieces kept: at 18,000 peers, the changes of several minutes; heartbeats of two seconds.
const MAX_PIECES: usize = 8192;
/// Bytes kept: enough for the above with usual messages, a bound with the longest.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Pieces read at once: enough for one system call.
const BATCH_PIECES: usize = 64;
/// Bytes read at once: sockets accept no more.
const BATCH_BYTES: usize = 256 * 1024;

/// One stream of events.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Distinguishes the numbers of this run from those of earlier ones.
    epoch: u64,
    ring: Mutex<Ring>,
    head: watch::Sender<Head>,
}

/// How far the feed has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the next piece.
    pub(crate) next: u64,
    /// No piece will follow.
    pub(crate) closed: bool,
}

#[derive(Debug, Default)]
struct Ring {
    first: u64,
    pieces: VecDeque<Bytes>,
    bytes: usize,
    closed: bool,
}

/// The pieces from a position in the feed on.
pub(crate) enum Read {
    /// None yet; never, if the feed is closed.
    Nothing,
    Pieces(Vec<Bytes>),
    /// The position is no longer in the ring.
    Behind,
}

impl Feed {
    pub(crate) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            ring: Mutex::default(),
            head: watch::Sender::default(),
        }
    }

    /// Adds an event; readers are woken by [`Self::wake`].
    pub(crate) fn push(&self, event: &str, data: &[u8]) {
        let mut ring = self.ring();
        let id = self.id(ring.next());
        ring.push(frame(event, Some(&id), data));
    }

    /// Adds an event without an id, from which no reader resumes.
    pub(crate) fn push_plain(&self, data: &[u8]) {
        self.ring().push(frame("", None, data));
    }

    /// Adds a comment line.
    pub(crate) fn push_comment(&self, text: &str) {
        self.ring().push(chunk(format!(": {text}\n\n").as_bytes()));
    }

    /// Wakes all readers if there is something new.
    pub(crate) fn wake(&self) {
        let next = self.next();
        self.head.send_if_modified(|head| {
            let news = head.next != next;
            head.next = next;
            news
        });
    }

    /// Readers end after they have read everything; nothing more is added.
    pub(crate) fn close(&self) {
        let next = {
            let mut ring = self.ring();
            ring.closed = true;
            ring.next()
        };
        self.head.send_replace(Head { next, closed: true });
    }

    pub(crate) fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// The number of the next piece.
    pub(crate) fn next(&self) -> u64 {
        self.ring().next()
    }

    pub(crate) fn holds(&self, position: u64) -> bool {
        let ring = self.ring();
        (ring.first..=ring.next()).contains(&position)
    }

    pub(crate) fn read(&self, position: u64) -> Read {
        let ring = self.ring();
        if position < ring.first {
            return Read::Behind;
        }
        let skip = usize::try_from(position - ring.first).unwrap_or(usize::MAX);
        let mut room = BATCH_BYTES;
        let pieces: Vec<_> = ring
            .pieces
            .iter()
            .skip(skip)
            .take(BATCH_PIECES)
            .take_while(|piece| {
                let fits = room > 0;
                room = room.saturating_sub(piece.len());
                fits
            })
            .cloned()
            .collect();
        if pieces.is_empty() {
            Read::Nothing
        } else {
            Read::Pieces(pieces)
        }
    }

    /// The id of the piece with that number.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{:016x}-{number}", self.epoch)
    }

    /// The position after the event with that id, if the ring still contains it.
    pub(crate) fn resume(&self, id: &str) -> Option<u64> {
        let (epoch, number) = id.split_once('-')?;
        let position = number.parse::<u64>().ok()?.checked_add(1)?;
        (epoch == format!("{:016x}", self.epoch) && self.holds(position)).then_some(position)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + self.pieces.len() as u64
    }

    fn push(&mut self, piece: Bytes) {
        if self.closed {
            return;
        }
        self.bytes += piece.len();
        self.pieces.push_back(piece);
        while self.pieces.len() > MAX_PIECES || self.bytes > MAX_BYTES {
            let Some(old) = self.pieces.pop_front() else {
                break;
            };
            self.bytes -= old.len();
            self.first += 1;
        }
    }
}

/// One event, as a chunk of the answer's body.
pub(crate) fn frame(event: &str, id: Option<&str>, data: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(data.len() + 64);
    if !event.is_empty() {
        body.put_slice(b"event: ");
        body.put_slice(event.as_bytes());
        body.put_u8(b'\n');
    }
    if let Some(id) = id {
        body.put_slice(b"id: ");
        body.put_slice(id.as_bytes());
        body.put_u8(b'\n');
    }
    body.put_slice(b"data: ");
    body.put_slice(data);
    body.put_slice(b"\n\n");
    chunk(&body)
}

/// A chunk of an HTTP/1.1 body.
pub(crate) fn chunk(body: &[u8]) -> Bytes {
    let mut chunk = BytesMut::with_capacity(body.len() + 10);
    chunk.put_slice(format!("{:x}\r\n", body.len()).as_bytes());
    chunk.put_slice(body);
    chunk.put_slice(b"\r\n");
    chunk.freeze()
}

/// The body in a chunk, for HTTP/1.0.
pub(crate) fn unchunk(chunk: &Bytes) -> Bytes {
    let head = chunk
        .iter()
        .position(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    chunk.slice(head..chunk.len().saturating_sub(2).max(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(read: Read) -> Vec<String> {
        let Read::Pieces(pieces) = read else {
            return Vec::new();
        };
        let text = |piece: &Bytes| String::from_utf8(unchunk(piece).to_vec()).unwrap();
        pieces.iter().map(text).collect()
    }

    #[test]
    fn every_reader_reads_the_same_from_its_own_position() {
        let feed = Feed::new(7);
        feed.push("", b"{}");
        feed.push("gone", b"x");
        feed.push_plain(b"[]");
        feed.push_comment("ping");
        let all = [
            "id: 0000000000000007-0\ndata: {}\n\n",
            "event: gone\nid: 0000000000000007-1\ndata: x\n\n",
            "data: []\n\n",
            ": ping\n\n",
        ];
        assert_eq!(texts(feed.read(0)), all);
        assert_eq!(texts(feed.read(2)), all[2..]);
        assert!(matches!(feed.read(4), Read::Nothing));
        assert_eq!(feed.read_raw(3), "8\r\n: ping\n\n\r\n");
    }

    #[test]
    fn a_reader_resumes_after_the_last_id_or_not_at_all() {
        let feed = Feed::new(7);
        for _ in 0..3 {
            feed.push("", b"{}");
        }
        assert_eq!(feed.resume("0000000000000007-1"), Some(2));
        assert_eq!(feed.resume("0000000000000007-2"), Some(3));
        for foreign in [
            "0000000000000007-3",
            "0000000000000008-1",
            "7-1",
            "",
            "-",
            "0000000000000007-18446744073709551615",
            "0000000000000007-x",
        ] {
            assert_eq!(feed.resume(foreign), None, "{foreign}");
        }
        for _ in 0..MAX_PIECES {
            feed.push("", b"{}");
        }
        assert_eq!(feed.resume("0000000000000007-1"), None);
        assert!(matches!(feed.read(2), Read::Behind));
        assert!(feed.holds(3));
    }

    #[test]
    fn the_ring_is_bounded_in_bytes() {
        let feed = Feed::new(0);
        let long = vec![b'x'; 60_000];
        for _ in 0..1000 {
            feed.push_plain(&long);
        }
        assert!(feed.ring().bytes <= MAX_BYTES);
        let Read::Pieces(pieces) = feed.read(feed.ring_first()) else {
            panic!("there is something to read")
        };
        assert_eq!(pieces.len(), 5);
    }

    #[tokio::test]
    async fn readers_wake_together() {
        let feed = Feed::new(0);
        let mut head = feed.head();
        feed.wake();
        assert!(!head.has_changed().unwrap());
        feed.push_plain(b"1");
        feed.push_plain(b"2");
        feed.wake();
        head.changed().await.unwrap();
        assert_eq!(head.borrow_and_update().next, 2);
        feed.close();
        assert!(head.borrow_and_update().closed);
        feed.push_plain(b"3");
        assert!(matches!(feed.read(2), Read::Nothing));
    }

    impl Feed {
        fn read_raw(&self, position: u64) -> String {
            let Read::Pieces(pieces) = self.read(position) else {
                return String::new();
            };
            String::from_utf8(pieces.concat()).unwrap()
        }

        fn ring_first(&self) -> u64 {
            self.ring().first
        }
    }
}
