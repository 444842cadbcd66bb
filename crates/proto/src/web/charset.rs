//! In which characters a text is written, as far as its header should say so.
//!
//! A `charset` in the header overrules what the file says about itself, and a wrong one makes
//! nonsense of every letter outside ASCII. So it is only sent where it is true: the bytes are valid
//! UTF-8, and the file declares nothing else.

/// Adds `charset` to the type of a text, where that is right. `mime` is a type without parameters,
/// or one that already names a charset, which stays. `head` is the beginning of the file;
/// `complete` says whether it is all of it.
pub fn with_charset(mime: &str, head: &[u8], complete: bool) -> String {
    let takes_charset = mime.starts_with("text/") && !mime.contains(';');
    let declared = declared(mime, head);
    let agrees = declared.is_none_or(|label| {
        label.eq_ignore_ascii_case(b"utf-8") || label.eq_ignore_ascii_case(b"utf8")
    });
    if takes_charset && agrees && is_utf8(head, complete) {
        format!("{mime}; charset=utf-8")
    } else {
        mime.into()
    }
}

/// A character that the end cuts in two is not a mistake unless the file ends there.
fn is_utf8(head: &[u8], complete: bool) -> bool {
    match str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => !complete && error.error_len().is_none(),
    }
}

/// The label of the encoding that a file declares.
fn declared<'a>(mime: &str, head: &'a [u8]) -> Option<&'a [u8]> {
    match mime {
        "text/html" => in_meta(head),
        // CSS Syntax §3.2: exactly these bytes, at the very beginning.
        "text/css" => quoted(head.strip_prefix(b"@charset ")?),
        "text/xml" => {
            let end = find(head, b"?>")?;
            let declaration = head[..end].strip_prefix(b"<?xml")?;
            let at = find(declaration, b"encoding")?;
            let value = declaration[at + b"encoding".len()..].trim_ascii_start();
            quoted(value.strip_prefix(b"=")?.trim_ascii_start())
        }
        _ => None,
    }
}

/// `<meta charset="…">` and `<meta http-equiv=… content="text/html; charset=…">`.
fn in_meta(head: &[u8]) -> Option<&[u8]> {
    let mut rest = head;
    while let Some(at) = find(rest, b"<meta") {
        rest = &rest[at + b"<meta".len()..];
        let end = find(rest, b">").unwrap_or(rest.len());
        let mut tag = &rest[..end];
        while let Some(at) = find(tag, b"charset") {
            tag = tag[at + b"charset".len()..].trim_ascii_start();
            if let Some(value) = tag.strip_prefix(b"=") {
                return Some(label(value.trim_ascii_start()));
            }
        }
    }
    None
}

/// Up to the end of the value, whatever ends it.
fn label(value: &[u8]) -> &[u8] {
    let value = value
        .strip_prefix(b"\"")
        .or(value.strip_prefix(b"'"))
        .unwrap_or(value);
    let is_end =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b';' | b'/');
    let end = value.iter().position(is_end).unwrap_or(value.len());
    &value[..end]
}

fn quoted(value: &[u8]) -> Option<&[u8]> {
    let quote = *value.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let end = value[1..].iter().position(|byte| *byte == quote)?;
    Some(&value[1..=end])
}

/// In any case; `what` is in lower case.
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len())
        .position(|window| window.eq_ignore_ascii_case(what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_charset_is_sent_where_it_is_true() {
        let latin: &[u8] = b"<p>caf\xe9";
        let utf8: &[u8] = "<p>café".as_bytes();
        let cases: &[(&str, &[u8], &str)] = &[
            ("text/html", utf8, "text/html; charset=utf-8"),
            ("text/html", b"", "text/html; charset=utf-8"),
            ("text/html", latin, "text/html"),
            ("text/html", b"<meta charset=utf-8>", "text/html; charset=utf-8"),
            ("text/html", b"<META CharSet='UTF-8'/>", "text/html; charset=utf-8"),
            ("text/html", b"<meta charset=\"windows-1252\">", "text/html"),
            ("text/html", b"<meta charset = iso-2022-jp >", "text/html"),
            ("text/html", b"<meta name=x>\n<meta http-equiv=Content-Type content='text/html; charset=Shift_JIS'>", "text/html"),
            ("text/html", b"<meta name=charset content=x>", "text/html; charset=utf-8"),
            ("text/html", b"<metadata><p charset=x>", "text/html; charset=utf-8"),
            ("text/css", b"@charset \"iso-8859-1\"; a{}", "text/css"),
            ("text/css", b"@charset \"utf-8\"; a{}", "text/css; charset=utf-8"),
            ("text/css", b" @charset \"iso-8859-1\";", "text/css; charset=utf-8"),
            ("text/xml", b"<?xml version='1.0' encoding='ISO-8859-1'?>", "text/xml"),
            ("text/xml", b"<?xml version='1.0' encoding = \"UTF-8\"?>", "text/xml; charset=utf-8"),
            ("text/xml", b"<?xml version='1.0'?><a encoding='x'/>", "text/xml; charset=utf-8"),
            ("text/javascript", utf8, "text/javascript; charset=utf-8"),
            ("text/javascript", latin, "text/javascript"),
            ("text/plain", b"\xff\xfea\0", "text/plain"),
            ("text/plain; charset=utf-16le", b"\xff\xfea\0", "text/plain; charset=utf-16le"),
            ("application/json", utf8, "application/json"),
            ("image/svg+xml", utf8, "image/svg+xml"),
        ];
        for (mime, head, expected) in cases {
            assert_eq!(
                with_charset(mime, head, true),
                *expected,
                "{}",
                String::from_utf8_lossy(head)
            );
        }
    }

    #[test]
    fn a_character_may_be_cut_where_reading_ends() {
        assert_eq!(
            with_charset("text/plain", b"caf\xc3", false),
            "text/plain; charset=utf-8"
        );
        assert_eq!(with_charset("text/plain", b"caf\xc3", true), "text/plain");
        assert_eq!(with_charset("text/plain", b"caf\xc3x", false), "text/plain");
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(head in "(<meta|<\\?xml|@charset |charset|encoding|[ =\"'?>;/a])*") {
            for mime in ["text/html", "text/css", "text/xml"] {
                with_charset(mime, head.as_bytes(), false);
            }
        }
    }
}
