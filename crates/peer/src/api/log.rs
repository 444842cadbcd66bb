//! The log as the window shows it.

use serde::Serialize;
use ts_rs::TS;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct LogLine {
    /// Counts up by one; a gap means that lines were dropped.
    #[ts(type = "number")]
    pub seq: u64,
    /// Unix time in milliseconds.
    #[ts(type = "number")]
    pub at: i64,
    /// Severity.
    pub level: LogLevel,
    /// The part of the program that logged it, e.g. `goop2_node::dial`.
    pub target: String,
    /// The message and its fields; at most 2048 bytes.
    pub text: String,
}

/// Severity of a log line, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is wrong, and Goop2 goes on.
    Warn,
    /// A change of state.
    Info,
    /// Details, with names and addresses.
    Debug,
    /// Everything.
    Trace,
}
