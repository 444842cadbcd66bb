//! The library's relay behind the [`Admission`]: it asks there before it grants anything, and
//! reports what it did.
//!
//! The way in is the rate limiters of its configuration, the only place where the library asks
//! anybody. They do not get the connection, so the gate notes it while the library looks
//! at a request.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    core::{Endpoint, transport::PortUse},
    relay,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
    },
};

use super::{
    admission::{Admission, RESERVATION},
    limits::Limits,
};

pub(super) struct Gate {
    relay: relay::Behaviour,
    admission: Arc<Mutex<Admission>>,
    actions: VecDeque<Action>,
}

type Action = ToSwarm<relay::Event, THandlerInEvent<relay::Behaviour>>;

#[derive(Debug, thiserror::Error)]
#[error("not taken by this relay")]
struct NotTaken;

impl Gate {
    pub(super) fn new(own: PeerId, limits: &Limits, admission: Arc<Mutex<Admission>>) -> Self {
        let reserving = Arc::clone(&admission);
        let connecting = Arc::clone(&admission);
        let config = relay::Config {
            // Counted by the admission, which does not take a renewal for one more.
            max_reservations: usize::MAX,
            max_reservations_per_peer: usize::MAX,
            reservation_duration: RESERVATION,
            reservation_rate_limiters: vec![Box::new(
                move |_: PeerId, _: &Multiaddr, now: Instant| lock(&reserving).may_reserve(now),
            )],
            // Counted by the admission, too, which takes some from the household that has most;
            // they are still counted here while their connections close.
            max_circuits: limits.circuits.saturating_mul(2),
            // The library refuses one only when there are more than this.
            max_circuits_per_peer: limits.circuits_per_peer.saturating_sub(1),
            max_circuit_duration: limits.circuit,
            max_circuit_bytes: limits.circuit_bytes,
            circuit_src_rate_limiters: vec![Box::new(
                move |_: PeerId, _: &Multiaddr, now: Instant| lock(&connecting).may_connect(now),
            )],
        };
        Self {
            relay: relay::Behaviour::new(own, config),
            admission,
            actions: VecDeque::new(),
        }
    }

    fn observe(&self, action: &Action) {
        if let ToSwarm::GenerateEvent(event) = action {
            tracing::debug!(?event, "relay");
            lock(&self.admission).observe(event, Instant::now());
        }
    }
}

/// Never held across an await.
pub(super) fn lock(admission: &Mutex<Admission>) -> MutexGuard<'_, Admission> {
    admission.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = THandler<relay::Behaviour>;
    type ToSwarm = relay::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !lock(&self.admission).welcomes(&peer, remote) {
            return Err(ConnectionDenied::new(NotTaken));
        }
        self.relay
            .handle_established_inbound_connection(id, peer, local, remote)
    }

    /// Only the answers to AutoNAT dial anybody here.
    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        addrs: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let allowed =
            peer.is_some_and(|peer| lock(&self.admission).may_dial(&peer, addrs, Instant::now()));
        if allowed {
            Ok(Vec::new())
        } else {
            Err(ConnectionDenied::new(NotTaken))
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role_override: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.relay
            .handle_established_outbound_connection(id, peer, addr, role_override, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(made) => lock(&self.admission).arrived(
                made.connection_id,
                made.peer_id,
                made.endpoint.get_remote_address(),
                Instant::now(),
            ),
            FromSwarm::ConnectionClosed(closed) => {
                lock(&self.admission).left(&closed.connection_id)
            }
            _ => {}
        }
        self.relay.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        lock(&self.admission).asking = Some(id);
        self.relay.on_connection_handler_event(peer, id, event);
        // What follows from it is fetched at once, while it is known from which connection it
        // comes.
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(action) = self.relay.poll(&mut cx) {
            self.observe(&action);
            self.actions.push_back(action);
        }
        lock(&self.admission).asking = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        let action = std::task::ready!(self.relay.poll(cx));
        self.observe(&action);
        Poll::Ready(action)
    }
}
