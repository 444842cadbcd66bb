//! The log as the window shows it.

use serde::Serialize;
use ts_rs::TS;

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct LogLine {
    /// Counts up by one; where numbers are missing, lines were forgotten.
    #[ts(type = "number")]
    pub seq: u64,
    /// Unix time in milliseconds.
    #[ts(type = "number")]
    pub at: i64,
    pub level: LogLevel,
    /// The part of the program that says it, e.g. `goop2_node::dial`.
    pub target: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}
