//! The monotonic clock, told in unix time.

use std::time::Instant;

/// The server's clock: unix time in milliseconds.
pub type Clock = fn() -> i64;

/// A moment of the monotonic clock on the other one.
pub(crate) fn at(moment: Instant, clock: i64) -> i64 {
    clock - i64::try_from(moment.elapsed().as_millis()).unwrap_or(0)
}
