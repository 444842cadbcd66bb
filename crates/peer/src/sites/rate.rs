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

/// Operations of one peer: at once what a page asks for that loads a few lists and pictures'
/// captions, and 50 a second.
const RATE: Rate = Rate {
    burst: 200,
    per: Duration::from_secs(4),
};
/// Under way at once for one peer: fewer than all peers together may have.
const AT_ONCE: usize = 2;
/// Peers remembered; a full bucket is forgotten first, it says nothing.
const MAX_PEERS: usize = 4096;

#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<PeerId, Guest>>);

struct Guest {
    bucket: Bucket,
    turns: Arc<Semaphore>,
}

impl Rates {
    /// Takes one token of `peer`'s and answers where to wait for a turn; `None` when there is no
    /// token.
    pub(crate) fn admit(&self, peer: PeerId, now: Instant) -> Option<Arc<Semaphore>> {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if guests.len() >= MAX_PEERS && !guests.contains_key(&peer) {
            guests.retain(|_, guest| {
                !guest.bucket.is_full(now) || Arc::strong_count(&guest.turns) > 1
            });
            if guests.len() >= MAX_PEERS {
                return None;
            }
        }
        let guest = guests.entry(peer).or_insert_with(|| Guest {
            bucket: Bucket::new(RATE, now),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        });
        guest.bucket.take(now).ok()?;
        Some(Arc::clone(&guest.turns))
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
