//! What the settings page shows.

use serde::Serialize;
use ts_rs::TS;

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Settings {
    pub label: String,
    pub email: String,
    /// Whether peers nearby are looked for.
    pub mdns: bool,
    pub mdns_tag: String,
    /// 0 = any free one.
    pub listen_port: u16,
    /// Whether the router is asked to let others in.
    pub port_mapping: bool,
    /// Where the local pages are served; empty = 127.0.0.1:8080, or the next free port.
    pub http_addr: String,
    /// Origins beside the https web that the own site may use where its owner looks at it.
    pub site_sources: Vec<String>,
    /// Folder of the peer, absolute.
    pub folder: String,
    /// `goop.json` as it stands there, all of it.
    pub text: String,
    /// Peers that are neither connected, served nor shown.
    pub blocked: Vec<BlockedPeer>,
    /// Why no peer starts with `goop.json`; the rest is what is assumed without it. Only of a peer
    /// that does not run.
    pub problem: Option<String>,
    /// What was changed is in force after another start of the peer, which comes by itself.
    pub restarting: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct BlockedPeer {
    /// Peer id, base58.
    pub id: String,
    /// What it called itself, or what the owner calls it.
    pub label: String,
}
