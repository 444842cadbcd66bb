//! Who gives way when something is full: the household that has most of it.
//!
//! If all goes to those who come first, one that comes with many keys has all of it. With a
//! fixed share for each household, most of a relay would stay unused. So everything is given to
//! those that ask, and when nothing is left a household with less displaces one with more, until
//! all have the same or all they want.

use std::{collections::HashMap, net::IpAddr};

/// What becomes of one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is a free one.
    Free,
    /// This household gives one up, and still has no less than the one that gets it.
    Of(IpAddr),
    /// All are taken by households that have no more than one more.
    Full,
}

/// Whether `who` gets one more, when each of `held` is one that its household has, and there are
/// `most`.
pub(super) fn room(held: impl Iterator<Item = IpAddr>, who: IpAddr, most: usize) -> Room {
    let mut counts = HashMap::<IpAddr, usize>::new();
    let mut all = 0;
    for household in held {
        all += 1;
        *counts.entry(household).or_default() += 1;
    }
    if all < most {
        return Room::Free;
    }
    let own = counts.get(&who).copied().unwrap_or(0);
    match counts.into_iter().max_by_key(|(ip, count)| (*count, *ip)) {
        Some((largest, count)) if count > own + 1 => Room::Of(largest),
        _ => Room::Full,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn home(number: u8) -> IpAddr {
        Ipv4Addr::new(11, 0, 0, number).into()
    }

    /// Each of these households asks once more, and some give one back.
    fn play(steps: &[(u8, bool)], most: usize) -> Vec<IpAddr> {
        let mut held = Vec::new();
        for (number, asks) in steps {
            let who = home(*number);
            if !asks {
                let given = held.iter().position(|at| *at == who);
                given.map(|at| held.remove(at));
                continue;
            }
            match room(held.iter().copied(), who, most) {
                Room::Free => held.push(who),
                Room::Of(largest) => {
                    let at = held.iter().rposition(|at| *at == largest).unwrap();
                    held.remove(at);
                    held.push(who);
                }
                Room::Full => {}
            }
        }
        held
    }

    fn count(held: &[IpAddr], number: u8) -> usize {
        held.iter().filter(|at| **at == home(number)).count()
    }

    proptest! {
        /// The model: give one to each household that wants more, in turn, until none is left.
        #[test]
        fn everyone_gets_an_equal_share_or_all_that_was_asked_for(
            wants in proptest::collection::vec(0_usize..40, 1..12),
            most in 1_usize..40,
            shuffle in proptest::collection::vec(any::<u64>(), 0..64),
        ) {
            // Everyone asks often enough, in any order, and goes on asking for what was taken away.
            let numbers = 0_u8..u8::try_from(wants.len()).unwrap();
            let mut held: Vec<IpAddr> = Vec::new();
            for round in 0..most.max(40) {
                let mut order: Vec<_> = numbers.clone().collect();
                let key = shuffle.get(round).copied().unwrap_or(7);
                order.sort_by_key(|number| u64::from(*number).wrapping_mul(key | 1) % 13);
                for number in order {
                    while count(&held, number) < wants[usize::from(number)] {
                        match room(held.iter().copied(), home(number), most) {
                            Room::Free => held.push(home(number)),
                            Room::Of(largest) => {
                                let at = held.iter().position(|at| *at == largest).unwrap();
                                held[at] = home(number);
                            }
                            Room::Full => break,
                        }
                    }
                }
            }
            let mut model = vec![0; wants.len()];
            let mut left = most;
            loop {
                let before = left;
                for (has, wants) in model.iter_mut().zip(&wants) {
                    if *has < *wants && left > 0 {
                        *has += 1;
                        left -= 1;
                    }
                }
                if left == before || left == 0 {
                    break;
                }
            }
            // The last round of the model may end anywhere, so one more or less is as fair.
            for number in numbers {
                let (is, should) = (count(&held, number), model[usize::from(number)]);
                prop_assert!(is.abs_diff(should) <= 1, "{number}: {is}, not {should}");
            }
            prop_assert_eq!(held.len(), most.min(wants.iter().sum()));
        }

        #[test]
        fn no_more_are_given_than_there_are(
            steps in proptest::collection::vec((0_u8..6, any::<bool>()), 0..200),
            most in 1_usize..9,
        ) {
            prop_assert!(play(&steps, most).len() <= most);
        }
    }

    #[test]
    fn one_household_with_many_keys_does_not_keep_others_out() {
        let mut steps = vec![(1, true); 1000];
        steps.extend((2..10).map(|number| (number, true)));
        let held = play(&steps, 100);
        for number in 2..10 {
            assert_eq!(count(&held, number), 1);
        }
        assert_eq!(count(&held, 1), 92);
    }
}
