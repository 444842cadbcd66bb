//! How this peer is reached from beyond its networks: relays, what others see of us, and changes of
//! network.

use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant, SystemTime},
};

use goop2_proto::{Multiaddr, PeerId, presence::MAX_ADDRS};
use libp2p::{
    core::transport::ListenerId,
    relay,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::{Chore, EventLoop, Known, explain, is_near, without_peer};
use crate::{
    net::{addresses, interfaces::Interfaces},
    outside::relays::Action,
    status::{Mapping, Reach, Transport},
};

/// How soon to see again whether a place at a relay that is not needed can be ended.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// Addresses told besides those of the own machine.
const MAX_OUTSIDE: usize = 12;

/// How often to see whether the machine has slept, and how much the clocks then differ: one of them
/// stands still.
const WAKE: Duration = Duration::from_secs(5);
const SLEPT: Duration = Duration::from_secs(5);

/// A dial of a relay.
pub(super) struct RelayDial {
    peer: PeerId,
    /// Else it is only to be seen over the other transport too.
    pub(super) needed: bool,
    over_udp: bool,
}

impl EventLoop {
    pub(super) fn act(&mut self, actions: impl IntoIterator<Item = Action>) {
        for action in actions {
            match action {
                Action::Dial { peer, addrs } => self.dial_relay(peer, addrs, true),
                Action::Look { peer, addrs } => self.dial_relay(peer, addrs, false),
                Action::Reserve { peer, addr } => {
                    let listener = self.swarm.listen_on(addresses::circuit(addr, peer));
                    let listener = listener.map_err(|error| error.to_string());
                    self.relays.asking(&peer, listener, Instant::now());
                }
                Action::Release { peer, listener } => {
                    self.swarm.remove_listener(listener);
                    self.agenda.put(Chore::GiveBack(peer), Instant::now());
                }
                Action::Disconnect(peer) => drop(self.swarm.disconnect_peer_id(peer)),
            }
        }
    }

    fn dial_relay(&mut self, peer: PeerId, addrs: Vec<Multiaddr>, needed: bool) {
        let over_udp = addrs
            .iter()
            .any(|addr| addresses::transport(addr) == Some(Transport::Quic));
        if !over_udp && self.calls_over_tcp(&peer) {
            // A second call from our port to the same place would come from another port, and this
            // peer would be seen there.
            if needed {
                let now = Instant::now();
                self.relays.connected(&peer, now);
                let action = self.relays.identified(&peer, now);
                self.act(action);
            }
            return;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addrs)
            .build();
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => drop(self.relay_dials.insert(
                id,
                RelayDial {
                    peer,
                    needed,
                    over_udp,
                },
            )),
            Err(error) if needed => self.relay_failed(peer, explain(&error)),
            Err(error) => tracing::debug!(%error, "a relay is not looked at twice"),
        }
    }

    /// A relay is looked at again and again, and there may only be a few connections to one peer:
    /// the last look is enough. The first connection stays: the library takes it for the place and
    /// for circuits.
    pub(super) fn end_earlier_looks(&mut self, relay: &PeerId, last: ConnectionId) {
        let direct = || {
            let connections = self.connections.iter();
            connections.filter(|(_, known)| known.peer == *relay && !known.shown.relayed())
        };
        let first = direct().min_by_key(|(_, known)| known.shown.since);
        let kept = [first.map(|(id, _)| *id), Some(last)];
        let unneeded: Vec<_> = direct()
            .filter(|(id, known)| known.looked && !kept.contains(&Some(**id)))
            .map(|(id, _)| *id)
            .collect();
        for id in unneeded {
            self.close_if_idle(relay, id);
        }
    }

    fn calls_over_tcp(&self, peer: &PeerId) -> bool {
        self.connections.values().any(|known| {
            let direct = !known.shown.relayed() && known.shown.transport == Transport::Tcp;
            known.peer == *peer && known.from_our_port && direct
        })
    }

    /// Ends a place at a relay. The protocol has no word for that but the end of the connection,
    /// which waits for what goes through it.
    pub(super) fn give_back(&mut self, relay: PeerId, now: Instant) {
        if self.relays.wants(&relay) {
            return;
        }
        let mut connections = self.connections.values();
        let carries = connections.any(|known| known.shown.relay == Some(relay));
        let mut attempts = self.attempts.values();
        let calls = attempts.any(|attempt| attempt.circuits.is_some());
        if carries || calls || self.agenda.has(Chore::Tested) {
            self.agenda.put(Chore::GiveBack(relay), now + GIVE_BACK);
        } else {
            let _gone = self.swarm.disconnect_peer_id(relay);
        }
    }

    /// A dial of a relay failed.
    pub(super) fn relay_dial_ended(&mut self, dial: &RelayDial, error: &DialError) {
        if dial.over_udp && !dial.needed && matches!(error, DialError::Transport(_)) {
            self.udp_blocked = true;
            self.status_changed();
        }
        if dial.needed {
            self.relay_failed(dial.peer, explain(error));
        }
    }

    fn relay_failed(&mut self, peer: PeerId, reason: String) {
        self.relays
            .failed(&peer, reason, rand::random(), Instant::now());
        self.status_changed();
    }

    pub(super) fn on_relay(&mut self, event: relay::client::Event) {
        if let relay::client::Event::ReservationReqAccepted { relay_peer_id, .. } = event
            && self.relays.held(&relay_peer_id, Instant::now())
        {
            tracing::info!("a relay keeps a place for this peer");
            self.status_changed();
        }
    }

    pub(super) fn on_listener_closed(
        &mut self,
        listener: ListenerId,
        addrs: &[Multiaddr],
        reason: Result<(), io::Error>,
    ) {
        let words = match &reason {
            Ok(()) => "the connection to it ended".into(),
            Err(error) => refusal(error),
        };
        let relay = self
            .relays
            .closed(listener, words, rand::random(), Instant::now());
        match (relay, reason) {
            (Some(relay), reason) => {
                tracing::info!(?reason, "a relay no longer keeps a place for this peer");
                // Other connections to it may be dead without having noticed.
                self.act([Action::Disconnect(relay)]);
                self.status_changed();
            }
            (None, Err(error)) => tracing::warn!(?addrs, %error, "stopped listening"),
            (None, Ok(())) => {}
        }
    }

    /// A peer has said who it is, and where it sees us.
    pub(super) fn on_identified(&mut self, peer: PeerId, id: ConnectionId, observed: Multiaddr) {
        let now = Instant::now();
        if let Some(known) = self.connections.get(&id)
            && self.tells_our_address(known)
        {
            let observed = without_peer(observed);
            self.may_be_called_at(observed.clone());
            if self.observations.add(peer, observed, now) {
                self.status_changed();
            }
        }
        let action = self.relays.identified(&peer, now);
        self.act(action);
    }

    /// Only a call from our port over the networks in between says where we can be called.
    fn tells_our_address(&self, known: &Known) -> bool {
        let outside = !known.shown.lan || self.relays.is_offered(&known.peer);
        known.from_our_port && !known.shown.relayed() && outside
    }

    /// Addresses came or went.
    pub(super) fn on_interfaces(&mut self) {
        let own: Vec<_> = self.own_ips();
        let interfaces = self.interfaces.borrow().clone();
        for known in self.connections.values_mut() {
            known.shown.lan = is_near(&known.shown.remote, &interfaces);
        }
        // What is bound to an address that is gone is dead, and would be noticed only when it is
        // used.
        let (dead, alive): (Vec<_>, Vec<_>) = self
            .connections
            .iter()
            .map(|(id, known)| (*id, known.peer, known.local))
            .partition(|(.., local)| {
                local.is_some_and(|ip| !ip.is_loopback() && !own.contains(&ip))
            });
        for (id, peer, _) in dead {
            // Gossip says its topics on the first connection only. To a peer that still holds its
            // end of this one, another is not the first: closed now, nothing would be heard from it
            // any more. So it stays until the probe ends it.
            let replaced = alive.iter().any(|(_, to, _)| *to == peer);
            if replaced || !self.is_in_gossip(&peer) {
                self.swarm.close_connection(id);
            } else {
                self.dialler.want(peer, Instant::now());
            }
        }
        self.network_changed();
    }

    fn is_in_gossip(&self, peer: &PeerId) -> bool {
        let mut peers = self.swarm.behaviour().gossip.all_peers();
        peers.any(|(to, topics)| to == peer && !topics.is_empty())
    }

    /// Nothing known of the world outside is sure any more.
    fn network_changed(&mut self) {
        self.probe(|_| true);
        self.observations.clear();
        self.test_own_again();
        self.udp_blocked = false;
        self.map_ports.send_modify(|wish| wish.network += 1);
        self.relays.hurry(Instant::now());
        self.see_whether_reachable();
    }

    pub(super) fn see_whether_slept(&mut self, now: Instant) {
        let clocks = (now, SystemTime::now());
        if let Some(before) = self.woken.replace(clocks)
            && let Some(passed) = slept(before, clocks)
        {
            tracing::info!(?passed, "the machine slept");
            self.network_changed();
        }
        self.agenda.put(Chore::Wake, now + WAKE);
    }

    pub(super) fn own_ips(&self) -> Vec<IpAddr> {
        let interfaces = self.interfaces.borrow();
        let all = interfaces.0.iter().flat_map(|i| &i.addrs);
        all.map(|(ip, _)| *ip).collect()
    }

    /// The addresses of this machine that others may reach.
    pub(super) fn listening(&self) -> Vec<Multiaddr> {
        let interfaces: &Interfaces = &self.interfaces.borrow();
        interfaces
            .reachable()
            .flat_map(|ip| self.port.addresses(ip))
            .collect()
    }

    /// What to tell others, the own addresses first.
    pub(super) fn published(&self, listen: &[Multiaddr]) -> Vec<Multiaddr> {
        let confirmed = self.tested.iter().filter(|(_, arrived)| **arrived);
        let seen = self.observations.useful(self.port.number, &self.own_ips());
        let mut outside = Vec::new();
        let candidates = self
            .relays
            .circuits()
            .chain(self.mapped().iter().cloned())
            .chain(
                confirmed
                    .map(|(addr, _)| addr.clone())
                    .filter(|addr| seen.contains(addr)),
            )
            .chain(seen.clone());
        for addr in candidates {
            if outside.len() < MAX_OUTSIDE && !outside.contains(&addr) && !listen.contains(&addr) {
                outside.push(addr);
            }
        }
        let mut all: Vec<_> = listen
            .iter()
            .take(MAX_ADDRS - outside.len())
            .cloned()
            .collect();
        all.extend(outside);
        all
    }

    pub(super) fn own_reach(&self) -> Reach {
        let observed = self.observations.seen();
        let tested = |wanted| {
            let tested = self
                .tested
                .iter()
                .filter(move |(_, arrived)| **arrived == wanted);
            tested.map(|(addr, _)| addr.clone()).collect()
        };
        Reach {
            nat: self.observations.nat(self.port.number, &self.own_ips()),
            observed,
            udp_blocked: self.udp_blocked,
            reachable: self.is_reachable(),
            confirmed: tested(true),
            unreachable: tested(false),
            mapping: self.mapping.clone(),
            relays: self.relays.status(),
            testing: self.relays.is_asking()
                || self.mapping == Mapping::Asking
                || self.agenda.has(Chore::Tested),
        }
    }
}

/// Why a relay keeps no place, as far as the library lets its reasons out.
fn refusal(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    let mut causes = std::iter::successors(
        error
            .get_ref()
            .map(|inner| inner as &(dyn std::error::Error + 'static)),
        |error| error.source(),
    );
    let said = causes.find_map(|cause| {
        let text = cause.to_string().to_lowercase();
        let refused = ["refused", "permission", "denied"];
        if refused.iter().any(|word| text.contains(word)) {
            Some("it keeps no place for this peer")
        } else if text.contains("resource limit") {
            Some("it is full")
        } else if text.contains("not supported") || text.contains("unsupported") {
            Some("it is no relay at the moment")
        } else if text.contains("no address") {
            Some("it does not know its own address")
        } else {
            None
        }
    });
    said.map_or(text, str::to_owned)
}

/// How long the machine stood still between two looks at both clocks, of which only the calendar's
/// goes on then; nothing if it did not.
fn slept(before: (Instant, SystemTime), now: (Instant, SystemTime)) -> Option<Duration> {
    let passed = now.1.duration_since(before.1).unwrap_or_default();
    let stood = passed.saturating_sub(now.0.saturating_duration_since(before.0));
    (stood > SLEPT).then_some(stood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_slept_is_told_from_one_that_was_busy() {
        let before = (Instant::now(), SystemTime::now());
        let after = |ran: u64, passed: u64| {
            let [ran, passed] = [ran, passed].map(Duration::from_secs);
            slept(before, (before.0 + ran, before.1 + passed))
        };
        assert_eq!(after(5, 5), None);
        assert_eq!(after(90, 91), None, "stopped for a while, but not asleep");
        assert_eq!(after(5, 3605), Some(Duration::from_secs(3600)));
        // Somebody set the calendar back.
        let back = (before.0 + WAKE, before.1 - Duration::from_secs(3600));
        assert_eq!(slept(before, back), None);
    }
}
