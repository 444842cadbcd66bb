//! Whom to dial, and when: peers that announce themselves here or that the user named, until they
//! are connected.
//!
//! Existing peers dial once what they discover; when both sides do so at the same moment, both
//! attempts can fail and they never connect. This one tries again, ever more slowly, and is held to
//! a rate so that nobody on the LAN can turn it into a scanner. A state machine: time goes in,
//! peers to dial come out.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use goop2_proto::{
    PeerId,
    bucket::{Bucket, Rate},
};

/// Dials: the burst is for joining a busy network. A peer that answers needs one, so after that
/// only announcements that lead nowhere ever reach the rate.
const RATE: Rate = Rate {
    burst: 60,
    per: Duration::from_secs(30),
};

/// The first wait after a failure. Short: the usual reason is that the other side was not listening
/// yet.
const FIRST_WAIT: Duration = Duration::from_millis(300);

/// The longest wait.
const LAST_WAIT: Duration = Duration::from_secs(60);

pub(crate) struct Dialer {
    wanted: HashMap<PeerId, Want>,
    /// The peers not being dialed now, by when they are due.
    queue: BTreeSet<(Instant, PeerId)>,
    rate: Bucket,
}

struct Want {
    failures: u32,
    /// `None` while it is being dialed.
    due: Option<Instant>,
}

impl Dialer {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            wanted: HashMap::new(),
            queue: BTreeSet::new(),
            rate: Bucket::new(RATE, now),
        }
    }

    /// The peer should be connected and its addresses are news: it is due at `due`, unless it is
    /// being dialed already.
    pub(crate) fn want(&mut self, peer: PeerId, due: Instant) {
        let want = self.wanted.entry(peer).or_insert(Want {
            failures: 0,
            due: Some(due),
        });
        let Some(old) = want.due else { return };
        self.queue.remove(&(old, peer));
        let due = due.min(old);
        *want = Want {
            failures: 0,
            due: Some(due),
        };
        self.queue.insert((due, peer));
    }

    pub(crate) fn wants(&self, peer: &PeerId) -> bool {
        self.wanted.contains_key(peer)
    }

    /// How often it was tried in vain.
    pub(crate) fn failures(&self, peer: &PeerId) -> u32 {
        self.wanted.get(peer).map_or(0, |want| want.failures)
    }

    /// It is connected, or gone.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        if let Some(Want { due: Some(due), .. }) = self.wanted.remove(peer) {
            self.queue.remove(&(due, *peer));
        }
    }

    /// The dial failed. `jitter` in 0..1 spreads the next one, so that two peers do not stay in
    /// step.
    pub(crate) fn failed(&mut self, peer: PeerId, jitter: f64, now: Instant) {
        let Some(want) = self.wanted.get_mut(&peer) else {
            return;
        };
        if let Some(old) = want.due {
            self.queue.remove(&(old, peer));
        }
        let wait = FIRST_WAIT
            .saturating_mul(1 << want.failures.min(16))
            .min(LAST_WAIT)
            .mul_f64(0.5 + jitter);
        want.failures += 1;
        want.due = Some(now + wait);
        self.queue.insert((now + wait, peer));
    }

    /// Takes one peer that is due, within the rate.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<PeerId> {
        let &(due, peer) = self.queue.first().filter(|(due, _)| *due <= now)?;
        if self.rate.take(now).is_err() {
            return None;
        }
        self.queue.remove(&(due, peer));
        if let Some(want) = self.wanted.get_mut(&peer) {
            want.due = None;
        }
        Some(peer)
    }

    /// When [`Self::poll`] has something to give next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.queue
            .first()
            .map(|(due, _)| (*due).max(self.rate.ready_at()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_dial_is_tried_again_ever_more_slowly() {
        let (mut now, peer) = (Instant::now(), PeerId::random());
        let mut dialer = Dialer::new(now);
        dialer.want(peer, now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert_eq!(dialer.poll(now), Some(peer));
            assert_eq!(dialer.poll(now), None, "one dial at a time");
            dialer.failed(peer, 0.5, now);
            let next = dialer.poll_timeout().unwrap();
            waits.push(next - now);
            now = next;
        }
        assert_eq!(waits[0], FIRST_WAIT);
        assert!(waits.is_sorted());
        assert_eq!(waits[11], LAST_WAIT);
        dialer.forget(&peer);
        assert_eq!(dialer.poll_timeout(), None);
    }

    #[test]
    fn news_brings_a_dial_forward() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut dialer = Dialer::new(now);
        dialer.want(peer, now);
        assert_eq!(dialer.poll(now), Some(peer));
        dialer.failed(peer, 1.0, now);
        dialer.want(peer, now);
        assert_eq!(dialer.poll(now), Some(peer));
    }

    #[test]
    fn a_thousand_announcements_are_dialed_at_the_rate() {
        let now = Instant::now();
        let mut dialer = Dialer::new(now);
        for _ in 0..1000 {
            dialer.want(PeerId::random(), now);
        }
        assert_eq!(
            std::iter::from_fn(|| dialer.poll(now)).count(),
            RATE.burst as usize
        );
        let minute = now + Duration::from_secs(60);
        assert!(dialer.poll_timeout().unwrap() > now);
        let mut at = now;
        let mut dials = 0;
        while at < minute {
            at += Duration::from_millis(100);
            dials += std::iter::from_fn(|| dialer.poll(at)).count();
        }
        assert!((119..=121).contains(&dials), "{dials}");
    }
}
