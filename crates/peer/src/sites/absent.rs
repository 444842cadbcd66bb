//! Who did not answer a moment ago. Finding out that a peer is gone takes seconds, so anyone who visits
//! it again soon learns that at once. Anything that is heard of the peer ends that, and so does a
//! person who wants to try.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};

/// For how long it counts: a peer that was started again has announced itself by then.
const VALID: Duration = Duration::from_secs(60);
/// Peers remembered: more than anyone visits within that time.
const MAX: usize = 256;

/// When each was tried last, in vain.
#[derive(Default)]
pub(crate) struct Absent(Mutex<HashMap<PeerId, Tried>>);

struct Tried {
    at: Instant,
    /// Where this computer listened then.
    from: Vec<Multiaddr>,
}

impl Absent {
    pub(crate) fn note(&self, peer: PeerId, from: Vec<Multiaddr>, now: Instant) {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|_, tried| now.duration_since(tried.at) < VALID);
        if peers.len() < MAX {
            peers.insert(peer, Tried { at: now, from });
        }
    }

    pub(crate) fn forget(&self, peer: &PeerId) {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        peers.remove(peer);
    }

    /// Whether another attempt would end like the last one. `from` is where this computer listens,
    /// and `heard` when the peer announced itself last.
    pub(crate) fn knows(
        &self,
        peer: &PeerId,
        from: &[Multiaddr],
        heard: Option<Instant>,
        now: Instant,
    ) -> bool {
        let peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(peer).is_some_and(|tried| {
            now.duration_since(tried.at) < VALID
                && tried.from == from
                && heard.is_none_or(|heard| heard <= tried.at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_since_the_last_attempt_counts() {
        let (absent, start, peer) = (Absent::default(), Instant::now(), PeerId::random());
        let later = start + Duration::from_secs(1);
        let here: Vec<Multiaddr> = vec!["/ip4/192.0.2.7/tcp/1".parse().unwrap()];
        let knows = |heard, now| absent.knows(&peer, &here, heard, now);
        assert!(!knows(None, start));
        absent.note(peer, here.clone(), later);
        assert!(knows(None, later));
        assert!(knows(Some(start), later));
        assert!(!knows(Some(later + Duration::from_secs(1)), later));
        assert!(!knows(None, later + VALID));
        assert!(!absent.knows(&peer, &[], None, later), "another network");
        absent.forget(&peer);
        assert!(!knows(None, later));
    }

    #[test]
    fn it_is_bounded_and_forgets_what_counts_no_longer() {
        let (absent, start, peer) = (Absent::default(), Instant::now(), PeerId::random());
        for _ in 0..2 * MAX {
            absent.note(PeerId::random(), Vec::new(), start);
        }
        assert_eq!(absent.0.lock().unwrap().len(), MAX);
        absent.note(peer, Vec::new(), start + VALID);
        assert!(absent.knows(&peer, &[], None, start + VALID));
    }
}
