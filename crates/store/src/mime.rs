//! The MIME type of a site's file (§4.2, §12.5): from its name, else from its first bytes.
//!
//! The types existing peers send come first, so that a site looks the same from both; the rest is a
//! maintained table.

use std::{
    fs::File,
    io::{Read, Seek},
    path::Path,
};

use goop2_proto::SitePath;

/// How much of a file [`sniff`] looks at.
const SNIFFED_BYTES: usize = 512;

/// Where the maintained table differs from what existing peers send.
const OURS: &[(&str, &str)] = &[
    ("ico", "image/vnd.microsoft.icon"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("ts", "text/plain; charset=utf-8"),
];

const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "text/xml; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const BINARY: &str = "application/octet-stream";

/// The type of a file that was just opened, and stands at its start again.
pub(crate) fn of(path: &SitePath, file: &mut File) -> String {
    by_name(path.as_str()).unwrap_or_else(|| {
        let mut head = Vec::with_capacity(SNIFFED_BYTES);
        // What cannot be read has no type; whoever sends it will see why.
        let read = file.take(SNIFFED_BYTES as u64).read_to_end(&mut head);
        match read.and_then(|_| file.rewind()) {
            Ok(()) => sniff(&head).into(),
            Err(_) => BINARY.into(),
        }
    })
}

/// Whether a browser shows a file of this name as a picture.
pub(crate) fn is_picture(name: &str) -> bool {
    by_name(name).is_some_and(|mime| PICTURES.contains(&mime.as_str()))
}

/// Whether a file extension says what is in a file.
pub(crate) fn is_type(extension: &str) -> bool {
    by_name(&format!("x.{extension}")).is_some()
}

/// The type by the extension, if there is one that says something.
fn by_name(path: &str) -> Option<String> {
    let extension = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    if let Some((_, mime)) = OURS.iter().find(|(name, _)| *name == extension) {
        return Some((*mime).into());
    }
    let guess = mime_guess::from_ext(&extension)
        .first_raw()
        .filter(|mime| *mime != BINARY)?;
    Some(if guess.starts_with("text/") {
        format!("{guess}; charset=utf-8")
    } else {
        guess.into()
    })
}

/// The type by the content, after the WHATWG's table, of which the types a site may contain are
/// kept.
fn sniff(head: &[u8]) -> &'static str {
    let head = &head[..head.len().min(SNIFFED_BYTES)];
    let text = head.trim_ascii_start();
    if let Some(tag) = text.strip_prefix(b"<") {
        if tag.starts_with(b"!--") || TAGS.iter().any(|name| is_tag(tag, name.as_bytes())) {
            return HTML;
        }
        if tag.starts_with(b"?xml") {
            return XML;
        }
    }
    if let Some((_, mime)) = SIGNATURES
        .iter()
        .find(|(signature, _)| head.starts_with(signature))
    {
        return mime;
    }
    match (head.get(..4), head.get(8..)) {
        (Some(b"RIFF"), Some(rest)) if rest.starts_with(b"WEBPVP") => return "image/webp",
        (Some(b"RIFF"), Some(rest)) if rest.starts_with(b"WAVE") => return "audio/wave",
        (Some(b"RIFF"), Some(rest)) if rest.starts_with(b"AVI ") => return "video/avi",
        _ if head.get(4..11) == Some(b"ftypmp4") => return "video/mp4",
        _ => {}
    }
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if head.iter().any(binary) {
        BINARY
    } else {
        TEXT
    }
}

/// What every current browser shows within a page.
const PICTURES: &[&str] = &[
    "image/apng",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/svg+xml",
    "image/vnd.microsoft.icon",
    "image/webp",
];

/// What begins an HTML file.
const TAGS: &[&str] = &[
    "!DOCTYPE HTML",
    "HTML",
    "HEAD",
    "SCRIPT",
    "IFRAME",
    "H1",
    "DIV",
    "FONT",
    "TABLE",
    "A",
    "STYLE",
    "TITLE",
    "B",
    "BODY",
    "BR",
    "P",
];

/// What begins a file of another kind.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"%PDF-", "application/pdf"),
    (b"\xfe\xff", "text/plain; charset=utf-16be"),
    (b"\xff\xfe", "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf", TEXT),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"\0asm", "application/wasm"),
    (b"OggS\0", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"OTTO", "font/otf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
];

fn is_tag(text: &[u8], name: &[u8]) -> bool {
    text.split_at_checked(name.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(name) && matches!(rest.first(), Some(b' ' | b'>'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let cases = [
            ("a.HTM", HTML),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.xml", XML),
            ("a.svg", "image/svg+xml"),
            ("a.gif", "image/gif"),
            ("a.JPEG", "image/jpeg"),
            ("a.jpg", "image/jpeg"),
            ("a.pdf", "application/pdf"),
            ("a.wasm", "application/wasm"),
            ("a.ico", "image/vnd.microsoft.icon"),
            ("a.md", "text/markdown; charset=utf-8"),
            ("a.csv", "text/csv; charset=utf-8"),
            ("a.txt", TEXT),
            ("a.woff2", "font/woff2"),
            ("a.mp4", "video/mp4"),
            ("a.avif", "image/avif"),
            ("a.webp", "image/webp"),
        ];
        for (name, mime) in cases {
            assert_eq!(by_name(name).as_deref(), Some(mime), "{name}");
        }
        for name in ["a", "a.b/c", "a.dat", "a.nosuchextension", "a."] {
            assert_eq!(by_name(name), None, "{name}");
        }
    }

    #[test]
    fn contents() {
        let cases: &[(&[u8], &str)] = &[
            (b"", TEXT),
            (b"plain", TEXT),
            (b"\0\x01", BINARY),
            (b" \n<!doctype html>", HTML),
            (b"<p>", HTML),
            (b"<pre>", TEXT),
            (b"<?xml version", XML),
            (b"%PDF-1.4", "application/pdf"),
            (b"GIF89a..", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF", TEXT),
            (b"\0\0\0\x18ftypmp42", "video/mp4"),
        ];
        for (head, mime) in cases {
            assert_eq!(sniff(head), *mime, "{head:?}");
        }
    }
}
