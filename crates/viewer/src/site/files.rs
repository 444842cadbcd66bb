//! A site's files: this viewer is a reverse proxy towards the owner. What a request says about its
//! visitor stays here, and what an answer says about the rules of its origin is ours. The bytes are
//! streamed to the browser as they arrive, and a transfer that is cut off breaks the connection, so
//! that nobody takes a part for the whole.

use axum::{
    http::{
        HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
        header::{CONTENT_TYPE, LOCATION, REFERER},
        request,
    },
    response::{IntoResponse, Response},
};
use goop2_peer::{Error, api::Navigated};
use goop2_proto::web::{ADDRESS, AT_ROOT};

use crate::{
    app::App,
    door::guard,
    page,
    site::{headers, inject, redirect, target::Target, title},
};

/// Answers with the file, or with the reason it cannot.
pub(crate) async fn visit(
    app: &App,
    method: &Method,
    target: &Target,
    headers: &HeaderMap,
) -> Response {
    let framed = guard::is_frame(headers);
    if framed
        && target
            .file()
            .and_then(|path| by_name(&path))
            .is_none_or(|mime| shown(&mime))
    {
        announce(app, target, None);
    }
    if is_repeated(target, headers) {
        app.peer.try_again(&target.peer);
    }
    let response = open(app, method, target, headers)
        .await
        .unwrap_or_else(|error| {
            page::failure(headers, &error, &target.address(), &target.first_page())
        });
    let mime = mime(response.headers()).unwrap_or_default().to_owned();
    if framed && shown(&mime) {
        announce(app, target, Some(response.status().as_u16()));
    }
    if framed && essence(&mime) == "text/html" {
        return with_title(app, target, response);
    }
    response
}

/// Whether a page leads to itself, as “Try again” on a page about a failure does.
fn is_repeated(target: &Target, headers: &HeaderMap) -> bool {
    let from = headers.get(REFERER).and_then(|from| from.to_str().ok());
    let from = from.and_then(|from| from.parse::<Uri>().ok());
    let address = target.address();
    guard::is_navigation(headers)
        && from.and_then(|from| from.path_and_query().map(|at| *at == *address)) == Some(true)
}

/// Announces the title of the page, too, when it has come by.
fn with_title(app: &App, target: &Target, response: Response) -> Response {
    let (navigated, place) = (app.navigated.clone(), target.place());
    let status = Some(response.status().as_u16());
    title::read(response, move |title| {
        let title = Some(title);
        let _no_window = navigated.send(Navigated {
            place,
            status,
            title,
        });
    })
}

/// Tells the window that shows the frame. There may be none.
fn announce(app: &App, target: &Target, status: Option<u16>) {
    let _no_window = app.navigated.send(Navigated {
        place: target.place(),
        status,
        title: None,
    });
}

/// Whether a frame shows a file of this type. Any other is downloaded, and the frame keeps its
/// page.
fn shown(mime: &str) -> bool {
    const SAVED: [&str; 6] = [
        "text/calendar",
        "text/csv",
        "text/rtf",
        "text/tab-separated-values",
        "text/vcard",
        "text/x-vcard",
    ];
    const SHOWN: [&str; 5] = [
        "application/javascript",
        "application/json",
        "application/pdf",
        "application/xhtml+xml",
        "application/xml",
    ];
    let essence = essence(mime);
    let of_kind = ["text/", "image/", "audio/", "video/"]
        .iter()
        .any(|kind| essence.starts_with(kind));
    of_kind && !SAVED.contains(&essence) || SHOWN.contains(&essence)
}

async fn open(
    app: &App,
    method: &Method,
    target: &Target,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let page = inject::Page::of(method, headers);
    let mut request = ask(method, target, headers)?;
    page.ask(&mut request.headers);
    let fetched = app.prefetches.fetch(target, request.clone()).await?;
    let mut fetched = fetched.into_parts();
    if page.is_outdated(&fetched.0) {
        inject::ask_again(&mut request.headers);
        fetched = app.prefetches.fetch(target, request).await?.into_parts();
    }
    let (mut answer, body) = fetched;
    if answer.status == StatusCode::NOT_MODIFIED && method == Method::GET {
        app.prefetches.page_again(target, headers, &answer.headers);
    }
    let navigation = guard::is_navigation(headers);
    let html = mime(&answer.headers).is_some_and(|mime| essence(mime) == "text/html");
    if navigation && html && answer.status == StatusCode::OK {
        let at_root = answer
            .headers
            .get(ADDRESS)
            .is_some_and(|form| form == AT_ROOT);
        if at_root != target.at_root {
            return Ok(redirect::within(&target.in_form(at_root)));
        }
    }
    if !html {
        refused(answer.status)?;
    }
    if answer.status.is_server_error() {
        return Err(Error::Protocol(format!("it answered {}", answer.status)));
    }
    if let Some(location) = answer.headers.remove(LOCATION) {
        answer.headers.insert(LOCATION, within(target, location)?);
    }
    let mut passed = headers::answer(&answer.headers, html);
    if !passed.contains_key(CONTENT_TYPE) || is_vague(&passed) {
        passed.insert(CONTENT_TYPE, content_type(&passed, target));
    }
    let body = if html && method == Method::GET {
        app.prefetches.page(target, headers, &answer.headers, body)
    } else {
        body
    };
    let body = page.answer(&answer, &mut passed, body);
    let mut response = (answer.status, body).into_response();
    *response.headers_mut() = passed;
    Ok(response)
}

/// The request as the owner gets it.
fn ask(method: &Method, target: &Target, headers: &HeaderMap) -> Result<request::Parts, Error> {
    let uri: Uri = target.resource().parse().map_err(|_| Error::NotFound)?;
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = method.clone();
    head.uri = uri;
    head.headers = headers::request(headers);
    Ok(head)
}

/// A refusal without a page of the author's becomes one of ours.
fn refused(status: StatusCode) -> Result<(), Error> {
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::BAD_REQUEST => Err(Error::NotFound),
        StatusCode::FORBIDDEN => Err(Error::Forbidden),
        _ => Ok(()),
    }
}

/// Where a redirect of the owner leads: inside the site, in the form of address of this request, or
/// to the web. Everything else would lead to somebody else's address on this computer.
fn within(target: &Target, location: HeaderValue) -> Result<HeaderValue, Error> {
    let strange = || Error::Protocol("it redirects to an address that isn’t its own".into());
    let text = location.to_str().map_err(|_| strange())?;
    let trap = text.starts_with("//")
        || text.contains(['\\', '\t', '\n', '\r'])
        || text.trim() != text
        || text.is_empty();
    if trap {
        return Err(strange());
    }
    if text.starts_with('/') {
        let address = format!("{}{text}", target.root());
        return HeaderValue::from_str(&address).map_err(|_| strange());
    }
    let scheme = text
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|first| first.contains(':'));
    if scheme && !text.to_ascii_lowercase().starts_with("https://") {
        return Err(strange());
    }
    Ok(location)
}

fn mime(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

fn essence(mime: &str) -> &str {
    mime.split(';').next().unwrap_or_default().trim()
}

/// A type that says nothing. Existing peers send it for files they do not know (PROTOCOL §9.2).
fn is_vague(headers: &HeaderMap) -> bool {
    mime(headers).is_none_or(|mime| {
        mime.is_empty() || ["text/plain", "application/octet-stream"].contains(&essence(mime))
    })
}

/// The type by the file's name, unless that says nothing either.
fn content_type(headers: &HeaderMap, target: &Target) -> HeaderValue {
    let by_name = target
        .file()
        .and_then(|path| by_name(&path))
        .and_then(|mime| HeaderValue::from_str(&mime).ok());
    by_name
        .or_else(|| {
            headers
                .get(CONTENT_TYPE)
                .filter(|mime| !mime.is_empty())
                .cloned()
        })
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn by_name(path: &str) -> Option<String> {
    let path = if path.ends_with('/') {
        "index.html"
    } else {
        path
    };
    let mime = mime_guess::from_path(path).first()?;
    Some(if mime.type_() == mime_guess::mime::TEXT {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_string()
    })
}

#[cfg(test)]
mod tests {
    use goop2_proto::Keypair;

    use super::*;

    #[test]
    fn files_that_a_frame_shows_are_distinguished_from_downloads() {
        for mime in [
            "text/html; charset=utf-8",
            "text/markdown",
            "image/svg+xml",
            "application/pdf",
        ] {
            assert!(shown(mime), "{mime}");
        }
        for mime in [
            "application/zip",
            "application/octet-stream",
            "text/csv; charset=utf-8",
            "font/woff2",
            "",
        ] {
            assert!(!shown(mime), "{mime}");
        }
    }

    #[test]
    fn a_type_that_says_nothing_is_replaced_by_that_of_the_name() {
        let table = [
            (
                "text/html; charset=utf-8",
                "/x.css",
                "text/html; charset=utf-8",
            ),
            ("", "/", "text/html; charset=utf-8"),
            ("", "/a.css", "text/css; charset=utf-8"),
            (
                "text/plain; charset=utf-8",
                "/a.js",
                "text/javascript; charset=utf-8",
            ),
            ("application/octet-stream", "/a.svg", "image/svg+xml"),
            ("application/octet-stream", "/a.wasm", "application/wasm"),
            (
                "text/plain; charset=utf-8",
                "/README",
                "text/plain; charset=utf-8",
            ),
            ("", "/README", "application/octet-stream"),
        ];
        for (mime, path, expected) in table {
            let peer = Keypair::generate_ed25519().public().to_peer_id();
            let target = Target::of_root(peer, &path.parse().unwrap());
            let mut headers = HeaderMap::new();
            if let Ok(mime) = HeaderValue::from_str(mime) {
                headers.insert(CONTENT_TYPE, mime);
            }
            if is_vague(&headers) {
                headers.insert(CONTENT_TYPE, content_type(&headers, &target));
            }
            assert_eq!(headers[CONTENT_TYPE], expected, "{mime} {path}");
        }
    }
}
