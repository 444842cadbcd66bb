//! How an answer is compressed (RFC 9110 §8.4, §12.5.3).

use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Shorter files are sent as they are: what compression saves is less than a packet.
pub const MIN_COMPRESSED: u64 = 1024;

/// Elements of an `Accept-Encoding` that are read; browsers send four.
const MAX_ELEMENTS: usize = 32;

impl Encoding {
    /// The better one first: what decides where a client likes several equally.
    pub const PREFERRED: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The extension of files that are compressed this way.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }

    /// [`Encoding::name`], for a header.
    pub fn value(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }
}

/// Whether a type is worth compressing: text in the wide sense, and formats that do not compress
/// themselves. `mime` may have parameters.
pub fn is_compressible(mime: &str) -> bool {
    let essence = mime.split(';').next().unwrap_or(mime).trim();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || COMPRESSIBLE.contains(&essence)
}

/// Types beyond texts that compress to less than three quarters.
const COMPRESSIBLE: &[&str] = &[
    "application/dash+xml",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/rtf",
    "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "model/obj",
    "model/stl",
];

/// What a page loads that may lie compressed in the folder under its own name: `x.js.gz`, as game
/// engines write it. Other archives are meant to be saved, or unpacked by the page.
const LOADED: &[&str] = &[
    "cjs", "css", "data", "htm", "html", "js", "mjs", "svg", "wasm",
];

/// Archives: they stay what they are, whatever they are compressed with.
const ARCHIVES: &[&str] = &["tar", "cpio", "deb", "rpm"];

/// The file that is in a compressed one, by its name: `x.wasm.gz` is `x.wasm`, and `a.svgz` is
/// `a.svg`, to be sent as they are with `Content-Encoding`. `None` for a download such as
/// `x.tar.gz`.
///
/// No script can unpack Brotli, so what ends in `.br` and names a type is always meant this way.
pub fn stored(name: &str) -> Option<(String, Encoding)> {
    let (inner, extension) = name.rsplit_once('.')?;
    if inner.is_empty() {
        return None;
    }
    let extension = extension.to_ascii_lowercase();
    if extension == "svgz" {
        return Some((format!("{inner}.svg"), Encoding::Gzip));
    }
    let encoding = Encoding::PREFERRED
        .into_iter()
        .find(|encoding| encoding.extension() == extension)?;
    let (_, kind) = inner.rsplit_once('.')?;
    let kind = kind.to_ascii_lowercase();
    let is_meant = if encoding == Encoding::Brotli {
        !ARCHIVES.contains(&kind.as_str())
    } else {
        LOADED.contains(&kind.as_str())
    };
    is_meant.then(|| (inner.into(), encoding))
}

/// What the client accepts and likes no less than the plain file, the best first. Without the
/// header that is nothing: who does not ask for compression may not expect it.
pub fn accepted(headers: &HeaderMap) -> Vec<Encoding> {
    let elements: Vec<(String, u16)> = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .take(MAX_ELEMENTS)
        .filter_map(element)
        .collect();
    let quality = |name: &str| {
        let named = |wanted: &str| elements.iter().find(|(name, _)| name == wanted);
        named(name).map(|(_, quality)| *quality)
    };
    // Who says nothing about the plain file takes it last.
    let plain = quality("identity").unwrap_or(1);
    let mut accepted: Vec<(u16, Encoding)> = Encoding::PREFERRED
        .into_iter()
        .filter_map(|encoding| {
            let quality = quality(encoding.name())
                .or_else(|| (encoding == Encoding::Gzip).then(|| quality("x-gzip"))?)
                .or_else(|| quality("*"))?;
            (quality > 0 && quality >= plain).then_some((quality, encoding))
        })
        .collect();
    accepted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    accepted.into_iter().map(|(_, encoding)| encoding).collect()
}

/// A coding and its weight in thousandths; `None` if it is not well formed.
fn element(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let quality = match parts.next() {
        None => 1000,
        Some(weight) => thousandths(weight.strip_prefix(['q', 'Q'])?.strip_prefix('=')?)?,
    };
    (!name.is_empty() && parts.next().is_none()).then_some((name, quality))
}

/// `qvalue` of RFC 9110 §12.4.2.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use Encoding::{Brotli, Gzip, Zstd};
    use proptest::prelude::*;

    use super::*;

    fn of(value: &str) -> Vec<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
        accepted(&headers)
    }

    #[test]
    fn what_a_client_accepts() {
        let cases: &[(&str, &[Encoding])] = &[
            ("gzip, deflate, br, zstd", &[Brotli, Zstd, Gzip]),
            ("gzip, deflate", &[Gzip]),
            ("x-gzip", &[Gzip]),
            ("GZIP", &[Gzip]),
            ("", &[]),
            ("identity", &[]),
            ("deflate", &[]),
            ("*", &[Brotli, Zstd, Gzip]),
            ("*;q=0", &[]),
            ("br;q=0, *", &[Zstd, Gzip]),
            ("gzip;q=1.0, br;q=0.5", &[Gzip, Brotli]),
            ("gzip;q=0.001,br;q=0.002", &[Brotli, Gzip]),
            ("gzip;q=0", &[]),
            ("gzip;q=0.000", &[]),
            ("gzip;q=0.5, identity;q=0.8", &[]),
            ("gzip;q=0.5, identity;q=0.5", &[Gzip]),
            ("identity;q=0, gzip;q=0.2", &[Gzip]),
            ("gzip ; q=0.5 , br", &[Brotli, Gzip]),
            ("gzip;Q=1", &[Gzip]),
            ("gzip;q=1.1", &[]),
            ("gzip;q=0.1234", &[]),
            ("gzip;q=-1", &[]),
            ("gzip;level=9", &[]),
            ("gzip;q=1;q=1", &[]),
            (",,br,,", &[Brotli]),
            ("gzipped, brr", &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(of(value), *expected, "{value}");
        }
        assert_eq!(accepted(&HeaderMap::new()), []);
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, "gzip;q=0.5".parse().unwrap());
        headers.append(ACCEPT_ENCODING, "br".parse().unwrap());
        assert_eq!(accepted(&headers), [Brotli, Gzip]);
    }

    #[test]
    fn files_that_lie_compressed() {
        for (name, inner, encoding) in [
            ("x.js.gz", "x.js", Gzip),
            ("x.wasm.GZ", "x.wasm", Gzip),
            ("x.data.gz", "x.data", Gzip),
            ("a.svgz", "a.svg", Gzip),
            ("x.js.br", "x.js", Brotli),
            ("x.json.br", "x.json", Brotli),
            ("x.css.zst", "x.css", Zstd),
        ] {
            assert_eq!(stored(name), Some((inner.into(), encoding)), "{name}");
        }
        for name in [
            "x.tar.gz", "x.tgz", "x.tar.br", "x.gz", "x.br", ".br", "x.csv.gz", "x.sql.gz", "x.js",
            "gz", "x.zip", ".svgz",
        ] {
            assert_eq!(stored(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_worth_compressing() {
        for mime in [
            "text/html; charset=utf-8",
            "application/json",
            "image/svg+xml",
            "application/wasm",
            "font/ttf",
        ] {
            assert!(is_compressible(mime), "{mime}");
        }
        for mime in [
            "image/png",
            "video/mp4",
            "font/woff2",
            "application/zip",
            "application/octet-stream",
            "",
        ] {
            assert!(!is_compressible(mime), "{mime}");
        }
    }

    proptest! {
        #[test]
        fn no_list_makes_it_panic(value in "[a-z*;q=0-9., ü-]{0,60}") {
            if let Ok(value) = HeaderValue::from_str(&value) {
                let mut headers = HeaderMap::new();
                headers.insert(ACCEPT_ENCODING, value);
                accepted(&headers);
            }
        }
    }
}
