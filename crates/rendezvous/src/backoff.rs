//! How long to wait before a lost connection is tried again: twice as long each time, up to a
//! bound, with the time and the randomness handed in.

use std::time::Duration;

/// The first wait; as existing clients.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// A connection that lived this long was a success, so the next wait is the first again.
const LIVED: Duration = Duration::from_secs(30);

/// Waits between attempts to connect.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            next: FIRST_WAIT,
            longest,
        }
    }

    /// How long to wait after a connection that lived so long; none = it was never made. `jitter`
    /// from 0 to 1 spreads clients that were all cut off at once.
    pub(crate) fn wait(&mut self, lived: Option<Duration>, jitter: f64) -> Duration {
        if lived.is_some_and(|lived| lived > LIVED) {
            self.next = FIRST_WAIT;
        }
        let wait = self.next.mul_f64(0.5 + jitter / 2.0);
        self.next = (self.next * 2).min(self.longest);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_over_after_a_connection_that_lived() {
        let mut backoff = Backoff::new(Duration::from_secs(15));
        let waits: Vec<_> = (0..9)
            .map(|_| backoff.wait(None, 1.0).as_millis())
            .collect();
        assert_eq!(
            waits,
            [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]
        );
        assert_eq!(backoff.wait(Some(LIVED), 0.0).as_millis(), 7500);
        let lived = LIVED + Duration::from_secs(1);
        assert_eq!(backoff.wait(Some(lived), 1.0).as_millis(), 250);
    }
}
