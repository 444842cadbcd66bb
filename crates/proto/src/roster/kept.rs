//! Which of the peers at servers are worth a connection before anyone clicks.
//!
//! There are few such connections, and a server may list thousands: those that the user chose come
//! first, and the servers share the rest equally, or each has all that it lists. At one server, who
//! is proved comes before who is not, and then who is connected already.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use libp2p_identity::PeerId;

use super::Source;

/// A peer at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Who it is.
    pub peer: PeerId,
    /// The server.
    pub source: Source,
    /// Whether it is a favorite, or was visited.
    pub chosen: bool,
    /// Whether it is known that the peer itself said so.
    pub proved: bool,
    /// Whether it is one of those kept so far.
    pub kept: bool,
    /// Decides between those that are alike. Not the peer ID: anyone can make one that is small.
    pub lot: u64,
}

/// At most `most` of them.
pub fn choose(candidates: impl IntoIterator<Item = Candidate>, most: usize) -> HashSet<PeerId> {
    let mut chosen = Vec::new();
    let mut servers = BTreeMap::<Source, Vec<Candidate>>::new();
    for candidate in candidates {
        if candidate.chosen {
            chosen.push(candidate);
        } else {
            servers.entry(candidate.source).or_default().push(candidate);
        }
    }
    for all in servers.values_mut().chain([&mut chosen]) {
        // The best at the end, to be taken from there.
        all.sort_by_key(|one| (one.proved, one.kept, Reverse(one.lot)));
    }
    let mut kept: HashSet<_> = chosen.iter().rev().take(most).map(|one| one.peer).collect();
    while kept.len() < most && !servers.is_empty() {
        servers.retain(|_, left| {
            if kept.len() < most
                && let Some(next) = left.pop()
            {
                kept.insert(next.peer);
            }
            !left.is_empty()
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 48;

    fn crowd(source: u16, proved: bool, count: usize) -> Vec<Candidate> {
        let one = || Candidate {
            peer: PeerId::random(),
            source: Source::Wan(source),
            chosen: false,
            proved,
            kept: false,
            lot: 0,
        };
        std::iter::repeat_with(one).take(count).collect()
    }

    fn of(all: &[Candidate], kept: &HashSet<PeerId>) -> usize {
        all.iter().filter(|one| kept.contains(&one.peer)).count()
    }

    #[test]
    fn thousands_at_one_server_leave_room_for_another_and_for_those_proved_and_chosen() {
        let [strangers, other, proved, mut chosen] = [
            crowd(0, false, 5000),
            crowd(1, false, 5),
            crowd(0, true, 6),
            crowd(0, false, 7),
        ];
        chosen.iter_mut().for_each(|one| one.chosen = true);
        let all = [&strangers[..], &other, &proved, &chosen].concat();
        let kept = choose(all, MOST);
        assert_eq!(of(&other, &kept), 5);
        assert_eq!(of(&proved, &kept), 6);
        assert_eq!(of(&chosen, &kept), 7);
        assert_eq!(of(&strangers, &kept), MOST - 18);
    }

    #[test]
    fn who_is_kept_stays() {
        let mut all = crowd(0, true, 100);
        let kept = choose(all.clone(), MOST);
        for one in &mut all {
            one.kept = kept.contains(&one.peer);
        }
        all.extend(crowd(0, true, 1000));
        assert_eq!(choose(all, MOST), kept);
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let source = 0..4_u16;
        let one = (source, any::<[bool; 3]>(), any::<u64>());
        let one = one.prop_map(|(source, [chosen, proved, kept], lot)| Candidate {
            peer: PeerId::random(),
            source: Source::Wan(source),
            chosen: chosen && lot.is_multiple_of(8),
            proved,
            kept,
            lot,
        });
        prop::collection::vec(one, 0..300)
    }

    proptest! {
        /// The model: the chosen first; of the others each server has all it lists or, but for one,
        /// as many as any other.
        #[test]
        fn shares_are_equal_or_all_that_is_wanted(all in candidates()) {
            let kept = choose(all.clone(), MOST);
            prop_assert_eq!(kept.len(), all.len().min(MOST));
            let (chosen, rest): (Vec<_>, Vec<_>) = all.iter().copied().partition(|one: &Candidate| one.chosen);
            prop_assert_eq!(of(&chosen, &kept), chosen.len().min(MOST));
            let at = |source| -> Vec<_> {
                rest.iter().copied().filter(|one| one.source == Source::Wan(source)).collect()
            };
            let largest = (0..4).map(|source| of(&at(source), &kept)).max();
            for source in 0..4 {
                let (proved, unproved): (Vec<_>, Vec<_>) = at(source).into_iter().partition(|one| one.proved);
                let held = of(&proved, &kept) + of(&unproved, &kept);
                prop_assert!(held == proved.len() + unproved.len() || Some(held + 1) >= largest);
                prop_assert!(of(&unproved, &kept) == 0 || of(&proved, &kept) == proved.len());
            }
        }
    }
}
