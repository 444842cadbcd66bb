//! Who gives way when more peers are online than the roster holds.
//!
//! A key costs nothing, so anyone may list thousands of them, which must not hide the others: those
//! on the local network come first and never give way to those at a server; the servers share what
//! is left equally, or each has all that it wants; and at one server, who is proved comes before who
//! is not. Those that the user chose are always in.

use std::collections::BTreeMap;

use super::{MAX_NEARBY, MAX_ONLINE, Source};

/// How a peer that is online is counted: by the first source that sees it, and by whether that is
/// proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) source: Source,
    pub(super) proved: bool,
}

/// What becomes of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is room.
    Room,
    /// There is, once one of this group is gone.
    Instead(Group),
    /// It has to wait until somebody leaves.
    Full,
}

/// How many are online, by group.
#[derive(Debug, Default)]
pub(super) struct Shares(BTreeMap<Source, Held>);

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    proved: usize,
    unproved: usize,
}

impl Held {
    fn all(self) -> usize {
        self.proved + self.unproved
    }
}

impl Shares {
    /// A peer came, changed or left.
    pub(super) fn regroup(&mut self, before: Option<Group>, after: Option<Group>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.remove(before);
        }
        if let Some(after) = after {
            self.add(after);
        }
    }

    fn add(&mut self, Group { source, proved }: Group) {
        let held = self.0.entry(source).or_default();
        *held.of(proved) += 1;
    }

    fn remove(&mut self, Group { source, proved }: Group) {
        if let Some(held) = self.0.get_mut(&source) {
            *held.of(proved) -= 1;
            if held.all() == 0 {
                self.0.remove(&source);
            }
        }
    }

    pub(super) fn all(&self) -> usize {
        self.0.values().map(|held| held.all()).sum()
    }

    fn held(&self, source: Source) -> Held {
        self.0.get(&source).copied().unwrap_or_default()
    }

    /// Whether one more of this group may come; `chosen` by the user.
    pub(super) fn judge(&self, Group { source, proved }: Group, chosen: bool) -> Verdict {
        let is_near = source == Source::Lan;
        if is_near && !chosen && self.held(Source::Lan).all() >= MAX_NEARBY {
            return Verdict::Full;
        }
        if self.all() < MAX_ONLINE {
            return Verdict::Room;
        }
        let servers = self.0.iter().filter(|(from, _)| **from != Source::Lan);
        let largest = servers.max_by_key(|(_, held)| held.all());
        let own = self.held(source);
        match largest {
            Some((from, held)) if chosen || is_near || own.all() + 1 < held.all() => {
                Verdict::Instead(Group {
                    source: *from,
                    proved: held.unproved == 0,
                })
            }
            _ if proved && own.unproved > 0 => Verdict::Instead(Group {
                source,
                proved: false,
            }),
            _ => Verdict::Full,
        }
    }
}

impl Held {
    fn of(&mut self, proved: bool) -> &mut usize {
        if proved {
            &mut self.proved
        } else {
            &mut self.unproved
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const LAN: Source = Source::Lan;

    type Crowd = (Source, bool, usize);

    /// So many newcomers of a group, one after the other.
    fn arrive(shares: &mut Shares, (source, proved, count): Crowd) {
        let group = Group { source, proved };
        for _ in 0..count {
            match shares.judge(group, false) {
                Verdict::Full => continue,
                Verdict::Room => {}
                Verdict::Instead(other) => shares.remove(other),
            }
            shares.add(group);
        }
    }

    /// What crowds leave of each other: each source's unproved and proved.
    fn after(crowds: &[Crowd]) -> BTreeMap<Source, [usize; 2]> {
        let mut shares = Shares::default();
        for crowd in crowds {
            arrive(&mut shares, *crowd);
        }
        let held = shares.0.iter();
        held.map(|(source, held)| (*source, [held.unproved, held.proved]))
            .collect()
    }

    #[test]
    fn thousands_at_a_server_leave_room_for_neighbors_and_other_servers() {
        let (large, small) = (Source::Wan(0), Source::Wan(1));
        let held = after(&[(large, false, 10_000), (small, true, 10), (LAN, true, 500)]);
        assert_eq!(held[&LAN], [0, 500]);
        assert_eq!(held[&small], [0, 10]);
        assert_eq!(held[&large], [MAX_ONLINE - 510, 0]);
        let held = after(&[(large, false, 10_000), (large, true, 100)]);
        assert_eq!(held[&large], [MAX_ONLINE - 100, 100]);
    }

    #[test]
    fn thousands_of_neighbors_leave_a_share_for_servers() {
        let held = after(&[(LAN, true, 10_000), (Source::Wan(0), false, 10_000)]);
        assert_eq!(held[&LAN], [0, MAX_NEARBY]);
        assert_eq!(held[&Source::Wan(0)], [MAX_ONLINE - MAX_NEARBY, 0]);
    }

    fn crowds() -> impl Strategy<Value = Vec<Crowd>> {
        let near = (Just(LAN), Just(true));
        let far = ((0..4_u16).prop_map(Source::Wan), any::<bool>());
        let crowd = (prop_oneof![near, far], 1..3000_usize);
        prop::collection::vec(
            crowd.prop_map(|((from, proved), count)| (from, proved, count)),
            1..10,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The model: everybody has all that is wanted or as much as the largest; only those nearby
        /// come first, up to their bound.
        #[test]
        fn shares_are_equal_or_all_that_is_wanted(crowds in crowds()) {
            let (mut shares, mut wanted) = (Shares::default(), BTreeMap::<_, [usize; 2]>::new());
            for crowd in &crowds {
                arrive(&mut shares, *crowd);
                wanted.entry(crowd.0).or_default()[usize::from(crowd.1)] += crowd.2;
            }
            // Who is proved and found no room tries again.
            for (source, [_, proved]) in &wanted {
                let missing = proved - shares.held(*source).proved;
                arrive(&mut shares, (*source, true, missing));
            }
            let near = wanted.get(&LAN).map_or(0, |wanted| wanted[1].min(MAX_NEARBY));
            prop_assert_eq!(shares.held(LAN).all(), near);
            let far = wanted.iter().filter(|(source, _)| **source != LAN);
            let all: usize = far.clone().map(|(_, wanted)| wanted[0] + wanted[1]).sum();
            prop_assert_eq!(shares.all(), near + all.min(MAX_ONLINE - near));
            let largest = far.clone().map(|(source, _)| shares.held(*source).all()).max();
            for (source, wanted) in far {
                let held = shares.held(*source);
                prop_assert!(held.all() == wanted[0] + wanted[1] || Some(held.all() + 2) >= largest);
                prop_assert!(held.proved == wanted[1] || held.unproved == 0);
            }
        }
    }
}
