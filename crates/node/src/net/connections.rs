//! The connections there are, and which of them new streams to a peer take.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    net::IpAddr,
    time::Duration,
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::swarm::ConnectionId;

use crate::{
    net::addresses,
    status::{Connection, Transport},
};

/// A connection, and what only the node needs to know of it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) peer: PeerId,
    pub(crate) shown: Connection,
    /// The address of this host that it is bound to.
    pub(crate) local: Option<IpAddr>,
    /// Dialed from the port we listen on: where the other side sees us, we can be dialed.
    pub(crate) from_our_port: bool,
    /// This side made it.
    pub(crate) dialed: bool,
    /// Made only so that a relay observes our address, not for a reservation there.
    pub(crate) observing: bool,
}

#[derive(Default)]
pub(crate) struct Connections {
    all: HashMap<ConnectionId, Known>,
    /// Which connection to a peer new streams take.
    chosen: HashMap<PeerId, ConnectionId>,
    /// Bound to addresses that this host no longer has, and not closed yet.
    dead: HashSet<ConnectionId>,
}

impl Connections {
    /// Adds a connection; whether new streams take it from now on.
    ///
    /// They stay on the connection that was first, unless that is dead or the new one is better:
    /// nearer, or from where the peer is now. What is shown is what is taken, so neither changes
    /// without need.
    pub(crate) fn add(&mut self, id: ConnectionId, known: Known) -> bool {
        let peer = known.peer;
        let new = &known.shown;
        let old = self.chosen.get(&peer).filter(|id| !self.dead.contains(id));
        let old = old.and_then(|id| self.all.get(id));
        let better = old.is_none_or(|Known { shown: old, .. }| {
            let moved = !new.relayed() && has_moved(&old.remote, &new.remote);
            distance(new) < distance(old) || (distance(new) == distance(old) && moved)
        });
        if better {
            self.chosen.insert(peer, id);
        }
        self.all.insert(id, known);
        better
    }

    /// Removes a connection that ended. If it was the chosen one, the best of the others is chosen
    /// and returned with it.
    pub(crate) fn remove(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
    ) -> (Option<Known>, Option<ConnectionId>) {
        let removed = self.all.remove(&id);
        self.dead.remove(&id);
        if self.chosen.get(&peer) != Some(&id) {
            return (removed, None);
        }
        self.chosen.remove(&peer);
        let best = self
            .to(&peer)
            .min_by_key(|(id, known)| {
                let dead = self.dead.contains(id);
                (dead, distance(&known.shown), Reverse(known.shown.since))
            })
            .map(|(id, _)| id);
        if let Some(best) = best {
            self.chosen.insert(peer, best);
        }
        (removed, best)
    }

    /// Nothing comes over this connection any longer: the next one to its peer takes its place.
    pub(crate) fn has_died(&mut self, id: ConnectionId) {
        if self.all.contains_key(&id) {
            self.dead.insert(id);
        }
    }

    pub(crate) fn get(&self, id: &ConnectionId) -> Option<&Known> {
        self.all.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Known)> {
        self.all.iter().map(|(id, known)| (*id, known))
    }

    /// The connections to one peer.
    pub(crate) fn to(&self, peer: &PeerId) -> impl Iterator<Item = (ConnectionId, &Known)> {
        self.iter().filter(move |(_, known)| known.peer == *peer)
    }

    fn direct_to(&self, peer: &PeerId) -> impl Iterator<Item = (ConnectionId, &Known)> {
        self.to(peer).filter(|(_, known)| !known.shown.relayed())
    }

    pub(crate) fn is_connected(&self, peer: &PeerId) -> bool {
        self.to(peer).next().is_some()
    }

    pub(crate) fn is_direct(&self, peer: &PeerId) -> bool {
        self.direct_to(peer).next().is_some()
    }

    pub(crate) fn is_relayed_only(&self, peer: &PeerId) -> bool {
        self.is_connected(peer) && !self.is_direct(peer)
    }

    /// Whether new streams to its peer take this connection.
    pub(crate) fn is_chosen(&self, peer: &PeerId, id: ConnectionId) -> bool {
        self.chosen.get(peer) == Some(&id)
    }

    pub(crate) fn set_rtt(&mut self, id: &ConnectionId, rtt: Duration) {
        if let Some(known) = self.all.get_mut(id) {
            known.shown.rtt = Some(rtt);
        }
    }

    /// This host's networks are others: which connections stay within them is judged again.
    pub(crate) fn judge_lan(&mut self, is_lan: impl Fn(&Multiaddr) -> bool) {
        for known in self.all.values_mut() {
            known.shown.lan = is_lan(&known.shown.remote);
        }
    }

    /// Connections that are not needed: relayed ones when there is a direct one, else all of them
    /// but the newest; and surplus direct ones.
    pub(crate) fn unneeded(&self, own: &PeerId, peer: &PeerId) -> Vec<ConnectionId> {
        let mut relayed: Vec<_> = self
            .to(peer)
            .filter(|(_, known)| known.shown.relayed())
            .map(|(id, known)| (known.shown.since, id))
            .collect();
        relayed.sort();
        if !self.is_direct(peer) {
            relayed.pop();
        }
        let relayed = relayed.into_iter().map(|(_, id)| id);
        relayed.chain(self.surplus(own, peer)).collect()
    }

    /// Direct connections that are one too many: both sides dialed, or one dialed over TCP and
    /// QUIC. Both sides agree on the one that stays, and each closes only what it has made: the
    /// transport that is better there stays, and of two such dials that of the peer with the
    /// smaller id.
    fn surplus(&self, own: &PeerId, peer: &PeerId) -> Vec<ConnectionId> {
        let smaller_dialed = |known: &Known| known.dialed == (own < peer);
        let kept = self
            .direct_to(peer)
            .min_by_key(|(_, known)| {
                let Connection {
                    lan,
                    transport,
                    since,
                    ..
                } = known.shown;
                let better = if lan { Transport::Tcp } else { Transport::Quic };
                (!lan, transport != better, !smaller_dialed(known), since)
            })
            .map(|(id, _)| id);
        self.direct_to(peer)
            .filter(|(id, known)| known.dialed && Some(*id) != kept)
            .map(|(id, _)| id)
            .collect()
    }

    /// Connections to a relay that were made to be observed there, but for the last of them. The
    /// first connection of all stays: the library takes it for the reservation and for circuits.
    pub(crate) fn earlier_observing(
        &self,
        relay: &PeerId,
        last: ConnectionId,
    ) -> Vec<ConnectionId> {
        let first = self
            .direct_to(relay)
            .min_by_key(|(_, known)| known.shown.since);
        let kept = [first.map(|(id, _)| id), Some(last)];
        self.direct_to(relay)
            .filter(|(id, known)| known.observing && !kept.contains(&Some(*id)))
            .map(|(id, _)| id)
            .collect()
    }

    /// Whether a connection from our port to this peer goes over TCP.
    pub(crate) fn is_dialed_over_tcp(&self, peer: &PeerId) -> bool {
        self.direct_to(peer)
            .any(|(_, known)| known.from_our_port && known.shown.transport == Transport::Tcp)
    }

    /// Whether any connection goes through this relay.
    pub(crate) fn goes_through(&self, relay: &PeerId) -> bool {
        self.all
            .values()
            .any(|known| known.shown.relay == Some(*relay))
    }
}

/// The lesser, the better.
fn distance(shown: &Connection) -> (bool, bool) {
    (shown.relayed(), !shown.lan)
}

/// Whether both are addresses of one family, and different.
fn has_moved(old: &Multiaddr, new: &Multiaddr) -> bool {
    match (addresses::ip(old), addresses::ip(new)) {
        (Some(old), Some(new)) => old != new && old.is_ipv4() == new.is_ipv4(),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Instant;

    use super::*;

    /// A connection that this side dialed.
    pub(crate) fn known(
        peer: PeerId,
        remote: &str,
        relay: Option<PeerId>,
        since: Instant,
    ) -> Known {
        let remote: Multiaddr = remote.parse().unwrap();
        let transport = addresses::transport(&remote).unwrap_or(Transport::Tcp);
        Known {
            peer,
            shown: Connection {
                remote,
                relay,
                lan: false,
                transport,
                rtt: None,
                since,
            },
            local: None,
            from_our_port: transport == Transport::Quic,
            dialed: true,
            observing: false,
        }
    }

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    const TCP: &str = "/ip4/11.0.0.1/tcp/1";
    const QUIC: &str = "/ip4/11.0.0.1/udp/1/quic-v1";

    #[test]
    fn a_direct_connection_takes_over_and_the_best_one_left_follows_it() {
        let (now, peer, relay) = (Instant::now(), PeerId::random(), PeerId::random());
        let mut connections = Connections::default();
        assert!(connections.add(id(1), known(peer, TCP, Some(relay), now)));
        assert!(connections.is_relayed_only(&peer) && connections.goes_through(&relay));
        assert!(connections.add(id(2), known(peer, TCP, None, now)));
        assert!(!connections.add(id(3), known(peer, QUIC, None, now)));
        assert!(connections.is_chosen(&peer, id(2)));
        let (removed, next) = connections.remove(peer, id(2));
        assert!(removed.is_some());
        assert_eq!(next, Some(id(3)), "direct before relayed");
        assert_eq!(connections.remove(peer, id(3)).1, Some(id(1)));
        assert_eq!(connections.remove(peer, id(1)).1, None);
        assert!(!connections.is_connected(&peer));
    }

    #[test]
    fn a_peer_that_moved_is_followed() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut connections = Connections::default();
        connections.add(id(1), known(peer, TCP, None, now));
        assert!(!connections.add(id(2), known(peer, TCP, None, now)));
        assert!(connections.add(id(3), known(peer, "/ip4/11.0.0.2/tcp/1", None, now)));
    }

    #[test]
    fn what_replaces_a_dead_connection_is_taken() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut connections = Connections::default();
        connections.add(id(1), known(peer, TCP, None, now));
        connections.has_died(id(1));
        assert!(connections.add(id(2), known(peer, TCP, None, now)));
        assert!(!connections.add(id(3), known(peer, TCP, None, now)));
        connections.has_died(id(3));
        connections.add(id(4), known(peer, TCP, Some(PeerId::random()), now));
        assert_eq!(connections.remove(peer, id(2)).1, Some(id(4)));
    }

    #[test]
    fn one_direct_connection_stays_and_no_relayed_one() {
        let (now, own, peer) = (Instant::now(), PeerId::random(), PeerId::random());
        let relay = PeerId::random();
        let mut connections = Connections::default();
        connections.add(id(1), known(peer, TCP, Some(relay), now));
        let later = now + Duration::from_secs(1);
        connections.add(id(2), known(peer, TCP, Some(relay), later));
        assert_eq!(
            connections.unneeded(&own, &peer),
            [id(1)],
            "the newest stays"
        );
        connections.add(id(3), known(peer, TCP, None, now));
        connections.add(id(4), known(peer, QUIC, None, later));
        assert_eq!(connections.unneeded(&own, &peer), [id(1), id(2), id(3)]);
    }

    #[test]
    fn a_relay_keeps_its_first_connection_and_the_last_that_observes() {
        let (now, relay) = (Instant::now(), PeerId::random());
        let mut connections = Connections::default();
        for at in 1..=4 {
            let since = now + Duration::from_secs(at as u64);
            let observing = at > 1;
            let made = Known {
                observing,
                ..known(relay, QUIC, None, since)
            };
            connections.add(id(at), made);
        }
        let mut earlier = connections.earlier_observing(&relay, id(4));
        earlier.sort();
        assert_eq!(earlier, [id(2), id(3)]);
    }
}
