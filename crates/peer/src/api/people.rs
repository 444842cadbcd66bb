//! What you note about a peer, and what is known about it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A note about a peer; fields left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export, optional_fields)]
pub struct Note {
    /// Your name for it; empty for the name it chose. At most 200 bytes.
    pub name: Option<String>,
    /// Whether it is a favorite, listed first.
    pub favourite: Option<bool>,
    /// Whether it is blocked: not connected, not served, not shown.
    pub blocked: Option<bool>,
    /// Whether its site may see who else is online.
    pub sees_peers: Option<bool>,
}

/// Everything about one peer.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Details {
    /// Peer id, base58.
    pub id: String,
    /// What others paste to visit it.
    pub link: String,
    /// Multiaddrs it announced, without `/p2p/<id>`.
    pub addresses: Vec<String>,
    /// Whether its site may see who else is online.
    pub sees_peers: bool,
}
