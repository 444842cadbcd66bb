//! Requests of the Network page, and of the details about the connection to a peer.

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

/// Tests the network again. The results appear in the snapshot.
pub(crate) async fn test(State(app): State<Arc<App>>) -> Json<()> {
    app.peer.test_again().await;
    Json(())
}

/// The network report as text, for someone who helps the user.
pub(crate) async fn report(
    State(app): State<Arc<App>>,
    Parsed(wanted): Parsed<Wanted>,
) -> Json<Value> {
    Json(json!({ "text": app.peer.network_report(wanted.redacted) }))
}

/// How the peer is connected, and what was tried.
pub(crate) async fn reach(
    State(app): State<Arc<App>>,
    Parsed(whose): Parsed<Whose>,
) -> Result<Response, Response> {
    let peer = app.peer.peer(&whose.peer).map_err(answer::failed)?;
    Ok(answer::json(Ok(app.peer.history(peer).await)))
}
