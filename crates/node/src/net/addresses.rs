//! What a multiaddr says: its parts, and whether a stranger's is of use.

use std::net::IpAddr;

use goop2_proto::{Multiaddr, PeerId};
use libp2p::multiaddr::Protocol;

use crate::{
    net::{interfaces::Interfaces, ip::is_reachable},
    status::Transport,
};

/// Why an address typed by hand cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Without the id nobody could tell whether the right peer answers.
    #[error(
        "the address must end in /p2p/<peer id>, for example /ip4/192.168.1.20/tcp/4001/p2p/12D3KooW…"
    )]
    NoPeer,
    /// The address of this very peer.
    #[error("this is the address of this peer itself")]
    Own,
    /// Not TCP or QUIC over IP or DNS.
    #[error("only addresses with tcp or udp/quic-v1 can be dialed")]
    Transport,
    /// The node has shut down.
    #[error("the peer is shutting down")]
    Closed,
}

/// Splits an address typed by hand into the peer and where it is.
pub(crate) fn parse_typed(
    mut addr: Multiaddr,
    own: &PeerId,
) -> Result<(PeerId, Multiaddr), Invalid> {
    let Some(Protocol::P2p(peer)) = addr.pop() else {
        return Err(Invalid::NoPeer);
    };
    if peer == *own {
        return Err(Invalid::Own);
    }
    if transport(&addr).is_none() && relay(&addr).is_none() {
        return Err(Invalid::Transport);
    }
    Ok((peer, addr))
}

/// The address a stranger gave for `peer`, when it is of use: without `/p2p`, of a transport we
/// have or through a relay that is reached by one, and neither loopback nor link-local (§1.4).
pub(crate) fn from_stranger(mut addr: Multiaddr, peer: &PeerId) -> Option<Multiaddr> {
    if let Some(Protocol::P2p(named)) = addr.iter().last() {
        addr.pop();
        if named != *peer {
            return None;
        }
    }
    match relay(&addr) {
        Some(relay) if relay == *peer => return None,
        Some(_) => {}
        None => drop(transport(&addr)?),
    }
    ip(&addr).is_none_or(is_reachable).then_some(addr)
}

/// The same for an address announced by mDNS: only where a local peer can be, so that nobody on the
/// LAN can point us at the rest of the world.
pub(crate) fn from_neighbor(addr: Multiaddr, peer: &PeerId, own: &Interfaces) -> Option<Multiaddr> {
    from_stranger(addr, peer)
        .filter(|addr| transport(addr).is_some() && ip(addr).is_some_and(|ip| own.is_local(ip)))
}

/// The address through a relay, in the form in which peers announce it (§1.3).
pub(crate) fn circuit(relay_at: Multiaddr, relay: PeerId) -> Multiaddr {
    relay_at
        .with(Protocol::P2p(relay))
        .with(Protocol::P2pCircuit)
}

/// The relay of an address of the form of [`circuit`]; none for any other.
pub(crate) fn relay(addr: &Multiaddr) -> Option<PeerId> {
    let mut base = addr.clone();
    match (base.pop()?, base.pop()?) {
        (Protocol::P2pCircuit, Protocol::P2p(relay)) => transport(&base).map(|_| relay),
        _ => None,
    }
}

/// The transport of a direct address, `None` when we cannot dial it.
pub(crate) fn transport(addr: &Multiaddr) -> Option<Transport> {
    let mut parts = addr.iter();
    match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
        (host, Protocol::Tcp(_), None, None) if is_host(&host) => Some(Transport::Tcp),
        (host, Protocol::Udp(_), Some(Protocol::QuicV1), None) if is_host(&host) => {
            Some(Transport::Quic)
        }
        _ => None,
    }
}

fn is_host(part: &Protocol<'_>) -> bool {
    matches!(
        part,
        Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_)
    )
}

/// The IP address at the head of an address.
pub(crate) fn ip(addr: &Multiaddr) -> Option<IpAddr> {
    match addr.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// The port of an address.
pub(crate) fn port(addr: &Multiaddr) -> Option<u16> {
    addr.iter().find_map(|part| match part {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    })
}

/// Whether an address leads through a relay.
pub(crate) fn is_relayed(addr: &Multiaddr) -> bool {
    addr.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The address without the `/p2p` at its end.
pub(crate) fn without_peer(mut addr: Multiaddr) -> Multiaddr {
    if let Some(Protocol::P2p(_)) = addr.iter().last() {
        addr.pop();
    }
    addr
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_cannot_name_loopback_other_peers_or_odd_transports() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        for refused in [
            "/ip4/127.0.0.1/tcp/4001".to_owned(),
            "/ip6/fe80::1/tcp/4001".to_owned(),
            "/ip4/169.254.1.1/tcp/4001".to_owned(),
            "/ip4/192.168.1.1/tcp/4001/ws".to_owned(),
            format!("/ip4/192.168.1.1/tcp/4001/p2p/{other}"),
            format!("/ip4/127.0.0.1/tcp/4001/p2p/{other}/p2p-circuit"),
            format!("/ip4/192.168.1.1/tcp/4001/ws/p2p/{other}/p2p-circuit"),
            format!("/ip4/192.168.1.1/tcp/4001/p2p/{peer}/p2p-circuit"),
            format!("/ip4/192.168.1.1/tcp/4001/p2p/{other}/p2p-circuit/p2p/{other}"),
            "/ip4/192.168.1.1/tcp/4001/p2p-circuit".to_owned(),
        ] {
            assert_eq!(from_stranger(addr(&refused), &peer), None, "{refused}");
        }
        for taken in [
            "/ip4/192.168.1.1/tcp/4001",
            "/ip6/2001:db8::1/udp/4001/quic-v1",
            "/dns4/example.org/tcp/1",
        ] {
            let with_peer = addr(taken).with(Protocol::P2p(peer));
            assert_eq!(from_stranger(with_peer, &peer), Some(addr(taken)));
            let through = circuit(addr(taken), other);
            assert_eq!(relay(&through), Some(other));
            assert_eq!(from_stranger(through.clone(), &peer), Some(through.clone()));
            let with_peer = through.clone().with(Protocol::P2p(peer));
            assert_eq!(from_stranger(with_peer, &peer), Some(through));
        }
    }

    #[test]
    fn a_neighbor_cannot_send_us_to_a_relay() {
        let (peer, relay) = (PeerId::random(), PeerId::random());
        let near = addr("/ip4/192.168.1.1/tcp/4001");
        let own = Interfaces::default();
        assert!(from_neighbor(near.clone(), &peer, &own).is_some());
        assert_eq!(from_neighbor(circuit(near, relay), &peer, &own), None);
    }
}
