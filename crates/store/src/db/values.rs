//! Conversion of values to and from SQL (§5.4; protocol-v2.md, Data): exact in both directions, or
//! refused in words.
//!
//! Existing peers bind every number as REAL, which rounds it beyond 2^53 and makes `5.0` of a 5 in
//! a TEXT column. Here a number stays what it is, and a TEXT column gets its digits. A BLOB is not
//! text: it is answered as `{"$blob":"<base64>"}` to those who say that they read that, and
//! otherwise as the text it is in UTF-8, or as a `data:` URL, which is text too and loses nothing.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use goop2_proto::{exact, go_json};
use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::{Number, Value as Json, json};

use super::dates;

/// Whole numbers up to here are the same in a REAL and in JSON without a fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// The only member of an object that stands for a BLOB.
const BLOB: &str = "$blob";
/// How a BLOB that is not UTF-8 begins for those who do not read marked ones.
pub(super) const DATA_URL: &str = "data:application/octet-stream;base64,";

/// What SQLite makes of a value in a column, by the column's declared type
/// (<https://sqlite.org/datatype3.html> §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    /// Keeps texts, makes texts of numbers.
    Text,
    /// `INTEGER` and `NUMERIC`: makes numbers of texts that are some.
    Numeric,
    /// Makes 64-bit floats of all numbers, and of texts that are some.
    Real,
    /// Keeps everything.
    Blob,
}

impl Affinity {
    pub(super) fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |names: &[&str]| names.iter().any(|name| declared.contains(name));
        if has(&["INT"]) {
            Self::Numeric
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if declared.is_empty() || has(&["BLOB"]) {
            Self::Blob
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Numeric
        }
    }
}

/// A JSON value as it is bound for a column; booleans are 1 and 0.
pub(super) fn bound(value: &Json, affinity: Affinity) -> Result<Sql, String> {
    match value {
        Json::Null => Ok(Sql::Null),
        Json::Bool(flag) => Ok(Sql::Integer((*flag).into())),
        Json::Number(number) if affinity == Affinity::Text => Ok(Sql::Text(digits(number))),
        Json::Number(number) => bound_number(number, affinity),
        Json::String(text) => {
            check_whole(text, affinity)?;
            Ok(Sql::Text(text.clone()))
        }
        Json::Object(members) if members.len() == 1 && members.contains_key(BLOB) => {
            let bytes = members[BLOB].as_str().and_then(decode);
            bytes
                .map(Sql::Blob)
                .ok_or_else(|| format!("{BLOB} must be text in base64"))
        }
        Json::Array(_) | Json::Object(_) => {
            Err("lists and objects cannot be stored: send them as text".into())
        }
    }
}

/// An argument of a condition, compared with whatever is stored.
pub(super) fn argument(value: &Json) -> Result<Sql, String> {
    bound(value, Affinity::Blob)
}

/// A number as JavaScript writes it.
fn digits(number: &Number) -> String {
    String::from_utf8(go_json::to_vec(number)).expect("a number is ASCII")
}

fn bound_number(number: &Number, affinity: Affinity) -> Result<Sql, String> {
    let too_large = || format!("{number} {}", exact::TOO_LARGE);
    match (number.as_i64(), number.as_f64()) {
        (Some(_), _) if affinity == Affinity::Real && !exact::is_float(&number.to_string()) => Err(
            format!("{number} cannot be kept exactly in a column of type REAL"),
        ),
        (Some(whole), _) => Ok(Sql::Integer(whole)),
        (None, Some(_)) if number.is_u64() && !exact::is_float(&number.to_string()) => {
            Err(too_large())
        }
        (None, Some(float)) => Ok(Sql::Real(float)),
        (None, None) => Err(too_large()),
    }
}

/// A text that is a whole number becomes a number in a column of numbers: it must not be rounded
/// there.
fn check_whole(text: &str, affinity: Affinity) -> Result<(), String> {
    if matches!(affinity, Affinity::Text | Affinity::Blob) {
        return Ok(());
    }
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    let fits = text
        .parse::<i64>()
        .is_ok_and(|whole| affinity == Affinity::Numeric || exact::is_float(&whole.to_string()));
    if fits || exact::is_float(text) {
        Ok(())
    } else {
        Err("this number is too long for a column of numbers: it cannot be kept exactly".into())
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// A column's value as it goes into an answer. `date`: the column is declared as one of dates.
/// `marked`: the caller reads marked BLOBs.
pub(super) fn answered(value: ValueRef<'_>, date: bool, marked: bool) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < EXACT => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within the exact range"
            )]
            let whole = number as i64;
            whole.into()
        }
        ValueRef::Real(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        ValueRef::Text(bytes) => match str::from_utf8(bytes) {
            Ok(text) if date => dates::printed(text)
                .map_or(Cow::Borrowed(text), Cow::Owned)
                .into(),
            Ok(text) => text.into(),
            // Texts of other programs may be in another encoding.
            Err(_) => answered_bytes(bytes, marked),
        },
        ValueRef::Blob(bytes) => answered_bytes(bytes, marked),
    }
}

/// A column's value exactly as it is, for a file; JSON has no infinity.
pub(super) fn stored(value: ValueRef<'_>) -> Json {
    match value {
        // Which float it is shows in its fraction: a column without a type keeps the difference.
        ValueRef::Real(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        value => answered(value, false, true),
    }
}

fn answered_bytes(bytes: &[u8], marked: bool) -> Json {
    if marked {
        return json!({ BLOB: BASE64_STANDARD.encode(bytes) });
    }
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => (DATA_URL.to_owned() + &BASE64_STANDARD.encode(bytes)).into(),
    }
}

/// How many bytes a value to be written takes.
pub(super) fn size(value: &Sql) -> usize {
    match value {
        Sql::Null => 0,
        Sql::Integer(_) | Sql::Real(_) => 8,
        Sql::Text(text) => text.len(),
        Sql::Blob(bytes) => bytes.len(),
    }
}

/// How many bytes the value has in an answer line, escapes included.
pub(super) fn line_bytes(value: &Json) -> usize {
    /// Longest number, one just above 1e-6, where the exponent begins: sign, `0.`, 5 zeros, 17
    /// digits.
    const NUMBER: usize = 25;
    /// Braces and the colon.
    const OBJECT: usize = 3;
    match value {
        Json::String(text) => text_bytes(text),
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| OBJECT + text_bytes(name) + line_bytes(value))
            .sum(),
        _ => NUMBER,
    }
}

/// A text in quotes, with the escapes of Go's encoder.
pub(super) fn text_bytes(text: &str) -> usize {
    let escapes: usize = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => 1,
            '\0'..='\x1f' | '<' | '>' | '&' => 5,
            '\u{2028}' | '\u{2029}' => 3,
            _ => 0,
        })
        .sum();
    2 + text.len() + escapes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &str) -> Sql {
        Sql::Text(value.into())
    }

    #[test]
    fn in_by_the_columns_type() {
        use Affinity::{Blob, Numeric, Real, Text};
        for (value, affinity, expected) in [
            (json!(5), Numeric, Sql::Integer(5)),
            (json!(i64::MAX), Numeric, Sql::Integer(i64::MAX)),
            (json!(i64::MIN), Blob, Sql::Integer(i64::MIN)),
            (json!(12_025_550_123_i64), Text, text("12025550123")),
            (json!(u64::MAX), Text, text("18446744073709551615")),
            (json!(0.1), Text, text("0.1")),
            (json!(5.0), Text, text("5")),
            (json!(1.5), Numeric, Sql::Real(1.5)),
            (json!(5), Real, Sql::Integer(5)),
            (json!(1e20), Numeric, Sql::Real(1e20)),
            (json!("007"), Numeric, text("007")),
            (json!(true), Text, Sql::Integer(1)),
            (json!(null), Text, Sql::Null),
            (json!({"$blob": "AP8="}), Text, Sql::Blob(vec![0, 255])),
            (json!({"$blob": ""}), Blob, Sql::Blob(vec![])),
        ] {
            assert_eq!(
                bound(&value, affinity),
                Ok(expected),
                "{value} {affinity:?}"
            );
        }
        for (value, affinity) in [
            (json!(u64::MAX), Numeric),
            (json!(9_007_199_254_740_993_i64), Real),
            (json!("9007199254740993"), Real),
            (json!("12345678901234567890"), Numeric),
            (json!([]), Text),
            (json!({}), Text),
            (json!({"$blob": "AP8"}), Blob),
            (json!({"$blob": 1}), Blob),
            (json!({"$blob": "", "x": 1}), Blob),
        ] {
            assert!(bound(&value, affinity).is_err(), "{value} {affinity:?}");
        }
    }

    #[test]
    fn out_to_both_kinds_of_callers() {
        let plain = |value| answered(value, false, false);
        let marked = |value| answered(value, false, true);
        assert_eq!(plain(ValueRef::Real(2.0)), json!(2));
        assert_eq!(plain(ValueRef::Real(1.5)), json!(1.5));
        assert_eq!(plain(ValueRef::Real(f64::INFINITY)), json!(null));
        assert_eq!(plain(ValueRef::Integer(i64::MAX)), json!(i64::MAX));
        assert_eq!(plain(ValueRef::Blob(b"abc")), json!("abc"));
        let url = "data:application/octet-stream;base64,Yf8=";
        assert_eq!(plain(ValueRef::Blob(b"a\xff")), json!(url));
        assert_eq!(plain(ValueRef::Text(b"a\xff")), json!(url));
        assert_eq!(marked(ValueRef::Blob(b"abc")), json!({"$blob": "YWJj"}));
        assert_eq!(marked(ValueRef::Text(b"a\xff")), json!({"$blob": "Yf8="}));
        assert_eq!(marked(ValueRef::Text(b"a\0b")), json!("a\0b"));
        let date = ValueRef::Text(b"2026-02-07T12:00:00Z");
        assert_eq!(answered(date, true, true), json!("2026-02-07 12:00:00"));
        assert_eq!(plain(date), json!("2026-02-07T12:00:00Z"));
    }

    #[test]
    fn affinities_by_sqlites_rules() {
        for (declared, affinity) in [
            ("INTEGER", Affinity::Numeric),
            ("bigint", Affinity::Numeric),
            ("CHARINT", Affinity::Numeric),
            ("VARCHAR(9)", Affinity::Text),
            ("text", Affinity::Text),
            ("", Affinity::Blob),
            ("BLOB", Affinity::Blob),
            ("DOUBLE PRECISION", Affinity::Real),
            ("DATETIME", Affinity::Numeric),
            ("DECIMAL(10,2)", Affinity::Numeric),
        ] {
            assert_eq!(Affinity::of(declared), affinity, "{declared}");
        }
    }

    #[test]
    fn the_longest_number_is_counted_whole() {
        let number = json!(-1.1241698137067493e-6);
        assert_eq!(line_bytes(&number), go_json::to_vec(&number).len());
    }

    proptest! {
        #[test]
        fn the_estimate_is_never_too_small(text in "(?s).{0,40}", number: f64, bytes: Vec<u8>) {
            prop_assert!(text_bytes(&text) >= go_json::to_vec(&text).len());
            let values = [
                answered(ValueRef::Real(number), false, false),
                answered(ValueRef::Blob(&bytes), false, false),
                answered(ValueRef::Blob(&bytes), false, true),
            ];
            for value in values {
                prop_assert!(line_bytes(&value) >= go_json::to_vec(&value).len());
            }
        }
    }
}
