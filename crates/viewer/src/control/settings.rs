//! What the settings page asks.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{answer, app::App, body::Parsed};

pub(crate) async fn all(State(app): State<Arc<App>>) -> Response {
    answer::json(app.peer.settings().await)
}

/// Single settings, by name.
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

/// All of `goop.json`.
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    Parsed(Text { before, text }): Parsed<Text>,
) -> Response {
    answer::json(app.peer.replace_settings(before, text).await)
}
