//! Limits the data operations of each peer (§5 weakness 9): how many over time, and how many at the
//! same time, so that a slow query of one visitor does not keep others waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::{
    PeerId,
    bucket::{Bucket, Rate},
};
use tokio::sync::Semaphore;

/// Operations of one peer: at once, as many as a page needs for a few lists and captions; over
/// time, 50 a second.
const RATE: Rate = Rate {
    burst: 200,
    per: Duration::from_secs(4),
};
/// In progress at the same time for one peer: fewer than all peers together may have.
const AT_ONCE: usize = 2;
/// Peers remembered; those with a full bucket are forgotten first.
const MAX_PEERS: usize = 4096;

#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<PeerId, Visitor>>);

struct Visitor {
    bucket: Bucket,
    turns: Arc<Semaphore>,
}

impl Rates {
    /// Takes one token of `peer` and returns where to wait for a turn; `None` without a token.
    pub(crate) fn admit(&self, peer: PeerId, now: Instant) -> Option<Arc<Semaphore>> {
        let mut visitors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if visitors.len() >= MAX_PEERS && !visitors.contains_key(&peer) {
            visitors.retain(|_, visitor| {
                !visitor.bucket.is_full(now) || Arc::strong_count(&visitor.turns) > 1
            });
            if visitors.len() >= MAX_PEERS {
                return None;
            }
        }
        let visitor = visitors.entry(peer).or_insert_with(|| Visitor {
            bucket: Bucket::new(RATE, now),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        });
        visitor.bucket.take(now).ok()?;
        Some(Arc::clone(&visitor.turns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_is_held_back_and_others_are_not() {
        let (rates, start) = (Rates::default(), Instant::now());
        let (flooder, other) = (PeerId::random(), PeerId::random());
        let passed = (0..1000)
            .filter(|_| rates.admit(flooder, start).is_some())
            .count();
        assert_eq!(passed, RATE.burst as usize);
        assert!(rates.admit(other, start).is_some());
        let later = start + Duration::from_millis(25);
        assert!(rates.admit(flooder, later).is_some());
        assert!(rates.admit(flooder, later).is_none());
    }
}
