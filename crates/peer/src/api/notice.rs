//! Notices and failures, worded for the user.

use serde::Serialize;
use ts_rs::TS;

/// Something the user should know, shown until it is solved.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Notice {
    /// Stable name, for tests and translations: `no-multicast`, `port-taken`, …
    pub code: String,
    /// What happened, why, and what to do.
    pub message: String,
}

/// A failure, as a skin reports it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Failure {
    /// Stable name: `offline`, `not-found`, `too-slow`, …
    pub code: String,
    /// One or two sentences: what happened, why, what to do.
    pub message: String,
}
