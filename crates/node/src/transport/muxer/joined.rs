//! Yamux writes the header of a frame apart from its body. TLS would make a separate message of
//! it, with a system call, a packet and a wake-up at the other end. So a header waits for
//! what follows, and both are written in one go.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncWrite};

/// Yamux's header of a frame (its specification, "Framing").
const HEADER: usize = 12;

/// Headers that may wait: those of frames without a body, such as window updates, follow each
/// other.
const MAX_WAITING: usize = 8 * HEADER;

/// A connection to which short writes are joined with what follows; they wait until then, or for a
/// flush.
#[derive(Debug)]
pub(super) struct Joined<C> {
    io: C,
    waiting: Vec<u8>,
}

impl<C: AsyncWrite + Unpin> Joined<C> {
    pub(super) fn new(io: C) -> Self {
        Self {
            io,
            waiting: Vec::with_capacity(MAX_WAITING),
        }
    }

    /// Writes what waits, and gives how much of `next` went with the end of it.
    fn poll_waiting(&mut self, cx: &mut Context<'_>, next: &[u8]) -> Poll<io::Result<usize>> {
        while !self.waiting.is_empty() {
            let pieces = [IoSlice::new(&self.waiting), IoSlice::new(next)];
            let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &pieces))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_waiting = written.min(self.waiting.len());
            self.waiting.drain(..of_waiting);
            if written > of_waiting {
                return Poll::Ready(Ok(written - of_waiting));
            }
        }
        Poll::Ready(Ok(0))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Joined<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.len() <= HEADER && self.waiting.len() + bytes.len() <= MAX_WAITING {
            self.waiting.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(self.poll_waiting(cx, bytes))? {
            0 => Pin::new(&mut self.io).poll_write(cx, bytes),
            written => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_waiting(cx, &[]))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_waiting(cx, &[]))?;
        Pin::new(&mut self.io).poll_close(cx)
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Joined<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

#[cfg(test)]
mod tests {
    use futures::{AsyncWriteExt, executor::block_on};
    use proptest::prelude::*;

    use super::*;

    /// Takes as much at a time as it is given, in turns, and now and then nothing yet.
    struct Line {
        takes: Vec<usize>,
        turn: usize,
        writes: Vec<Vec<u8>>,
        closed: bool,
    }

    impl Line {
        fn taking(takes: Vec<usize>) -> Joined<Self> {
            Joined::new(Self {
                takes,
                turn: 0,
                writes: Vec::new(),
                closed: false,
            })
        }
    }

    impl AsyncWrite for Line {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let takes = self.takes[self.turn % self.takes.len()];
            self.turn += 1;
            if takes == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let bytes = pieces.iter().flat_map(|piece| piece.iter().copied());
            let taken: Vec<_> = bytes.take(takes).collect();
            self.writes.push(taken);
            Poll::Ready(Ok(self.writes.last().map_or(0, Vec::len)))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.closed = true;
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn headers_go_with_the_body_that_follows() {
        let mut joined = Line::taking(vec![usize::MAX]);
        let (update, header, body) = ([1; HEADER], [2; HEADER], [3; 1000]);
        for bytes in [&update[..], &header, &body] {
            block_on(joined.write_all(bytes)).expect("it is taken");
        }
        assert_eq!(joined.io.writes, [[&update[..], &header, &body].concat()]);
    }

    #[test]
    fn a_header_alone_goes_at_a_flush_or_a_close() {
        let mut joined = Line::taking(vec![usize::MAX]);
        block_on(joined.write_all(&[1; HEADER])).expect("it waits");
        assert!(joined.io.writes.is_empty());
        block_on(joined.flush()).expect("it is taken");
        assert_eq!(joined.io.writes, [[1; HEADER]]);
        block_on(joined.write_all(&[2; HEADER])).expect("it waits");
        block_on(joined.close()).expect("it is taken");
        assert_eq!(joined.io.writes, [[1; HEADER], [2; HEADER]]);
        assert!(joined.io.closed);
    }

    #[test]
    fn no_more_waits_than_a_few_headers() {
        let mut joined = Line::taking(vec![usize::MAX]);
        for _ in 0..100 {
            block_on(joined.write_all(&[1; HEADER])).expect("it is taken");
            assert!(joined.waiting.len() <= MAX_WAITING);
        }
    }

    proptest! {
        #[test]
        fn all_arrives_in_order(
            pieces in prop::collection::vec((1_usize..3 * HEADER, any::<bool>()), 0..50),
            takes in prop::collection::vec(0_usize..2 * HEADER, 0..8),
        ) {
            let mut joined = Line::taking([takes, vec![1]].concat());
            let mut sent = Vec::new();
            for (len, flush) in pieces {
                let piece: Vec<_> = (0..len).map(|at| (sent.len() + at) as u8).collect();
                block_on(joined.write_all(&piece)).expect("it is taken");
                sent.extend(piece);
                if flush {
                    block_on(joined.flush()).expect("it is taken");
                    prop_assert_eq!(joined.io.writes.concat(), sent.clone());
                }
            }
            block_on(joined.close()).expect("it is taken");
            prop_assert_eq!(joined.io.writes.concat(), sent);
        }
    }
}
