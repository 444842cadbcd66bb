//! Dates as existing peers print them (§5.4): a text in a column declared DATE, DATETIME or
//! TIMESTAMP that looks like a date comes out as `YYYY-MM-DD HH:MM:SS` in UTC. The forms understood
//! are those of their SQLite driver.

/// Whether a declared type makes a column one of dates.
pub(super) fn is_date(declared: Option<&str>) -> bool {
    declared.is_some_and(|name| {
        ["DATE", "DATETIME", "TIMESTAMP"]
            .iter()
            .any(|date| name.eq_ignore_ascii_case(date))
    })
}

/// `YYYY-MM-DD HH:MM:SS`, if the text is a date.
pub(super) fn printed(text: &str) -> Option<String> {
    let Moment { days, seconds } = parse(text)?;
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    ))
}

/// `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339), if the text is a date.
pub(super) fn rfc3339(text: &str) -> Option<String> {
    printed(text).map(|text| text.replace(' ', "T") + "Z")
}

/// A second of UTC.
struct Moment {
    /// Since 1970-01-01.
    days: i64,
    /// Of the day.
    seconds: i64,
}

/// `YYYY-MM-DD`, optionally with ` ` or `T` and `HH:MM[:SS[.fraction][±HH:MM]]`, optionally with a
/// final `Z`; or what Go prints for a time: `YYYY-MM-DD HH:MM:SS[.fraction] ±HHMM ZONE[ m=±…]`.
fn parse(text: &str) -> Option<Moment> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    if rest.is_empty() {
        return Some(Moment { days, seconds: 0 });
    }
    let go = rest.strip_prefix(' ').and_then(go_time);
    let (seconds, offset) = match go {
        Some(found) => found,
        None => time(rest.strip_prefix([' ', 'T'])?)?,
    };
    let seconds = seconds - offset;
    Some(Moment {
        days: days + seconds.div_euclid(86_400),
        seconds: seconds.rem_euclid(86_400),
    })
}

fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (
        number(parts.next()?, 4)?,
        number(parts.next()?, 2)?,
        number(parts.next()?, 2)?,
    );
    let days = days_from_civil(year, month, day);
    // A day that does not exist comes back as another.
    (parts.next().is_none() && (1..=12).contains(&month) && civil(days) == (year, month, day))
        .then_some(days)
}

/// Seconds of the day and of the offset from UTC.
fn time(text: &str) -> Option<(i64, i64)> {
    let (clock, offset) = match text.rfind(['+', '-']) {
        Some(sign) => {
            let (hours, minutes) = text[sign + 1..].split_once(':')?;
            (
                &text[..sign],
                offset(text.as_bytes()[sign], hours, minutes)?,
            )
        }
        None => (text, 0),
    };
    let seconds = clock_seconds(clock)?;
    // The form without seconds has no offset.
    (offset == 0 || clock.matches(':').count() == 2).then_some((seconds, offset))
}

fn go_time(text: &str) -> Option<(i64, i64)> {
    let mut words = text.split("m=").next()?.split_whitespace();
    let (clock, zone) = (words.next()?, words.next()?);
    let (sign, digits) = (*zone.as_bytes().first()?, zone.get(1..)?);
    let (hours, minutes) = digits.split_at_checked(2)?;
    let named = words.next().is_some_and(|name| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-".contains(&byte))
    });
    (named && words.next().is_none() && clock.matches(':').count() == 2).then_some(())?;
    Some((clock_seconds(clock)?, offset(sign, hours, minutes)?))
}

fn clock_seconds(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?, number(parts.next()?, 2)?);
    let second = match parts.next() {
        Some(text) => {
            let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
            let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            number(whole, 2).filter(|_| digits)?
        }
        None => 0,
    };
    let hour = number(hour, hour.len().clamp(1, 2))?;
    (parts.next().is_none() && hour < 24 && minute < 60 && second < 60)
        .then_some(hour * 3600 + minute * 60 + second)
}

fn offset(sign: u8, hours: &str, minutes: &str) -> Option<i64> {
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    let seconds = hours * 3600 + minutes * 60;
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    (hours <= 24 && minutes < 60).then_some(sign * seconds)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (
        day_of_year - (153 * shifted + 2) / 5 + 1,
        if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        },
    );
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_the_driver() {
        let cases = [
            ("2026-02-07T12:00:00Z", Some("2026-02-07 12:00:00")),
            ("2026-02-07 12:00:00", Some("2026-02-07 12:00:00")),
            ("2026-02-07 12:00:00.123456", Some("2026-02-07 12:00:00")),
            ("2026-02-07T12:00", Some("2026-02-07 12:00:00")),
            ("2026-02-07 9:05", Some("2026-02-07 09:05:00")),
            ("2026-02-07", Some("2026-02-07 00:00:00")),
            ("2026-02-07T00:30:00+02:00", Some("2026-02-06 22:30:00")),
            ("2026-12-31 23:30:00.5-01:00", Some("2027-01-01 00:30:00")),
            (
                "2026-02-07 12:00:00.5 +0100 CET m=+0.5",
                Some("2026-02-07 11:00:00"),
            ),
            ("2026-02-07 12:00:00 +0000 UTC", Some("2026-02-07 12:00:00")),
            ("2024-02-29", Some("2024-02-29 00:00:00")),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-02-07 24:00:00", None),
            ("2026-02-07 12:00+01:00", None),
            ("2026-02-07x", None),
            ("2026-2-7", None),
            ("tomorrow", None),
            ("", None),
            ("20260207", None),
            ("éééééé", None),
        ];
        for (text, expected) in cases {
            assert_eq!(printed(text).as_deref(), expected, "{text}");
        }
        assert_eq!(
            rfc3339("2026-11-23 08:41:03").as_deref(),
            Some("2026-11-23T08:41:03Z")
        );
    }

    proptest! {
        #[test]
        fn days_and_dates_are_the_same(days in -1_000_000i64..3_000_000) {
            let (year, month, day) = civil(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", like in "[0-9TZ:. +mU=-]{0,40}") {
            let _ = (printed(&text), printed(&like), printed(&format!("2026-02-07{like}")));
        }
    }
}
