//! The behaviour that gives each connection its handler.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
    },
};
use tokio::sync::mpsc;

use super::{
    control::{Control, PUNCH},
    handler::Handler,
    open::InboundStream,
};
use crate::net::addresses::is_relayed;

/// Makes one [`Handler`] for each connection.
pub(crate) struct Behaviour {
    control: Control,
    protocols: Arc<[&'static str]>,
    inbound: mpsc::Sender<InboundStream>,
    /// Where those of the node's own protocol go.
    punches: mpsc::Sender<InboundStream>,
}

impl Behaviour {
    pub(crate) fn new(
        control: Control,
        mut protocols: Vec<&'static str>,
        inbound: mpsc::Sender<InboundStream>,
        punches: mpsc::Sender<InboundStream>,
    ) -> Self {
        protocols.push(PUNCH);
        Self {
            control,
            protocols: protocols.into(),
            inbound,
            punches,
        }
    }

    /// Without the node's own protocol, for a host that is not a node.
    pub(crate) fn plain(
        control: Control,
        protocols: &[&'static str],
        inbound: mpsc::Sender<InboundStream>,
    ) -> Self {
        Self {
            control,
            protocols: protocols.into(),
            inbound,
            punches: mpsc::channel(1).0,
        }
    }

    fn handler(&self, peer: PeerId, id: ConnectionId, remote: &Multiaddr) -> Handler {
        let relayed = is_relayed(remote);
        let (registration, requests) = self.control.register(peer, id, relayed);
        Handler::new(
            registration,
            requests,
            relayed,
            self.protocols.clone(),
            self.inbound.clone(),
            self.punches.clone(),
        )
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, id, local))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, id, addr))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
