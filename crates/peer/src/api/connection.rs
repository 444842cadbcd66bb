//! A connection to another peer.

use serde::Serialize;
use ts_rs::TS;

/// A connection to a peer.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Path {
    /// Direct or relayed.
    pub kind: PathKind,
    /// The transport protocol.
    pub transport: Transport,
    /// Round-trip time in milliseconds; null until measured.
    pub rtt_ms: Option<f64>,
    /// The relay that passes on the encrypted traffic if `kind` is `relayed`; null otherwise.
    pub relay: Option<Relay>,
}

/// The relay of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Relay {
    /// Its peer id, base58.
    pub id: String,
    /// The host name of its rendezvous server; its address if that server was not joined.
    pub label: String,
}

/// The kind of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum PathKind {
    /// Direct, on the local network.
    Lan,
    /// Direct, over the Internet.
    Direct,
    /// Through a relay.
    Relayed,
}

/// The transport protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// QUIC, over UDP.
    Quic,
}
