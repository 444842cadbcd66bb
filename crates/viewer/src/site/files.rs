//! A site's files: the bytes are streamed to the browser as they arrive, and a transfer that is cut
//! off breaks the connection, so that nobody takes a part for the whole.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use goop2_peer::{Error, Page, api::Navigated};

use crate::{app::App, door::guard, page, site::target::Target};

/// Answers with the file, or with the reason it cannot.
pub(crate) async fn visit(app: &App, target: &Target, headers: &HeaderMap) -> Response {
    let framed = guard::is_frame(headers);
    if framed
        && target
            .file()
            .and_then(|path| by_name(&path))
            .is_none_or(|mime| shown(&mime))
    {
        announce(app, target, None);
    }
    let response = open(app, target).await.unwrap_or_else(|error| {
        page::failure(headers, &error, &target.url_path(), &target.first_page())
    });
    let mime = response.headers().get(CONTENT_TYPE);
    if framed && mime.and_then(|mime| mime.to_str().ok()).is_some_and(shown) {
        announce(app, target, Some(response.status().as_u16()));
    }
    response
}

/// Tells the window that shows the frame. There may be none.
fn announce(app: &App, target: &Target, status: Option<u16>) {
    let _no_window = app.navigated.send(Navigated {
        place: target.place(),
        status,
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
    let essence = mime.split(';').next().unwrap_or_default().trim();
    let of_kind = ["text/", "image/", "audio/", "video/"]
        .iter()
        .any(|kind| essence.starts_with(kind));
    of_kind && !SAVED.contains(&essence) || SHOWN.contains(&essence)
}

async fn open(app: &App, target: &Target) -> Result<Response, Error> {
    let path = target.file().ok_or(Error::NotFound)?;
    let page = app.peer.open(target.peer, &path).await?;
    let headers = [
        (CONTENT_TYPE, content_type(&page, &path)),
        (CONTENT_LENGTH, page.len.into()),
    ];
    Ok((headers, Body::from_stream(page.body)).into_response())
}

/// The type that the owner sent, unless it says nothing: then the one of the file name (PROTOCOL
/// §9.2).
fn content_type(page: &Page, path: &str) -> HeaderValue {
    let vague = ["text/plain", "application/octet-stream"]
        .iter()
        .any(|start| page.mime.starts_with(start));
    let by_name = if vague || page.mime.is_empty() {
        by_name(path)
    } else {
        None
    };
    let mime = by_name.as_deref().unwrap_or(&page.mime);
    match HeaderValue::from_str(mime) {
        Ok(value) if !mime.is_empty() => value,
        _ => HeaderValue::from_static("application/octet-stream"),
    }
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
    use futures::{StreamExt, stream};

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
            ("text/\u{7f}html", "/a.html", "application/octet-stream"),
        ];
        for (mime, path, expected) in table {
            let page = Page {
                mime: mime.into(),
                len: 0,
                body: stream::empty().boxed(),
            };
            assert_eq!(content_type(&page, path), expected, "{mime} {path}");
        }
    }
}
