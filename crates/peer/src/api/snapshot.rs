//! What the window shows all the time, as one value.

use serde::Serialize;
use ts_rs::TS;

use crate::api::{
    connection::Path, live::Live, network::Network, notice::Notice, rendezvous::Rendezvous,
};

/// Everything the window shows, as one value. A slow reader misses values in between, never the
/// last one.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Snapshot {
    /// This peer.
    pub me: Me,
    /// By group (nearby, other networks, earlier), then by name.
    pub peers: Vec<PeerCard>,
    /// What the user should know; empty when all is well.
    pub notices: Vec<Notice>,
    /// How this peer can be reached, and why not better.
    pub network: Network,
    /// The rendezvous servers joined and hosted.
    pub rendezvous: Rendezvous,
    /// How your site is read.
    pub live: Live,
}

/// This peer, as others see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Me {
    /// Peer id, base58.
    pub id: String,
    /// Your name.
    pub label: String,
    /// Your email address; may be empty.
    pub email: String,
    /// 16 hex digits, empty without an avatar.
    pub avatar_hash: String,
    /// Multiaddrs that others on this network can dial, without `/p2p/<id>`.
    pub listen: Vec<String>,
}

/// Another peer, online or remembered.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct PeerCard {
    /// Peer id, base58.
    pub id: String,
    /// The name it chose; at most 4096 bytes of anything.
    pub label: String,
    /// Your name for it; empty if you gave it none.
    pub name: String,
    /// Whether it is a favorite.
    pub favourite: bool,
    /// The email address it announced; may be empty.
    pub email: String,
    /// 16 hex digits, empty without an avatar.
    pub avatar_hash: String,
    /// Where it is online.
    pub group: Group,
    /// Whether its announcement is proved by its own key.
    pub verified: bool,
    /// Unix time in milliseconds of the last announcement accepted.
    #[ts(type = "number")]
    pub last_seen: i64,
    /// The connection to it; null without one.
    pub path: Option<Path>,
}

/// Where a peer is online.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Group {
    /// On the local network.
    Nearby,
    /// On another network, through a rendezvous server.
    Elsewhere,
    /// Not online now.
    Earlier,
}
