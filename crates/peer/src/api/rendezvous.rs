//! The rendezvous servers as a skin shows them: those joined, and the one hosted here.

use goop2_proto::PeerId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Rendezvous {
    /// In the order of `goop.json`; the one hosted here is not among them.
    pub joined: Vec<Joined>,
    pub hosting: Hosting,
}

/// A server that this peer is to be seen at.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Joined {
    /// Connect URL, in the one form that `goop.json` keeps.
    pub url: String,
    /// What people call it: the URL without `https://`.
    pub name: String,
    pub state: JoinedState,
    /// Why it is not as it should be: a plain sentence. Null while all is well.
    pub reason: Option<String>,
    /// Others online there.
    pub peers: u32,
    pub relay: RelayState,
    /// Who the relay is, for what the node knows of it.
    #[serde(skip)]
    #[ts(skip)]
    pub(crate) relay_peer: Option<PeerId>,
    /// Unix time in milliseconds since when it is connected; null while it is not.
    #[ts(type = "number | null")]
    pub since: Option<i64>,
    /// Unix time in milliseconds of the next attempt; null while it is connected.
    #[ts(type = "number | null")]
    pub next: Option<i64>,
    pub registration: Registration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum JoinedState {
    /// The first attempt is under way.
    Connecting,
    /// Others there see this peer, and it them.
    Connected,
    /// The server said no, or is none.
    Refused,
    /// It is not reached now; attempts go on by themselves.
    Lost,
}

/// The relay beside a server, through which peers are reached that cannot be reached directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum RelayState {
    /// It has none.
    None,
    /// It has one.
    Offered,
    /// It keeps a place for this peer: whoever cannot reach it directly comes through.
    Ready,
}

/// Whether the e-mail address of the profile is registered at a server that shows registered peers
/// only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Registration {
    /// Nobody has to be registered there.
    None,
    /// It is not, so nobody there sees this peer.
    Required,
    /// It is.
    Registered,
}

/// The server on this computer. The settings are there while it is off, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Hosting {
    pub state: HostingState,
    /// Why it does not listen, or what keeps others away: plain sentences with the remedy. Null
    /// while all is well.
    pub problem: Option<String>,
    /// TCP port.
    pub port: u16,
    /// The one IP address it listens on; empty = all.
    pub bind: String,
    /// TCP and UDP port of the relay beside it; 0 = none.
    pub relay_port: u16,
    /// What others paste to meet here; empty while nobody else can.
    pub connect_urls: Vec<String>,
    /// Its page on this computer; empty while it is off.
    pub public_page: String,
    /// Its administration on this computer; empty while it is off.
    pub admin_page: String,
    /// Peers online there, this one included.
    pub peers: u32,
    /// Peers that can be reached through the relay beside it; null without one.
    pub relayed: Option<u32>,
    /// Messages sent to peers in the last second.
    pub messages_per_second: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum HostingState {
    #[default]
    Off,
    On,
    /// It should be on and is not: see the problem.
    Failed,
}

/// How a server is to be hosted.
#[derive(Clone, Debug, Deserialize, TS)]
#[ts(export)]
pub struct Host {
    pub on: bool,
    /// TCP port from 1 to 65535.
    pub port: u16,
    /// The one IP address to listen on; empty = all.
    pub bind: String,
    /// Port of the relay; 0 = none. Not kept while hosting is off: existing peers would refuse
    /// their `goop.json`.
    pub relay_port: u16,
}

/// A text as a QR code.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Qr {
    /// Width and height in modules, light frame included.
    pub size: u32,
    /// The dark modules: an SVG path in units of one module.
    pub path: String,
}
