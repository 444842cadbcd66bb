//! What the user notes about other peers, and asks about one.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use goop2_peer::api::Note;
use serde::Deserialize;

use crate::{
    api::{answer, failed, parse},
    app::App,
    data::Input,
};

#[derive(Deserialize)]
pub(crate) struct Noted {
    peer: String,
    note: Note,
}

#[derive(Deserialize)]
pub(crate) struct Whose {
    peer: String,
}

pub(crate) async fn note(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    let noted =
        parse::<Noted>(&body).and_then(|noted| Ok((app.peer.peer(&noted.peer)?, noted.note)));
    match noted {
        Ok((peer, note)) => answer(app.peer.note(peer, note).await),
        Err(error) => failed(error),
    }
}

pub(crate) async fn details(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    let peer = parse::<Whose>(&body).and_then(|whose| app.peer.peer(&whose.peer));
    answer(peer.map(|peer| app.peer.details(peer)))
}
