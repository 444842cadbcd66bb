//! The UI bundle for browsers: the same files that the window shows. They are not secret; the data
//! they show requires the token.

use std::sync::Arc;

use axum::{
    extract::{Query, State},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST},
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

/// `/`: the window. It takes a token in the URL out of the address bar and keeps it in its tab.
/// The window has one address only: the policy of a site cannot name an IPv6 address as its frame,
/// and `localhost` is for sites at ports ([`crate::door::ports`]).
///
/// `/?ports`: the window that frames those sites, once the user's window has had the ports opened.
pub(crate) async fn index(
    State(app): State<Arc<App>>,
    Query(entry): Query<Entry>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if !is_at_ipv4(&headers) {
        return Redirect::temporary(&format!("http://127.0.0.1:{}{uri}", app.port)).into_response();
    }
    if entry.token.is_some_and(|token| !app.token.is(&token)) {
        return expired(&headers);
    }
    match (entry.ports, app.ports.opened()) {
        (None, _) => window(&headers),
        (Some(_), None) => Redirect::temporary("/").into_response(),
        (Some(_), Some(ports)) => {
            let policy = policy::control_content(app.port, ports);
            ([(CONTENT_SECURITY_POLICY, policy)], window(&headers)).into_response()
        }
    }
}

fn is_at_ipv4(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST);
    host.is_none_or(|host| host.as_bytes().starts_with(b"127."))
}

fn expired(headers: &HeaderMap) -> Response {
    page::answer(
        headers,
        StatusCode::FORBIDDEN,
        "This link has expired",
        "This link is from an earlier run of Goop2. Open the address that Goop2 printed when it last started.",
        Some(&CONTINUE),
    )
}

const CONTINUE: Link = Link::to("Continue without it", "/");

fn window(headers: &HeaderMap) -> Response {
    embedded("index.html").unwrap_or_else(|| not_built(headers))
}

/// A file of the bundle.
pub(crate) async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let found = embedded(uri.path().trim_start_matches('/'));
    found.unwrap_or_else(|| page::missing(&headers, "/"))
}

fn embedded(path: &str) -> Option<Response> {
    let file = Bundle::get(path)?;
    // Names under app/ contain the hash of their content.
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
    let message = "This build of Goop2 doesn’t include the user interface. Run “make ui”, then start Goop2 again. You can still visit sites.";
    page::answer(
        headers,
        StatusCode::NOT_FOUND,
        "No user interface",
        message,
        None,
    )
}
