//! Requests about other peers: what the user notes about them, and their details.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use goop2_peer::api::Note;
use serde::Deserialize;

use crate::{answer, app::App, body::Parsed};

#[derive(Deserialize)]
pub(crate) struct Noted {
    peer: String,
    note: Note,
}

#[derive(Deserialize)]
pub(crate) struct Whose {
    peer: String,
}

/// Changes what the user notes about a peer.
pub(crate) async fn note(
    State(app): State<Arc<App>>,
    Parsed(Noted { peer, note }): Parsed<Noted>,
) -> Result<Response, Response> {
    let peer = app.peer.peer(&peer).map_err(answer::failed)?;
    Ok(answer::json(app.peer.note(peer, note).await))
}

/// Everything about a peer that the UI shows.
pub(crate) async fn details(State(app): State<Arc<App>>, Parsed(whose): Parsed<Whose>) -> Response {
    let peer = app.peer.peer(&whose.peer);
    answer::json(peer.map(|peer| app.peer.details(peer)))
}

/// The next visit to this peer really tries.
pub(crate) async fn try_again(
    State(app): State<Arc<App>>,
    Parsed(whose): Parsed<Whose>,
) -> Response {
    let peer = app.peer.peer(&whose.peer);
    answer::json(peer.map(|peer| app.peer.try_again(&peer)))
}
