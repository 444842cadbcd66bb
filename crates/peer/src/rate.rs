//! How many data operations one peer may ask for (§5 weakness 9): a token bucket each.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use goop2_proto::PeerId;

/// Sustained operations a second and peer.
const PER_SECOND: f64 = 50.0;
/// At once after a pause: a page that loads a few lists and pictures' captions.
const BURST: f64 = 200.0;
/// Peers remembered; a full bucket is forgotten first, it says nothing.
const MAX_PEERS: usize = 4096;

#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<PeerId, Bucket>>);

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + since * PER_SECOND).min(BURST);
        self.at = now;
    }
}

impl Rates {
    /// Takes one token of `peer`'s; false when there is none.
    pub(crate) fn allow(&self, peer: PeerId, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_PEERS && !buckets.contains_key(&peer) {
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.tokens < BURST
            });
            if buckets.len() >= MAX_PEERS {
                return false;
            }
        }
        let bucket = buckets.entry(peer).or_insert(Bucket {
            tokens: BURST,
            at: now,
        });
        bucket.refill(now);
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_peer_is_held_back_and_others_are_not() {
        let (rates, start) = (Rates::default(), Instant::now());
        let (flooder, other) = (PeerId::random(), PeerId::random());
        let passed = (0..1000).filter(|_| rates.allow(flooder, start)).count();
        assert_eq!(passed, BURST as usize);
        assert!(rates.allow(other, start));
        assert!(rates.allow(flooder, start + Duration::from_millis(25)));
        assert!(!rates.allow(flooder, start + Duration::from_millis(25)));
    }
}
