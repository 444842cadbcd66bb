//! Limits for clients: token buckets for rates, counted slots for open connections. All tables are
//! bounded; a rate keeps nobody out because its table is full of others.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::bucket::{Buckets, Rate};

/// Most clients tracked at a time; 100 bytes each.
const MAX_WATCHED: usize = 65_536;

/// One rate for each client, asked by many tasks.
#[derive(Debug)]
pub(crate) struct Limiter<K>(Mutex<Buckets<K>>);

impl<K: Clone + Eq + Hash> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self(Mutex::new(Buckets::new(rate, MAX_WATCHED)))
    }

    /// Takes one token, or returns how long until there is one.
    pub(crate) fn take(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(who, now)
    }
}

/// Slots that are taken as long as their [`Slot`] lives: so many in total, and per client.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
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
pub(crate) enum Full {
    All,
    Client,
}

/// One slot, free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    who: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Slots {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self {
            all,
            each,
            taken: Arc::default(),
        }
    }

    pub(crate) fn take(&self, who: IpAddr) -> Result<Slot, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return Err(Full::All);
        }
        let mine = taken.by.entry(who).or_default();
        if *mine >= self.each {
            return Err(Full::Client);
        }
        *mine += 1;
        taken.all += 1;
        drop(taken);
        let taken = Arc::clone(&self.taken);
        Ok(Slot { who, taken })
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .all
    }
}

impl Drop for Slot {
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
        let slots = Slots::new(3, 2);
        let first = slots.take(a).unwrap();
        let _second = slots.take(a).unwrap();
        assert_eq!(slots.take(a).unwrap_err(), Full::Client);
        let _third = slots.take(b).unwrap();
        assert_eq!(slots.take(b).unwrap_err(), Full::All);
        drop(first);
        assert_eq!(slots.taken(), 2);
        assert!(slots.take(a).is_ok());
    }
}
