//! From a relayed connection to a direct one: retries, and closing what is no longer needed.
//!
//! The library punches holes when a relayed connection is made, three times, and never again.
//! Routers change their mind and peers their addresses, so we try again, ever more rarely, in two
//! ways: dialing the addresses the other side announces, and making the relayed
//! connection again. Streams take the direct connection as soon as it stands; the relayed one is
//! closed when nothing is left on it.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use goop2_proto::PeerId;
use libp2p::swarm::ConnectionId;

use crate::{agenda::Agenda, net::network::Network};

/// Pauses between attempts to get off a relay. The first only dials addresses that were learned
/// since.
const UPGRADES: [Duration; 4] = [
    Duration::from_secs(3),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];

/// How long a connection that a better one has replaced is kept, at least: what was about to use it
/// gets done.
const GRACE: Duration = Duration::from_secs(5);

/// What to do now.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// A relayed connection is all there is: see whether hole punching from many ports is needed.
    PlanPunch(PeerId),
    /// Dial its addresses.
    DialDirect(PeerId),
    /// Connect to it through a relay once more.
    DialCircuits(PeerId),
    /// Close these connections if they are idle; if one is not, report to [`Upgrades::in_use`].
    Close(PeerId, Vec<ConnectionId>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Chore {
    /// Close connections to this peer that a better one has replaced.
    Tidy(PeerId),
    /// The peer is reached over a relay only: try again to do better.
    Upgrade(PeerId),
}

#[derive(Default)]
pub(crate) struct Upgrades {
    /// How often it was tried to get off the relay to a peer.
    tries: HashMap<PeerId, usize>,
    agenda: Agenda<Chore>,
    actions: VecDeque<Action>,
}

impl Upgrades {
    /// A connection to the peer was made. Of a relay that is offered several are kept on purpose:
    /// one for what it carries, and others for it to observe our addresses.
    pub(crate) fn connected(&mut self, peer: PeerId, is_relay: bool, net: &Network, now: Instant) {
        if net.connections.is_direct(&peer) {
            self.agenda.drop(Chore::Upgrade(peer));
            self.tries.remove(&peer);
        } else {
            self.only_relayed(peer, now);
        }
        if net.connections.to(&peer).count() > 1 && !is_relay {
            self.agenda.put(Chore::Tidy(peer), now + GRACE);
        }
    }

    /// A connection to the peer ended.
    pub(crate) fn closed(&mut self, peer: PeerId, net: &Network, now: Instant) {
        if !net.connections.is_connected(&peer) {
            self.agenda.drop(Chore::Upgrade(peer));
            self.agenda.drop(Chore::Tidy(peer));
            self.tries.remove(&peer);
        } else if !net.connections.is_direct(&peer) {
            self.only_relayed(peer, now);
        }
    }

    /// It has other addresses now: worth another attempt, if it is only reached over a relay.
    pub(crate) fn new_addresses(&mut self, peer: PeerId, net: &Network, now: Instant) {
        if net.connections.is_relayed_only(&peer) {
            let soon = now + UPGRADES[0] / 10;
            self.agenda.hurry(Chore::Upgrade(peer), soon);
        }
    }

    /// A connection that is not needed is still used.
    pub(crate) fn in_use(&mut self, peer: PeerId, now: Instant) {
        self.agenda.put(Chore::Tidy(peer), now + GRACE);
    }

    /// Does what is due. `jitter` is in 0..1.
    pub(crate) fn poll(&mut self, net: &Network, jitter: f64, now: Instant) {
        while let Some(chore) = self.agenda.due(now) {
            match chore {
                Chore::Tidy(peer) => {
                    let over = net.connections.unneeded(&net.host.own, &peer);
                    self.actions.push_back(Action::Close(peer, over));
                }
                Chore::Upgrade(peer) if net.connections.is_relayed_only(&peer) => {
                    self.upgrade(peer, net, jitter, now);
                }
                Chore::Upgrade(_) => {}
            }
        }
    }

    /// When [`Self::poll`] has something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// The next thing to do.
    pub(crate) fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn only_relayed(&mut self, peer: PeerId, now: Instant) {
        self.tries.entry(peer).or_default();
        self.agenda.hurry(Chore::Upgrade(peer), now + UPGRADES[0]);
        self.actions.push_back(Action::PlanPunch(peer));
    }

    fn upgrade(&mut self, peer: PeerId, net: &Network, jitter: f64, now: Instant) {
        let tries = self.tries.entry(peer).or_default();
        let pause = UPGRADES[(*tries + 1).min(UPGRADES.len() - 1)];
        let punch = *tries > 0 && net.host.own < peer;
        *tries += 1;
        let pause = pause.mul_f64(1.0 + jitter / 4.0);
        self.agenda.put(Chore::Upgrade(peer), now + pause);
        self.actions.push_back(Action::PlanPunch(peer));
        self.actions.push_back(Action::DialDirect(peer));
        if punch {
            // The library punches when a relayed connection is made, so another one is made.
            self.actions.push_back(Action::DialCircuits(peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{connections::tests::known, network::tests::network};

    const AT: &str = "/ip4/11.0.0.1/tcp/1";

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn actions(state: &mut Upgrades) -> Vec<Action> {
        std::iter::from_fn(|| state.action()).collect()
    }

    #[test]
    fn a_relayed_connection_is_improved_ever_more_rarely_until_a_direct_one_stands() {
        let (mut now, peer) = (Instant::now(), PeerId::random());
        let (mut state, mut net) = (Upgrades::default(), network());
        let relayed = known(peer, AT, Some(PeerId::random()), now);
        net.connections.add(id(1), relayed);
        state.connected(peer, false, &net, now);
        assert_eq!(actions(&mut state), [Action::PlanPunch(peer)]);
        let mut circuits = 0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let next = state.poll_timeout().unwrap();
            pauses.push(next - now);
            now = next;
            state.poll(&net, 0.0, now);
            let done = actions(&mut state);
            assert!(done.contains(&Action::DialDirect(peer)));
            circuits += usize::from(done.contains(&Action::DialCircuits(peer)));
        }
        assert_eq!(pauses[..4], UPGRADES);
        assert_eq!(pauses[5], UPGRADES[3]);
        let first = net.host.own < peer;
        assert_eq!(
            circuits,
            if first { 5 } else { 0 },
            "one side makes it again"
        );

        net.connections.add(id(2), known(peer, AT, None, now));
        state.connected(peer, false, &net, now);
        assert_eq!(state.poll_timeout(), Some(now + GRACE));
        state.poll(&net, 0.0, now + GRACE);
        assert_eq!(actions(&mut state), [Action::Close(peer, vec![id(1)])]);
    }

    #[test]
    fn new_addresses_bring_an_upgrade_forward() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, mut net) = (Upgrades::default(), network());
        state.new_addresses(peer, &net, now);
        assert_eq!(state.poll_timeout(), None);
        let relayed = known(peer, AT, Some(PeerId::random()), now);
        net.connections.add(id(1), relayed);
        state.new_addresses(peer, &net, now);
        assert!(state.poll_timeout().unwrap() < now + UPGRADES[0]);
        net.connections.remove(peer, id(1));
        state.closed(peer, &net, now);
        assert_eq!(state.poll_timeout(), None);
    }
}
