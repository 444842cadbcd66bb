//! When presence does what it does regularly or on request.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

/// Announcements requested by several joins within this time are one.
const ANNOUNCE_PAUSE: Duration = Duration::from_millis(100);
/// Snapshots are at least this far apart: nobody can see more of them.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(100);
/// How often the peers seen are saved: the most that a crash forgets.
const REMEMBER: Duration = Duration::from_secs(60);

/// When the task next does what it does regularly.
pub(super) struct Rhythm {
    pub(super) announce: Pacer,
    pub(super) show: Pacer,
    pub(super) heartbeat: Interval,
    pub(super) remember: Interval,
}

impl Rhythm {
    pub(super) fn new(heartbeat: Duration) -> Self {
        let every = |period| {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        Self {
            announce: Pacer::new(ANNOUNCE_PAUSE),
            show: Pacer::new(SNAPSHOT_PAUSE),
            heartbeat: every(heartbeat),
            remember: every(REMEMBER),
        }
    }

    pub(super) fn announce_and_show(&mut self) {
        self.announce.request();
        self.show.request();
    }

    pub(super) fn show_if(&mut self, is_news: bool) {
        if is_news {
            self.show.request();
        }
    }
}

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
