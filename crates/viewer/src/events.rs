//! Event streams for windows: each begins with the whole state, so that a reader that was away
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

/// Ends with the viewer.
pub(crate) fn answer(app: &App, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let Ok(seat) = Arc::clone(&app.subscribers).try_acquire_owned() else {
        return answer::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many windows are open. Close some and try again.",
        );
    };
    let events = events
        .take_until(app.stop.clone().cancelled_owned())
        .map(move |event| {
            let _held_as_long_as_the_stream = &seat;
            Ok::<_, Infallible>(event)
        });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(PING).text("ping"))
        .into_response()
}

pub(crate) fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default()
        .event(name)
        .json_data(data)
        .expect("what the UI sees are plain values")
}

/// The state now, and then whenever it changed.
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

/// What happens while someone listens.
pub(crate) fn happenings<T: Clone + Send + 'static>(
    receiver: broadcast::Receiver<T>,
) -> impl Stream<Item = T> + Send {
    stream::unfold(receiver, |mut receiver| async {
        loop {
            match receiver.recv().await {
                Ok(happened) => return Some((happened, receiver)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}
