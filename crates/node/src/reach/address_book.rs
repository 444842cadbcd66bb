//! Which addresses of a peer are worth a dial.
//!
//! libp2p keeps no addresses for us, so this book does: peer → addresses, each with its source and
//! the time at which it expires. It is bounded in both directions; what a user typed is never
//! evicted for what a stranger announced.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};

/// Peers remembered; a LAN has hundreds, a rendezvous may list thousands.
const MAX_PEERS: usize = 4096;

/// Addresses of one peer: every transport on every interface of a busy host.
const MAX_PER_PEER: usize = 16;

/// How long an address is good without being announced again. Existing peers keep them 30 s, and so
/// cannot dial a peer that paused its presence; stale ones cost one failed dial.
const LEARNED_FOR: Duration = Duration::from_secs(10 * 60);

/// The TTL existing peers announce; a goodbye ends it earlier.
const ANNOUNCED_FOR: Duration = Duration::from_secs(3200);

/// Where an address comes from, in the order of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Presence or identify: what somebody says.
    Learned,
    /// The peer has answered there.
    Reached,
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
pub(crate) struct AddressBook(HashMap<PeerId, Vec<Entry>>);

impl AddressBook {
    /// Remembers an address, or that it was announced again; whether it is news. `addr` is without
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
            Source::Learned | Source::Reached => Some(now + LEARNED_FOR),
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
            } else if entry.source == Source::Reached {
                entry.expires = expires;
            }
            return news;
        }
        if entries.len() >= MAX_PER_PEER && !drop_weakest(entries, source) {
            return false;
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

    /// What to dial for this peer, most trusted first, of the addresses that are wanted.
    pub(crate) fn addresses(
        &self,
        peer: &PeerId,
        wanted: impl Fn(&Multiaddr, Source) -> bool,
        now: Instant,
    ) -> Vec<Multiaddr> {
        let mut alive: Vec<_> = self
            .0
            .get(peer)
            .into_iter()
            .flatten()
            .filter(|e| e.is_alive(now) && wanted(&e.addr, e.source))
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

/// Forgets one address of a peer that has too many, if one of this source may take its place.
fn drop_weakest(entries: &mut Vec<Entry>, source: Source) -> bool {
    let weakest = entries
        .iter()
        .enumerate()
        .min_by_key(|(_, e)| (e.source, e.expires));
    let Some((at, _)) = weakest.filter(|(_, weakest)| weakest.source <= source) else {
        return false;
    };
    entries.remove(at);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn any(_: &Multiaddr, _: Source) -> bool {
        true
    }

    #[test]
    fn addresses_end_with_their_time_and_typed_ones_stay() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut book = AddressBook::default();
        book.add(peer, addr("/ip4/10.0.0.1/tcp/1"), Source::Learned, now);
        book.add(peer, addr("/ip4/10.0.0.2/tcp/1"), Source::Manual, now);
        book.add(peer, addr("/ip4/10.0.0.2/tcp/1"), Source::Learned, now);
        assert_eq!(
            book.addresses(&peer, any, now),
            [addr("/ip4/10.0.0.2/tcp/1"), addr("/ip4/10.0.0.1/tcp/1")]
        );
        let later = now + LEARNED_FOR * 100;
        assert_eq!(
            book.addresses(&peer, any, later),
            [addr("/ip4/10.0.0.2/tcp/1")]
        );
        assert!(book.is_wanted(&peer, later));
    }

    #[test]
    fn where_a_peer_has_answered_stays_known_while_it_says_so() {
        let (now, peer, at) = (
            Instant::now(),
            PeerId::random(),
            addr("/ip4/10.0.0.1/tcp/1"),
        );
        let mut book = AddressBook::default();
        book.add(peer, at.clone(), Source::Learned, now);
        book.add(peer, at.clone(), Source::Reached, now);
        let later = now + LEARNED_FOR / 2;
        assert!(!book.add(peer, at.clone(), Source::Learned, later));
        let reached = |_: &Multiaddr, source| source == Source::Reached;
        let until = later + LEARNED_FOR / 2 + LEARNED_FOR / 4;
        assert_eq!(book.addresses(&peer, reached, until), [at]);
        assert!(!book.is_wanted(&peer, now));
    }

    #[test]
    fn the_book_is_bounded_both_ways() {
        let now = Instant::now();
        let (mut book, typed) = (AddressBook::default(), PeerId::random());
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
            book.addresses(&typed, any, now)
                .contains(&addr("/ip4/10.0.0.1/tcp/1"))
        );
    }
}
