//! Requests of the UI in a browser: the same as the window's commands, in JSON.

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

/// Facts that stay the same for the whole run.
pub(crate) async fn session(State(app): State<Arc<App>>) -> Json<Session> {
    Json(Session {
        version: env!("CARGO_PKG_VERSION").into(),
        peer: app.peer.id().to_base58(),
        viewer_port: app.port,
    })
}

/// The current state.
pub(crate) async fn snapshot(State(app): State<Arc<App>>) -> Json<Snapshot> {
    let snapshot = Arc::clone(&app.peer.snapshot().borrow());
    Json(Arc::unwrap_or_clone(snapshot))
}

/// The state and every change of it, navigations of frames, and denied requests of pages.
pub(crate) async fn events(State(app): State<Arc<App>>) -> Response {
    let snapshots = events::snapshots(app.peer.snapshot())
        .map(|snapshot| events::event("snapshot", &*snapshot));
    let navigations = events::messages(app.navigated.subscribe())
        .map(|navigated| events::event("navigated", &navigated));
    let denials =
        events::messages(app.denied.subscribe()).map(|denied| events::event("denied", &denied));
    let reports = stream::select(navigations, denials);
    events::answer(&app, stream::select(snapshots, reports))
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    text: String,
}

/// The page that a typed or pasted address leads to.
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

/// Remembers a network address of a peer and connects to it.
pub(crate) async fn address(
    State(app): State<Arc<App>>,
    Parsed(Dial { address }): Parsed<Dial>,
) -> Response {
    let peer = app.peer.add_address(&address).await;
    answer::json(peer.map(|peer| json!({ "peer": peer.to_base58() })))
}

/// Opens the ports of sites, for a window in which their names don't resolve. Its policy comes with
/// the next document.
pub(crate) async fn ports(State(app): State<Arc<App>>) -> Result<Response, Response> {
    app.ports.open().await.map_err(no_port)?;
    Ok(Json(json!({})).into_response())
}

fn no_port(error: ports::Error) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(error.failure())).into_response()
}

#[derive(Deserialize)]
pub(crate) struct Shown {
    peer: String,
    /// The user's own site, as a stranger sees it.
    #[serde(default)]
    stranger: bool,
}

/// The origin of a peer's site, for a window in which the names of sites don't resolve.
pub(crate) async fn origin(
    State(app): State<Arc<App>>,
    Parsed(shown): Parsed<Shown>,
) -> Result<Response, Response> {
    let origin = if shown.stranger {
        app.ports.origin_for_stranger(app.peer.id()).await
    } else {
        let peer = app.peer.peer(&shown.peer).map_err(answer::failed)?;
        app.ports.origin(peer).await
    };
    let origin = origin.map_err(no_port)?;
    Ok(Json(json!({ "origin": origin })).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Since {
    #[serde(default)]
    since: u64,
}

/// The lines of the log from the number `since` on.
pub(crate) async fn logs(Query(Since { since }): Query<Since>) -> Json<Vec<LogLine>> {
    Json(goop2_peer::log::since(since))
}
