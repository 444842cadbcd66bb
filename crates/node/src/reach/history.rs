//! What was tried to reach each peer, and how it went, for the page that shows it.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use goop2_proto::PeerId;

/// Attempts remembered for each peer.
pub(crate) const MAX_ATTEMPTS: usize = 32;

/// Peers remembered; beyond, the one that was tried longest ago is forgotten.
const MAX_PEERS: usize = 256;

/// One attempt to reach a peer, or one change of its connections. In plain English.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// When; the last time of several.
    pub at: Instant,
    /// What was tried.
    pub what: String,
    /// How it went.
    pub outcome: String,
    /// Whether it worked; none for a change that is neither.
    pub worked: Option<bool>,
    /// How often in a row it went so.
    pub times: u32,
}

#[derive(Default)]
pub(crate) struct History(HashMap<PeerId, VecDeque<Attempt>>);

impl History {
    pub(crate) fn note(
        &mut self,
        peer: PeerId,
        what: impl Into<String>,
        outcome: impl Into<String>,
        worked: Option<bool>,
        now: Instant,
    ) {
        let (what, outcome) = (what.into(), outcome.into());
        tracing::debug!(%peer, what, outcome, "reach");
        if !self.0.contains_key(&peer) && self.0.len() >= MAX_PEERS {
            let at = |attempts: &VecDeque<Attempt>| attempts.back().map(|last| last.at);
            let oldest = self.0.iter().min_by_key(|(_, attempts)| at(attempts));
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.0.remove(&oldest);
            }
        }
        let attempts = self.0.entry(peer).or_default();
        if let Some(last) = attempts.back_mut()
            && (&last.what, &last.outcome) == (&what, &outcome)
        {
            last.at = now;
            last.times += 1;
            return;
        }
        if attempts.len() >= MAX_ATTEMPTS {
            attempts.pop_front();
        }
        attempts.push_back(Attempt {
            at: now,
            what,
            outcome,
            worked,
            times: 1,
        });
    }

    /// Oldest first.
    pub(crate) fn of(&self, peer: &PeerId) -> Vec<Attempt> {
        self.0.get(peer).into_iter().flatten().cloned().collect()
    }
}

/// A duration for people.
pub(crate) fn spoken(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_one_line_and_everything_is_bounded() {
        let (now, peer, mut history) = (Instant::now(), PeerId::random(), History::default());
        for _ in 0..5 {
            history.note(peer, "dialed", "no answer", Some(false), now);
        }
        assert_eq!(history.of(&peer).len(), 1);
        assert_eq!(history.of(&peer)[0].times, 5);
        for n in 0..100 {
            history.note(peer, "dialed", n.to_string(), None, now);
        }
        assert_eq!(history.of(&peer).len(), MAX_ATTEMPTS);
        assert_eq!(history.of(&peer).last().unwrap().outcome, "99");
        for _ in 0..2 * MAX_PEERS {
            let later = now + Duration::from_secs(1);
            history.note(PeerId::random(), "dialed", "no answer", None, later);
        }
        assert_eq!(history.0.len(), MAX_PEERS);
        assert!(history.of(&peer).is_empty(), "the oldest goes first");
    }
}
