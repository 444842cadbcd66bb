//! How far this computer's clock is from that of a server: signed messages are fresh for an hour
//! only, and people do not look at their clock before they ask why nobody sees them.

use std::time::{Duration, SystemTime};

use reqwest::{Response, header::DATE};

/// A difference that is never the reason of anything. Answers also take time.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// To what the difference is rounded, so that it stays the same from one answer to the next.
const ROUND: i64 = 60;
const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// By how many seconds the server's clock is ahead of this computer's, if that is much; negative if
/// it is behind. The outer none: the answer does not say.
pub(super) fn ahead(response: &Response, now: SystemTime) -> Option<Option<i64>> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    Some(difference(httpdate::parse_http_date(date).ok()?, now))
}

fn difference(server: SystemTime, here: SystemTime) -> Option<i64> {
    let (by, sign) = match server.duration_since(here) {
        Ok(by) => (by, 1),
        Err(behind) => (behind.duration(), -1),
    };
    if by < TOLERANCE {
        return None;
    }
    let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX - ROUND);
    Some(sign * (seconds + ROUND / 2) / ROUND * ROUND)
}

/// In words, of a server that is ahead by so many seconds.
pub(super) fn words(ahead: i64) -> String {
    let slow = if ahead > 0 { "slow" } else { "fast" };
    let by = ahead.saturating_abs();
    let (number, unit) = match by {
        ..HOUR => (by / 60, "minute"),
        HOUR..DAY => ((by + HOUR / 2) / HOUR, "hour"),
        _ => ((by + DAY / 2) / DAY, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("this computer's clock is {number} {unit}{plural} {slow} (by the server's)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_said_in_its_unit_and_a_small_one_not_at_all() {
        let here = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (seconds, said) in [
            (0, None),
            (299, None),
            (-299, None),
            (329, Some("5 minutes slow")),
            (7201, Some("2 hours slow")),
            (-3599, Some("1 hour fast")),
            (-3 * DAY + 3, Some("3 days fast")),
            (40 * 365 * DAY, Some("14600 days slow")),
        ] {
            let by = Duration::from_secs(i64::unsigned_abs(seconds));
            let server = if seconds < 0 { here - by } else { here + by };
            let words = difference(server, here).map(words);
            let expected =
                said.map(|said| format!("this computer's clock is {said} (by the server's)"));
            assert_eq!(words, expected, "{seconds}");
        }
    }
}
