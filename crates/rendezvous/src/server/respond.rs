//! Forms of responses: text and JSON as existing servers write them, and HTML pages.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{mail::Remedy, registration::Refusal};

pub(crate) const NOSNIFF: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An error as Go's `http.Error` writes it (§6.1).
pub(crate) fn error(status: StatusCode, text: &str) -> Response {
    (status, [NOSNIFF], format!("{text}\n")).into_response()
}

pub(crate) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "404 page not found")
}

pub(crate) async fn method_not_allowed() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}

/// Over a limit; `wait`: when to try again.
pub(crate) fn too_many(text: &str, wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut answer = error(StatusCode::TOO_MANY_REQUESTS, text);
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    answer
}

pub(crate) fn json(body: impl Into<axum::body::Body>) -> Response {
    let content_type = (header::CONTENT_TYPE, "application/json; charset=utf-8");
    ([content_type, NOSNIFF], body.into()).into_response()
}

/// Where the pages begin, seen from one of them. Links are relative, because a proxy may serve the
/// pages below a path that this server does not see.
pub(crate) const HERE: &str = "./";
/// As [`HERE`], from a page one level below.
pub(crate) const ABOVE: &str = "../";

/// A whole page around a body that is already HTML. `root`: where the pages begin, [`HERE`],
/// [`ABOVE`] or a path; it ends with a slash and needs no escaping.
pub(crate) fn html(
    root: &str,
    status: StatusCode,
    title: &'static str,
    body: &str,
    script: Option<&str>,
) -> Response {
    let script = script.map_or(String::new(), |name| {
        format!("<script src=\"{root}assets/{name}\" defer></script>\n")
    });
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} · Goop2</title>\n<link rel=\"stylesheet\" href=\"{root}assets/style.css\">\n<link rel=\"stylesheet\" \
         href=\"{root}assets/docs.css\">\n{script}</head>\n<body>\n<main>\n{body}</main>\n<footer><a href=\"{root}\">Rendezvous</a>\
         <a href=\"{root}docs\">Help</a><a href=\"{root}admin\">Administration</a></footer>\n</body>\n</html>\n"
    );
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

/// Whether a browser asks, and not a tool.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The status that says why somebody is not registered.
pub(crate) fn status_of(why: &Refusal) -> StatusCode {
    match why {
        Refusal::Required | Refusal::Invalid | Refusal::Forged | Refusal::Stale => {
            StatusCode::BAD_REQUEST
        }
        Refusal::Already => StatusCode::CONFLICT,
        Refusal::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Full | Refusal::Away => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Mail(failure) => match failure.remedy {
            Remedy::Wait => StatusCode::SERVICE_UNAVAILABLE,
            Remedy::Address => StatusCode::UNPROCESSABLE_ENTITY,
            Remedy::Setup => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Refusal::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
