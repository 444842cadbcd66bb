//! Connections as a skin sees them.

use goop2_node::Connection;
use goop2_proto::{Multiaddr, PeerId};

use crate::api::connection::{Path, PathKind, Relay, Transport};

/// The connection that carries new streams: the newest direct one, else the newest relayed one.
pub(crate) fn best_path<'a>(
    connections: &[Connection],
    labels: impl Fn(&PeerId) -> Option<&'a str>,
) -> Option<Path> {
    let best = connections
        .iter()
        .rev()
        .min_by_key(|connection| connection.relayed())?;
    Some(path_of(best, labels))
}

/// One connection as a skin sees it. `labels` names the relays of the servers joined.
pub(crate) fn path_of<'a>(
    connection: &Connection,
    labels: impl Fn(&PeerId) -> Option<&'a str>,
) -> Path {
    Path {
        kind: match (connection.relayed(), connection.lan) {
            (true, _) => PathKind::Relayed,
            (false, true) => PathKind::Lan,
            (false, false) => PathKind::Direct,
        },
        transport: match connection.transport {
            goop2_node::Transport::Tcp => Transport::Tcp,
            goop2_node::Transport::Quic => Transport::Quic,
        },
        rtt_ms: connection
            .rtt
            .map(|rtt| (rtt.as_secs_f64() * 10_000.0).round() / 10.0),
        relay: connection.relay.map(|relay| Relay {
            id: relay.to_base58(),
            label: labels(&relay).map_or_else(|| host(&connection.remote), str::to_owned),
        }),
    }
}

/// The host of an address, for people.
fn host(addr: &Multiaddr) -> String {
    let text = addr.to_string();
    text.split('/').nth(2).unwrap_or_default().to_owned()
}
