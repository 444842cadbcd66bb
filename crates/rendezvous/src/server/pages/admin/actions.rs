//! The buttons of the page: removing and blocking peers, and removing registrations.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use goop2_proto::{PeerId, id};
use serde::Deserialize;

use super::administrator::Administrator;
use crate::server::{
    app::App,
    respond::{error, status_of},
};

#[derive(Deserialize)]
pub(super) struct Subject {
    peer: String,
}

pub(super) async fn kick(
    State(app): State<Arc<App>>,
    _: Administrator,
    Json(Subject { peer }): Json<Subject>,
) -> Response {
    act(&app, &peer, "removed", |peer, clock| {
        app.hub.kick(&peer, clock)
    })
}

pub(super) async fn block(
    State(app): State<Arc<App>>,
    _: Administrator,
    Json(Subject { peer }): Json<Subject>,
) -> Response {
    let done = act(&app, &peer, "blocked", |peer, clock| {
        app.hub.block(peer, clock)
    });
    save(&app, &peer, true, done).await
}

pub(super) async fn unblock(
    State(app): State<Arc<App>>,
    _: Administrator,
    Json(Subject { peer }): Json<Subject>,
) -> Response {
    let done = act(&app, &peer, "unblocked", |peer, _| app.hub.unblock(&peer));
    save(&app, &peer, false, done).await
}

/// Saves a block, or its end, for the next start, if there is a database.
async fn save(app: &App, peer: &str, blocked: bool, done: Response) -> Response {
    let (Some(registrations), Some(peer), true) = (
        &app.registrations,
        id::parse(peer),
        done.status().is_success(),
    ) else {
        return done;
    };
    match registrations.block(peer, blocked).await {
        Ok(()) => done,
        Err(_) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "done, but not saved for the next start",
        ),
    }
}

fn act(app: &App, peer: &str, done: &str, act: impl FnOnce(PeerId, i64) -> bool) -> Response {
    let Some(peer) = id::parse(peer) else {
        return error(StatusCode::BAD_REQUEST, "not a peer id");
    };
    let clock = (app.clock)();
    if !act(peer, clock) {
        return error(StatusCode::NOT_FOUND, "nothing to do");
    }
    app.log
        .add(clock, format!("{peer} {done} by the administrator"));
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
pub(super) struct Registered {
    email: String,
}

pub(super) async fn unregister(
    State(app): State<Arc<App>>,
    _: Administrator,
    Json(Registered { email }): Json<Registered>,
) -> Response {
    let Some(registrations) = &app.registrations else {
        return error(StatusCode::NOT_FOUND, "registration requires database");
    };
    match registrations.remove(&email).await {
        Ok(true) => {
            app.log.add(
                (app.clock)(),
                format!("{email} removed by the administrator"),
            );
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(false) => error(StatusCode::NOT_FOUND, "not registered"),
        Err(why) => error(status_of(&why), &why.to_string()),
    }
}
