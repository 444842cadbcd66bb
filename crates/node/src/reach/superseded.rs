//! Dials that lost: a peer is dialed at several addresses at once, and the first that answers is
//! used.
//!
//! The library cannot take a dial back. So one that has lost is denied when it connects all the
//! same, before anything else has seen the connection: nothing is sent on it, and
//! streams stay where they are.

use std::{
    collections::HashSet,
    convert::Infallible,
    task::{Context, Poll},
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, behaviour::DialFailure, dummy,
    },
};

/// Each is forgotten when it has ended, one way or the other, so there are no more than dials.
#[derive(Default)]
pub(crate) struct Behaviour(HashSet<ConnectionId>);

#[derive(Debug, thiserror::Error)]
#[error("another connection to the peer was faster")]
struct Lost;

impl Behaviour {
    /// These dials, which still run, are no longer wanted.
    pub(crate) fn add(&mut self, dials: impl IntoIterator<Item = ConnectionId>) {
        self.0.extend(dials);
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.0.remove(&id) {
            return Err(ConnectionDenied::new(Lost));
        }
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::DialFailure(DialFailure { connection_id, .. }) = event {
            self.0.remove(&connection_id);
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
