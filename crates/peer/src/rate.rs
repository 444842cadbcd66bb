//! How many data operations one peer may ask for (§5 weakness 9): a token bucket each, and so many
//! at a time that a slow query of one visitor leaves the others their turn.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use goop2_proto::PeerId;
use tokio::sync::Semaphore;

/// Sustained operations a second and peer.
const PER_SECOND: f64 = 50.0;
/// At once after a pause: a page that loads a few lists and pictures' captions.
const BURST: f64 = 200.0;
/// Under way at once for one peer: fewer than all peers together may have.
const AT_ONCE: usize = 2;
/// Peers remembered; a full bucket is forgotten first, it says nothing.
const MAX_PEERS: usize = 4096;

#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<PeerId, Bucket>>);

struct Bucket {
    tokens: f64,
    at: Instant,
    turns: Arc<Semaphore>,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + since * PER_SECOND).min(BURST);
        self.at = now;
    }
}

impl Rates {
    /// Takes one token of `peer`'s and answers where to wait for a turn; `None` when there is no
    /// token.
    pub(crate) fn admit(&self, peer: PeerId, now: Instant) -> Option<Arc<Semaphore>> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_PEERS && !buckets.contains_key(&peer) {
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.tokens < BURST || Arc::strong_count(&bucket.turns) > 1
            });
            if buckets.len() >= MAX_PEERS {
                return None;
            }
        }
        let bucket = buckets.entry(peer).or_insert(Bucket {
            tokens: BURST,
            at: now,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        });
        bucket.refill(now);
        if bucket.tokens < 1.0 {
            return None;
        }
        bucket.tokens -= 1.0;
        Some(Arc::clone(&bucket.turns))
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
        let passed = (0..1000)
            .filter(|_| rates.admit(flooder, start).is_some())
            .count();
        assert_eq!(passed, BURST as usize);
        assert!(rates.admit(other, start).is_some());
        let later = start + Duration::from_millis(25);
        assert!(rates.admit(flooder, later).is_some());
        assert!(rates.admit(flooder, later).is_none());
    }
}
