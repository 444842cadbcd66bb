//! Where peers were seen: the address book, and which addresses are worth a dial.
//!
//! libp2p keeps no addresses for us, so this map does: peer → addresses, each with its source and
//! its end. It is bounded in both directions; what a user typed is never evicted for what a
//! stranger announced.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::multiaddr::Protocol;

use crate::net::{interfaces::Interfaces, ip::is_reachable};

/// Peers remembered; a LAN has hundreds, a rendezvous may tell of thousands.
const MAX_PEERS: usize = 4096;

/// Addresses of one peer: every transport on every interface of a busy machine.
const MAX_PER_PEER: usize = 16;

/// How long an address is good without being heard of again. Existing peers keep them 30 s, and so
/// cannot dial a peer that paused its presence; stale ones cost one failed dial.
const LEARNED_FOR: Duration = Duration::from_secs(10 * 60);

/// The TTL existing peers announce; a goodbye ends it earlier.
const ANNOUNCED_FOR: Duration = Duration::from_secs(3200);

/// Where an address comes from, in the order of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Presence or identify.
    Learned,
    /// Announced on the local network just now.
    Announced,
    /// Typed by the user; kept for the run.
    Manual,
}

#[derive(Clone, Debug)]
struct Entry {
    addr: Multiaddr,
    source: Source,
    /// `None`: never.
    expires: Option<Instant>,
}

impl Entry {
    fn is_alive(&self, now: Instant) -> bool {
        self.expires.is_none_or(|at| at > now)
    }
}

#[derive(Default)]
pub(crate) struct Book(HashMap<PeerId, Vec<Entry>>);

impl Book {
    /// Remembers an address, or that it was heard of again; whether it is news. `addr` is without
    /// `/p2p`.
    pub(crate) fn add(
        &mut self,
        peer: PeerId,
        addr: Multiaddr,
        source: Source,
        now: Instant,
    ) -> bool {
        if !self.0.contains_key(&peer) && self.0.len() >= MAX_PEERS && !self.make_room(source, now)
        {
            return false;
        }
        let expires = match source {
            Source::Learned => Some(now + LEARNED_FOR),
            Source::Announced => Some(now + ANNOUNCED_FOR),
            Source::Manual => None,
        };
        let entries = self.0.entry(peer).or_default();
        if let Some(entry) = entries.iter_mut().find(|e| e.addr == addr) {
            let news = !entry.is_alive(now);
            if news || source >= entry.source {
                *entry = Entry {
                    addr,
                    source,
                    expires,
                };
            }
            return news;
        }
        if entries.len() >= MAX_PER_PEER {
            let weakest = entries
                .iter()
                .enumerate()
                .min_by_key(|(_, e)| (e.source, e.expires));
            match weakest {
                Some((at, weakest)) if weakest.source <= source => drop(entries.remove(at)),
                _ => return false,
            }
        }
        entries.push(Entry {
            addr,
            source,
            expires,
        });
        true
    }

    /// Forgets addresses of one peer: all of a source, or one that turned out to be another peer's.
    pub(crate) fn retain(&mut self, peer: PeerId, keep: impl Fn(&Multiaddr, Source) -> bool) {
        if let Some(entries) = self.0.get_mut(&peer) {
            entries.retain(|e| keep(&e.addr, e.source));
            if entries.is_empty() {
                self.0.remove(&peer);
            }
        }
    }

    /// What to dial for this peer, most trusted first.
    pub(crate) fn addresses(&self, peer: &PeerId, now: Instant) -> Vec<Multiaddr> {
        let mut alive: Vec<_> = self
            .0
            .get(peer)
            .into_iter()
            .flatten()
            .filter(|e| e.is_alive(now))
            .collect();
        alive.sort_by_key(|e| std::cmp::Reverse(e.source));
        alive.into_iter().map(|e| e.addr.clone()).collect()
    }

    /// Whether we want to be connected to this peer without being asked: it announces itself here,
    /// or the user named it.
    pub(crate) fn is_wanted(&self, peer: &PeerId, now: Instant) -> bool {
        self.0
            .get(peer)
            .into_iter()
            .flatten()
            .any(|e| e.source >= Source::Announced && e.is_alive(now))
    }

    fn make_room(&mut self, source: Source, now: Instant) -> bool {
        self.0.retain(|_, entries| {
            entries.retain(|e| e.is_alive(now));
            !entries.is_empty()
        });
        if self.0.len() < MAX_PEERS {
            return true;
        }
        let strength = |entries: &Vec<Entry>| entries.iter().map(|e| (e.source, e.expires)).max();
        let weakest = self
            .0
            .iter()
            .filter(|(_, e)| strength(e).is_some_and(|(s, _)| s <= source));
        let weakest = weakest
            .filter(|(_, e)| e.iter().all(|e| e.source != Source::Manual))
            .min_by_key(|(_, e)| strength(e));
        let Some(peer) = weakest.map(|(peer, _)| *peer) else {
            return false;
        };
        self.0.remove(&peer).is_some()
    }
}

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
    #[error("only addresses with tcp or udp/quic-v1 can be dialled")]
    Transport,
    /// The node has shut down.
    #[error("the peer is shutting down")]
    Closed,
}

/// Splits an address typed by hand into the peer and the place.
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

/// The same for an address heard by mDNS: only where a local peer can be, so that nobody on the LAN
/// can point us at the rest of the world.
pub(crate) fn from_neighbour(
    addr: Multiaddr,
    peer: &PeerId,
    own: &Interfaces,
) -> Option<Multiaddr> {
    from_stranger(addr, peer)
        .filter(|addr| transport(addr).is_some() && ip(addr).is_some_and(|ip| own.is_local(ip)))
}

/// The address through a relay, in the form in which peers tell it (§1.3).
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
pub(crate) fn transport(addr: &Multiaddr) -> Option<crate::status::Transport> {
    let mut parts = addr.iter();
    match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
        (host, Protocol::Tcp(_), None, None) if is_host(&host) => {
            Some(crate::status::Transport::Tcp)
        }
        (host, Protocol::Udp(_), Some(Protocol::QuicV1), None) if is_host(&host) => {
            Some(crate::status::Transport::Quic)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_end_with_their_time_and_typed_ones_stay() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut book = Book::default();
        book.add(peer, addr("/ip4/10.0.0.1/tcp/1"), Source::Learned, now);
        book.add(peer, addr("/ip4/10.0.0.2/tcp/1"), Source::Manual, now);
        book.add(peer, addr("/ip4/10.0.0.2/tcp/1"), Source::Learned, now);
        assert_eq!(
            book.addresses(&peer, now),
            [addr("/ip4/10.0.0.2/tcp/1"), addr("/ip4/10.0.0.1/tcp/1")]
        );
        let later = now + LEARNED_FOR * 100;
        assert_eq!(book.addresses(&peer, later), [addr("/ip4/10.0.0.2/tcp/1")]);
        assert!(book.is_wanted(&peer, later));
    }

    #[test]
    fn the_book_is_bounded_both_ways() {
        let now = Instant::now();
        let (mut book, typed) = (Book::default(), PeerId::random());
        book.add(typed, addr("/ip4/10.0.0.1/tcp/1"), Source::Manual, now);
        for _ in 0..MAX_PEERS + 50 {
            book.add(
                PeerId::random(),
                addr("/ip4/10.0.0.1/tcp/1"),
                Source::Announced,
                now,
            );
        }
        assert_eq!(book.0.len(), MAX_PEERS);
        assert!(book.is_wanted(&typed, now));
        for port in 1..100 {
            book.add(
                typed,
                addr(&format!("/ip4/10.0.0.9/tcp/{port}")),
                Source::Learned,
                now,
            );
        }
        assert_eq!(book.0[&typed].len(), MAX_PER_PEER);
        assert!(
            book.addresses(&typed, now)
                .contains(&addr("/ip4/10.0.0.1/tcp/1"))
        );
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
    fn a_neighbour_cannot_send_us_to_a_relay() {
        let (peer, relay) = (PeerId::random(), PeerId::random());
        let near = addr("/ip4/192.168.1.1/tcp/4001");
        let own = Interfaces::default();
        assert!(from_neighbour(near.clone(), &peer, &own).is_some());
        assert_eq!(from_neighbour(circuit(near, relay), &peer, &own), None);
    }
}
