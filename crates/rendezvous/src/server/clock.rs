//! Unix time for moments of the monotonic clock.

use std::time::Instant;

/// The server's clock: unix time in milliseconds.
pub type Clock = fn() -> i64;

/// A moment of the monotonic clock as unix time; `clock` is unix time now.
pub(crate) fn unix_millis_of(moment: Instant, clock: i64) -> i64 {
    clock - i64::try_from(moment.elapsed().as_millis()).unwrap_or(0)
}
