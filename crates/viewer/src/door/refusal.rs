//! Refusals of requests that reach no router.

use axum::{
    http::{
        StatusCode,
        header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};

/// A status, and a line of text that says why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: &'static str,
}

impl IntoResponse for Refusal {
    /// No router adds its headers here, so the answer has those that it needs.
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_SECURITY_POLICY, "default-src 'none'"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (self.status, headers, format!("{}\n", self.message)).into_response()
    }
}
