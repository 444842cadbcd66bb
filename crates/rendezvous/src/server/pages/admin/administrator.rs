//! Recognizes requests of the administrator, and answers others.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use goop2_proto::html::escape;

use crate::server::{
    app::App,
    auth::basic,
    connections::client::Client,
    respond::{HERE, error, html, too_many, wants_html},
};

/// A header that only a page of this server's origin can send.
const INTENT: HeaderName = HeaderName::from_static("goop2-admin");

/// Proof that the request is the administrator's.
pub(crate) struct Administrator;

impl FromRequestParts<Arc<App>> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        if !app.admin.is_enabled() {
            return Err(disabled(&parts.headers));
        }
        let (headers, now) = (&parts.headers, Instant::now());
        let safe = parts.method.is_safe();
        if !safe && !headers.contains_key(INTENT) {
            return Err(error(StatusCode::FORBIDDEN, "not from the admin page"));
        }
        if app.admin.holds(headers, now) {
            return Ok(Self);
        }
        let client = parts.extensions.get::<Client>().map(|client| client.0);
        let (Some(password), Some(client)) = (basic(headers), client) else {
            return Err(unauthorized(headers));
        };
        match app.admin.check(&password, client, now) {
            Ok(true) => Ok(Self),
            Ok(false) => Err(unauthorized(headers)),
            Err(wait) => Err(too_many("too many attempts", wait)),
        }
    }
}

pub(super) fn disabled(headers: &HeaderMap) -> Response {
    if wants_html(headers) {
        return no_admin();
    }
    error(StatusCode::FORBIDDEN, "admin panel disabled")
}

/// A browser gets the form; a tool is asked for the password.
fn unauthorized(headers: &HeaderMap) -> Response {
    if wants_html(headers) {
        return login_form(HERE, StatusCode::UNAUTHORIZED, "");
    }
    let mut answer = error(StatusCode::UNAUTHORIZED, "unauthorized");
    answer.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"Goop2 Admin\""),
    );
    answer
}

/// The form, instead of the browser's own password dialog.
pub(super) fn login_form(root: &str, status: StatusCode, problem: &str) -> Response {
    let alert = if problem.is_empty() {
        String::new()
    } else {
        format!(
            "<p class=\"problem\" role=\"alert\">{}</p>",
            escape(problem)
        )
    };
    let body = format!(
        "<header><h1>Administration</h1><p>Sign in with the admin password of this rendezvous.</p></header>\n\
         <form class=\"card\" method=\"post\" action=\"{root}admin\">{alert}<label for=\"password\">Password</label>\n\
         <div class=\"line\"><input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required \
         autofocus><button class=\"primary\">Sign in</button></div></form>\n"
    );
    html(root, status, "Administration", &body, None)
}

/// The page when no password is set.
fn no_admin() -> Response {
    let body = "<header><h1>Administration</h1><p>Administration is turned off on this rendezvous. To turn it on, set \
                <code>presence.admin_password</code> in <code>goop.json</code> and restart it.</p></header>\n";
    html(HERE, StatusCode::FORBIDDEN, "Administration", body, None)
}
