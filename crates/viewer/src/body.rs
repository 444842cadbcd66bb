//! Request bodies, bounded in size and time.

use std::time::Duration;

use axum::{
    extract::{FromRequest, Request},
    http::StatusCode,
    response::Response,
};
use bytes::Bytes;
use goop2_peer::Error;
use goop2_proto::data;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::answer;

/// Bytes of a body: the most that a data stream carries, so a larger one could not be forwarded.
pub(crate) const MAX_BODY: usize = data::MAX_REQUEST;
/// For a whole body to arrive; it comes from this computer.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// A whole body.
pub(crate) struct Input(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(body) => body
                .map(Self)
                .map_err(|rejection| answer::text(rejection.status(), &rejection.body_text())),
            Err(_) => Err(answer::text(
                StatusCode::REQUEST_TIMEOUT,
                "The request timed out.",
            )),
        }
    }
}

/// A body that is JSON for `T`, whatever its content type.
pub(crate) struct Parsed<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Parsed<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let Input(body) = Input::from_request(request, state).await?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| answer::failed(not_understood(&error)))
    }
}

fn not_understood(error: &serde_json::Error) -> Error {
    Error::Invalid(format!("Goop2 doesn’t understand this request: {error}."))
}
