//! What the page about the network asks, and the one about the connection to a peer.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{answer, app::App, body::Parsed};

#[derive(Deserialize)]
pub(crate) struct Wanted {
    redacted: bool,
}

#[derive(Deserialize)]
pub(crate) struct Whose {
    peer: String,
}

/// What comes of it is in the snapshot.
pub(crate) async fn test(State(app): State<Arc<App>>) -> Json<()> {
    app.peer.test_again().await;
    Json(())
}

/// A text for somebody who helps.
pub(crate) async fn report(
    State(app): State<Arc<App>>,
    Parsed(wanted): Parsed<Wanted>,
) -> Json<Value> {
    Json(json!({ "text": app.peer.network_report(wanted.redacted) }))
}

/// How a peer is reached, and what was tried.
pub(crate) async fn reach(
    State(app): State<Arc<App>>,
    Parsed(whose): Parsed<Whose>,
) -> Result<Response, Response> {
    let peer = app.peer.peer(&whose.peer).map_err(answer::failed)?;
    Ok(answer::json(Ok(app.peer.history(peer).await)))
}
