//! Time of day of instants.

use std::time::{Instant, SystemTime};

use goop2_proto::time::unix_millis;

/// One reading of both clocks: an instant always has the same time of day.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    /// Unix time in milliseconds of an instant that is not before this reading.
    pub(super) fn unix_millis(&self, at: Instant) -> i64 {
        unix_millis(self.time + at.saturating_duration_since(self.instant))
    }
}
