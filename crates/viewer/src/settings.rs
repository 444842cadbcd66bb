//! What the settings page asks.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    api::{answer, failed, parse},
    app::App,
    data::Input,
};

pub(crate) async fn all(State(app): State<Arc<App>>) -> Response {
    answer(app.peer.settings().await)
}

/// Single settings, by name.
pub(crate) async fn change(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Map<String, Value>>(&body) {
        Ok(values) => answer(app.peer.change_settings(values).await),
        Err(error) => failed(error),
    }
}

#[derive(Deserialize)]
pub(crate) struct Text {
    before: String,
    text: String,
}

/// All of `goop.json`.
pub(crate) async fn replace(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Text>(&body) {
        Ok(Text { before, text }) => answer(app.peer.replace_settings(before, text).await),
        Err(error) => failed(error),
    }
}
