//! What a skin sees: plain values, serialised alike for the window and the browser. TypeScript
//! types are generated from these.

mod log;
mod network;
mod people;
mod rendezvous;
mod settings;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use log::{LogLevel, LogLine};
pub use network::{Attempt, Fact, Link, Network, PeerReach, Verdict};
pub use people::{Details, Note};
pub use rendezvous::{
    Host, Hosting, HostingState, Joined, JoinedState, Qr, Registration, RelayState, Rendezvous,
};
pub use settings::{BlockedPeer, Settings};

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

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Path {
    pub kind: PathKind,
    pub transport: Transport,
    /// Round-trip time in milliseconds; null until measured.
    pub rtt_ms: Option<f64>,
    /// Who passes everything on, encrypted, when `kind` is `relayed`; null otherwise.
    pub relay: Option<Relay>,
}

/// The relay of a path.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Relay {
    /// Its peer id, base58.
    pub id: String,
    /// The host name of the rendezvous server it belongs to; its address when it is not one of
    /// ours.
    pub label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum PathKind {
    Lan,
    Direct,
    Relayed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Transport {
    Tcp,
    Quic,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Notice {
    /// Stable name, for tests and translations: `no-multicast`, `port-taken`, …
    pub code: String,
    /// What happened, why, and what to do.
    pub message: String,
}

/// Where an address typed or pasted by the user leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Place {
    /// Peer id, base58.
    pub peer: String,
    /// Path within the site, beginning with `/`; query and fragment included.
    pub path: String,
}

/// A document of a visited site was requested by the window's frame.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Navigated {
    pub place: Place,
    /// HTTP status of the answer; null while it is being fetched.
    pub status: Option<u16>,
}

/// A page of a visited site wanted what it may not have: another computer in this network, a plain
/// http address, a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Denied {
    /// Whose site, base58.
    pub peer: String,
    /// What it was for, as content policies name it: `img-src`, `connect-src`, … At most 32 bytes.
    pub kind: String,
    /// What was wanted: an origin, or a word like `inline`. The site says it, so it may be
    /// anything; at most 256 bytes.
    pub target: String,
}

/// How the UI reaches what it shows beside the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Session {
    pub version: String,
    /// Own peer id, base58.
    pub peer: String,
    /// Port of the viewer: sites are at `http://<label>.localhost:<port>/p/<peer>/…`.
    pub viewer_port: u16,
}

/// Every failure as a skin reports it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Failure {
    /// Stable name: `offline`, `not-found`, `too-slow`, …
    pub code: String,
    /// One or two plain sentences: what happened, why, what to do.
    pub message: String,
}
