//! Ends what the database is doing, when the peer stops.
//!
//! A query may run for a minute, and the folder stays locked until it ends. Every operation looks
//! here while it runs, and those that have not begun yet are refused.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::Connection;

/// The answer to an operation that came too late.
pub(super) const STOPPED: &str = "this peer is going offline";
/// Instructions of SQLite's machine between two looks: well under a millisecond.
const STEPS_PER_LOOK: std::ffi::c_int = 1000;

/// Shared by everything that works on a database.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Runs an operation that is interrupted by [`Stop::stop`], and by nothing else.
    pub(super) fn interrupts<T>(
        &self,
        conn: &mut Connection,
        operation: impl FnOnce(&mut Connection) -> T,
    ) -> rusqlite::Result<T> {
        let stop = self.clone();
        conn.progress_handler(STEPS_PER_LOOK, Some(move || stop.is_stopped()))?;
        let result = operation(conn);
        conn.progress_handler(0, None::<fn() -> bool>)?;
        Ok(result)
    }
}
