//! Event streams for windows: each begins with the whole state, so that a reader that reconnects
//! misses nothing it needs.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, StreamExt, stream};
use goop2_peer::api::Snapshot;
use serde::Serialize;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use crate::{answer, app::App};

/// Between comment lines on a quiet stream, as existing viewers send them (PROTOCOL §9.5).
const PING: Duration = Duration::from_secs(25);

/// The stream as an answer; it ends when the viewer stops.
pub(crate) fn answer(app: &App, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let Ok(permit) = Arc::clone(&app.subscribers).try_acquire_owned() else {
        return answer::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many Goop2 windows are open. Close some and try again.",
        );
    };
    let events = events
        .take_until(app.stop.clone().cancelled_owned())
        .map(move |event| {
            let _held_as_long_as_the_stream = &permit;
            Ok::<_, Infallible>(event)
        });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(PING).text("ping"))
        .into_response()
}

/// A named event with JSON as its data.
pub(crate) fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default()
        .event(name)
        .json_data(data)
        .expect("the values of events serialize to JSON")
}

/// The current state, and then every change.
pub(crate) fn snapshots(
    mut latest: watch::Receiver<Arc<Snapshot>>,
) -> impl Stream<Item = Arc<Snapshot>> + Send {
    latest.mark_changed();
    stream::unfold(latest, |mut latest| async {
        latest.changed().await.ok()?;
        let snapshot = Arc::clone(&latest.borrow_and_update());
        Some((snapshot, latest))
    })
}

/// Everything that is sent from now on; what a slow reader missed is skipped.
pub(crate) fn messages<T: Clone + Send + 'static>(
    receiver: broadcast::Receiver<T>,
) -> impl Stream<Item = T> + Send {
    stream::unfold(receiver, |mut receiver| async {
        loop {
            match receiver.recv().await {
                Ok(message) => return Some((message, receiver)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}
