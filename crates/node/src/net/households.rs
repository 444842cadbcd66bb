//! Room for the connections that others make, shared by household.
//!
//! Keys cost nothing, so limits for each peer alone leave it to one stranger to take all
//! connections there may be, after which nobody else gets in.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll},
};

use goop2_proto::{Multiaddr, PeerId, household};
use libp2p::{
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};

use crate::{net::addresses, status::Transport};

/// How many times as many connections a household may have as are still free. Alone it may have
/// three quarters of all: as many visitors as a busy site has may come through one relay, which
/// counts as their household.
const TIMES: usize = 3;

/// What there is so many of in all.
struct Room {
    places: usize,
    taken: HashMap<ConnectionId, Option<IpAddr>>,
    held: HashMap<IpAddr, usize>,
}

impl Room {
    fn new(places: u32) -> Self {
        Self {
            places: places as usize,
            taken: HashMap::new(),
            held: HashMap::new(),
        }
    }

    fn admits(&self, household: Option<IpAddr>) -> bool {
        let free = self.places.saturating_sub(self.taken.len());
        let held = household.and_then(|household| self.held.get(&household));
        held.copied().unwrap_or_default() < free * TIMES
    }

    fn add(&mut self, id: ConnectionId, household: Option<IpAddr>) {
        self.taken.insert(id, household);
        if let Some(household) = household {
            *self.held.entry(household).or_default() += 1;
        }
    }

    fn remove(&mut self, id: ConnectionId) {
        let Some(household) = self.taken.remove(&id).flatten() else {
            return;
        };
        if let Some(held) = self.held.get_mut(&household) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&household);
            }
        }
    }
}

/// What there is of connections that others make, for all households together.
pub(crate) struct Places {
    /// Handshakes at a time.
    pub(crate) handshakes: u32,
    pub(crate) connections: u32,
    /// Of those, over QUIC.
    pub(crate) over_quic: u32,
}

/// Connections that others make.
pub(crate) struct Behaviour {
    /// Those whose handshake is not over.
    pending: Room,
    made: Room,
    /// Of those, over QUIC, where each may have a large window of unread data.
    over_quic: Room,
}

#[derive(Debug, thiserror::Error)]
#[error("the others behind this address have all the connections that they may have")]
struct Full;

impl Behaviour {
    pub(crate) fn new(places: Places) -> Self {
        Self {
            pending: Room::new(places.handshakes),
            made: Room::new(places.connections),
            over_quic: Room::new(places.over_quic),
        }
    }

    fn admits(&self, local: &Multiaddr, remote: &Multiaddr) -> bool {
        let household = behind(local, remote);
        self.made.admits(household) && (!is_quic(local) || self.over_quic.admits(household))
    }
}

/// Whether a connection that somebody made to this address of ours is carried by QUIC itself, and
/// not by a relay that was reached over it.
fn is_quic(local: &Multiaddr) -> bool {
    addresses::transport(local) == Some(Transport::Quic)
}

fn unless_full(admitted: bool) -> Result<(), ConnectionDenied> {
    admitted
        .then_some(())
        .ok_or_else(|| ConnectionDenied::new(Full))
}

/// The household that a connection comes from: with a relay in between, that of the relay.
fn behind(local: &Multiaddr, remote: &Multiaddr) -> Option<IpAddr> {
    let ip = addresses::ip(remote).or_else(|| addresses::ip(local));
    ip.map(household::of)
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    /// Before the handshake, which costs more than this.
    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let household = behind(local, remote);
        unless_full(self.pending.admits(household) && self.admits(local, remote))?;
        self.pending.add(id, household);
        Ok(())
    }

    /// After it, when others may have been faster.
    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        unless_full(self.admits(local, remote))?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                self.pending.remove(made.connection_id);
                if let ConnectedPoint::Listener {
                    local_addr,
                    send_back_addr,
                } = made.endpoint
                {
                    let household = behind(local_addr, send_back_addr);
                    self.made.add(made.connection_id, household);
                    if is_quic(local_addr) {
                        self.over_quic.add(made.connection_id, household);
                    }
                }
            }
            FromSwarm::ListenFailure(failed) => self.pending.remove(failed.connection_id),
            FromSwarm::ConnectionClosed(closed) => {
                self.made.remove(closed.connection_id);
                self.over_quic.remove(closed.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn households_that_want_everything_leave_room_for_the_next() {
        for greedy in [1, 10, 40] {
            let mut connections = Room::new(384);
            let household = |number: usize| {
                let ip: IpAddr = format!("203.0.113.{number}").parse().unwrap();
                Some(ip)
            };
            let mut next = 0;
            for _ in 0..384 {
                for one in (0..greedy).map(household) {
                    if connections.admits(one) {
                        connections.add(ConnectionId::new_unchecked(next), one);
                        next += 1;
                    }
                }
            }
            let free = 384 - connections.taken.len();
            assert!(free > 0, "none is free next to {greedy}");
            assert!(connections.admits(household(250)));
            assert!((0..greedy).all(|one| !connections.admits(household(one))));
            for id in 0..next {
                connections.remove(ConnectionId::new_unchecked(id));
            }
            assert!(connections.held.is_empty() && connections.taken.is_empty());
        }
    }

    #[test]
    fn beyond_its_share_over_quic_a_household_still_gets_in_over_tcp() {
        let (remote, mut behaviour) = (
            "/ip4/203.0.113.7/udp/50000/quic-v1".parse().unwrap(),
            Behaviour::new(Places {
                handshakes: 64,
                connections: 384,
                over_quic: 160,
            }),
        );
        let quic = "/ip4/192.168.1.2/udp/4001/quic-v1".parse().unwrap();
        let mut made = 0;
        while behaviour.admits(&quic, &remote) {
            let id = ConnectionId::new_unchecked(made);
            let household = behind(&quic, &remote);
            behaviour.made.add(id, household);
            behaviour.over_quic.add(id, household);
            made += 1;
        }
        assert_eq!(made, 120);
        let elsewhere = "/ip4/203.0.113.8/udp/50000/quic-v1".parse().unwrap();
        assert!(behaviour.admits(&quic, &elsewhere));
        let relay = PeerId::random();
        for not_quic in [
            "/ip4/192.168.1.2/tcp/4001".to_owned(),
            format!("/ip4/203.0.113.7/udp/4001/quic-v1/p2p/{relay}/p2p-circuit"),
        ] {
            assert!(behaviour.admits(&not_quic.parse().unwrap(), &remote));
        }
    }

    #[test]
    fn behind_a_relay_is_the_relay() {
        let (relay, visitor) = (PeerId::random(), PeerId::random());
        let relayed = [
            format!("/ip4/203.0.113.7/tcp/4001/p2p/{relay}/p2p-circuit"),
            format!("/p2p/{visitor}"),
        ];
        let direct = ["/ip4/192.168.1.2/tcp/4001", "/ip4/203.0.113.7/tcp/50000"];
        let direct = direct.map(str::to_owned);
        for [local, remote] in [relayed, direct] {
            let household = behind(&local.parse().unwrap(), &remote.parse().unwrap());
            assert_eq!(household, Some("203.0.113.7".parse().unwrap()));
        }
    }
}
