//! What the page about the network asks, and the one about the way to a peer.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{answer, failed, parse},
    app::App,
    data::Input,
};

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
pub(crate) async fn report(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    let text = parse::<Wanted>(&body).map(|wanted| app.peer.network_report(wanted.redacted));
    answer(text.map(|text| json!({ "text": text })))
}

/// How a peer is reached, and what was tried.
pub(crate) async fn reach(State(app): State<Arc<App>>, Input(body): Input) -> Response {
    match parse::<Whose>(&body).and_then(|whose| app.peer.peer(&whose.peer)) {
        Ok(peer) => answer(Ok(app.peer.history(peer).await)),
        Err(error) => failed(error),
    }
}
