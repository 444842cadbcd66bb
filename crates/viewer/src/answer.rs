//! Answers for programs: a line of text as existing viewers send it, and JSON for the UI.

use axum::{
    Json,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use goop2_peer::Error;
use serde::Serialize;

/// A line of plain text (PROTOCOL §9.4).
pub(crate) fn text(status: StatusCode, message: &str) -> Response {
    (
        status,
        [(CONTENT_TYPE, "text/plain; charset=utf-8")],
        format!("{message}\n"),
    )
        .into_response()
}

/// The outcome as JSON: the value, or the error's code and message.
pub(crate) fn json(outcome: Result<impl Serialize, Error>) -> Response {
    outcome.map(Json).map_err(failed).into_response()
}

/// The code and message of an error, as JSON.
pub(crate) fn failed(error: Error) -> Response {
    (status(&error), Json(error.failure())).into_response()
}

/// The HTTP status of an error.
pub(crate) fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Forbidden | Error::Blocked => StatusCode::FORBIDDEN,
        Error::Invalid(_) | Error::Setting(_) => StatusCode::BAD_REQUEST,
        Error::TooSlow => StatusCode::GATEWAY_TIMEOUT,
        Error::Offline | Error::Cut | Error::Protocol(_) | Error::Closed => StatusCode::BAD_GATEWAY,
        Error::Publish(_) => match error.code() {
            "conflict" | "exists" => StatusCode::CONFLICT,
            "not-found" => StatusCode::NOT_FOUND,
            "invalid" | "canceled" => StatusCode::BAD_REQUEST,
            "full" => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Error::Data(_) | Error::Store(_) | Error::Node(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The handler for paths under `/api/` without a route.
pub(crate) async fn unknown() -> Response {
    text(StatusCode::NOT_FOUND, "not found")
}

/// The handler for routes without the request's method.
pub(crate) async fn wrong_method() -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}
