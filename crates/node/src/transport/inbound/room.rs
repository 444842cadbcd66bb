//! Room for the streams that others open, on all connections together.
//!
//! Each may hold a window of unread data for as long as it is open, and keys and connections cost a
//! stranger nothing. So there is a bound in all. One connection may hold as much as is still free,
//! and one household three times as much: alone three quarters of all, so that others find room
//! however many connections it makes.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

/// How many times as much a household may hold as is still free.
const TIMES: usize = 3;

/// Room in all.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    of_household: HashMap<IpAddr, usize>,
}

impl Room {
    pub(crate) fn new(streams: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: streams,
            of_household: HashMap::new(),
        })))
    }

    /// What one connection may hold of it; the household, where it is known.
    pub(super) fn share(&self, household: Option<IpAddr>) -> Share {
        Share {
            room: self.clone(),
            household,
            held: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.state().free
    }
}

impl State {
    fn take(&mut self, household: Option<IpAddr>, held: usize) -> bool {
        let here = household.and_then(|household| self.of_household.get(&household));
        let here = here.copied().unwrap_or_default();
        if held >= self.free || here >= self.free * TIMES {
            return false;
        }
        self.free -= 1;
        if let Some(household) = household {
            *self.of_household.entry(household).or_default() += 1;
        }
        true
    }

    fn give_back(&mut self, household: Option<IpAddr>) {
        self.free += 1;
        let Some(household) = household else {
            return;
        };
        if let Some(here) = self.of_household.get_mut(&household) {
            *here -= 1;
            if *here == 0 {
                self.of_household.remove(&household);
            }
        }
    }
}

/// The part of one connection.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    household: Option<IpAddr>,
    held: Arc<AtomicUsize>,
}

impl Share {
    /// Room for one more, unless the connection or its household holds its share already. Only the
    /// connection itself takes from its share, so what it holds is at most less by the time it is
    /// compared.
    pub(super) fn take(&self) -> Option<Place> {
        let held = self.held.load(Relaxed);
        if !self.room.state().take(self.household, held) {
            return None;
        }
        self.held.fetch_add(1, Relaxed);
        Some(Place(Self {
            room: self.room.clone(),
            household: self.household,
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
        self.0.room.state().give_back(self.0.household);
    }
}

/// A stream, with the room it takes if the other side opened it.
#[derive(Debug)]
pub(crate) struct Substream<S> {
    stream: S,
    _place: Option<Place>,
}

impl<S> Substream<S> {
    pub(super) fn new(stream: S, place: Option<Place>) -> Self {
        Self {
            stream,
            _place: place,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Substream<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Substream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
            let shares: Vec<_> = (0..greedy).map(|_| room.share(None)).collect();
            let mut held = Vec::new();
            for _ in 0..2048 {
                held.extend(shares.iter().filter_map(Share::take));
            }
            let newcomer = room.share(None);
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

    #[test]
    fn a_household_that_wants_everything_leaves_room_for_the_next() {
        let household = |number: u8| Some(IpAddr::from([203, 0, 113, number]));
        let room = Room::new(2048);
        let mut held = Vec::new();
        // One connection after the other takes all that it gets.
        for _ in 0..384 {
            let greedy = room.share(household(1));
            held.extend(std::iter::from_fn(|| greedy.take()));
        }
        assert_eq!(held.len(), 2048 * 3 / 4);
        let newcomer = room.share(household(2));
        let places: Vec<_> = std::iter::from_fn(|| newcomer.take()).collect();
        assert_eq!(places.len(), 2048 / 8);
        drop((held, places));
        assert_eq!(room.free(), 2048);
        assert!(room.state().of_household.is_empty());
    }
}
