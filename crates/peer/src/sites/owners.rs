//! Which owners of sites remember the ids of writes (protocol-v2.md, Data), so that a write which
//! was cut may be sent again. An owner says so in every answer; nothing else is proof, because a
//! second row at an existing peer is worse than an error.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::PeerId;

/// For how long an answer counts: its owner may go back to another program, which takes longer.
const VALID: Duration = Duration::from_secs(600);
/// Owners remembered: more than anyone visits within that time.
const MAX: usize = 1024;

/// The last answer of each.
#[derive(Default)]
pub(crate) struct Owners(Mutex<HashMap<PeerId, Instant>>);

impl Owners {
    /// From an answer that said so.
    pub(crate) fn learn(&self, owner: PeerId, now: Instant) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() >= MAX && !owners.contains_key(&owner) {
            let oldest = owners.iter().min_by_key(|(_, learned)| **learned);
            if let Some(oldest) = oldest.map(|(owner, _)| *owner) {
                owners.remove(&oldest);
            }
        }
        owners.insert(owner, now);
    }

    /// From an answer that did not say so.
    pub(crate) fn forget(&self, owner: &PeerId) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owners.remove(owner);
    }

    pub(crate) fn remember_writes(&self, owner: &PeerId, now: Instant) -> bool {
        let owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owners
            .get(owner)
            .is_some_and(|learned| now.duration_since(*learned) < VALID)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_answer_counts() {
        let (owners, start) = (Owners::default(), Instant::now());
        let owner = PeerId::random();
        assert!(!owners.remember_writes(&owner, start));
        owners.learn(owner, start);
        assert!(owners.remember_writes(&owner, start));
        assert!(!owners.remember_writes(&owner, start + VALID));
        for _ in 0..2 * MAX {
            owners.learn(PeerId::random(), start + Duration::from_secs(1));
        }
        assert!(owners.0.lock().unwrap().len() <= MAX);
        assert!(!owners.remember_writes(&owner, start));
        owners.learn(owner, start);
        owners.forget(&owner);
        assert!(!owners.remember_writes(&owner, start));
    }
}
