//! How much anyone may ask: rates as token buckets, things held as counted seats. All tables are
//! bounded, and when one is full of strangers who are all at their limit, the next stranger waits.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Most clients watched at a time; 100 bytes each.
const MAX_WATCHED: usize = 65_536;

/// So many at once, refilled evenly over the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How long until all of them are back.
    pub per: Duration,
}

/// One rate for each client.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl<K: Eq + Hash> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Takes one, or tells how long until there is one.
    pub(crate) fn take(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_WATCHED && !buckets.contains_key(&who) {
            buckets.retain(|_, bucket| bucket.filled(self.rate, now) < f64::from(self.rate.burst));
            if buckets.len() >= MAX_WATCHED {
                return Err(self.rate.interval());
            }
        }
        let bucket = buckets.entry(who).or_insert(Bucket {
            tokens: self.rate.burst.into(),
            at: now,
        });
        bucket.tokens = bucket.filled(self.rate, now);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(self.rate.interval().mul_f64(1.0 - bucket.tokens));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

impl Rate {
    fn interval(self) -> Duration {
        self.per / self.burst.max(1)
    }
}

impl Bucket {
    fn filled(&self, rate: Rate, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        let refilled = passed.div_duration_f64(rate.interval().max(Duration::from_nanos(1)));
        (self.tokens + refilled).min(rate.burst.into())
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
    fn a_burst_is_granted_and_then_the_rate() {
        let limiter = Limiter::new(Rate {
            burst: 3,
            per: Duration::from_secs(6),
        });
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(limiter.take("a", now), Ok(()));
        }
        assert_eq!(limiter.take("a", now), Err(Duration::from_secs(2)));
        assert_eq!(limiter.take("b", now), Ok(()));
        let later = now + Duration::from_secs(2);
        assert_eq!(limiter.take("a", later), Ok(()));
        assert!(limiter.take("a", later).is_err());
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let limiter = Limiter::new(Rate {
            burst: 1,
            per: Duration::from_secs(1),
        });
        let now = Instant::now();
        for who in 0..MAX_WATCHED {
            assert_eq!(limiter.take(who, now), Ok(()));
        }
        assert!(limiter.take(MAX_WATCHED, now).is_err());
        let later = now + Duration::from_secs(1);
        assert_eq!(limiter.take(MAX_WATCHED, later), Ok(()));
        assert_eq!(limiter.buckets.lock().unwrap().len(), 1);
    }

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
