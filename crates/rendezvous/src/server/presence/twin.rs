//! Whether two programs publish under one identity: a folder was copied, and both copies run. Each
//! announces its own addresses with every heartbeat, so those of one follow those of the other. A
//! peer that moves between networks goes back and forth as well, but not with every message.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

/// How long a change of addresses counts: twelve heartbeats of existing peers.
const WINDOW: Duration = Duration::from_secs(60);
/// Returns to the addresses before the last ones within [`WINDOW`] that one program does not make:
/// two make twice as many with the longest usual heartbeats.
const RETURNS: usize = 4;

/// The addresses that one peer announced in turn.
#[derive(Debug, Default)]
pub(super) struct Twin {
    /// The last two that differ, the later one first.
    sets: [Option<u64>; 2],
    /// When each of the last returns happened, the latest first.
    returns: [Option<Instant>; RETURNS],
}

impl Twin {
    /// A message that the peer signed; whether it is the first sign of a second program.
    pub(super) fn announce(&mut self, addrs: &[String], now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        addrs.hash(&mut hasher);
        let set = Some(hasher.finish());
        if self.sets[0] == set {
            return false;
        }
        let known = self.is_there(now);
        if self.sets[1] == set {
            self.returns.rotate_right(1);
            self.returns[0] = Some(now);
        }
        self.sets = [set, self.sets[0]];
        !known && self.is_there(now)
    }

    /// Whether two programs published within [`WINDOW`].
    pub(super) fn is_there(&self, now: Instant) -> bool {
        let recent =
            |at: &Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) <= WINDOW);
        self.returns.iter().all(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each message of `sets`, one every `pause`, was taken for.
    fn signs(sets: &str, pause: Duration) -> (Twin, Vec<bool>, Instant) {
        let (mut twin, mut now) = (Twin::default(), Instant::now());
        let signs = sets.chars().map(|set| {
            now += pause;
            twin.announce(&[set.to_string()], now)
        });
        let signs = signs.collect();
        (twin, signs, now)
    }

    #[test]
    fn two_programs_are_noticed_once_and_forgotten_when_one_ends() {
        for turns in ["ababababab", "aabbaabbaabbab", "abbabbabbabba"] {
            let (twin, signs, last) = signs(turns, Duration::from_millis(2500));
            assert_eq!(signs.iter().filter(|sign| **sign).count(), 1, "{turns}");
            assert!(twin.is_there(last));
            assert!(!twin.is_there(last + WINDOW + Duration::from_secs(1)));
        }
    }

    #[test]
    fn one_program_whose_addresses_change_is_not_two() {
        for (moves, pause) in [
            ("aaaaaaaaaaaa", 5),
            ("abcdefghijkl", 5),
            ("abcabcabcabc", 5),
            ("aaaabbbbaaaabbbbaaaa", 5),
            ("abababababab", 25),
        ] {
            let (_, signs, _) = signs(moves, Duration::from_secs(pause));
            assert!(!signs.contains(&true), "{moves}");
        }
    }
}
