//! What the UI in a browser asks: the same questions as the window's commands, in JSON.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use goop2_peer::{
    Error,
    api::{LogLine, Session, Snapshot},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{app::App, data::Input, events, page};

/// Of a page's log line, what is kept.
const MAX_LOG: usize = 2048;

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
pub(crate) async fn place(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Typed>(&body) {
        Ok(Typed { text }) => app
            .peer
            .place(&text)
            .await
            .map(Json)
            .map_err(failed)
            .into_response(),
        Err(error) => failed(error),
    }
}

#[derive(Deserialize)]
pub(crate) struct Dial {
    address: String,
}

/// A network address to remember and connect to.
pub(crate) async fn address(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Dial>(&body) {
        Ok(Dial { address }) => app
            .peer
            .add_address(&address)
            .await
            .map(|peer| Json(json!({ "peer": peer.to_base58() })))
            .map_err(failed)
            .into_response(),
        Err(error) => failed(error),
    }
}

#[derive(Deserialize)]
pub(crate) struct Whose {
    peer: String,
}

/// Where a peer's site is for a window that finds no names.
pub(crate) async fn origin(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    let peer = parse::<Whose>(&body).and_then(|Whose { peer }| app.peer.peer(&peer));
    match peer {
        Ok(peer) => app
            .ports
            .origin(peer)
            .await
            .map(|origin| Json(json!({ "origin": origin })))
            .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, Json(error.failure())))
            .into_response(),
        Err(error) => failed(error),
    }
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

/// A page's log line (PROTOCOL §9.5). What a stranger's page says stays at DEBUG, and short.
pub(crate) async fn log(Input(body): Input) -> StatusCode {
    let line: String = String::from_utf8_lossy(&body)
        .chars()
        .filter(|char| !char.is_control())
        .take(MAX_LOG)
        .collect();
    tracing::debug!(line, "page");
    StatusCode::NO_CONTENT
}

pub(crate) async fn unknown() -> Response {
    page::text(StatusCode::NOT_FOUND, "not found")
}

pub(crate) async fn wrong_method() -> Response {
    page::text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}

/// The outcome as JSON: the value, or why there is none.
pub(crate) fn answer(outcome: Result<impl Serialize, Error>) -> Response {
    outcome.map(Json).map_err(failed).into_response()
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body)
        .map_err(|error| Error::Invalid(format!("This request is not understood: {error}.")))
}

pub(crate) fn failed(error: Error) -> Response {
    (page::status(&error), Json(error.failure())).into_response()
}
