//! Spaces out what may be requested often.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

/// Grants the first request at once, and the next only after a pause. No request is lost, and a
/// burst counts as one.
pub(super) struct Pacer {
    pause: Duration,
    last: Option<Instant>,
    requested: bool,
}

impl Pacer {
    pub(super) fn new(pause: Duration) -> Self {
        Self {
            pause,
            last: None,
            requested: false,
        }
    }

    pub(super) fn request(&mut self) {
        self.requested = true;
    }

    /// The request was granted.
    pub(super) fn done(&mut self) {
        self.last = Some(Instant::now());
        self.requested = false;
    }

    /// Whether anything was granted yet.
    pub(super) fn ever(&self) -> bool {
        self.last.is_some()
    }

    /// Resolves when a request may be granted.
    pub(super) async fn due(&self) {
        match (self.requested, self.last) {
            (false, _) => pending().await,
            (true, None) => {}
            (true, Some(last)) => sleep_until((last + self.pause).into()).await,
        }
    }
}
