//! What the owner notes about others, and what is known of one of them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What to note about a peer; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export, optional_fields)]
pub struct Note {
    /// What the owner calls it; empty = as it calls itself. At most 200 bytes.
    pub name: Option<String>,
    /// Listed first.
    pub favourite: Option<bool>,
    /// Neither connected, served nor shown.
    pub blocked: Option<bool>,
    /// Its site may see who else is online.
    pub sees_peers: Option<bool>,
}

/// One peer in full.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Details {
    /// Peer id, base58.
    pub id: String,
    /// What others paste to visit it.
    pub link: String,
    /// Multiaddrs it announced, without `/p2p/<id>`.
    pub addresses: Vec<String>,
    /// Its site may see who else is online.
    pub sees_peers: bool,
}
