//! What the page about rendezvous asks. What came of it is in the snapshot.

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

/// The address that a text means; nothing is changed.
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    Parsed(Typed { text }): Parsed<Typed>,
) -> Response {
    let url = app.peer.rendezvous_address(&text);
    answer::json(url.map(|url| json!({ "url": url })))
}

pub(crate) async fn join(
    State(app): State<Arc<App>>,
    Parsed(Typed { text }): Parsed<Typed>,
) -> Response {
    let url = app.peer.join_rendezvous(&text).await;
    answer::json(url.map(|url| json!({ "url": url })))
}

pub(crate) async fn leave(
    State(app): State<Arc<App>>,
    Parsed(Which { url }): Parsed<Which>,
) -> Response {
    answer::json(app.peer.leave_rendezvous(&url).await)
}

pub(crate) async fn host(State(app): State<Arc<App>>, Parsed(host): Parsed<Host>) -> Response {
    answer::json(app.peer.host_rendezvous(host).await)
}

/// For the administration of the rendezvous hosted here.
pub(crate) async fn password(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({ "password": app.peer.admin_password() }))
}

pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Parsed(Registering { url, email }): Parsed<Registering>,
) -> Response {
    let message = app.peer.register(&url, &email).await;
    answer::json(message.map(|message| json!({ "message": message })))
}

/// Any short text as a picture for a phone's camera.
pub(crate) async fn qr(
    State(app): State<Arc<App>>,
    Parsed(Typed { text }): Parsed<Typed>,
) -> Response {
    answer::json(app.peer.qr(&text))
}
