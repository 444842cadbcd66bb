//! Which headers pass between a browser and the owner of a site. Both lists name what passes:
//! whatever browsers or owners invent next stays outside.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE,
        CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, LINK, LOCATION, RANGE, VARY,
    },
};

use crate::door::guard;

/// Of a request: which part of which version of a file is wanted. Nothing here says who asks.
const ASKED: [HeaderName; 6] = [
    RANGE,
    IF_RANGE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
];
/// What browsers can decode and owners may send (RFC 9110 §12.5.3). Their own lists differ, and tell
/// them apart.
const ENCODINGS: [&str; 3] = ["br", "zstd", "gzip"];
/// Of an answer: the file itself, its versions and its language.
const ANSWERED: [HeaderName; 11] = [
    ACCEPT_RANGES,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    LOCATION,
    VARY,
    COEP,
];
/// A site may ask for more isolation, so that its threads can share memory.
const COEP: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// What an owner may say about copies that a browser keeps.
const CACHED: HeaderValue = HeaderValue::from_static("no-cache");

/// The headers of a request, for the owner.
pub(super) fn request(headers: &HeaderMap) -> HeaderMap {
    let mut passed: HeaderMap = ASKED
        .into_iter()
        .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())))
        .collect();
    if let Some(encodings) = encodings(headers) {
        passed.insert(ACCEPT_ENCODING, encodings);
    }
    // Owners answer people with a page where programs get an error.
    if guard::is_navigation(headers) {
        passed.insert(ACCEPT, HeaderValue::from_static("text/html"));
        passed.insert(SEC_FETCH_MODE, HeaderValue::from_static("navigate"));
    }
    passed
}

/// Of [`ENCODINGS`], those that the browser takes.
fn encodings(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(ACCEPT_ENCODING)?.to_str().ok()?;
    let takes = |name: &&str| {
        wanted.split(',').any(|one| {
            let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
            coding.trim().eq_ignore_ascii_case(name)
                && !["q=0", "q=0.0", "q=0.00", "q=0.000"].contains(&weight.trim())
        })
    };
    let taken: Vec<&str> = ENCODINGS.into_iter().filter(takes).collect();
    HeaderValue::from_str(&taken.join(", "))
        .ok()
        .filter(|value| !value.is_empty())
}

/// The headers of an answer, for the browser; `html` when it is a page. A browser keeps a copy of a
/// file that has a version, and asks about it each time: an owner who is offline shows nothing.
/// Files that an owner says never change may be used without asking, but pages never.
pub(super) fn answer(headers: &HeaderMap, html: bool) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in ANSWERED {
        if let Some(value) = headers.get(&name) {
            passed.insert(name, value.clone());
        }
    }
    if let Some(link) = headers.get(LINK).filter(|link| only_preloads(link)) {
        passed.insert(LINK, link.clone());
    }
    if headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED) {
        let own = headers.get(CACHE_CONTROL).filter(|_| !html);
        passed.insert(CACHE_CONTROL, own.cloned().unwrap_or(CACHED));
    }
    passed
}

/// Relations that fetch, never those that look up a name or connect (W3C Resource Hints).
fn only_preloads(link: &HeaderValue) -> bool {
    link.to_str().is_ok_and(|link| {
        let link = link.to_ascii_lowercase();
        !link.contains("dns-prefetch") && !link.contains("preconnect")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn nothing_that_tells_visitors_apart_reaches_an_owner() {
        let browser = map(&[
            ("user-agent", "Browser/1"),
            ("cookie", "a=b"),
            ("accept-language", "de"),
            ("accept", "text/html;v=1"),
            ("referer", "http://x/"),
            ("authorization", "Bearer x"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "cross-site"),
            (
                "accept-encoding",
                "gzip, deflate, BR;q=0.5, zstd;q=0, x-odd",
            ),
            ("range", "bytes=0-1"),
            ("if-none-match", "\"a\""),
        ]);
        let expected = map(&[
            ("accept", "text/html"),
            ("sec-fetch-mode", "navigate"),
            ("accept-encoding", "br, gzip"),
            ("range", "bytes=0-1"),
            ("if-none-match", "\"a\""),
        ]);
        assert_eq!(request(&browser), expected);
        assert_eq!(
            request(&map(&[("accept-encoding", "deflate")])),
            HeaderMap::new()
        );
    }

    #[test]
    fn no_owner_loosens_the_rules_of_an_origin() {
        let owner = map(&[
            ("content-security-policy", "default-src *"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("clear-site-data", "\"*\""),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cross-origin-opener-policy", "unsafe-none"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("link", "<https://x>; rel=Preconnect"),
            ("refresh", "0; url=http://x"),
            ("cache-control", "max-age=31536000, immutable"),
            ("content-type", "text/css"),
            ("etag", "\"a\""),
        ]);
        let file = map(&[
            ("cross-origin-embedder-policy", "require-corp"),
            ("cache-control", "max-age=31536000, immutable"),
            ("content-type", "text/css"),
            ("etag", "\"a\""),
        ]);
        assert_eq!(answer(&owner, false), file);
        assert_eq!(answer(&owner, true)[CACHE_CONTROL], "no-cache");
        assert!(!answer(&map(&[("content-type", "text/css")]), false).contains_key(CACHE_CONTROL));
    }
}
