//! JSON as Go reads and writes it.
//!
//! Existing peers compare nothing byte by byte, but their line protocols rely on one property of
//! Go's encoder: `<`, `>`, `&`, U+2028 and U+2029 are escaped, so a message never contains a raw
//! line break. Their sites rely on another: a whole number is written without a fraction, whatever
//! its type in the database. And what they send was made to be read by Go's decoder, which ignores
//! the case of keys, unknown keys and `null`.

use std::io;

use serde::Serialize;
use serde_json::{Map, Serializer, Value, ser::Formatter};

/// The value as Go's `json.Marshal` would write it. Keys keep the order the value gives them: Go
/// sorts the keys of its maps and keeps those of its structs, and only the caller knows which of
/// the two it stands for.
pub fn to_vec(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut out, GoFormatter))
        .expect("keys are strings, and writing to memory does not fail");
    out
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, tail) = rest.split_at(at);
            let c = tail.chars().next().expect("found just here");
            write!(writer, "{plain}\\u{:04x}", u32::from(c))?;
            rest = &tail[c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size != 0.0 && size < 1e-6 {
            write!(writer, "{value:e}")
        } else if size >= 1e21 {
            writer.write_all(format!("{value:e}").replace('e', "e+").as_bytes())
        } else {
            write!(writer, "{value}")
        }
    }
}

/// The members of a JSON object; of `null`, none.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    members_or_none(
        serde_json::from_str(&String::from_utf8_lossy(bytes)).map_err(|e| e.to_string())?,
    )
}

/// As [`object`], of text that may go on after it.
pub(crate) fn first_object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut values = serde_json::Deserializer::from_str(&text).into_iter();
    members_or_none(values.next().ok_or("empty")?.map_err(|e| e.to_string())?)
}

fn members_or_none(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err("not an object".into()),
    }
}

/// A key in the one form under which Go's decoder finds it; match it against lower-case names.
pub(crate) fn fold(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            'ſ' => 's',
            '\u{212a}' => 'k',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}

/// Sets the field to what `pick` makes of the value; `null` leaves it as it is, any other type is
/// an error.
pub(crate) fn read<T>(
    field: &mut T,
    key: &str,
    value: Value,
    pick: impl FnOnce(Value) -> Option<T>,
) -> Result<(), String> {
    if !value.is_null() {
        *field = pick(value).ok_or_else(|| format!("wrong type for {key}"))?;
    }
    Ok(())
}

pub(crate) fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A number without fraction or exponent.
pub(crate) fn integer(value: Value) -> Option<i64> {
    value.as_i64()
}

pub(crate) fn boolean(value: Value) -> Option<bool> {
    value.as_bool()
}

pub(crate) fn members(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

pub(crate) fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list),
        _ => None,
    }
}

/// A list of strings; `null` among them is an empty one.
pub(crate) fn texts(value: Value) -> Option<Vec<String>> {
    let or_empty = |value: Value| {
        if value.is_null() {
            Some(String::new())
        } else {
            text(value)
        }
    };
    list(value)?.into_iter().map(or_empty).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: &Value) -> String {
        String::from_utf8(to_vec(value)).unwrap()
    }

    #[test]
    fn numbers_are_written_as_go_writes_a_float64() {
        let cases = [
            (5.0, "5"),
            (1.5, "1.5"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (-1.25e-9, "-1.25e-9"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (123_456_789.125, "123456789.125"),
            (9_007_199_254_740_993.0, "9007199254740992"),
        ];
        for (number, text) in cases {
            assert_eq!(written(&json!(number)), text);
        }
        assert_eq!(
            written(&json!([i64::MAX, i64::MIN, 0, u64::MAX])),
            "[9223372036854775807,-9223372036854775808,0,18446744073709551615]"
        );
    }

    #[test]
    fn strings_never_hold_a_line_break_or_markup() {
        assert_eq!(
            written(&json!(
                "<b> & \u{2028}\u{2029} ü\n\r\t\u{8}\u{c}\u{1}\u{7f}\"\\/"
            )),
            "\"\\u003cb\\u003e \\u0026 \\u2028\\u2029 ü\\n\\r\\t\\b\\f\\u0001\u{7f}\\\"\\\\/\""
        );
        assert_eq!(written(&json!({"<": "&&"})), r#"{"\u003c":"\u0026\u0026"}"#);
    }

    #[test]
    fn keys_keep_the_order_of_the_caller() {
        assert_eq!(
            written(&json!({"name": 1, "insert_policy": 2, "created_at": 3})),
            r#"{"name":1,"insert_policy":2,"created_at":3}"#
        );
    }

    #[test]
    fn keys_are_found_as_go_finds_them() {
        assert_eq!(fold("Op"), "op");
        assert_eq!(fold("column\u{212a}ſ"), "columnks");
        assert_eq!(fold("Ü"), "Ü");
    }

    #[test]
    fn null_is_an_empty_object_and_invalid_bytes_are_replaced() {
        assert_eq!(object(b"null"), Ok(Map::new()));
        assert_eq!(object(b"{\"a\":\"\xff\"}").unwrap()["a"], "\u{fffd}");
        for bad in ["", "[]", "1", "{} {}", "{", "nonsense"] {
            assert!(object(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
