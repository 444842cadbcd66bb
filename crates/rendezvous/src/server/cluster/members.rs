//! The other instances of the cluster, and whether all their frames were received: a state machine.
//! Headers and time go in; what to do with the lines, and whom to ask for a snapshot, comes out.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use goop2_proto::cluster::{Header, Instance, MAX_ASKED, Part};

/// The pause before the same instance is asked again; it answers within a second.
const ASK_AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Members {
    own: Instance,
    known: HashMap<Instance, Member>,
}

#[derive(Debug)]
struct Member {
    heard: Instant,
    /// The number of the next frame; none = one was missed, or none was received.
    next: Option<u64>,
    /// The round of the current snapshot and of the news after it.
    round: u64,
    filling: bool,
    asked: Option<Instant>,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is our own, or from one instance too many.
    Ignore,
    /// Its sender is online; the lines are known, or do not follow what is known.
    Skip,
    /// Process the lines.
    Take {
        /// The round to mark them with.
        round: u64,
        /// Peers that this instance held before the round and has not named since are gone.
        complete: bool,
    },
}

impl Members {
    pub(crate) fn new(own: Instance) -> Self {
        Self {
            own,
            known: HashMap::new(),
        }
    }

    /// `round`: greater than all before.
    pub(crate) fn receive(&mut self, header: &Header, round: u64, now: Instant) -> Verdict {
        let full = self.known.len() >= MAX_ASKED && !self.known.contains_key(&header.from);
        if header.from == self.own || full {
            return Verdict::Ignore;
        }
        let member = self.known.entry(header.from).or_insert(Member {
            heard: now,
            next: None,
            round: 0,
            filling: false,
            asked: None,
        });
        member.heard = now;
        let follows = member.next == Some(header.number);
        let begins = matches!(header.part, Part::First | Part::Whole);
        if !follows && !begins {
            // A repeated frame does not mean that something was missed.
            if member.next.is_none_or(|next| next < header.number) {
                (member.next, member.filling) = (None, false);
            }
            return Verdict::Skip;
        }
        let was_current = member.next.is_some() && follows && !member.filling;
        member.next = Some(header.number.wrapping_add(1));
        if was_current && header.part != Part::News {
            // A snapshot that another instance asked for.
            return Verdict::Skip;
        }
        if begins {
            (member.round, member.filling) = (round, true);
        }
        let complete = member.filling && matches!(header.part, Part::Last | Part::Whole);
        member.filling &= !complete;
        Verdict::Take {
            round: member.round,
            complete,
        }
    }

    /// Whom to ask for a snapshot now; they count as asked.
    pub(crate) fn ask(&mut self, now: Instant) -> Vec<Instance> {
        let waits = |asked: Instant| now.saturating_duration_since(asked) < ASK_AGAIN;
        let missed = self
            .known
            .iter_mut()
            .filter(|(_, member)| member.next.is_none() && !member.asked.is_some_and(waits));
        let asked = missed.map(|(instance, member)| {
            member.asked = Some(now);
            *instance
        });
        asked.collect()
    }

    /// Whether [`Self::ask`] would return anyone.
    pub(crate) fn needs_snapshots(&self, now: Instant) -> bool {
        let waits = |asked: Instant| now.saturating_duration_since(asked) < ASK_AGAIN;
        let mut members = self.known.values();
        members.any(|member| member.next.is_none() && !member.asked.is_some_and(waits))
    }

    /// Snapshots of all instances are needed again.
    pub(crate) fn request_all(&mut self) {
        for member in self.known.values_mut() {
            (member.next, member.filling) = (None, false);
        }
    }

    /// Forgets instances that have been silent for so long.
    pub(crate) fn forget(&mut self, silent: Duration, now: Instant) {
        self.known
            .retain(|_, member| now.saturating_duration_since(member.heard) <= silent);
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Instance = Instance(1);
    const OWN: Instance = Instance(9);

    fn frame(from: Instance, number: u64, part: Part) -> Header {
        Header {
            from,
            number,
            part,
            ask: Vec::new(),
        }
    }

    fn take(round: u64, complete: bool) -> Verdict {
        Verdict::Take { round, complete }
    }

    #[test]
    fn an_instance_is_asked_for_a_snapshot_before_its_news_count() {
        let (mut members, now) = (Members::new(OWN), Instant::now());
        let hear = |members: &mut Members, number, part, round| {
            members.receive(&frame(A, number, part), round, now)
        };
        assert_eq!(hear(&mut members, 7, Part::News, 1), Verdict::Skip);
        assert!(members.needs_snapshots(now));
        assert_eq!(members.ask(now), [A]);
        assert!(!members.needs_snapshots(now), "it was asked");
        assert_eq!(members.ask(now + ASK_AGAIN), [A], "and did not answer");
        assert_eq!(hear(&mut members, 8, Part::First, 2), take(2, false));
        assert_eq!(hear(&mut members, 9, Part::Middle, 3), take(2, false));
        assert_eq!(hear(&mut members, 10, Part::Last, 4), take(2, true));
        assert_eq!(hear(&mut members, 11, Part::News, 5), take(2, false));
        assert_eq!(members.ask(now + ASK_AGAIN * 2), []);
    }

    #[test]
    fn a_missed_frame_is_noticed_and_a_repeated_one_is_skipped() {
        let (mut members, now) = (Members::new(OWN), Instant::now());
        let mut hear = |number, part, round| {
            let verdict = members.receive(&frame(A, number, part), round, now);
            (verdict, members.needs_snapshots(now))
        };
        assert_eq!(hear(1, Part::Whole, 1), (take(1, true), false));
        assert_eq!(hear(2, Part::News, 2), (take(1, false), false));
        assert_eq!(hear(2, Part::News, 3), (Verdict::Skip, false), "twice");
        assert_eq!(
            hear(3, Part::Whole, 4),
            (Verdict::Skip, false),
            "for others"
        );
        assert_eq!(
            hear(5, Part::News, 5),
            (Verdict::Skip, true),
            "4 is missing"
        );
        assert_eq!(
            hear(6, Part::Last, 6),
            (Verdict::Skip, true),
            "no beginning"
        );
        assert_eq!(hear(7, Part::First, 7), (take(7, false), false));
        assert_eq!(
            hear(9, Part::Last, 8),
            (Verdict::Skip, true),
            "8 is missing"
        );
        assert_eq!(hear(10, Part::Whole, 9), (take(9, true), false));
    }

    #[test]
    fn silent_instances_are_forgotten_and_their_number_is_bounded() {
        let (mut members, now) = (Members::new(OWN), Instant::now());
        assert_eq!(
            members.receive(&frame(OWN, 1, Part::Whole), 1, now),
            Verdict::Ignore
        );
        for n in 0..MAX_ASKED as u128 {
            members.receive(&frame(Instance(100 + n), 1, Part::News), 1, now);
        }
        assert_eq!(
            members.receive(&frame(A, 1, Part::Whole), 1, now),
            Verdict::Ignore
        );
        let second = Duration::from_secs(1);
        members.receive(&frame(Instance(100), 2, Part::News), 1, now + second);
        members.forget(second, now + 2 * second);
        assert_eq!(members.len(), 1);
        members.request_all();
        assert!(members.needs_snapshots(now + 2 * second + ASK_AGAIN));
    }
}
