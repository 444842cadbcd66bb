//! Windows as wide as a long line, for a few streams that this side opens. A stream begins with 256 KiB
//! that may be sent before they are read, and the library at most doubles that once a round trip, so a
//! large file from far away would take several times as long as over TCP alone. Yamux lets a reader
//! grant more whenever it likes ("Flow Control" in its specification), but the library does not. So
//! this layer between the library and the line does: it grants [`WIDTH`], and holds what comes until
//! the library has room for it.
//!
//! Only who opens a stream asks for that, and how many may be wide is for them to bound: each may have
//! [`WIDTH`] held here for as long as nobody reads.

mod frames;

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use futures::{AsyncRead, AsyncWrite};

use self::frames::{FIN, HEADER, Head, RST, Sent};
use super::{FRAME, WINDOW};

/// What may be on its way on a wide stream beyond the window of the library, or wait here: what a line
/// of 640 Mbit/s holds over 100 ms.
pub(crate) const WIDTH: usize = 8 * 1024 * 1024;
/// What may have come on a stream before it was made wide: the answer to the negotiation.
const NEGOTIATED: usize = 1024;
/// Wide streams of one connection, those included that are gone and whose end the other side has not
/// confirmed: many times what is open at once.
const MAX_WIDE: usize = 64;

thread_local! {
    static WIDENS: Cell<bool> = const { Cell::new(false) };
}

/// Runs a `write` to a stream that is to become wide with that. libp2p boxes streams on their way from
/// here to the muxer, so nothing else can be handed down to it.
pub(crate) fn widening<T>(write: impl FnOnce() -> T) -> T {
    struct Until;
    impl Drop for Until {
        fn drop(&mut self) {
            WIDENS.set(false);
        }
    }
    WIDENS.set(true);
    let _until = Until;
    write()
}

/// Whether the write that runs is one of [`widening`].
pub(super) fn is_widening() -> bool {
    WIDENS.get()
}

/// What the streams of a connection ask of its [`Wide`], by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    /// To be made wide once they have sent something more.
    widen: Vec<u32>,
    /// Dropped by their readers.
    gone: Vec<u32>,
}

impl Asks {
    pub(super) fn widen(&self, stream: u32) {
        let mut asked = self.asked();
        if !asked.widen.contains(&stream) {
            asked.widen.push(stream);
        }
    }

    pub(super) fn gone(&self, stream: u32) {
        let mut asked = self.asked();
        asked.widen.retain(|other| *other != stream);
        asked.gone.push(stream);
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wide<C> {
    io: C,
    asks: Asks,
    streams: HashMap<u32, Held>,
    sent: Sent,
    /// Window updates of ours, to go out between two frames of the library.
    grants: VecDeque<u8>,
    reading: Reading,
    giving: Giving,
    /// Waits for room in the library.
    reader: Option<Waker>,
}

/// What has come of a wide stream.
#[derive(Debug)]
struct Held {
    /// What the library still takes.
    room: usize,
    chunks: VecDeque<Chunk>,
    len: usize,
    /// Nobody reads it anymore.
    gone: bool,
    /// The library knows that the other side has ended it.
    ended: bool,
}

/// A part of a frame.
#[derive(Debug)]
struct Chunk {
    flags: u16,
    bytes: Vec<u8>,
}

/// What is read from the line.
#[derive(Debug)]
enum Reading {
    Head {
        bytes: [u8; HEADER],
        read: usize,
    },
    /// The body of a frame of a wide stream: a part of it, how much of that has come, and what is behind.
    Held {
        head: Head,
        part: Vec<u8>,
        read: usize,
        behind: usize,
    },
}

/// The frame that the library is reading.
#[derive(Debug, Default)]
struct Giving {
    head: [u8; HEADER],
    /// Of the head, what is still to be read.
    head_left: usize,
    body: Vec<u8>,
    body_read: usize,
    /// What is passed on from the line behind that.
    from_line: usize,
}

impl<C> Wide<C> {
    pub(super) fn new(io: C, asks: Asks) -> Self {
        Self {
            io,
            asks,
            streams: HashMap::new(),
            sent: Sent::default(),
            grants: VecDeque::new(),
            reading: Reading::START,
            giving: Giving::default(),
            reader: None,
        }
    }

    /// The library has sent a frame.
    fn frame_sent(&mut self, head: &Head) {
        let id = head.stream;
        if let Some(held) = self.streams.get_mut(&id) {
            if head.is_window_update() {
                held.room += head.len;
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
            }
            // Who has sent both may not know the stream anymore, and then takes anything.
            if head.has(RST) || head.has(FIN) && held.ended {
                self.streams.remove(&id);
            }
            return;
        }
        let mut asked = self.asks.asked();
        if self.streams.is_empty() {
            asked.gone.clear();
        }
        let Some(at) = asked.widen.iter().position(|wanted| *wanted == id) else {
            return;
        };
        asked.widen.swap_remove(at);
        if self.streams.len() < MAX_WIDE {
            self.grants.extend(Head::grant(id, WIDTH).bytes());
            self.streams.insert(id, Held::new());
        }
    }

    /// Forgets what nobody reads.
    fn tidy(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        for id in self.asks.asked().gone.drain(..) {
            if let Some(held) = self.streams.get_mut(&id) {
                (held.chunks, held.len, held.gone) = (VecDeque::new(), 0, true);
            }
        }
    }

    /// Gives the library what it has room for.
    fn release(&mut self) -> bool {
        let held = self.streams.iter_mut().find_map(|(id, held)| {
            let chunk = held.next()?;
            Some((*id, chunk))
        });
        let Some((stream, chunk)) = held else {
            return false;
        };
        let head = Head::data(stream, chunk.flags, chunk.bytes.len());
        self.giving = Giving::new(head.bytes(), chunk.bytes, 0);
        true
    }

    /// Decides what becomes of a frame whose head has come.
    fn frame(&mut self, bytes: [u8; HEADER]) -> io::Result<Reading> {
        let mut head = Head::parse(&bytes);
        let body = if head.is_data() { head.len } else { 0 };
        let Some(held) = self.streams.get_mut(&head.stream) else {
            self.giving = Giving::new(bytes, Vec::new(), body);
            return Ok(Reading::START);
        };
        if head.has(RST) {
            self.streams.remove(&head.stream);
        } else if head.is_data() {
            if held.len + body > WIDTH + WINDOW {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "more was sent on a stream than it may",
                ));
            }
            if body == 0 {
                held.push(head.flags, Vec::new());
                return Ok(Reading::START);
            }
            return Ok(Reading::part(head, body));
        } else if head.has(FIN) {
            held.push(FIN, Vec::new());
            head.flags &= !FIN;
        }
        self.giving = Giving::new(head.bytes(), Vec::new(), body);
        Ok(Reading::START)
    }
}

impl Held {
    fn new() -> Self {
        Self {
            room: WINDOW - NEGOTIATED,
            chunks: VecDeque::new(),
            len: 0,
            gone: false,
            ended: false,
        }
    }

    fn push(&mut self, flags: u16, bytes: Vec<u8>) {
        if self.gone {
            self.ended |= flags & FIN != 0;
            return;
        }
        self.len += bytes.len();
        match self.chunks.back_mut() {
            // Nothing follows an end.
            Some(last) if last.flags & FIN != 0 => self.len -= bytes.len(),
            // However short frames are, they take no more room than their bytes.
            Some(last) if last.bytes.len() + bytes.len() <= FRAME => {
                last.flags |= flags;
                last.bytes.extend_from_slice(&bytes);
            }
            _ => self.chunks.push_back(Chunk { flags, bytes }),
        }
    }

    /// As much of what comes next as the library has room for.
    fn next(&mut self) -> Option<Chunk> {
        let first = self.chunks.front_mut()?;
        let rest = if first.bytes.len() <= self.room {
            None
        } else if self.room == 0 {
            return None;
        } else {
            Some(first.bytes.split_off(self.room))
        };
        let mut chunk = self.chunks.pop_front()?;
        if let Some(bytes) = rest {
            let flags = chunk.flags & FIN;
            chunk.flags &= !FIN;
            self.chunks.push_front(Chunk { flags, bytes });
        }
        self.room -= chunk.bytes.len();
        self.len -= chunk.bytes.len();
        self.ended |= chunk.flags & FIN != 0;
        Some(chunk)
    }
}

impl Reading {
    const START: Self = Self::Head {
        bytes: [0; HEADER],
        read: 0,
    };

    /// The next part of a body of which so much is missing.
    fn part(head: Head, missing: usize) -> Self {
        let len = missing.min(FRAME);
        Self::Held {
            head,
            part: vec![0; len],
            read: 0,
            behind: missing - len,
        }
    }
}

impl Giving {
    fn new(head: [u8; HEADER], body: Vec<u8>, from_line: usize) -> Self {
        Self {
            head,
            head_left: HEADER,
            body,
            body_read: 0,
            from_line,
        }
    }

    /// Gives what is here of the frame; `None` once that is all.
    fn give(&mut self, buf: &mut [u8]) -> Option<usize> {
        if self.head_left > 0 {
            let left = &self.head[HEADER - self.head_left..];
            let len = left.len().min(buf.len());
            buf[..len].copy_from_slice(&left[..len]);
            self.head_left -= len;
            return Some(len);
        }
        let left = &self.body[self.body_read..];
        if left.is_empty() {
            return None;
        }
        let len = left.len().min(buf.len());
        buf[..len].copy_from_slice(&left[..len]);
        self.body_read += len;
        Some(len)
    }
}

impl<C: AsyncRead + Unpin> Wide<C> {
    /// Reads more of the frame that comes; `Ok(false)` when the line has ended.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let io = Pin::new(&mut self.io);
        match &mut self.reading {
            Reading::Head { bytes, read } => {
                let got = ready!(io.poll_read(cx, &mut bytes[*read..]))?;
                *read += got;
                if *read == HEADER {
                    let bytes = *bytes;
                    self.reading = self.frame(bytes)?;
                }
                Poll::Ready(Ok(got > 0))
            }
            Reading::Held {
                head,
                part,
                read,
                behind,
            } => {
                let got = ready!(io.poll_read(cx, &mut part[*read..]))?;
                *read += got;
                if *read == part.len() {
                    let (head, behind, part) = (*head, *behind, std::mem::take(part));
                    let is_last = behind == 0;
                    let flags = if is_last {
                        head.flags
                    } else {
                        head.flags & !FIN
                    };
                    if let Some(held) = self.streams.get_mut(&head.stream) {
                        held.push(flags, part);
                    }
                    self.reading = if is_last {
                        Reading::START
                    } else {
                        Reading::part(head, behind)
                    };
                }
                Poll::Ready(Ok(got > 0))
            }
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Wide<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            if let Some(given) = this.giving.give(buf) {
                return Poll::Ready(Ok(given));
            }
            if this.giving.from_line > 0 {
                let len = buf.len().min(this.giving.from_line);
                let read = ready!(Pin::new(&mut this.io).poll_read(cx, &mut buf[..len]))?;
                this.giving.from_line -= read;
                return Poll::Ready(Ok(read));
            }
            this.tidy();
            if this.release() {
                continue;
            }
            let is_held = this.streams.values().any(|held| held.len > 0);
            if is_held {
                this.reader = Some(cx.waker().clone());
            }
            if !ready!(this.poll_line(cx))? {
                // Of a connection that has ended, what has come is read first.
                return if is_held {
                    Poll::Pending
                } else {
                    Poll::Ready(Ok(0))
                };
            }
        }
    }
}

impl<C: AsyncWrite + Unpin> Wide<C> {
    fn poll_grants(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.grants.is_empty() && self.sent.is_between_frames() {
            let grants = self.grants.make_contiguous();
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, grants))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.grants.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Wide<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_grants(cx))?;
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        let mut left = &bytes[..written];
        while !left.is_empty() {
            let (head, rest) = self.sent.frame(left);
            left = rest;
            if let Some(head) = head {
                self.frame_sent(&head);
            }
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_grants(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

#[cfg(test)]
mod tests;
