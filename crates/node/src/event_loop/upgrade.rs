//! From a relayed path to a direct one: retries, moving over, and closing what is no longer needed.
//!
//! The library punches holes by itself when a relayed connection is made, three times, and never
//! again. Routers change their mind and peers their addresses, so we try again, ever more rarely,
//! in both ways there are: calling the addresses the other side tells, and making the relayed
//! connection anew. Streams take the direct connection as soon as it stands; the relayed one is
//! closed when nothing is left on it.

use std::time::{Duration, Instant};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{dcutr, swarm::ConnectionId};

use super::{Chore, EventLoop, Known};
use crate::{
    net::addresses,
    reach::history::spoken,
    status::{Connection, Link, PeerReach, Transport},
};

/// Pauses between attempts to get off a relay. The first only calls addresses that were learned
/// meanwhile.
const UPGRADES: [Duration; 4] = [
    Duration::from_secs(3),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];

/// How long a connection that a better one has replaced is kept, at least: what was about to use it
/// gets done.
const GRACE: Duration = Duration::from_secs(5);

impl EventLoop {
    pub(super) fn on_chore(&mut self, chore: Chore, now: Instant) {
        match chore {
            Chore::Rest(peer) => drop(self.dial_rest(peer)),
            Chore::Tidy(peer) => self.tidy(peer, now),
            Chore::Upgrade(peer) => self.upgrade(peer, now),
            Chore::Punch(peer) => self.punch(peer, now),
            Chore::Guess(peer) => self.guess(peer, now),
            Chore::Hole(peer) => self.close_hole(&peer),
            Chore::Leave(peer) => self.leave(peer, now),
            Chore::Reachable => self.on_reachable(now),
            Chore::GiveBack(relay) => self.give_back(relay, now),
            Chore::HangUp(relay) => self.hang_up(&relay, now),
            Chore::Tested => self.end_test(),
            Chore::Wake => self.see_whether_slept(now),
        }
    }

    /// Streams stay on the connection that they took first, unless the new one is better: nearer,
    /// or from where the peer is now. What is shown is what is taken, so neither changes without
    /// need.
    pub(super) fn choose(&mut self, peer: PeerId, new: ConnectionId) {
        let place = |id: &ConnectionId| self.connections.get(id).map(|known| &known.shown);
        let old = self.chosen.get(&peer).and_then(place);
        let better = match (old, place(&new)) {
            (Some(old), Some(new)) => {
                let moved = !new.relayed() && has_moved(&old.remote, &new.remote);
                distance(new) < distance(old) || (distance(new) == distance(old) && moved)
            }
            (old, _) => old.is_none(),
        };
        if better {
            self.chosen.insert(peer, new);
            self.control.prefer(&peer, new);
        }
    }

    /// A connection is gone: if it was the chosen one, the best of the others is.
    pub(super) fn choose_again(&mut self, peer: PeerId, gone: ConnectionId) {
        if self.chosen.get(&peer) != Some(&gone) {
            return;
        }
        self.chosen.remove(&peer);
        let others = self
            .connections
            .iter()
            .filter(|(_, known)| known.peer == peer);
        let best = others.min_by_key(|(_, known)| {
            let since = std::cmp::Reverse(known.shown.since);
            (distance(&known.shown), since)
        });
        if let Some(best) = best.map(|(id, _)| *id) {
            self.choose(peer, best);
        }
    }

    pub(super) fn is_direct(&self, peer: &PeerId) -> bool {
        self.connections
            .values()
            .any(|known| known.peer == *peer && !known.shown.relayed())
    }

    fn is_relayed_only(&self, peer: &PeerId) -> bool {
        self.swarm.is_connected(peer) && !self.is_direct(peer)
    }

    pub(super) fn note_connected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        shown: &Connection,
        dialled: bool,
    ) {
        let now = Instant::now();
        let attempt = self
            .attempts
            .get(&peer)
            .filter(|attempt| attempt.dials.contains(&id));
        let took = attempt.map(|attempt| now.saturating_duration_since(attempt.since));
        let what = match (dialled, took) {
            (false, _) => "It called this peer".to_owned(),
            (true, None) => "Called it, both at the same moment".to_owned(),
            (true, Some(took)) => format!("Called it, {}", spoken(took)),
        };
        let outcome = format!("connected {}", self.words(shown));
        self.history.note(peer, what, outcome, Some(true), now);
        if shown.relayed() {
            self.end_dial(&peer, id);
            if !self.is_direct(&peer) {
                self.only_relayed(peer, now);
            }
        } else {
            self.end_attempt(&peer, id, shown.lan);
            self.agenda.drop(Chore::Rest(peer));
            self.agenda.drop(Chore::Upgrade(peer));
            self.agenda.drop(Chore::Punch(peer));
            self.tries.remove(&peer);
        }
        // A relay is connected to twice on purpose: once for what it carries, and to be seen over
        // the other transport.
        if self.connections_to(&peer) > 1 && !self.relays.is_offered(&peer) {
            self.agenda.put(Chore::Tidy(peer), now + GRACE);
        }
    }

    pub(super) fn note_closed(&mut self, peer: PeerId, shown: &Connection, last: bool) {
        let now = Instant::now();
        let what = format!("The connection {} ended", self.words(shown));
        let outcome = match (last, self.is_direct(&peer)) {
            (true, _) => "no other is left",
            (false, true) => "a direct one is left",
            (false, false) => "one over a relay is left",
        };
        self.history.note(peer, what, outcome, None, now);
        if last {
            if !self.kept.contains(&peer) {
                self.from_elsewhere.remove(&peer);
            }
            self.agenda.drop(Chore::Leave(peer));
            self.agenda.drop(Chore::Upgrade(peer));
            self.agenda.drop(Chore::Tidy(peer));
            self.agenda.drop(Chore::Punch(peer));
            self.tries.remove(&peer);
            self.forget_punch(&peer);
        } else if self.is_relayed_only(&peer) {
            self.close_hole(&peer);
            self.only_relayed(peer, now);
        }
    }

    fn only_relayed(&mut self, peer: PeerId, now: Instant) {
        self.tries.entry(peer).or_default();
        self.agenda.hurry(Chore::Upgrade(peer), now + UPGRADES[0]);
        self.plan_punch(peer);
    }

    pub(super) fn on_punching(&mut self, event: dcutr::Event) {
        let peer = event.remote_peer_id;
        let (outcome, worked) = match event.result {
            Ok(_) => ("a way through both routers was found".to_owned(), true),
            Err(error) => {
                tracing::debug!(%peer, %error, "hole punching failed");
                ("the routers let nothing through".to_owned(), false)
            }
        };
        let now = Instant::now();
        self.history
            .note(peer, "Hole punching", outcome, Some(worked), now);
    }

    /// It has other addresses now: worth another attempt, if only a relay leads there.
    pub(super) fn news_of(&mut self, peer: PeerId) {
        if self.is_relayed_only(&peer) {
            let soon = Instant::now() + UPGRADES[0] / 10;
            self.agenda.hurry(Chore::Upgrade(peer), soon);
        }
    }

    fn upgrade(&mut self, peer: PeerId, now: Instant) {
        if !self.is_relayed_only(&peer) {
            return;
        }
        let tries = self.tries.entry(peer).or_default();
        let pause = UPGRADES[(*tries + 1).min(UPGRADES.len() - 1)];
        let punch = *tries > 0 && *self.swarm.local_peer_id() < peer;
        *tries += 1;
        let jitter = 1.0 + rand::random::<f64>() / 4.0;
        self.agenda
            .put(Chore::Upgrade(peer), now + pause.mul_f64(jitter));
        self.plan_punch(peer);
        self.dial_direct_again(peer);
        if punch {
            // The library punches when a relayed connection is made, so another one is made.
            let _none = self.dial_circuits(peer);
        }
    }

    /// Closes connections that are not needed: relayed ones when there is a direct one, else all of
    /// them but the newest; and of the direct ones those that [`Self::surplus`] names.
    fn tidy(&mut self, peer: PeerId, now: Instant) {
        let mut relayed: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, known)| known.peer == peer && known.shown.relayed())
            .map(|(id, known)| (known.shown.since, *id))
            .collect();
        relayed.sort();
        if !self.is_direct(&peer) {
            relayed.pop();
        }
        let mut unneeded: Vec<_> = relayed.into_iter().map(|(_, id)| id).collect();
        unneeded.extend(self.surplus(&peer));
        let mut busy = false;
        for id in unneeded {
            busy |= !self.close_if_idle(&peer, id);
        }
        if busy {
            self.agenda.put(Chore::Tidy(peer), now + GRACE);
        }
    }

    /// Whether nothing goes over a connection, which then is closed.
    pub(super) fn close_if_idle(&mut self, peer: &PeerId, id: ConnectionId) -> bool {
        let traffic = self.control.traffic(peer, id);
        let idle = traffic.is_none_or(|traffic| traffic.is_idle());
        if idle {
            self.swarm.close_connection(id);
        }
        idle
    }

    /// Direct connections that are one too many: both sides called, or one called over TCP and
    /// QUIC. Both sides agree on the one that stays, and each closes only what it has made: the
    /// transport that is better there stays, and of two such calls that of the peer with the
    /// smaller id.
    fn surplus(&self, peer: &PeerId) -> Vec<ConnectionId> {
        let direct: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, known)| known.peer == *peer && !known.shown.relayed())
            .collect();
        let smaller_calls = |known: &Known| known.dialled == (self.swarm.local_peer_id() < peer);
        let kept = direct
            .iter()
            .min_by_key(|(_, known)| {
                let Connection {
                    lan,
                    transport,
                    since,
                    ..
                } = known.shown;
                let better = if lan { Transport::Tcp } else { Transport::Quic };
                (!lan, transport != better, !smaller_calls(known), since)
            })
            .map(|(id, _)| **id);
        direct
            .into_iter()
            .filter(|(id, known)| known.dialled && Some(**id) != kept)
            .map(|(id, _)| *id)
            .collect()
    }

    pub(super) fn connections_to(&self, peer: &PeerId) -> usize {
        let to_it = self
            .connections
            .values()
            .filter(|known| known.peer == *peer);
        to_it.count()
    }

    /// What is known of the way to a peer.
    pub(super) fn reach(&self, peer: &PeerId) -> PeerReach {
        let mut links: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, known)| known.peer == *peer)
            .map(|(id, known)| {
                let traffic = self.control.traffic(peer, *id);
                let (received, sent) = traffic.map(|traffic| traffic.bytes()).unwrap_or_default();
                let link = Link {
                    connection: known.shown.clone(),
                    received_bytes: received,
                    sent_bytes: sent,
                };
                (self.chosen.get(peer) != Some(id), link)
            })
            .collect();
        links.sort_by_key(|(other, link)| {
            let since = std::cmp::Reverse(link.connection.since);
            (*other, link.connection.relayed(), since)
        });
        PeerReach {
            links: links.into_iter().map(|(_, link)| link).collect(),
            attempts: self.history.of(peer),
        }
    }

    fn words(&self, shown: &Connection) -> String {
        let transport = match shown.transport {
            Transport::Tcp => "TCP",
            Transport::Quic => "QUIC",
        };
        match (shown.relay, shown.lan) {
            (Some(relay), _) => format!("through the relay of {}", self.relays.label(&relay)),
            (None, true) => format!("on this network over {transport}"),
            (None, false) => format!("directly over {transport}"),
        }
    }
}

/// The lesser, the better.
fn distance(shown: &Connection) -> (bool, bool) {
    (shown.relayed(), !shown.lan)
}

/// Whether both are addresses of one family and another place.
fn has_moved(old: &Multiaddr, new: &Multiaddr) -> bool {
    match (addresses::ip(old), addresses::ip(new)) {
        (Some(old), Some(new)) => old != new && old.is_ipv4() == new.is_ipv4(),
        _ => false,
    }
}
