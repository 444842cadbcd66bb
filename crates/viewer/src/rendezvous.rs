//! What the page about rendezvous asks. What came of it is in the snapshot.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use goop2_peer::api::Host;
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{answer, failed, parse},
    app::App,
    data::Input,
};

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
pub(crate) async fn check(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    let url = parse::<Typed>(&body).and_then(|typed| app.peer.rendezvous_address(&typed.text));
    answer(url.map(|url| json!({ "url": url })))
}

pub(crate) async fn join(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Typed>(&body) {
        Ok(Typed { text }) => {
            let url = app.peer.join_rendezvous(&text).await;
            answer(url.map(|url| json!({ "url": url })))
        }
        Err(error) => failed(error),
    }
}

pub(crate) async fn leave(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Which>(&body) {
        Ok(Which { url }) => answer(app.peer.leave_rendezvous(&url).await),
        Err(error) => failed(error),
    }
}

pub(crate) async fn host(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Host>(&body) {
        Ok(host) => answer(app.peer.host_rendezvous(host).await),
        Err(error) => failed(error),
    }
}

/// For the administration of the rendezvous hosted here.
pub(crate) async fn password(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    Json(json!({ "password": app.peer.admin_password() }))
}

pub(crate) async fn register(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Registering>(&body) {
        Ok(Registering { url, email }) => {
            let message = app.peer.register(&url, &email).await;
            answer(message.map(|message| json!({ "message": message })))
        }
        Err(error) => failed(error),
    }
}

/// Any short text as a picture for a phone's camera.
pub(crate) async fn qr(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    answer(parse::<Typed>(&body).and_then(|typed| app.peer.qr(&typed.text)))
}
