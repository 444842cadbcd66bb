//! Requests of the Settings page.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{answer, app::App, body::Parsed};

/// All settings.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Response {
    answer::json(app.peer.settings().await)
}

/// Changes single settings, by their key in `goop.json`.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Parsed(values): Parsed<Map<String, Value>>,
) -> Response {
    answer::json(app.peer.change_settings(values).await)
}

#[derive(Deserialize)]
pub(crate) struct Text {
    before: String,
    text: String,
}

/// Replaces the text of `goop.json`, if it is still the text `before`.
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    Parsed(Text { before, text }): Parsed<Text>,
) -> Response {
    answer::json(app.peer.replace_settings(before, text).await)
}

/// Makes another identity, with which the peer starts again.
pub(crate) async fn renew_identity(State(app): State<Arc<App>>) -> Response {
    answer::json(app.peer.renew_identity().await)
}
