//! Times as they are sent and stored.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; 0 for times before.
pub fn unix_millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// A time as people read it, to the minute: `2026-11-30 04:11 UTC`. `unix_seconds` may be negative.
pub fn utc_minute(unix_seconds: i64) -> String {
    let (days, second) = (
        unix_seconds.div_euclid(SECONDS_A_DAY),
        unix_seconds.rem_euclid(SECONDS_A_DAY),
    );
    let (year, month, day) = civil(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// Year, month and day of a day counted from 1970, in the Gregorian calendar. Years begin in March
/// here, so that the leap day is the last one, and repeat after 400.
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    /// From 0000-03-01 to 1970-01-01.
    const BEFORE_1970: i64 = 719_468;
    let days = days.saturating_add(BEFORE_1970);
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
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

    #[test]
    fn days_have_their_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_796_011_860, "2026-11-30 04:11 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc_minute(seconds), text);
        }
        utc_minute(i64::MAX);
        utc_minute(i64::MIN);
    }
}
