//! Which file the target of a request names (RFC 9112 §3.2.1, RFC 3986).
//!
//! Escapes are decoded exactly once, and `+` is a plus: that it stands for a blank is a rule of
//! forms. An escaped slash separates like any other, as in nginx, and what results is cleaned as a
//! whole, so no spelling of `..` gets past.

use http::{StatusCode, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::path::{Platform, Refusal, SitePath};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file or folder; `None` for the root of the site.
    pub path: Option<SitePath>,
    /// Whether it is written as a folder, with a slash at its end.
    pub folder: bool,
    /// The last component and the query, as they were written.
    last: String,
    query: Option<String>,
}

impl Target {
    /// Reads the target. Errors are the status of the answer: 400 for a broken escape, 403 for the
    /// site's scripts, 404 for a name that no file can have or that is never served.
    pub fn parse(uri: &Uri, platform: Platform) -> Result<Self, StatusCode> {
        let written = uri.path();
        let path = SitePath::absolute(&decode(written)?, platform).map_err(status)?;
        let last = written.rsplit('/').next().unwrap_or_default();
        Ok(Self {
            path,
            folder: last.is_empty(),
            last: last.into(),
            query: uri.query().map(Into::into),
        })
    }

    /// The path as rules know it: absolute, decoded, without a slash at its end.
    pub fn absolute(&self) -> String {
        format!("/{}", self.path.as_ref().map_or("", SitePath::as_str))
    }

    /// The same as a folder, for `Location`: relative, so that it is right whatever stands before
    /// the site's root in the visitor's address. It begins with a name, never with a slash.
    pub fn with_slash(&self) -> String {
        // Before a colon stands a scheme; and what is a folder already is itself.
        let dot = if self.last.contains(':') {
            "./"
        } else if self.last.is_empty() {
            "."
        } else {
            ""
        };
        let query = self.query.as_deref().map(|query| format!("?{query}"));
        format!(
            "{dot}{}/{}",
            visible(&self.last),
            visible(&query.unwrap_or_default())
        )
    }
}

fn status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::Forbidden => StatusCode::FORBIDDEN,
    }
}

/// Decodes the escapes of a path, once.
pub(super) fn decode(path: &str) -> Result<String, StatusCode> {
    let mut rest = path.split('%');
    rest.next();
    let is_escape =
        |text: &str| text.len() >= 2 && text.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !rest.all(is_escape) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let decoded = percent_decode_str(path).decode_utf8();
    Ok(decoded.map_err(|_| StatusCode::NOT_FOUND)?.into_owned())
}

/// What a URL must not contain as it is (WHATWG URL, path percent-encode set); `%` stays.
pub(super) const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

fn visible(written: &str) -> String {
    utf8_percent_encode(written, UNSAFE).to_string()
}

/// A name as one component of a relative URL.
pub fn component(name: &str) -> String {
    const NAME: &AsciiSet = &UNSAFE
        .add(b'%')
        .add(b'/')
        .add(b'?')
        .add(b'#')
        .add(b'[')
        .add(b']')
        .add(b'\'')
        .add(b'&');
    let dot = if name.contains(':') { "./" } else { "" };
    format!("{dot}{}", utf8_percent_encode(name, NAME))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(uri: &str) -> Result<(String, bool), u16> {
        let uri: Uri = uri.parse().expect("a URI");
        let target = Target::parse(&uri, Platform::Unix).map_err(|status| status.as_u16())?;
        let path = target.path.map(|path| path.to_string());
        Ok((path.unwrap_or_default(), target.folder))
    }

    #[test]
    fn escapes_are_decoded_once() {
        for (uri, path, folder) in [
            ("/", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("/a+b%20c", "a+b c", false),
            ("/%41%2e%68", "A.h", false),
            ("/100%25", "100%", false),
            ("/%2541", "%41", false),
            ("/%C3%BC", "ü", false),
            ("/ü", "ü", false),
            ("/a%3Fb%23c", "a?b#c", false),
            ("/a%2Fb", "a/b", false),
            ("/a%2F", "a", false),
            ("//a//b", "a/b", false),
            ("/a/%2e%2e/b", "b", false),
            ("/%2e%2e/%2e%2e/b", "b", false),
            ("/..%2f..%2fb", "b", false),
            ("/a/..", "", false),
            ("/a%20/%20b%20", "a / b ", false),
            ("/a:b?x=/", "a:b", false),
        ] {
            assert_eq!(parse(uri), Ok((path.into(), folder)), "{uri}");
        }
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for (uri, status) in [
            ("/%", 400),
            ("/a%2", 400),
            ("/%zz", 400),
            ("/%%41", 400),
            ("/%+1", 400),
            ("/%ff", 404),
            ("/%C0%AE%C0%AE/x", 404),
            ("/%ED%A0%80", 404),
            ("/a%00b", 404),
            ("/a%0Ab", 404),
            ("/.git/config", 404),
            ("/%2egit/config", 404),
            ("/lua/x.lua", 403),
            ("/%6cua/x.lua", 403),
            ("/x/../lua/", 403),
        ] {
            assert_eq!(parse(uri), Err(status), "{uri}");
        }
    }

    #[test]
    fn the_folder_form_is_relative() {
        for (uri, location) in [
            ("/dir", "dir/"),
            ("/a/dir?x=1&y", "dir/?x=1&y"),
            ("/a/dir?", "dir/?"),
            ("//a//dir", "dir/"),
            ("/a:b", "./a:b/"),
            ("/javascript:x", "./javascript:x/"),
            ("/%C3%BC", "%C3%BC/"),
            ("/ü?ü", "%C3%BC/?%C3%BC"),
            ("/a%2Fb", "a%2Fb/"),
            ("/a/..", "../"),
            ("/a/.", "./"),
            ("/a/?x", "./?x"),
            ("/", "./"),
            ("/%5Cevil.example", "%5Cevil.example/"),
        ] {
            let target = Target::parse(&uri.parse().unwrap(), Platform::Unix).unwrap();
            assert_eq!(target.with_slash(), location, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn a_name_comes_back_as_it_was(name in "[^\\pC/.][^\\pC/]{0,20}") {
            let uri = format!("/{}", component(&name)).parse().unwrap();
            let target = Target::parse(&uri, Platform::Unix).unwrap();
            let path = target.path.unwrap();
            prop_assert_eq!(path.name(), name);
        }

        #[test]
        fn the_folder_form_never_leaves_the_site(uri in "/[/a.:%2eEfF\\\\?#@ü]{0,16}") {
            let Ok(uri) = uri.parse::<Uri>() else { return Ok(()) };
            if let Ok(target) = Target::parse(&uri, Platform::Unix) {
                let location = target.with_slash();
                prop_assert!(http::HeaderValue::from_str(&location).is_ok());
                prop_assert!(!location.starts_with(['/', '\\']));
                let scheme = location.split(['/', '?']).next().unwrap();
                prop_assert!(!scheme.contains(':'));
            }
        }
    }
}
