//! Who sent a request: browsers say so in `Origin` (RFC 6454 §7) and `Sec-Fetch-*` (W3C Fetch
//! Metadata), which pages cannot forge. Programs other than browsers send neither; the token stops
//! them where it matters.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, Method, StatusCode,
        header::{ACCEPT, ORIGIN},
    },
};

use crate::door::refusal::Refusal;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// `own` is the URL of the origin the request is for, `is_api` says which of its paths are for scripts.
/// A page of another origin may link to a page here and do nothing else: who may frame it is up to
/// its own policy.
pub(crate) fn admit(request: &Request, own: &str, is_api: fn(&str) -> bool) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers.contains_key(SERVICE_WORKER) {
        return Err(NO_WORKERS);
    }
    if headers
        .get_all(ORIGIN)
        .into_iter()
        .any(|origin| origin != own)
    {
        return Err(FOREIGN);
    }
    let same_origin = matches!(
        text(headers, &SEC_FETCH_SITE),
        None | Some("same-origin" | "none")
    );
    let linked = [Method::GET, Method::HEAD].contains(request.method())
        && text(headers, &SEC_FETCH_MODE) == Some("navigate")
        && matches!(
            text(headers, &SEC_FETCH_DEST),
            None | Some("document" | "iframe" | "frame")
        )
        && !is_api(request.uri().path());
    if same_origin || linked {
        Ok(())
    } else {
        Err(FOREIGN)
    }
}

/// A person is waiting for a page, in a window or a frame.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    let browser = [SEC_FETCH_SITE, SEC_FETCH_MODE, SEC_FETCH_DEST]
        .iter()
        .any(|name| headers.contains_key(name));
    text(headers, &SEC_FETCH_MODE).map_or(browser && wants_html(headers), |mode| mode == "navigate")
}

/// A document for a frame: the window's, or one within a site.
pub(crate) fn is_frame(headers: &HeaderMap) -> bool {
    is_navigation(headers) && matches!(text(headers, &SEC_FETCH_DEST), Some("iframe" | "frame"))
}

/// A document that a person opens, in a window or a frame. Browsers say so, programs do not.
pub(crate) fn is_document(headers: &HeaderMap) -> bool {
    text(headers, &SEC_FETCH_MODE) == Some("navigate")
        && matches!(
            text(headers, &SEC_FETCH_DEST),
            Some("document" | "iframe" | "frame")
        )
}

pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    text(headers, &ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}

const FOREIGN: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    message: "Pages of other sites can link to this address, but not use it.",
};
pub(crate) const NO_WORKERS: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    message: "Sites can’t use service workers here: a site is online only while its owner is, and must not live on in a cache.",
};

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::control;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    const OWN: &str = "http://127.0.0.1:8080";

    fn request(line: &str, headers: &[(&str, &str)]) -> Request {
        let (method, path) = line.split_once(' ').unwrap();
        let builder = Request::builder().method(method).uri(path);
        headers
            .iter()
            .fold(builder, |builder, (name, value)| {
                builder.header(*name, *value)
            })
            .body(Body::empty())
            .unwrap()
    }

    const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
    const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
    const LINK: (&str, &str) = ("sec-fetch-mode", "navigate");
    const EVIL: (&str, &str) = ("origin", "https://evil.example");

    #[test]
    fn the_same_origin_and_the_user_may_do_anything() {
        let table: &[(&str, Headers<'_>)] = &[
            ("GET /x", &[]),
            ("POST /api/x", &[]),
            ("POST /api/x", &[("origin", OWN)]),
            ("POST /api/x", &[("origin", OWN), SAME]),
            ("GET /x", &[("sec-fetch-site", "none"), LINK]),
        ];
        for (line, headers) in table {
            assert!(
                admit(&request(line, headers), OWN, control::is_api).is_ok(),
                "{line} {headers:?}"
            );
        }
    }

    #[test]
    fn pages_of_other_origins_may_only_link() {
        let dest = |value| ("sec-fetch-dest", value);
        let table: &[(&str, Headers<'_>, bool)] = &[
            ("POST /api/x", &[("origin", "http://127.0.0.1:8081")], false),
            ("POST /api/x", &[("origin", "null")], false),
            ("GET /x", &[EVIL], false),
            ("GET /x", &[("origin", OWN), EVIL], false),
            ("GET /x", &[CROSS], false),
            ("GET /x", &[("sec-fetch-site", "same-site")], false),
            ("GET /x", &[("sec-fetch-site", "")], false),
            ("GET /x", &[CROSS, LINK], true),
            ("HEAD /x", &[CROSS, LINK, dest("document")], true),
            ("GET /x", &[CROSS, LINK, dest("iframe")], true),
            ("GET /x", &[CROSS, LINK, dest("object")], false),
            (
                "GET /x",
                &[CROSS, ("sec-fetch-mode", "no-cors"), dest("image")],
                false,
            ),
            ("GET /api/x", &[CROSS, LINK], false),
            ("POST /x", &[CROSS, LINK], false),
            ("GET /sw.js", &[("service-worker", "script"), SAME], false),
        ];
        for (line, headers, admitted) in table {
            let outcome = admit(&request(line, headers), OWN, control::is_api);
            assert_eq!(outcome.is_ok(), *admitted, "{line} {headers:?}");
        }
    }

    #[test]
    fn the_browser_says_whether_a_request_is_a_navigation() {
        let table: &[(Headers<'_>, bool)] = &[
            (&[], false),
            (&[("accept", "text/html")], false),
            (&[("accept", "text/html"), ("sec-fetch-site", "none")], true),
            (&[("sec-fetch-mode", "navigate")], true),
            (
                &[("sec-fetch-mode", "cors"), ("accept", "text/html")],
                false,
            ),
        ];
        for (headers, expected) in table {
            assert_eq!(
                is_navigation(request("GET /", headers).headers()),
                *expected,
                "{headers:?}"
            );
        }
    }
}
