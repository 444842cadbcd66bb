//! JSON whose values arrive exactly as they were written, or are refused in words.
//!
//! A JSON reader may round a number and replace what is not text; a database must do neither. So
//! the text is looked at once before it is read: its numbers outside strings, and its escapes. That
//! is cheaper than carrying every number as text through the program, and a decimal fraction is a
//! 64-bit float for every reader anyway (RFC 8259 §6).

/// Most characters of a number that an error repeats.
const MAX_SHOWN: usize = 40;

/// Why a text would be changed on the way; `None` if it is not, as far as numbers and characters go.
/// Whether it is JSON at all is for its reader to say.
///
/// A whole number fits if it is an `i64` or `u64`, or the very digits that stand for a 64-bit
/// float: what JavaScript writes for `1e20` comes back as it was.
pub fn problem(json: &[u8]) -> Option<String> {
    let Ok(text) = str::from_utf8(json) else {
        return Some("the text is not UTF-8".into());
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at + 1);
                if has_half_a_character(&bytes[at..end]) {
                    return Some(
                        "a text has half of a character in it (a lone surrogate, such as \\ud83d), \
                         which cannot be stored"
                            .into(),
                    );
                }
                at = end;
            }
            b'-' | b'0'..=b'9' => {
                let end = number_end(bytes, at);
                if !fits(&text[at..end]) {
                    return Some(format!("{} {TOO_LARGE}", shown(&text[at..end])));
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    None
}

/// What is said of a whole number that no column keeps as it is.
pub const TOO_LARGE: &str =
    "is outside the whole numbers up to 9223372036854775807 that are kept exactly: send it as text";

/// Whether these digits are exactly what a 64-bit float is written as.
pub fn is_float(digits: &str) -> bool {
    digits
        .parse::<f64>()
        .is_ok_and(|float| float.is_finite() && float.to_string() == digits)
}

fn shown(number: &str) -> String {
    match number.get(..MAX_SHOWN) {
        Some(start) if number.len() > MAX_SHOWN => format!("{start}…"),
        _ => number.into(),
    }
}

/// The digits of a fraction or an exponent are a float, like the number they belong to.
fn fits(number: &str) -> bool {
    let whole = !number.contains(['.', 'e', 'E']);
    !whole || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() || is_float(number)
}

/// Behind the closing quote of a string, or the end of the text.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn number_end(bytes: &[u8], at: usize) -> usize {
    let belongs =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    bytes[at..]
        .iter()
        .position(|byte| !belongs(byte))
        .map_or(bytes.len(), |length| at + length)
}

/// Whether an escape names a surrogate without its other half.
fn has_half_a_character(string: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = string.get(at) {
        if *byte != b'\\' {
            at += 1;
            continue;
        }
        match unit(string, at) {
            Some(0xd800..=0xdbff) if matches!(unit(string, at + 6), Some(0xdc00..=0xdfff)) => {
                at += 12;
            }
            Some(0xd800..=0xdfff) => return true,
            _ => at += 2,
        }
    }
    false
}

/// The UTF-16 unit that an escape at this position stands for.
fn unit(string: &[u8], at: usize) -> Option<u16> {
    let digits = string.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn numbers_that_arrive_exactly() {
        for json in [
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "100000000000000000000",
            "[0.1, 1e300, 1E-7, -0, 5.0]",
            r#"{"a": "12345678901234567890123", "b\"12345678901234567890123": 1}"#,
            "",
            "nonsense",
            r#""\"#,
        ] {
            assert_eq!(problem(json.as_bytes()), None, "{json}");
        }
        for json in [
            "18446744073709551616",
            "-9223372036854775809",
            "[1, 100000000000000000001]",
            r#"{"a":"\\","b":12345678901234567890123}"#,
            &"9".repeat(400),
        ] {
            let problem = problem(json.as_bytes()).unwrap();
            assert!(problem.contains("send it as text"), "{json}: {problem}");
            assert!(problem.len() < 200);
        }
    }

    #[test]
    fn half_characters_are_refused_and_whole_ones_are_not() {
        for json in [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u0000""#, "\"😀\""] {
            assert_eq!(problem(json.as_bytes()), None, "{json}");
        }
        for json in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\ud83d\ude00""#,
            r#""\uD83Dx""#,
            r#"{"\udfff":1}"#,
        ] {
            assert!(problem(json.as_bytes()).unwrap().contains("half"), "{json}");
        }
        assert!(problem(b"\"\xff\"").is_some());
    }

    proptest! {
        #[test]
        fn it_never_panics(bytes: Vec<u8>, text in r#"["\\ud80-9a-f.eE+-]{0,40}"#) {
            let _ = (problem(&bytes), problem(text.as_bytes()));
        }

        /// What passes and is JSON is written again as the same number.
        #[test]
        fn whole_numbers_come_back(digits in "-?[1-9][0-9]{0,24}") {
            if problem(digits.as_bytes()).is_none() {
                let value: Value = serde_json::from_str(&digits).unwrap();
                let float = value.as_f64().unwrap();
                let (whole, float) = (value.to_string(), float.to_string());
                prop_assert!(whole == digits || float == digits, "{} became {}", digits, value);
            }
        }
    }
}
