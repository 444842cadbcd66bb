//! What the UI in a browser asks: the same questions as the window's commands, in JSON.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use goop2_peer::api::{LogLine, Session, Snapshot};
use serde::Deserialize;
use serde_json::json;

use crate::{answer, app::App, body::Parsed, door::ports, events};

pub(crate) async fn session(State(app): State<Arc<App>>) -> Json<Session> {
    Json(Session {
        version: env!("CARGO_PKG_VERSION").into(),
        peer: app.peer.id().to_base58(),
        viewer_port: app.port,
    })
}

pub(crate) async fn snapshot(State(app): State<Arc<App>>) -> Json<Snapshot> {
    let snapshot = Arc::clone(&app.peer.snapshot().borrow());
    Json(Arc::unwrap_or_clone(snapshot))
}

pub(crate) async fn events(State(app): State<Arc<App>>) -> Response {
    let snapshots = events::snapshots(app.peer.snapshot())
        .map(|snapshot| events::event("snapshot", &*snapshot));
    let navigations = events::happenings(app.navigated.subscribe())
        .map(|navigated| events::event("navigated", &navigated));
    let denials =
        events::happenings(app.denied.subscribe()).map(|denied| events::event("denied", &denied));
    let happenings = stream::select(navigations, denials);
    events::answer(&app, stream::select(snapshots, happenings))
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    text: String,
}

/// Where an address that was typed or pasted leads.
pub(crate) async fn place(
    State(app): State<Arc<App>>,
    Parsed(Typed { text }): Parsed<Typed>,
) -> Response {
    answer::json(app.peer.place(&text).await)
}

#[derive(Deserialize)]
pub(crate) struct Dial {
    address: String,
}

/// A network address to remember and connect to.
pub(crate) async fn address(
    State(app): State<Arc<App>>,
    Parsed(Dial { address }): Parsed<Dial>,
) -> Response {
    let peer = app.peer.add_address(&address).await;
    answer::json(peer.map(|peer| json!({ "peer": peer.to_base58() })))
}

#[derive(Deserialize)]
pub(crate) struct Whose {
    peer: String,
}

/// Where a peer's site is for a window that finds no names.
pub(crate) async fn origin(
    State(app): State<Arc<App>>,
    Parsed(whose): Parsed<Whose>,
) -> Result<Response, Response> {
    let peer = app.peer.peer(&whose.peer).map_err(answer::failed)?;
    let no_port = |error: ports::Error| {
        (StatusCode::SERVICE_UNAVAILABLE, Json(error.failure())).into_response()
    };
    let origin = app.ports.origin(peer).await.map_err(no_port)?;
    Ok(Json(json!({ "origin": origin })).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Since {
    #[serde(default)]
    since: u64,
}

/// The lines of the log from a number on.
pub(crate) async fn logs(Query(Since { since }): Query<Since>) -> Json<Vec<LogLine>> {
    Json(goop2_peer::log::since(since))
}
