//! What an address from a stranger is worth: where it points, and to whom.

use std::net::IpAddr;

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

/// The host an address begins with; none when it is a name, or no network address at all.
pub(crate) fn ip(addr: &Multiaddr) -> Option<IpAddr> {
    match addr.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    }
}

/// Whether the address can only mean the host that reads it, or no single host.
pub(crate) fn cannot_be_dialed(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || ip.is_multicast()
}

/// Link-local: in IPv6 it needs the zone of an interface, which a multiaddr from another host
/// cannot know.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether the address leads through a relay.
pub(crate) fn is_relayed(addr: &Multiaddr) -> bool {
    addr.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The address without a `/p2p/<peer>` at its end; none when the end names another peer, or is all
/// there is.
pub(crate) fn of_peer(addr: &Multiaddr, peer: &PeerId) -> Option<Multiaddr> {
    match split_peer(addr) {
        Some((rest, named)) => (named == *peer && !rest.is_empty()).then_some(rest),
        None => (!addr.is_empty()).then(|| addr.clone()),
    }
}

/// The address and the peer that its end names.
pub(crate) fn split_peer(addr: &Multiaddr) -> Option<(Multiaddr, PeerId)> {
    let mut rest = addr.clone();
    match rest.pop()? {
        Protocol::P2p(peer) => Some((rest, peer)),
        _ => None,
    }
}
