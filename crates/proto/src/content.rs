//! `/goop/content/1.0.0` (§4.1): the peer's label and a line break; also existing peers' reachability probe.

pub const PROTOCOL: &str = "/goop/content/1.0.0";
/// Longest label line read.
pub const MAX_LINE: usize = 4 * 1024 + 1;

pub fn encode(label: &str) -> Vec<u8> {
    todo!()
}

/// The first line, trimmed; an empty one is valid.
pub fn decode(bytes: &[u8]) -> String {
    todo!()
}
