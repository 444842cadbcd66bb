//! Parts of a file (RFC 9110 §14).
//!
//! One range gets a part; several get the whole, which a server may do and every client has to
//! take. What is not understood is ignored, as if it were not there.

use http::{
    HeaderMap,
    header::{CONTENT_RANGE, RANGE},
};

/// Which bytes a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    Whole,
    /// From `first` to `last`, both included, both within the file.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// 416: none that are there.
    Unsatisfiable,
}

/// What `Range` wants of a file of `len` bytes. Of an empty one always the whole: no part of it can
/// be described, and clients that ask for a part of everything should see that it is empty.
pub fn wanted(headers: &HeaderMap, len: u64) -> Wanted {
    let mut values = headers.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Wanted::Whole;
    };
    if len == 0 {
        return Wanted::Whole;
    }
    value
        .to_str()
        .ok()
        .and_then(|value| read(value, len))
        .unwrap_or(Wanted::Whole)
}

/// The part that an answer brings, by its `Content-Range` (RFC 9110 §14.4): the first byte, the byte
/// after the last, and the length of the whole file.
pub fn sent(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, whole) = (number(first)?, number(last)?, number(whole)?);
    (first <= last && last < whole).then(|| (first, last + 1, whole))
}

/// `None` for what is not one range of bytes.
fn read(value: &str, len: u64) -> Option<Wanted> {
    let (unit, set) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let blank = [' ', '\t'];
    let mut ranges = set
        .split(',')
        .map(|range| range.trim_matches(blank))
        .filter(|range| !range.is_empty());
    let (range, None) = (ranges.next()?, ranges.next()) else {
        return None;
    };
    let end = len - 1;
    match range.split_once('-')? {
        ("", suffix) => Some(match number(suffix)? {
            0 => Wanted::Unsatisfiable,
            suffix => Wanted::Part {
                first: len.saturating_sub(suffix),
                last: end,
            },
        }),
        (first, last) => {
            let first = number(first)?;
            let last = match last {
                "" => end,
                last => number(last).filter(|last| *last >= first)?,
            };
            Some(if first > end {
                Wanted::Unsatisfiable
            } else {
                Wanted::Part {
                    first,
                    last: last.min(end),
                }
            })
        }
    }
}

/// A decimal number of any length; what is larger than every file is as good as the largest.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_part_that_an_answer_brings() {
        for (value, expected) in [
            ("bytes 0-0/1", Some((0, 1, 1))),
            ("bytes 2-4/10", Some((2, 5, 10))),
            ("bytes 2-10/10", None),
            ("bytes 4-2/10", None),
            ("bytes 0-18446744073709551615/18446744073709551615", None),
            ("bytes 2-4/*", None),
            ("bytes */10", None),
            ("bytes +2-4/10", None),
            ("items 2-4/10", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, value.parse().unwrap())]);
            assert_eq!(sent(&headers), expected, "{value}");
        }
    }

    fn of(value: &str, len: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, value.parse().unwrap());
        wanted(&headers, len)
    }

    #[test]
    fn what_a_range_wants_of_ten_bytes() {
        let part = |first, last| Wanted::Part { first, last };
        for (value, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-9", part(0, 9)),
            ("bytes=0-", part(0, 9)),
            ("bytes=9-", part(9, 9)),
            ("bytes=2-5", part(2, 5)),
            ("bytes=2-500", part(2, 9)),
            ("bytes=2-99999999999999999999999", part(2, 9)),
            ("bytes=-1", part(9, 9)),
            ("bytes=-10", part(0, 9)),
            ("bytes=-11", part(0, 9)),
            ("bytes=-99999999999999999999999", part(0, 9)),
            ("BYTES=2-5", part(2, 5)),
            ("bytes= 2-5 ", part(2, 5)),
            ("bytes=,2-5,", part(2, 5)),
            ("bytes=002-005", part(2, 5)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-20", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=0-0,2-3", Wanted::Whole),
            ("bytes=20-30,40-50", Wanted::Whole),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=1-2-3", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=1 - 2", Wanted::Whole),
            ("bytes=0x1-2", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("bytes:0-1", Wanted::Whole),
            ("seconds=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(of(value, 10), expected, "{value}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 10), Wanted::Whole);
        for value in ["bytes=0-", "bytes=-1", "bytes=5-"] {
            assert_eq!(of(value, 0), Wanted::Whole, "{value}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(wanted(&headers, 10), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(value in "(bytes=)?[0-9, a-]{0,24}", len in 0..2000u64) {
            if let Wanted::Part { first, last } = of(&value, len) {
                prop_assert!(first <= last && last < len);
            }
        }

        #[test]
        fn every_range_of_two_numbers_is_read(first in 0..u64::MAX, more in 0..u64::MAX, len in 1..u64::MAX) {
            let last = first.saturating_add(more);
            let expected = if first < len {
                Wanted::Part { first, last: last.min(len - 1) }
            } else {
                Wanted::Unsatisfiable
            };
            prop_assert_eq!(of(&format!("bytes={first}-{last}"), len), expected);
        }
    }
}
