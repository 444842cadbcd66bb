//! What changes on a site, for its pages: the owner's events, passed on.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use goop2_peer::Error;
use goop2_proto::PeerId;

use crate::{answer, app::App, door::origin::Visitor};

/// What a page gets whose owner does not tell: existing peers, and a Goop2 before this. It tells
/// such an answer from an owner who is away.
const NONE: &str = "event: none\ndata:\n\n";

/// The stream, as long as both sides go on.
pub(crate) async fn stream(
    app: &App,
    visitor: Visitor,
    site: PeerId,
    query: Option<&str>,
) -> Response {
    let Ok(permit) = Arc::clone(&app.followers).try_acquire_owned() else {
        let message = "Too many pages are open. Close some and try again.";
        return answer::text(StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let query = query.unwrap_or_default();
    match app.changes(visitor, site, query).await {
        Ok(body) => {
            let stopped = app.stop.clone().cancelled_owned();
            let bytes = Body::new(body).into_data_stream().take_until(stopped);
            events(Body::from_stream(bytes.map(move |bytes| {
                let _as_long_as_the_stream = &permit;
                bytes
            })))
        }
        Err(Error::NotFound) => events(Body::from(NONE)),
        Err(error) => answer::text(answer::status(&error), &error.to_string()),
    }
}

fn events(body: Body) -> Response {
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}
