//! What the window shows all the time, as one value.

use serde::Serialize;
use ts_rs::TS;

use crate::api::{connection::Path, network::Network, notice::Notice, rendezvous::Rendezvous};

/// Everything the window shows, as one value. A slow reader misses intermediate values, never the
/// last one.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Snapshot {
    pub me: Me,
    /// Nearby first, then elsewhere, then seen earlier; by label within a group.
    pub peers: Vec<PeerCard>,
    /// What the user should know, in plain words; empty when all is well.
    pub notices: Vec<Notice>,
    /// How this peer can be reached, and why not better.
    pub network: Network,
    /// The servers where peers of different networks meet.
    pub rendezvous: Rendezvous,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Me {
    /// Peer id, base58.
    pub id: String,
    pub label: String,
    pub email: String,
    /// 16 hex digits, empty without an avatar.
    pub avatar_hash: String,
    /// Multiaddrs others on this network can dial, without `/p2p/<id>`.
    pub listen: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct PeerCard {
    /// Peer id, base58.
    pub id: String,
    /// Self-chosen name; at most 4096 bytes, anything may be in it.
    pub label: String,
    /// What the owner calls it; empty = as it calls itself.
    pub name: String,
    pub favourite: bool,
    pub email: String,
    /// 16 hex digits, empty without an avatar.
    pub avatar_hash: String,
    pub group: Group,
    /// The presence was proved by the peer's own key.
    pub verified: bool,
    /// Unix time in milliseconds when a sign of life was last accepted.
    #[ts(type = "number")]
    pub last_seen: i64,
    /// How this machine is connected to it now.
    pub path: Option<Path>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Group {
    /// Seen on the local network.
    Nearby,
    /// Seen through a rendezvous server.
    Elsewhere,
    /// Not online now.
    Earlier,
}
