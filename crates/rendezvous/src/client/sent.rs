//! What was published in this run, to tell our own messages that come back from those of another
//! program under the same identity: a copy of the folder that runs somewhere else.
//!
//! A message has no mark of its run, but each has another `ts`. One that we did not send may still
//! be ours, of the run before; that one does not change, and those of a running program do.

use std::collections::VecDeque;

/// Messages remembered. They come back within seconds, and there is one for every heartbeat.
const MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Sent {
    ours: VecDeque<i64>,
    /// The first one that is not ours.
    strange: Option<i64>,
}

impl Sent {
    /// To be called before a message can come back.
    pub(super) fn publish(&mut self, ts: i64) {
        if self.ours.len() >= MAX {
            self.ours.pop_front();
        }
        self.ours.push_back(ts);
    }

    /// Whether a message under our identity that was made after our first one may be another
    /// program's.
    pub(super) fn is_strange(&self, ts: i64) -> bool {
        self.ours.front().is_some_and(|first| ts >= *first) && !self.ours.contains(&ts)
    }

    /// A strange message that is signed with our key; whether another program must have sent it.
    pub(super) fn meet(&mut self, ts: i64) -> bool {
        *self.strange.get_or_insert(ts) != ts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_ours_whatever_the_clock_does() {
        let mut sent = Sent::default();
        assert!(!sent.is_strange(5), "before we said anything");
        for ts in [10, 20, 30] {
            sent.publish(ts);
        }
        assert!([10, 20, 30, 9].iter().all(|ts| !sent.is_strange(*ts)));
        // The run before had a clock that was ahead.
        assert!(sent.is_strange(99));
        assert!(!sent.meet(99) && !sent.meet(99));
    }

    #[test]
    fn another_program_goes_on_talking() {
        let mut sent = Sent::default();
        for ts in 0..10 * MAX as i64 {
            sent.publish(10 * ts);
        }
        assert_eq!(sent.ours.len(), MAX);
        let last = 100 * MAX as i64;
        assert!(sent.is_strange(last) && !sent.meet(last));
        assert!(sent.is_strange(last + 3) && sent.meet(last + 3));
    }
}
