//! Token buckets: a burst at once, then a steady rate.
//!
//! A bucket is kept as the time until it is full, in whole nanoseconds, rather than as a fraction
//! of tokens: nothing is lost to rounding, however long it runs.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// How much is allowed: a burst at once, refilled evenly over a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How long it takes to refill all of them; zero limits nothing.
    pub per: Duration,
}

impl Rate {
    /// How long it takes to refill one.
    fn interval(self) -> Duration {
        self.per / self.burst.max(1)
    }
}

/// One token bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    /// Until it was full, at `at`.
    missing: Duration,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            missing: Duration::ZERO,
            at: now,
        }
    }

    /// Takes one token, or says how long to wait for one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.missing = self.missing(now);
        self.at = self.at.max(now);
        let wait = self.wait();
        if !wait.is_zero() {
            return Err(wait);
        }
        self.missing += self.rate.interval();
        Ok(())
    }

    /// When the next token is there.
    pub fn ready_at(&self) -> Instant {
        self.at + self.wait()
    }

    /// Whether it is full, so that forgetting it changes nothing.
    pub fn is_full(&self, now: Instant) -> bool {
        self.missing(now).is_zero()
    }

    /// From `at` until there is a token.
    fn wait(&self) -> Duration {
        let interval = self.rate.interval();
        (self.missing + interval).saturating_sub(interval * self.rate.burst)
    }

    fn missing(&self, now: Instant) -> Duration {
        self.missing
            .saturating_sub(now.saturating_duration_since(self.at))
    }
}

/// A bucket for each of many, all with the same rate.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    max: usize,
    buckets: HashMap<K, Bucket>,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    /// At most `max` buckets are kept. Full ones are forgotten first, and then the fullest, so that
    /// many keys cannot keep a newcomer out; each of them had its burst anyway.
    pub fn new(rate: Rate, max: usize) -> Self {
        Self {
            rate,
            max,
            buckets: HashMap::new(),
        }
    }

    /// Takes one token of `key`'s, or says how long to wait for one.
    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        if self.buckets.len() >= self.max && !self.buckets.contains_key(&key) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= self.max {
                let fullest = self.buckets.iter().min_by_key(|(_, b)| b.missing(now));
                if let Some(fullest) = fullest.map(|(key, _)| key.clone()) {
                    self.buckets.remove(&fullest);
                }
            }
        }
        self.buckets
            .entry(key)
            .or_insert_with(|| Bucket::new(self.rate, now))
            .take(now)
    }

    /// How many buckets are kept.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        per: Duration::from_secs(6),
    };

    #[test]
    fn a_burst_then_a_steady_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        let at_once = (0..5).filter(|_| bucket.take(start).is_ok());
        assert_eq!(at_once.count(), 3);
        assert_eq!(bucket.take(start), Err(Duration::from_secs(2)));
        assert_eq!(bucket.ready_at(), start + Duration::from_secs(2));
        let almost = start + Duration::from_millis(1999);
        assert_eq!(bucket.take(almost), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(start + Duration::from_secs(2)), Ok(()));
        assert!(!bucket.is_full(start + Duration::from_secs(7)));
        assert!(bucket.is_full(start + Duration::from_secs(8)));
    }

    #[test]
    fn each_key_has_a_bucket_and_strangers_cannot_fill_the_memory() {
        let now = Instant::now();
        let mut buckets = Buckets::new(RATE, 100);
        // One that is used up, and others that have taken a little.
        while buckets.take(0, now).is_ok() {}
        for key in 1..1000 {
            assert_eq!(buckets.take(key, now), Ok(()), "a newcomer is not refused");
        }
        assert_eq!(buckets.len(), 100);
        assert!(
            buckets.take(0, now).is_err(),
            "and does not help anyone else"
        );
        let later = now + Duration::from_secs(2);
        assert_eq!(buckets.take(1000, later), Ok(()));
        assert_eq!(buckets.len(), 2);
    }

    /// What a bucket must allow: in no stretch of time more than a burst and what that time
    /// refills, and everything else.
    fn allows(rate: Rate, taken: &[Duration], now: Duration) -> bool {
        let fits = |(i, &since): (usize, &Duration)| {
            let takes = u32::try_from(taken.len() - i + 1).unwrap();
            rate.interval() * takes.saturating_sub(rate.burst) <= now - since
        };
        let any = rate.burst > 0 || rate.per.is_zero();
        any && taken.iter().enumerate().all(fits)
    }

    proptest! {
        #[test]
        fn a_bucket_allows_what_the_rate_says(
            burst in 0..6_u32,
            interval in 0..50_u64,
            steps in prop::collection::vec(0..120_u64, 1..80),
        ) {
            let interval = Duration::from_millis(interval);
            let rate = Rate { burst, per: interval * burst.max(1) };
            let start = Instant::now();
            let mut bucket = Bucket::new(rate, start);
            let (mut now, mut taken) = (Duration::ZERO, Vec::new());
            for step in steps {
                // Often at once, so that the burst is used up.
                now += Duration::from_millis(step.saturating_sub(70));
                let allowed = allows(rate, &taken, now);
                let answer = bucket.take(start + now);
                prop_assert_eq!(answer.is_ok(), allowed);
                match answer {
                    Ok(()) => taken.push(now),
                    Err(wait) if burst > 0 => {
                        prop_assert_eq!(bucket.ready_at(), start + now + wait);
                        prop_assert!(allows(rate, &taken, now + wait));
                        prop_assert!(!allows(rate, &taken, now + wait - Duration::from_nanos(1)));
                    }
                    Err(_) => {}
                }
            }
        }
    }
}
