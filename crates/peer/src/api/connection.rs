//! A connection to another peer.

use serde::Serialize;
use ts_rs::TS;

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
