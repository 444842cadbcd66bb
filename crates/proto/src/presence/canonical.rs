//! A canonical form of a JSON value, so that two programs sign the same bytes: RFC 8785 (members
//! sorted by their names in UTF-16, no space, the shortest escapes), and of numbers only whole ones
//! that a double holds exactly. Fractions are left out because writing them the same everywhere is
//! the hard part of that standard, and presence needs none.

use serde_json::{Number, Value};

/// 2⁵³ − 1: the largest whole number that every JSON reader reads as itself.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// Appends the value; nothing that counts was written when it has no such form.
pub(super) fn write(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            let safe = match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => whole.unsigned_abs() <= MAX_SAFE,
                (None, Some(whole)) => whole <= MAX_SAFE,
                (None, None) => false,
            };
            safe.then(|| out.extend_from_slice(number.to_string().as_bytes()))?;
        }
        Value::String(text) => string(text, out),
        Value::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(value, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
        }
    }
    Some(())
}

/// The value with every whole number as one, whether or not it was written with a fraction of zero:
/// it is passed on without.
pub(super) fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole_number(&number).unwrap_or(number)),
        Value::Array(values) => values.into_iter().map(whole).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, whole(value)))
            .collect(),
        other => other,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the bounds just checked nothing is lost"
)]
fn whole_number(number: &Number) -> Option<Number> {
    /// 2⁶³ and 2⁶⁴.
    const BOUNDS: (f64, f64) = (9_223_372_036_854_775_808.0, 18_446_744_073_709_551_616.0);
    if !number.is_f64() {
        return None;
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    if (0.0..BOUNDS.1).contains(&float) {
        Some((float as u64).into())
    } else {
        (-BOUNDS.0..0.0)
            .contains(&float)
            .then(|| (float as i64).into())
    }
}

/// The escapes of this encoder are those of RFC 8785.
fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> Option<String> {
        let mut out = Vec::new();
        write(value, &mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn members_are_sorted_and_text_is_escaped_as_little_as_possible() {
        let value = json!({
            "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": {"b": [true, null], "a": "<\u{1f}\"\\/\n"}
        });
        assert_eq!(
            canonical(&value).unwrap(),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":{\"a\":\"<\\u001f\\\"\\\\/\\n\",\"b\":[true,null]},\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn a_fraction_of_zero_is_none() {
        let written: Value =
            serde_json::from_str("[2.0, -3e0, -0, 1e19, 1e20, 0.5, {\"a\": [1.0]}]").unwrap();
        assert_eq!(
            whole(written),
            json!([2, -3, 0, 10_000_000_000_000_000_000_u64, 1e20, 0.5, {"a": [1]}])
        );
    }

    #[test]
    fn only_numbers_that_everybody_reads_the_same_have_a_form() {
        assert_eq!(
            canonical(&json!([0, -9_007_199_254_740_991_i64])).unwrap(),
            "[0,-9007199254740991]"
        );
        for odd in [
            json!(1.5),
            json!(1e3),
            json!(9_007_199_254_740_992_u64),
            json!(i64::MIN),
            json!({"a": [u64::MAX]}),
        ] {
            assert_eq!(canonical(&odd), None, "{odd}");
        }
    }
}
