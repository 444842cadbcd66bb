//! Requests of the Rendezvous page. The results appear in the snapshot.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use goop2_peer::api::Host;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{answer, app::App, body::Parsed};

#[derive(Deserialize)]
pub(crate) struct Typed {
    text: String,
}

#[derive(Deserialize)]
pub(crate) struct Which {
    url: String,
}

#[derive(Deserialize)]
pub(crate) struct Registering {
    url: String,
    email: String,
}

/// The server address that a text stands for. Changes nothing.
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    Parsed(Typed { text }): Parsed<Typed>,
) -> Response {
    let url = app.peer.rendezvous_address(&text);
    answer::json(url.map(|url| json!({ "url": url })))
}

/// Joins the server, and answers with its address.
pub(crate) async fn join(
    State(app): State<Arc<App>>,
    Parsed(Typed { text }): Parsed<Typed>,
) -> Response {
    let url = app.peer.join_rendezvous(&text).await;
    answer::json(url.map(|url| json!({ "url": url })))
}

/// Leaves the server.
pub(crate) async fn leave(
    State(app): State<Arc<App>>,
    Parsed(Which { url }): Parsed<Which>,
) -> Response {
    answer::json(app.peer.leave_rendezvous(&url).await)
}

/// Hosts a rendezvous on this computer, or stops hosting.
pub(crate) async fn host(State(app): State<Arc<App>>, Parsed(host): Parsed<Host>) -> Response {
    answer::json(app.peer.host_rendezvous(host).await)
}

/// The administrator password of the rendezvous hosted here; empty without one.
pub(crate) async fn password(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({ "password": app.peer.admin_password() }))
}

/// Registers an email address at the server, and answers with the server's message.
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Parsed(Registering { url, email }): Parsed<Registering>,
) -> Response {
    let message = app.peer.register(&url, &email).await;
    answer::json(message.map(|message| json!({ "message": message })))
}

/// A QR code of a short text.
pub(crate) async fn qr(
    State(app): State<Arc<App>>,
    Parsed(Typed { text }): Parsed<Typed>,
) -> Response {
    answer::json(app.peer.qr(&text))
}
