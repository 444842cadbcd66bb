//! Times as they are sent and stored.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; 0 for times before.
pub fn unix_millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn milliseconds_are_counted_from_1970() {
        let at = UNIX_EPOCH + Duration::from_micros(1_500_999);
        assert_eq!(unix_millis(at), 1500);
        assert_eq!(unix_millis(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
