//! Whether the computer has slept: of two clocks one stands still then.

use std::time::{Duration, Instant, SystemTime};

/// How often to look at both clocks.
const EVERY: Duration = Duration::from_secs(5);

/// By how much the clocks differ after a sleep.
const SLEPT: Duration = Duration::from_secs(5);

pub(crate) struct Sleep {
    /// Both clocks at one moment.
    before: Option<(Instant, SystemTime)>,
    next: Instant,
}

impl Sleep {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            before: None,
            next: now,
        }
    }

    /// How long the computer slept since the last look, if it did.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Duration> {
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        let clocks = (now, SystemTime::now());
        slept(self.before.replace(clocks)?, clocks)
    }

    /// When to call [`Self::poll`] next.
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.next
    }
}

/// How long the host stood still between two looks at both clocks, of which only the calendar's
/// goes on then; nothing if it did not.
fn slept(before: (Instant, SystemTime), now: (Instant, SystemTime)) -> Option<Duration> {
    let passed = now.1.duration_since(before.1).unwrap_or_default();
    let stood = passed.saturating_sub(now.0.saturating_duration_since(before.0));
    (stood > SLEPT).then_some(stood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_differs_from_a_busy_computer() {
        let before = (Instant::now(), SystemTime::now());
        let after = |ran: u64, passed: u64| {
            let [ran, passed] = [ran, passed].map(Duration::from_secs);
            slept(before, (before.0 + ran, before.1 + passed))
        };
        assert_eq!(after(5, 5), None);
        assert_eq!(after(90, 91), None, "stopped for a while, but not asleep");
        assert_eq!(after(5, 3605), Some(Duration::from_secs(3600)));
        // Somebody set the calendar back.
        let back = (before.0 + EVERY, before.1 - Duration::from_secs(3600));
        assert_eq!(slept(before, back), None);
    }
}
