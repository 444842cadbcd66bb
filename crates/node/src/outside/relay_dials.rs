//! Our dials of relays, and the connections to them that are no longer needed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::swarm::{
    ConnectionId,
    dial_opts::{DialOpts, PeerCondition},
};

use crate::{
    agenda::Agenda,
    net::{addresses, connections::Connections, network::Network},
    status::Transport,
};

/// How soon to see again whether a reservation that is not needed can be given back.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// How long a connection that a relay made to test whether it can is kept: a few round trips, after
/// which there is no use for it.
const TEST_DIAL: Duration = Duration::from_secs(3);

/// One dial of a relay.
pub(crate) struct RelayDial {
    pub(crate) peer: PeerId,
    /// Else it is only made for the relay to observe our address.
    pub(crate) needed: bool,
    over_udp: bool,
}

impl RelayDial {
    /// Whether its failing shows that UDP is blocked: the relay answers over TCP.
    pub(crate) fn shows_udp_blocked(&self) -> bool {
        self.over_udp && !self.needed
    }
}

/// What is due at a relay.
#[derive(Debug, PartialEq)]
pub(crate) enum Due {
    /// End the reservation that is no longer needed. The protocol has no message for that but
    /// the end of the connection, which waits for what goes through it.
    GiveBack(PeerId),
    /// Close these connections, which the relay made only to test whether it can.
    HangUp(Vec<ConnectionId>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Chore {
    GiveBack(PeerId),
    HangUp(PeerId),
}

#[derive(Default)]
pub(crate) struct RelayDials {
    dials: HashMap<ConnectionId, RelayDial>,
    agenda: Agenda<Chore>,
}

impl RelayDials {
    /// How to dial a relay; none when a connection from our port stands already: another one would
    /// come from another port, and the relay would observe that.
    pub(crate) fn dial(
        &mut self,
        peer: PeerId,
        addrs: Vec<Multiaddr>,
        needed: bool,
        connections: &Connections,
    ) -> Option<DialOpts> {
        let over_udp = addrs
            .iter()
            .any(|addr| addresses::transport(addr) == Some(Transport::Quic));
        if !over_udp && connections.is_dialed_over_tcp(&peer) {
            return None;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addrs)
            .build();
        let dial = RelayDial {
            peer,
            needed,
            over_udp,
        };
        self.dials.insert(options.connection_id(), dial);
        Some(options)
    }

    /// A dial has ended; returned when it was one of these.
    pub(crate) fn ended(&mut self, id: &ConnectionId) -> Option<RelayDial> {
        self.dials.remove(id)
    }

    /// An offered relay has connected to this peer.
    pub(crate) fn connected_to_us(&mut self, relay: PeerId, now: Instant) {
        self.agenda.hurry(Chore::HangUp(relay), now + TEST_DIAL);
    }

    /// The reservation at this relay is no longer needed.
    pub(crate) fn give_back(&mut self, relay: PeerId, now: Instant) {
        self.agenda.put(Chore::GiveBack(relay), now);
    }

    /// The relay is still in use: look again in a moment.
    pub(crate) fn give_back_later(&mut self, relay: PeerId, now: Instant) {
        self.agenda.put(Chore::GiveBack(relay), now + GIVE_BACK);
    }

    /// What is due. Call until it gives nothing.
    pub(crate) fn poll(&mut self, net: &Network, now: Instant) -> Option<Due> {
        match self.agenda.due(now)? {
            Chore::GiveBack(relay) => Some(Due::GiveBack(relay)),
            Chore::HangUp(relay) => {
                let made = net.connections.to(&relay);
                let made = made.filter(|(_, known)| !known.dialed && !known.shown.relayed());
                let mut over = Vec::new();
                for (id, known) in made {
                    let until = known.shown.since + TEST_DIAL;
                    if until <= now {
                        over.push(id);
                    } else {
                        self.agenda.hurry(Chore::HangUp(relay), until);
                    }
                }
                Some(Due::HangUp(over))
            }
        }
    }

    /// When [`Self::poll`] has something to give next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.agenda.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{
        connections::{Known, tests::known},
        network::tests::network,
    };

    const TCP: &str = "/ip4/11.0.0.9/tcp/1";
    const QUIC: &str = "/ip4/11.0.0.9/udp/1/quic-v1";

    #[test]
    fn a_relay_is_not_dialed_twice_over_tcp_from_our_port() {
        let (now, relay) = (Instant::now(), PeerId::random());
        let (mut dials, mut net) = (RelayDials::default(), network());
        let to = |addr: &str| vec![addr.parse().unwrap()];
        let first = dials.dial(relay, to(TCP), true, &net.connections).unwrap();
        let id = first.connection_id();
        assert!(dials.ended(&id).is_some_and(|dial| dial.needed));
        assert!(dials.ended(&id).is_none());
        let made = Known {
            from_our_port: true,
            ..known(relay, TCP, None, now)
        };
        net.connections.add(id, made);
        assert!(dials.dial(relay, to(TCP), true, &net.connections).is_none());
        let observing = dials
            .dial(relay, to(QUIC), false, &net.connections)
            .unwrap();
        let observing = dials.ended(&observing.connection_id()).unwrap();
        assert!(observing.shows_udp_blocked());
    }

    #[test]
    fn test_dials_of_a_relay_are_closed_after_a_moment() {
        let (now, relay) = (Instant::now(), PeerId::random());
        let (mut dials, mut net) = (RelayDials::default(), network());
        let id = ConnectionId::new_unchecked(1);
        let made = Known {
            dialed: false,
            ..known(relay, TCP, None, now)
        };
        net.connections.add(id, made);
        dials.connected_to_us(relay, now);
        assert_eq!(dials.poll(&net, now), None);
        let later = dials.poll_timeout().unwrap();
        assert_eq!(dials.poll(&net, later), Some(Due::HangUp(vec![id])));
        dials.give_back(relay, later);
        assert_eq!(dials.poll(&net, later), Some(Due::GiveBack(relay)));
    }
}
