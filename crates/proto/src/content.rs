//! `/goop/content/1.0.0` (§4.1): the peer's label and a line break; also existing peers'
//! reachability probe.

use crate::presence::{MAX_LABEL, shorten};

/// The name under which the protocol is negotiated.
pub const PROTOCOL: &str = "/goop/content/1.0.0";
/// Longest label line read, LF included.
pub const MAX_LINE: usize = MAX_LABEL + 1;

/// The first line of the label, no longer than a reader of ours accepts.
pub fn encode(label: &str) -> Vec<u8> {
    let line = label.split('\n').next().unwrap_or_default();
    format!("{}\n", shorten(line, MAX_LABEL)).into_bytes()
}

/// The first line, trimmed; an empty one is valid.
pub fn decode(bytes: &[u8]) -> String {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = &line[..line.len().min(MAX_LINE)];
    String::from_utf8_lossy(line).trim().to_owned()
}
