//! Conversion of values to and from SQL (§5.4), as existing peers do it.

use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::{Number, Value as Json};

use super::dates;

/// Whole numbers up to here are the same in a REAL and in JSON without a fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A JSON value as it is bound: numbers as REAL (the column's type converts them back), booleans as
/// 1 and 0.
pub(super) fn bound(value: &Json) -> Result<Sql, String> {
    match value {
        Json::Null => Ok(Sql::Null),
        Json::Bool(flag) => Ok(Sql::Integer((*flag).into())),
        Json::Number(number) => Ok(number.as_f64().map_or(Sql::Null, Sql::Real)),
        Json::String(text) => Ok(Sql::Text(text.clone())),
        Json::Array(_) | Json::Object(_) => {
            Err("lists and objects cannot be stored: send them as text".into())
        }
    }
}

/// A column's value as it goes into an answer. `date`: the column is declared as one of dates.
pub(super) fn answered(value: ValueRef<'_>, date: bool) -> Json {
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
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let printed = if date && matches!(value, ValueRef::Text(_)) {
                dates::printed(&text)
            } else {
                None
            };
            printed.unwrap_or_else(|| text.into_owned()).into()
        }
    }
}

/// How many bytes the value has in an answer line, escapes included.
pub(super) fn answered_bytes(value: &Json) -> usize {
    /// Longest number, one just above 1e-6, where the exponent begins: sign, `0.`, 5 zeros, 17
    /// digits.
    const NUMBER: usize = 25;
    match value {
        Json::String(text) => text_bytes(text),
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
    use goop2_proto::go_json;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn in_and_out() {
        assert_eq!(bound(&json!(5)), Ok(Sql::Real(5.0)));
        assert_eq!(bound(&json!(true)), Ok(Sql::Integer(1)));
        assert_eq!(bound(&json!(null)), Ok(Sql::Null));
        assert!(bound(&json!([])).is_err() && bound(&json!({})).is_err());
        assert_eq!(answered(ValueRef::Real(2.0), false), json!(2));
        assert_eq!(answered(ValueRef::Real(1.5), false), json!(1.5));
        assert_eq!(answered(ValueRef::Real(f64::INFINITY), false), json!(null));
        assert_eq!(
            answered(ValueRef::Integer(i64::MAX), false),
            json!(i64::MAX)
        );
        assert_eq!(
            answered(ValueRef::Blob(b"a\xff"), false),
            json!("a\u{fffd}")
        );
        assert_eq!(
            answered(ValueRef::Text(b"2026-02-07T12:00:00Z"), true),
            json!("2026-02-07 12:00:00")
        );
        assert_eq!(
            answered(ValueRef::Text(b"2026-02-07T12:00:00Z"), false),
            json!("2026-02-07T12:00:00Z")
        );
    }

    #[test]
    fn the_longest_number_is_counted_whole() {
        let number = json!(-1.1241698137067493e-6);
        assert_eq!(answered_bytes(&number), go_json::to_vec(&number).len());
    }

    proptest! {
        #[test]
        fn the_estimate_is_never_too_small(text in "(?s).{0,40}", number: f64) {
            prop_assert!(text_bytes(&text) >= go_json::to_vec(&text).len());
            let number = answered(ValueRef::Real(number), false);
            prop_assert!(answered_bytes(&number) >= go_json::to_vec(&number).len());
        }
    }
}
