//! The rendezvous servers: those joined, and the one hosted here.

use goop2_proto::PeerId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The rendezvous servers joined and hosted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Rendezvous {
    /// In the order of `goop.json`; the one hosted here is not among them.
    pub joined: Vec<Joined>,
    /// The server on this computer.
    pub hosting: Hosting,
}

/// A server that this peer joined.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Joined {
    /// Connect URL, in the one form that `goop.json` keeps.
    pub url: String,
    /// Its name for people: the URL without the scheme.
    pub name: String,
    /// Whether it is connected.
    pub state: JoinedState,
    /// Why it is not connected: a sentence. Null while all is well.
    pub reason: Option<String>,
    /// Others online there.
    pub peers: u32,
    /// Whether it has a relay.
    pub relay: RelayState,
    /// The peer id of its relay, to look up what the node knows about it.
    #[serde(skip)]
    #[ts(skip)]
    pub(crate) relay_peer: Option<PeerId>,
    /// Unix time in milliseconds since when it is connected; null while it is not.
    #[ts(type = "number | null")]
    pub since: Option<i64>,
    /// Unix time in milliseconds of the next attempt; null while it is connected.
    #[ts(type = "number | null")]
    pub next: Option<i64>,
    /// Whether your email address is registered there.
    pub registration: Registration,
}

/// The state of a server that was joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum JoinedState {
    /// The first attempt is in progress.
    Connecting,
    /// This peer and the others there see each other.
    Connected,
    /// The server refuses this peer, or is not a rendezvous.
    Refused,
    /// It can't be reached now; Goop2 keeps trying.
    Lost,
}

/// The relay of a server, for peers that cannot be reached directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum RelayState {
    /// It has none.
    None,
    /// It has one.
    Offered,
    /// It holds a reservation for this peer: others can connect through it.
    Ready,
}

/// Whether the email address of the profile is registered at a server that lists only registered
/// peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Registration {
    /// The server requires no registration.
    None,
    /// Not registered, so nobody there sees this peer.
    Required,
    /// Registered.
    Registered,
}

/// The server on this computer. The settings are also there while it is off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Hosting {
    /// Whether it runs.
    pub state: HostingState,
    /// Why it does not listen or others cannot connect, and what to do. Null while all is well.
    pub problem: Option<String>,
    /// TCP port.
    pub port: u16,
    /// The one IP address it listens on; empty for all.
    pub bind: String,
    /// TCP and UDP port of its relay; 0 for no relay.
    pub relay_port: u16,
    /// The URLs that others paste to join; empty while nobody else can connect.
    pub connect_urls: Vec<String>,
    /// URL of its public page on this computer; empty while it is off.
    pub public_page: String,
    /// URL of its administration on this computer; empty while it is off.
    pub admin_page: String,
    /// Peers online there, this one included.
    pub peers: u32,
    /// Peers with a reservation at its relay; null without a relay.
    pub relayed: Option<u32>,
    /// Messages sent to peers in the last second.
    pub messages_per_second: u32,
}

/// Whether the server on this computer runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum HostingState {
    /// Turned off.
    #[default]
    Off,
    /// It listens.
    On,
    /// Turned on, but it cannot start: see `problem`.
    Failed,
}

/// How to host a server.
#[derive(Clone, Debug, Deserialize, TS)]
#[ts(export)]
pub struct Host {
    /// Whether to host one.
    pub on: bool,
    /// TCP port from 1 to 65535.
    pub port: u16,
    /// The one IP address to listen on; empty for all.
    pub bind: String,
    /// TCP and UDP port of the relay; 0 for no relay. Not saved while hosting is off, because
    /// existing peers would refuse the `goop.json`.
    pub relay_port: u16,
}

/// A text as a QR code.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Qr {
    /// Width and height in modules, with the light frame.
    pub size: u32,
    /// The dark modules as an SVG path, in units of one module.
    pub path: String,
}
