//! The settings of a peer.

use serde::Serialize;
use ts_rs::TS;

/// What the settings page shows. A field that names a key has its value in `goop.json`.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Settings {
    /// Your name (`profile.label`).
    pub label: String,
    /// Your email address (`profile.email`); may be empty.
    pub email: String,
    /// Whether peers on this network are found automatically (`p2p.mdns`).
    pub mdns: bool,
    /// The tag that peers on this network share to find each other (`p2p.mdns_tag`).
    pub mdns_tag: String,
    /// TCP and UDP port for incoming connections (`p2p.listen_port`); 0 for any free one.
    pub listen_port: u16,
    /// Whether Goop2 asks the router to open a port (`p2p.port_mapping`).
    pub port_mapping: bool,
    /// Address of the local pages (`viewer.http_addr`); empty for 127.0.0.1:8080, or the next free
    /// port.
    pub http_addr: String,
    /// Origins as well as the https web that your own site may use on this computer
    /// (`viewer.site_sources`).
    pub site_sources: Vec<String>,
    /// Folder of the peer, absolute.
    pub folder: String,
    /// The text of `goop.json`.
    pub text: String,
    /// The peers you blocked.
    pub blocked: Vec<BlockedPeer>,
    /// Why a peer cannot start with this `goop.json`; the other fields have their defaults then.
    /// Null for a running peer.
    pub problem: Option<String>,
    /// Whether a change takes effect only after a restart of the peer, which happens automatically.
    pub restarting: bool,
}

/// A peer you blocked.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct BlockedPeer {
    /// Peer id, base58.
    pub id: String,
    /// Your name for it, else the name it chose.
    pub label: String,
}
