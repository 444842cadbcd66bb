//! The MIME type of a site's file (§4.2, §12.5): from its name, else from its first bytes.
//!
//! The types existing peers send come first, so that a site looks the same from both; the rest is a
//! maintained table. HTTP has a few more of ours, without charset, because that one is only sent
//! where the bytes agree (`goop2_proto::web::charset`).

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

/// Where an answer over HTTP differs from both: types that browsers need to play, show or install a
/// file, and source code, which they would run or save by its own type.
const WEB: &[(&str, &str)] = &[
    ("3mf", "model/3mf"),
    ("cjs", "text/javascript"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("geojson", "application/geo+json"),
    ("glb", "model/gltf-binary"),
    ("gltf", "model/gltf+json"),
    ("jsonl", "application/jsonl"),
    ("jxl", "image/jxl"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4s", "video/iso.segment"),
    ("m4v", "video/mp4"),
    ("map", "application/json"),
    ("mkv", "video/matroska"),
    ("mpd", "application/dash+xml"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("rss", "application/rss+xml"),
    ("stl", "model/stl"),
    ("tgz", "application/gzip"),
    ("topojson", "application/json"),
    ("usdz", "model/vnd.usdz+zip"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webmanifest", "application/manifest+json"),
];

/// Source code and settings: shown as text.
const SOURCE: &[&str] = &[
    "adoc",
    "asp",
    "aspx",
    "bash",
    "bat",
    "bib",
    "c",
    "cc",
    "cfg",
    "cgi",
    "clj",
    "cmd",
    "conf",
    "cpp",
    "cs",
    "csh",
    "cts",
    "cxx",
    "dart",
    "diff",
    "el",
    "erl",
    "ex",
    "exs",
    "f90",
    "fish",
    "go",
    "gradle",
    "groovy",
    "h",
    "hh",
    "hpp",
    "hs",
    "ini",
    "ipynb",
    "java",
    "jl",
    "jsp",
    "jsx",
    "kt",
    "kts",
    "latex",
    "less",
    "lisp",
    "log",
    "lua",
    "m",
    "mk",
    "ml",
    "mts",
    "nim",
    "nix",
    "pas",
    "patch",
    "php",
    "php3",
    "php4",
    "php5",
    "phtml",
    "pl",
    "pm",
    "properties",
    "proto",
    "ps1",
    "py",
    "r",
    "rb",
    "rs",
    "rst",
    "sass",
    "scala",
    "scm",
    "scss",
    "sh",
    "sql",
    "svelte",
    "swift",
    "tcl",
    "tex",
    "tf",
    "toml",
    "tsx",
    "vb",
    "vim",
    "vue",
    "yaml",
    "yml",
    "zig",
    "zsh",
];

const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "text/xml; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const BINARY: &str = "application/octet-stream";

/// The type of a file that was just opened, and stands at its start again.
pub(crate) fn of(path: &SitePath, file: &mut File) -> String {
    by_name(path.as_str()).unwrap_or_else(|| {
        let mut head = Vec::with_capacity(SNIFFED_BYTES);
        // What cannot be read has no type; the sender will see why.
        let read = file.take(SNIFFED_BYTES as u64).read_to_end(&mut head);
        match read.and_then(|_| file.rewind()) {
            Ok(()) => sniff(&head).into(),
            Err(_) => BINARY.into(),
        }
    })
}

/// The type of a file over HTTP by its name, if that says something: of texts without a charset.
pub(crate) fn by_name_for_web(path: &str) -> Option<&'static str> {
    let extension = extension(path)?;
    // Video for streaming, or a script: only the content says which.
    if extension == "ts" {
        return None;
    }
    if SOURCE.contains(&extension.as_str()) {
        return Some("text/plain");
    }
    let table = WEB.iter().chain(OURS);
    let ours = table.into_iter().find(|(name, _)| *name == extension);
    let mime = match ours {
        Some((_, mime)) => mime,
        None => mime_guess::from_ext(&extension).first_raw()?,
    };
    Some(essence(mime)).filter(|mime| *mime != BINARY)
}

/// The type of a file over HTTP by its name and its first bytes: of texts without a charset, but
/// for one that only their byte order mark tells.
pub(crate) fn for_web(path: &str, head: &[u8]) -> &'static str {
    /// Packets of an MPEG transport stream are this long, and begin with this byte.
    const PACKET: (usize, u8) = (188, b'G');
    by_name_for_web(path).unwrap_or_else(|| {
        if extension(path).as_deref() == Some("ts") {
            let starts = |at: usize| head.get(at) == Some(&PACKET.1);
            return if starts(0) && starts(PACKET.0) {
                "video/mp2t"
            } else {
                "text/plain"
            };
        }
        match sniff(head) {
            utf16 if utf16.contains("utf-16") => utf16,
            mime => essence(mime),
        }
    })
}

fn essence(mime: &'static str) -> &'static str {
    mime.split(';').next().unwrap_or(mime)
}

fn extension(path: &str) -> Option<String> {
    Some(Path::new(path).extension()?.to_str()?.to_ascii_lowercase())
}

/// Whether a browser shows a file of this name as a picture.
pub(crate) fn is_picture(name: &str) -> bool {
    by_name_for_web(name).is_some_and(|mime| PICTURES.contains(&mime))
}

/// Whether a file extension says what is in a file.
pub(crate) fn is_type(extension: &str) -> bool {
    extension == "ts" || by_name_for_web(&format!("x.{extension}")).is_some()
}

/// The type by the extension, if there is one that says something.
fn by_name(path: &str) -> Option<String> {
    let extension = extension(path)?;
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
    fn names_over_http() {
        for (name, mime) in [
            ("a.html", "text/html"),
            ("a.js", "text/javascript"),
            ("a.mjs", "text/javascript"),
            ("a.cjs", "text/javascript"),
            ("a.css", "text/css"),
            ("a.json", "application/json"),
            ("a.map", "application/json"),
            ("a.geojson", "application/geo+json"),
            ("a.webmanifest", "application/manifest+json"),
            ("a.wasm", "application/wasm"),
            ("a.avif", "image/avif"),
            ("a.webp", "image/webp"),
            ("a.jxl", "image/jxl"),
            ("a.svg", "image/svg+xml"),
            ("a.ico", "image/vnd.microsoft.icon"),
            ("a.m3u8", "application/vnd.apple.mpegurl"),
            ("a.vtt", "text/vtt"),
            ("a.mp4", "video/mp4"),
            ("a.webm", "video/webm"),
            ("a.ogv", "video/ogg"),
            ("a.mp3", "audio/mpeg"),
            ("a.m4a", "audio/mp4"),
            ("a.opus", "audio/ogg"),
            ("a.flac", "audio/flac"),
            ("a.glb", "model/gltf-binary"),
            ("a.gltf", "model/gltf+json"),
            ("a.epub", "application/epub+zip"),
            ("a.pdf", "application/pdf"),
            ("a.zip", "application/zip"),
            ("a.woff2", "font/woff2"),
            ("a.xhtml", "application/xhtml+xml"),
            ("a.xml", "text/xml"),
            ("a.atom", "application/atom+xml"),
            ("a.PHP", "text/plain"),
            ("a.rs", "text/plain"),
            ("a.py", "text/plain"),
            ("a.sh", "text/plain"),
            ("a.yaml", "text/plain"),
            ("a.tsx", "text/plain"),
            ("a.txt", "text/plain"),
        ] {
            assert_eq!(by_name_for_web(name), Some(mime), "{name}");
        }
        for name in ["a", "a.dat", "a.ts", "a.nosuchextension"] {
            assert_eq!(by_name_for_web(name), None, "{name}");
        }
        let mut stream = [0; 376];
        (stream[0], stream[188]) = (b'G', b'G');
        assert_eq!(for_web("a.ts", &stream), "video/mp2t");
        assert_eq!(for_web("a.ts", b"GET = 1"), "text/plain");
        assert_eq!(for_web("a", b"<html>"), "text/html");
        assert_eq!(for_web("a", b"\xff\xfea\0"), "text/plain; charset=utf-16le");
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
