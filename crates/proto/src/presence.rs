//! The presence message (§3.2): what a peer says of itself, on gossip and through a rendezvous.

use crate::{Multiaddr, PeerId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Online,
    Update,
    Offline,
}

/// One presence message, every field within its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Presence {
    pub kind: Kind,
    pub peer: PeerId,
    /// Display name; `content` on the wire. At most [`MAX_LABEL`] bytes.
    pub label: String,
    pub email: String,
    pub avatar_hash: String,
    pub video_disabled: bool,
    pub addrs: Vec<Multiaddr>,
    /// Sender's clock, unix time in milliseconds.
    pub ts: i64,
}

/// Same limits as the rendezvous (§6.3).
pub const MAX_LABEL: usize = 4096;
pub const MAX_MESSAGE: usize = 16 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    // one variant per reason
}

impl Presence {
    /// Reads one message. Unknown keys and unparsable addresses are skipped; keys match case-insensitively; anything out of bounds is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        todo!()
    }

    /// The bytes a Go peer would send: key order, omitted empty fields and escapes as in §3.2.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }
}
