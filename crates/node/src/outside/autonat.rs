//! Where this peer may be dialed, and test dials by others (AutoNAT).
//!
//! The library's client tests an address once, as long as it lives: that a router has let dials in
//! since, or no longer does, it never learns. So it is replaced by a new one that knows of no test.
//! A new one also knows of no connection and of no peer that can test; it gets both again. The
//! latter only the handler of a connection may report, as a protocol that the other side has begun
//! to support: so that is retracted, and reported once more.
//!
//! Candidates go to the swarm unchanged. The library does so too, but takes a port that is
//! not the listening one for the port of one dial and replaces it by the listening port; behind a
//! router that changes ports, that address is nobody's, and hole punching fails.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    task::{Context, Poll},
};

use either::Either;
use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    StreamProtocol,
    autonat::v2::client::{Behaviour as Client, Event},
    core::{ConnectedPoint, Endpoint, transport::PortUse, upgrade::DeniedUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionHandlerSelect,
        ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, SubstreamProtocol, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        behaviour::{ConnectionEstablished, NewExternalAddrCandidate},
        handler::{ConnectionEvent, ProtocolSupport, ProtocolsChange},
    },
};

pub(crate) use libp2p::autonat::v2::client::Config;

use crate::net::addresses;

/// Supported by peers that can test others.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/libp2p/autonat/2/dial-request");

/// Candidates queued for the swarm; each connection brings one.
const MAX_QUEUED: usize = 64;

pub(crate) struct Behaviour {
    client: Client,
    config: Config,
    connections: HashMap<ConnectionId, (PeerId, ConnectedPoint)>,
    candidates: VecDeque<Multiaddr>,
    /// Connections whose support is yet to be reported again.
    again: Vec<ConnectionId>,
}

impl Behaviour {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            client: Client::new(rand::make_rng(), config),
            config,
            connections: HashMap::new(),
            candidates: VecDeque::new(),
            again: Vec::new(),
        }
    }

    /// This peer may be dialed there.
    pub(crate) fn report(&mut self, addr: Multiaddr) {
        self.test(&addr);
        if self.candidates.len() < MAX_QUEUED {
            self.candidates.push_back(addr);
        }
    }

    /// Has these addresses tested, and those that are reported from now on, whatever came of it
    /// before.
    pub(crate) fn test_again<'a>(&mut self, addrs: impl IntoIterator<Item = &'a Multiaddr>) {
        self.client = Client::new(rand::make_rng(), self.config);
        for (&connection_id, (peer_id, endpoint)) in &self.connections {
            let made = FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: *peer_id,
                connection_id,
                endpoint,
                failed_addresses: &[],
                other_established: 0,
            });
            self.client.on_swarm_event(made);
        }
        self.again = self.connections.keys().copied().collect();
        addrs.into_iter().for_each(|addr| self.test(addr));
    }

    fn test(&mut self, addr: &Multiaddr) {
        let candidate = NewExternalAddrCandidate { addr };
        self.client
            .on_swarm_event(FromSwarm::NewExternalAddrCandidate(candidate));
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler =
        ConnectionHandlerSelect<<Client as NetworkBehaviour>::ConnectionHandler, Repeater>;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let handler = self
            .client
            .handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(handler.select(Repeater::default()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role_override: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let handler = self.client.handle_established_outbound_connection(
            id,
            peer,
            addr,
            role_override,
            port_use,
        )?;
        Ok(handler.select(Repeater::default()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            // What is seen at the end of a circuit is not an address.
            FromSwarm::NewExternalAddrCandidate(candidate)
                if addresses::transport(candidate.addr).is_none() =>
            {
                return;
            }
            FromSwarm::ConnectionEstablished(made) => {
                let known = (made.peer_id, made.endpoint.clone());
                self.connections.insert(made.connection_id, known);
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.connections.remove(&closed.connection_id);
            }
            _ => {}
        }
        self.client.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(event) => self.client.on_connection_handler_event(peer, id, event),
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(addr) = self.candidates.pop_front() {
            return Poll::Ready(ToSwarm::NewExternalAddrCandidate(addr));
        }
        while let Some(id) = self.again.pop() {
            if let Some((peer_id, _)) = self.connections.get(&id) {
                return Poll::Ready(ToSwarm::NotifyHandler {
                    peer_id: *peer_id,
                    handler: NotifyHandler::One(id),
                    event: Either::Right(Again),
                });
            }
        }
        self.client
            .poll(cx)
            .map(|action| action.map_in(Either::Left))
    }
}

/// Report again what the other side supports.
#[derive(Debug)]
pub(crate) struct Again;

/// Wraps the library's handler, to which it reports that.
#[derive(Default)]
pub(crate) struct Repeater {
    can_test: bool,
    reports: VecDeque<ProtocolSupport>,
}

impl ConnectionHandler for Repeater {
    type FromBehaviour = Again;
    type ToBehaviour = Infallible;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<DeniedUpgrade> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn on_behaviour_event(&mut self, Again: Again) {
        if self.can_test && self.reports.is_empty() {
            let protocols = || [PROTOCOL].into();
            self.reports = [
                ProtocolSupport::Removed(protocols()),
                ProtocolSupport::Added(protocols()),
            ]
            .into();
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, DeniedUpgrade, DeniedUpgrade>) {
        if let ConnectionEvent::RemoteProtocolsChange(change) = event {
            match change {
                ProtocolsChange::Added(mut added) => {
                    self.can_test |= added.any(|protocol| *protocol == PROTOCOL);
                }
                ProtocolsChange::Removed(mut removed) => {
                    self.can_test &= !removed.any(|protocol| *protocol == PROTOCOL);
                }
            }
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<DeniedUpgrade, (), Infallible>> {
        match self.reports.pop_front() {
            Some(report) => Poll::Ready(ConnectionHandlerEvent::ReportRemoteProtocols(report)),
            None => Poll::Pending,
        }
    }
}
