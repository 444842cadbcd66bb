//! A page that a person opens gets scripts at its end: one that says what the page is refused, and,
//! if its owner wants it, one that reloads it when they change something. Nobody else's copy of the
//! file is changed: not that of a program, nor of a script of the site that reads it.
//!
//! What a browser keeps is therefore another version than the owner's, and its entity tag says so
//! (RFC 9110 §8.8.3): it is the owner's with the mark of what was added at its end, which is taken
//! off again when the browser asks. A page that comes compressed is decoded here; between this
//! program and the browser bytes cost nothing.

use std::io;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH,
            IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
        },
        response,
    },
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use goop2_proto::web::{LIVE, RELOADS};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::door::guard;

/// What a page gets. Where it ends does not matter: browsers run a script after `</html>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Refusals,
    Live,
}

impl Added {
    /// What its owner wants.
    fn of(headers: &HeaderMap) -> Self {
        let reloads = headers.get(LIVE).is_some_and(|live| live == RELOADS);
        if reloads { Self::Live } else { Self::Refusals }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Refusals => "\n<script src=\"/sdk/goop-refused.js\"></script>\n",
            Self::Live => {
                "\n<script src=\"/sdk/goop-refused.js\"></script><script src=\"/sdk/goop-live.js\" async></script>\n"
            }
        }
    }

    /// At the end of the entity tag.
    fn mark(self) -> &'static str {
        match self {
            Self::Refusals => "-refused\"",
            Self::Live => "-live\"",
        }
    }

    /// What the version with this tag has.
    fn marked(tags: &HeaderValue) -> Option<Self> {
        let tags = tags.to_str().ok()?;
        [Self::Live, Self::Refusals]
            .into_iter()
            .find(|added| tags.contains(added.mark()))
    }
}

/// How one request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A person opens a document; which scripts the one has that their browser keeps.
    Opened { kept: Option<Added> },
    /// Anything else.
    Read,
}

impl Page {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        if *method == Method::GET && guard::is_document(headers) {
            let tags = headers.get_all(IF_NONE_MATCH);
            let kept = tags.iter().find_map(Added::marked);
            Self::Opened { kept }
        } else {
            Self::Read
        }
    }

    /// Makes the request one about the owner's versions.
    pub(super) fn ask(self, headers: &mut HeaderMap) {
        for name in [IF_MATCH, IF_NONE_MATCH, IF_RANGE] {
            if !headers.get(&name).is_some_and(is_marked) {
                continue;
            }
            let is_range = name == IF_RANGE;
            let plain = headers.get(&name).and_then(unmarked);
            match plain.filter(|_| name == IF_NONE_MATCH && self != Self::Read) {
                Some(plain) => drop(headers.insert(name, plain)),
                None => drop(headers.remove(&name)),
            }
            // A part of the owner's file is not a part of this one, and neither is this one the
            // owner's of the same date.
            if is_range {
                headers.remove(RANGE);
            }
            if self == Self::Read {
                headers.remove(IF_MODIFIED_SINCE);
            }
        }
    }

    /// Whether the browser would go on with a copy that lacks the script that reloads it, or should.
    pub(super) fn is_outdated(self, answer: &response::Parts) -> bool {
        let Self::Opened { kept } = self else {
            return false;
        };
        let wanted = Added::of(&answer.headers);
        // What has no mark may be something else than a page.
        let kept = kept.unwrap_or(Added::Refusals);
        answer.status == StatusCode::NOT_MODIFIED && kept != wanted
    }

    /// Adds the scripts to the `body` of an answer, if it is such a page, and says so in the headers
    /// that are passed on.
    pub(super) fn answer(
        self,
        answer: &response::Parts,
        passed: &mut HeaderMap,
        body: Body,
    ) -> Body {
        match self {
            Self::Opened { kept: Some(kept) } if answer.status == StatusCode::NOT_MODIFIED => {
                mark(passed, kept);
                body
            }
            Self::Opened { .. } if takes_script(answer) => {
                let added = Added::of(&answer.headers);
                mark(passed, added);
                passed.remove(ACCEPT_RANGES);
                lengthen(passed, added.script().len());
                let coding = passed.remove(CONTENT_ENCODING);
                with_script(body, coding.as_ref(), added.script())
            }
            _ => body,
        }
    }
}

/// This is a whole page of text in which the script is ASCII.
fn takes_script(answer: &response::Parts) -> bool {
    let headers = &answer.headers;
    let mime = headers
        .get(CONTENT_TYPE)
        .and_then(|mime| mime.to_str().ok());
    let mime = mime.unwrap_or_default().to_ascii_lowercase();
    let coding = headers.get(CONTENT_ENCODING);
    answer.status == StatusCode::OK
        && mime.split(';').next().unwrap_or_default().trim() == "text/html"
        && !mime.contains("utf-16")
        && !mime.contains("utf-32")
        && coding.is_none_or(|coding| CODINGS.iter().any(|known| coding == known))
}

/// Makes the request one for the file, whatever copies there are.
pub(super) fn ask_again(headers: &mut HeaderMap) {
    for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        headers.remove(name);
    }
}

const CODINGS: [&str; 3] = ["br", "gzip", "zstd"];

/// Its version is another one. Without a tag, nobody could tell the two apart by their dates.
fn mark(headers: &mut HeaderMap, added: Added) {
    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok());
    let marked = tag.and_then(|tag| {
        let open = tag.strip_suffix('"')?;
        HeaderValue::from_str(&format!("{open}{}", added.mark())).ok()
    });
    match marked {
        Some(marked) => drop(headers.insert(ETAG, marked)),
        None => {
            headers.remove(ETAG);
            headers.remove(LAST_MODIFIED);
        }
    }
}

/// A length that is decoded, or not known, is left out.
fn lengthen(headers: &mut HeaderMap, by: usize) {
    let plain = !headers.contains_key(CONTENT_ENCODING);
    let length = headers.remove(CONTENT_LENGTH).filter(|_| plain);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = length.and_then(|length| length.checked_add(by as u64)) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
}

fn with_script(body: Body, coding: Option<&HeaderValue>, script: &'static str) -> Body {
    let bytes = body.into_data_stream().map_err(io::Error::other);
    let coding = coding.map_or(&b""[..], HeaderValue::as_bytes);
    let script = stream::once(async { Ok(Bytes::from_static(script.as_bytes())) });
    let plain = decoded(bytes, coding);
    // A page that breaks off gets no script, because it ends with its error.
    Body::from_stream(plain.chain(script))
}

fn decoded(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    coding: &[u8],
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    if coding.is_empty() {
        return bytes.left_stream();
    }
    let coded = StreamReader::new(bytes.boxed());
    let plain = match coding {
        b"br" => ReaderStream::new(BrotliDecoder::new(coded)).boxed(),
        b"gzip" => {
            let mut decoder = GzipDecoder::new(coded);
            decoder.multiple_members(true);
            ReaderStream::new(decoder).boxed()
        }
        _ => ReaderStream::new(ZstdDecoder::new(coded)).boxed(),
    };
    plain.right_stream()
}

fn is_marked(tags: &HeaderValue) -> bool {
    Added::marked(tags).is_some()
}

fn unmarked(tags: &HeaderValue) -> Option<HeaderValue> {
    let tags = tags.to_str().ok()?;
    let plain = [Added::Live, Added::Refusals]
        .iter()
        .fold(tags.to_owned(), |tags, added| {
            tags.replace(added.mark(), "\"")
        });
    HeaderValue::from_str(&plain).ok()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::to_bytes,
        http::{HeaderName, Response},
    };

    use super::*;

    const OPENED: [(&str, &str); 2] =
        [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_static(value);
            map.insert(HeaderName::from_static(name), value);
        }
        map
    }

    fn parts(status: u16, headers: &[(&'static str, &'static str)]) -> response::Parts {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = StatusCode::from_u16(status).unwrap();
        parts.headers = map(headers);
        parts
    }

    async fn answered(page: Page, answer: &response::Parts, body: Vec<u8>) -> (HeaderMap, String) {
        let mut passed = answer.headers.clone();
        let body = page.answer(answer, &mut passed, Body::from(body));
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (passed, String::from_utf8(bytes.to_vec()).unwrap())
    }

    const LIVE_PAGE: [(&str, &str); 6] = [
        ("goop-live", "reload"),
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", "4"),
        ("accept-ranges", "bytes"),
        ("etag", "\"a-br\""),
        ("last-modified", "Mon, 30 Nov 2026 12:00:00 GMT"),
    ];

    #[tokio::test]
    async fn a_page_that_a_person_opens_gets_the_scripts() {
        let opened = Page::of(&Method::GET, &map(&OPENED));
        let cases = [
            (Added::Live, "\"a-br-live\"", &LIVE_PAGE[..]),
            (Added::Refusals, "\"a-br-refused\"", &LIVE_PAGE[1..]),
        ];
        for (added, tag, page) in cases {
            let (headers, body) = answered(opened, &parts(200, page), b"page".to_vec()).await;
            assert_eq!(body, format!("page{}", added.script()));
            assert_eq!(headers[CONTENT_LENGTH], body.len().to_string());
            assert_eq!(headers[ETAG], tag);
            assert!(!headers.contains_key(ACCEPT_RANGES));
        }
    }

    #[tokio::test]
    async fn nothing_else_gets_it() {
        let programs = [
            (Method::GET, map(&[])),
            (Method::GET, map(&[("accept", "text/html")])),
            (
                Method::GET,
                map(&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]),
            ),
            (
                Method::GET,
                map(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "object")]),
            ),
            (Method::HEAD, map(&OPENED)),
        ];
        for (method, headers) in programs {
            let page = Page::of(&method, &headers);
            let (passed, body) = answered(page, &parts(200, &LIVE_PAGE), b"page".to_vec()).await;
            assert_eq!(
                (body.as_str(), passed),
                ("page", map(&LIVE_PAGE)),
                "{headers:?}"
            );
        }
        let other = |change: (&'static str, &'static str)| {
            let mut headers = LIVE_PAGE.to_vec();
            headers.push(change);
            headers
        };
        let opened = Page::Opened { kept: None };
        for (status, headers) in [
            (404, LIVE_PAGE.to_vec()),
            (206, LIVE_PAGE.to_vec()),
            (200, other(("content-type", "application/xhtml+xml"))),
            (200, other(("content-type", "text/html; charset=UTF-16LE"))),
            (200, other(("content-encoding", "deflate"))),
        ] {
            let (_, body) = answered(opened, &parts(status, &headers), b"page".to_vec()).await;
            assert_eq!(body, "page", "{status} {headers:?}");
        }
    }

    #[tokio::test]
    async fn a_compressed_page_is_decoded() {
        use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
        use tokio::io::AsyncReadExt;

        let page: Vec<u8> = b"<p>page</p>".repeat(10_000);
        let mut encoded = [vec![], vec![], vec![]];
        BrotliEncoder::new(&*page)
            .read_to_end(&mut encoded[0])
            .await
            .unwrap();
        GzipEncoder::new(&*page)
            .read_to_end(&mut encoded[1])
            .await
            .unwrap();
        ZstdEncoder::new(&*page)
            .read_to_end(&mut encoded[2])
            .await
            .unwrap();
        for (coding, bytes) in CODINGS.into_iter().zip(encoded) {
            let mut answer = parts(200, &LIVE_PAGE);
            answer
                .headers
                .insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
            let (headers, body) =
                answered(Page::Opened { kept: None }, &answer, bytes.clone()).await;
            assert!(
                body.starts_with("<p>page") && body.ends_with(Added::Live.script()),
                "{coding}"
            );
            assert_eq!(body.len(), page.len() + Added::Live.script().len());
            assert!(
                !headers.contains_key(CONTENT_ENCODING) && !headers.contains_key(CONTENT_LENGTH)
            );
            // Cut off: an error, and not a page that ends.
            let half = Body::from(bytes[..bytes.len() / 2].to_vec());
            let mut passed = answer.headers.clone();
            let broken = Page::Opened { kept: None }.answer(&answer, &mut passed, half);
            assert!(to_bytes(broken, 1 << 20).await.is_err(), "{coding}");
        }
    }

    #[test]
    fn a_browser_asks_about_the_owners_version() {
        let kept = [
            OPENED[0],
            OPENED[1],
            ("if-none-match", "\"a-live\", W/\"b-refused\""),
        ];
        let page = Page::of(&Method::GET, &map(&kept));
        let live = Some(Added::Live);
        assert_eq!(page, Page::Opened { kept: live });
        let mut asked = map(&kept[2..]);
        page.ask(&mut asked);
        assert_eq!(asked, map(&[("if-none-match", "\"a\", W/\"b\"")]));
        let answer = parts(304, &[("etag", "\"a\"")]);
        let mut passed = answer.headers.clone();
        let _empty = page.answer(&answer, &mut passed, Body::empty());
        assert_eq!(passed, map(&[("etag", "\"a-live\"")]));
        // A copy with the script is right as long as its owner wants it, and one without if not.
        let wanted = parts(304, &[("goop-live", "reload")]);
        let refusals = Some(Added::Refusals);
        for (kept, answer, outdated) in [
            (live, &wanted, false),
            (refusals, &wanted, true),
            (None, &wanted, true),
            (live, &answer, true),
            (refusals, &answer, false),
            (None, &answer, false),
        ] {
            assert_eq!(Page::Opened { kept }.is_outdated(answer), outdated);
        }
        // A script of the page reads the file as it is.
        let mut asked = map(&[
            ("if-none-match", "\"a-live\""),
            ("if-modified-since", "Mon, 30 Nov 2026 12:00:00 GMT"),
            ("if-range", "\"a-live\""),
            ("range", "bytes=1-"),
        ]);
        Page::Read.ask(&mut asked);
        assert_eq!(asked, HeaderMap::new());
        let mut asked = map(&[("if-range", "\"a\""), ("range", "bytes=1-")]);
        let plain = asked.clone();
        Page::Read.ask(&mut asked);
        assert_eq!(asked, plain);
    }
}
