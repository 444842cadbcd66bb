//! How much anyone may ask: rates as token buckets, things held as counted seats. All tables are
//! bounded, and when one is full of strangers who are all at their limit, the next stranger waits.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::bucket::{Buckets, Rate};

/// Most clients watched at a time; 100 bytes each.
const MAX_WATCHED: usize = 65_536;

/// One rate for each client, asked by many tasks.
#[derive(Debug)]
pub(crate) struct Limiter<K>(Mutex<Buckets<K>>);

impl<K: Eq + Hash> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self(Mutex::new(Buckets::new(rate, MAX_WATCHED)))
    }

    /// Takes one, or tells how long until there is one.
    pub(crate) fn take(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(who, now)
    }
}

/// Places that are held as long as their [`Seat`] lives: so many in all, and so many by one client.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    all: usize,
    each: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<IpAddr, usize>,
}

/// Which of the two limits was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taker {
    All,
    Client,
}

/// One place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    who: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Seats {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self {
            all,
            each,
            taken: Arc::default(),
        }
    }

    pub(crate) fn take(&self, who: IpAddr) -> Result<Seat, Taker> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return Err(Taker::All);
        }
        let mine = taken.by.entry(who).or_default();
        if *mine >= self.each {
            return Err(Taker::Client);
        }
        *mine += 1;
        taken.all += 1;
        drop(taken);
        let taken = Arc::clone(&self.taken);
        Ok(Seat { who, taken })
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .all
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        let mine = taken
            .by
            .get_mut(&self.who)
            .expect("counted when it was taken");
        *mine -= 1;
        if *mine == 0 {
            taken.by.remove(&self.who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_come_back() {
        let (a, b): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let seats = Seats::new(3, 2);
        let first = seats.take(a).unwrap();
        let _second = seats.take(a).unwrap();
        assert_eq!(seats.take(a).unwrap_err(), Taker::Client);
        let _third = seats.take(b).unwrap();
        assert_eq!(seats.take(b).unwrap_err(), Taker::All);
        drop(first);
        assert_eq!(seats.taken(), 2);
        assert!(seats.take(a).is_ok());
    }
}
