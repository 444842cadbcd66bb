//! Room for the streams that others open, on all connections together.
//!
//! Each may hold a window of unread data for as long as it is open, and connections cost a stranger
//! nothing. So there is a bound in all, and one connection may hold as much as is still free: alone
//! half of it, and next to hundreds that want everything as much as each of them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use yamux::Stream;

use super::wide::{self, Asks};

/// Room in all.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<AtomicUsize>);

impl Room {
    pub(crate) fn new(streams: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(streams)))
    }

    /// What one connection may hold of it.
    pub(super) fn share(&self) -> Share {
        Share {
            free: Arc::clone(&self.0),
            held: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// The part of one connection.
#[derive(Debug)]
pub(super) struct Share {
    free: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl Share {
    /// Room for one more, unless the connection holds its share already. Only the connection itself
    /// takes from its share, so what it holds is at most less by the time it is compared.
    pub(super) fn take(&self) -> Option<Place> {
        let held = self.held.load(Relaxed);
        let one_less = |free: usize| (held < free).then(|| free - 1);
        self.free.fetch_update(Relaxed, Relaxed, one_less).ok()?;
        self.held.fetch_add(1, Relaxed);
        Some(Place(Self {
            free: Arc::clone(&self.free),
            held: Arc::clone(&self.held),
        }))
    }
}

/// Room for one stream, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Share);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Relaxed);
        self.0.free.fetch_add(1, Relaxed);
    }
}

/// A stream, with the room it takes if the other side opened it.
#[derive(Debug)]
pub(crate) struct Substream {
    stream: Stream,
    _place: Option<Place>,
    /// Where one that this side opened asks to become wide.
    asks: Option<Asks>,
    is_wide: bool,
}

impl Substream {
    /// One that the other side opened.
    pub(super) fn inbound(stream: Stream, place: Place) -> Self {
        Self {
            stream,
            _place: Some(place),
            asks: None,
            is_wide: false,
        }
    }

    /// One that this side opened.
    pub(super) fn outbound(stream: Stream, asks: Asks) -> Self {
        Self {
            stream,
            _place: None,
            asks: Some(asks),
            is_wide: false,
        }
    }

    /// Before each write.
    fn widen(&mut self) {
        if wide::is_widening()
            && let Some(asks) = &self.asks
        {
            asks.widen(self.stream.id().val());
            self.is_wide = true;
        }
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        if self.is_wide
            && let Some(asks) = &self.asks
        {
            asks.gone(self.stream.id().val());
        }
    }
}

impl AsyncRead for Substream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.widen();
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.widen();
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_want_everything_leave_room_for_the_next() {
        for greedy in [1, 8, 384] {
            let room = Room::new(2048);
            let shares: Vec<_> = (0..greedy).map(|_| room.share()).collect();
            let mut held = Vec::new();
            for _ in 0..2048 {
                held.extend(shares.iter().filter_map(Share::take));
            }
            let newcomer = room.share();
            let places: Vec<_> = std::iter::from_fn(|| newcomer.take()).collect();
            let fair = 2048 / (greedy + 1);
            assert!(
                places.len() >= fair / 2,
                "{} next to {greedy}",
                places.len()
            );
            drop((held, places));
            assert_eq!(room.free(), 2048);
        }
    }
}
