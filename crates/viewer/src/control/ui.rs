//! The UI bundle for browsers: the same files that the window shows. They are no secret; what they
//! show needs the token.

use std::sync::Arc;

use axum::{
    extract::{Query, State},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, SET_COOKIE},
    },
    response::{IntoResponse, Redirect, Response},
};
use rust_embed::RustEmbed;
use serde::Deserialize;

use crate::{
    app::App,
    page::{self, Link},
    policy,
};

#[derive(RustEmbed)]
#[folder = "../../ui/dist/"]
#[allow_missing = true]
struct Bundle;

#[derive(Deserialize)]
pub(crate) struct Entry {
    token: Option<String>,
    ports: Option<String>,
}

/// `/`: the window. With the token it becomes this browser's cookie and leaves the address bar. It
/// has one address: no policy of a site can name an IPv6 one as its frame, and `localhost` is where
/// sites are that have no names ([`crate::door::ports`]).
///
/// `/?ports`: the window that frames those; from its user only, since it opens them.
pub(crate) async fn index(
    State(app): State<Arc<App>>,
    Query(entry): Query<Entry>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if headers
        .get(HOST)
        .is_some_and(|host| !host.as_bytes().starts_with(b"127."))
    {
        return Redirect::temporary(&format!("http://127.0.0.1:{}{uri}", app.port)).into_response();
    }
    match entry.token {
        Some(token) if app.token.is(&token) => (
            [(SET_COOKIE, app.token.set_cookie(app.port))],
            Redirect::to("/"),
        )
            .into_response(),
        Some(_) => {
            let message = "This link belongs to an earlier run of Goop2. Open the address that it printed when it started this time.";
            page::answer(
                &headers,
                StatusCode::FORBIDDEN,
                "This link is too old",
                message,
                Some(&Link {
                    text: "Go on without",
                    href: "/",
                }),
            )
        }
        None if entry.ports.is_some() && app.token.is_in(&headers, app.port) => {
            match app.ports.open().await {
                Ok(ports) => (
                    [(
                        CONTENT_SECURITY_POLICY,
                        policy::control_content(app.port, ports),
                    )],
                    window(&headers),
                )
                    .into_response(),
                Err(error) => page::answer(
                    &headers,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "That did not work",
                    &error.to_string(),
                    Some(&Link {
                        text: "Go on without",
                        href: "/",
                    }),
                ),
            }
        }
        None => window(&headers),
    }
}

fn window(headers: &HeaderMap) -> Response {
    embedded("index.html").unwrap_or_else(|| not_built(headers))
}

/// Everything the window loads.
pub(crate) async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let found = embedded(uri.path().trim_start_matches('/'));
    found.unwrap_or_else(|| page::failure(&headers, &goop2_peer::Error::NotFound, "/"))
}

fn embedded(path: &str) -> Option<Response> {
    let file = Bundle::get(path)?;
    // Under /app/ a name carries the hash of what is in it.
    let cache = if path.starts_with("app/") {
        "private, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let charset = if kind.type_() == mime_guess::mime::TEXT {
        "; charset=utf-8"
    } else {
        ""
    };
    Some(
        (
            [
                (CONTENT_TYPE, format!("{kind}{charset}")),
                (CACHE_CONTROL, cache.into()),
            ],
            file.data,
        )
            .into_response(),
    )
}

fn not_built(headers: &HeaderMap) -> Response {
    let message = "This build of Goop2 has no user interface in it. Build it with “make ui”, then start Goop2 again. Sites can be visited all the same.";
    page::answer(
        headers,
        StatusCode::NOT_FOUND,
        "No user interface",
        message,
        None,
    )
}
