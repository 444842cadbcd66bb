//! Whom to dial, and when: peers that announce themselves here, that the user named, or that are
//! kept because a server lists them, until they are connected.
//!
//! Existing peers dial once what they discover; when both sides do so at the same moment, both
//! attempts can fail and they never connect. This one tries again, ever more slowly, and is held to
//! a rate so that nobody can turn it into a scanner: one for those nearby or named, and one for
//! those that a server lists, so that strangers there keep no neighbor waiting. A state machine:
//! time goes in, peers to dial come out.

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
    near: Queue,
    far: Queue,
}

/// Why a peer is to be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It announces itself here, the user named it, or somebody waits for it.
    Near,
    /// A server lists it.
    Far,
}

struct Queue {
    /// The peers not being dialed now, by when they are due.
    due: BTreeSet<(Instant, PeerId)>,
    rate: Bucket,
}

struct Want {
    class: Class,
    failures: u32,
    /// `None` while it is being dialed.
    due: Option<Instant>,
}

impl Dialer {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            wanted: HashMap::new(),
            near: Queue::new(now),
            far: Queue::new(now),
        }
    }

    /// The peer should be connected and its addresses are news: it is due at `due`, unless it is
    /// being dialed already.
    pub(crate) fn want(&mut self, peer: PeerId, class: Class, due: Instant) {
        let new = Want {
            class,
            failures: 0,
            due: Some(due),
        };
        let old = match self.wanted.get(&peer) {
            None => due,
            Some(Want { due: None, .. }) => return,
            Some(Want {
                class,
                due: Some(old),
                ..
            }) => {
                let (class, old) = (*class, *old);
                self.queue(class).due.remove(&(old, peer));
                old
            }
        };
        let due = due.min(old);
        self.queue(class).due.insert((due, peer));
        self.wanted.insert(
            peer,
            Want {
                due: Some(due),
                ..new
            },
        );
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
        if let Some(Want {
            class,
            due: Some(due),
            ..
        }) = self.wanted.remove(peer)
        {
            self.queue(class).due.remove(&(due, *peer));
        }
    }

    /// The dial failed. `jitter` in 0..1 spreads the next one, so that two peers do not stay in
    /// step.
    pub(crate) fn failed(&mut self, peer: PeerId, jitter: f64, now: Instant) {
        let Some(want) = self.wanted.get_mut(&peer) else {
            return;
        };
        let (class, old) = (want.class, want.due);
        let wait = FIRST_WAIT
            .saturating_mul(1 << want.failures.min(16))
            .min(LAST_WAIT)
            .mul_f64(0.5 + jitter);
        want.failures += 1;
        want.due = Some(now + wait);
        let queue = self.queue(class);
        if let Some(old) = old {
            queue.due.remove(&(old, peer));
        }
        queue.due.insert((now + wait, peer));
    }

    /// Takes one peer that is due, within the rates. Those that cannot be dialed cost nothing.
    pub(crate) fn poll(
        &mut self,
        can_be_dialed: impl Fn(&PeerId) -> bool,
        now: Instant,
    ) -> Option<PeerId> {
        let queues = [&mut self.near, &mut self.far];
        let peer = queues
            .into_iter()
            .find_map(|queue| queue.take(&can_be_dialed, now))?;
        if let Some(want) = self.wanted.get_mut(&peer) {
            want.due = None;
        }
        Some(peer)
    }

    /// When [`Self::poll`] has something to give next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let queues = [&self.near, &self.far];
        queues.into_iter().filter_map(Queue::next).min()
    }

    fn queue(&mut self, class: Class) -> &mut Queue {
        match class {
            Class::Near => &mut self.near,
            Class::Far => &mut self.far,
        }
    }
}

impl Queue {
    fn new(now: Instant) -> Self {
        Self {
            due: BTreeSet::new(),
            rate: Bucket::new(RATE, now),
        }
    }

    fn take(&mut self, can_be_dialed: impl Fn(&PeerId) -> bool, now: Instant) -> Option<PeerId> {
        let &(due, peer) = self.due.first().filter(|(due, _)| *due <= now)?;
        if can_be_dialed(&peer) && self.rate.take(now).is_err() {
            return None;
        }
        self.due.remove(&(due, peer));
        Some(peer)
    }

    fn next(&self) -> Option<Instant> {
        let (due, _) = self.due.first()?;
        Some((*due).max(self.rate.ready_at()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: &PeerId) -> bool {
        true
    }

    #[test]
    fn a_failed_dial_is_tried_again_ever_more_slowly() {
        let (mut now, peer) = (Instant::now(), PeerId::random());
        let mut dialer = Dialer::new(now);
        dialer.want(peer, Class::Near, now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert_eq!(dialer.poll(any, now), Some(peer));
            assert_eq!(dialer.poll(any, now), None, "one dial at a time");
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
        dialer.want(peer, Class::Near, now);
        assert_eq!(dialer.poll(any, now), Some(peer));
        dialer.failed(peer, 1.0, now);
        dialer.want(peer, Class::Near, now);
        assert_eq!(dialer.poll(any, now), Some(peer));
    }

    #[test]
    fn a_thousand_announcements_are_dialed_at_the_rate() {
        let now = Instant::now();
        let mut dialer = Dialer::new(now);
        for _ in 0..1000 {
            dialer.want(PeerId::random(), Class::Near, now);
        }
        assert_eq!(
            std::iter::from_fn(|| dialer.poll(any, now)).count(),
            RATE.burst as usize
        );
        let minute = now + Duration::from_secs(60);
        assert!(dialer.poll_timeout().unwrap() > now);
        let mut at = now;
        let mut dials = 0;
        while at < minute {
            at += Duration::from_millis(100);
            dials += std::iter::from_fn(|| dialer.poll(any, at)).count();
        }
        assert!((119..=121).contains(&dials), "{dials}");
    }

    #[test]
    fn strangers_at_a_server_keep_no_neighbor_waiting() {
        let (now, neighbor) = (Instant::now(), PeerId::random());
        let mut dialer = Dialer::new(now);
        for _ in 0..1000 {
            dialer.want(PeerId::random(), Class::Far, now);
        }
        while dialer.poll(any, now).is_some() {}
        dialer.want(neighbor, Class::Near, now);
        assert_eq!(dialer.poll(any, now), Some(neighbor));
        assert_eq!(dialer.poll(any, now), None);
        // One of them that comes to this network is a neighbor.
        let moved = PeerId::random();
        dialer.want(moved, Class::Far, now);
        dialer.want(moved, Class::Near, now);
        assert_eq!(dialer.poll(any, now), Some(moved));
    }

    #[test]
    fn who_cannot_be_dialed_takes_nothing_of_the_rate() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut dialer = Dialer::new(now);
        for _ in 0..1000 {
            dialer.want(peer, Class::Far, now);
            assert_eq!(dialer.poll(|_| false, now), Some(peer));
            dialer.forget(&peer);
        }
        dialer.want(peer, Class::Far, now);
        assert_eq!(dialer.poll(any, now), Some(peer));
    }
}
