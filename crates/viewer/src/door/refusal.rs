//! Why a request reaches no router.

use axum::{
    http::{
        StatusCode,
        header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};

/// What the sender is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: &'static str,
}

impl IntoResponse for Refusal {
    /// No router adds its headers, so the answer brings those that it needs.
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_SECURITY_POLICY, "default-src 'none'"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (self.status, headers, format!("{}\n", self.message)).into_response()
    }
}
