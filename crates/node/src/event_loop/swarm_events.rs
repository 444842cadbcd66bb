//! What the swarm reports, but for connections.

use std::{io, time::Instant};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    autonat,
    core::transport::ListenerId,
    dcutr, gossipsub, identify, relay,
    swarm::{ConnectionId, DialError, SwarmEvent},
};

use super::EventLoop;
use crate::{
    behaviour::BehaviourEvent, command::Event, net::addresses::without_peer,
    outside::relays::refusal, reach::attempt::explain,
};

impl EventLoop {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                let first = num_established.get() == 1;
                self.on_connected(peer_id, connection_id, &endpoint, first);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                num_established,
                cause,
                ..
            } => {
                let left = num_established;
                tracing::debug!(peer = %peer_id, ?cause, left, "connection closed");
                self.on_closed(peer_id, connection_id, num_established == 0);
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                connection_id,
                error,
            } => self.on_dial_error(peer, connection_id, &error),
            SwarmEvent::NewListenAddr { .. } | SwarmEvent::ExpiredListenAddr { .. } => {
                self.status_changed();
            }
            SwarmEvent::ListenerClosed {
                listener_id,
                addresses,
                reason,
            } => self.on_listener_closed(listener_id, &addresses, reason),
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Ping(event) => self.on_ping(&event),
            BehaviourEvent::Identify(identify::Event::Received {
                connection_id,
                peer_id,
                info,
            }) => {
                tracing::debug!(peer = %peer_id, agent = info.agent_version, "identified");
                let now = Instant::now();
                self.reaching
                    .learn(peer_id, info.listen_addrs, &self.net, now);
                self.on_identified(peer_id, connection_id, info.observed_addr);
            }
            BehaviourEvent::Relay(event) => self.on_relay(&event),
            BehaviourEvent::Punching(event) => self.on_punching(event),
            BehaviourEvent::Test(event) => self.on_tested(event),
            _ => {}
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        let now = Instant::now();
        match event {
            gossipsub::Event::Message {
                propagation_source: source,
                message_id,
                message,
            } => {
                let neighbor = self.reaching.is_neighbor(&source, now);
                let lan = self.net.connections.to(&source);
                let lan = lan.into_iter().any(|(_, known)| known.shown.lan);
                let (verdict, event) = self.gate.hear(source, &message, neighbor, lan, now);
                let gossip = &mut self.swarm.behaviour_mut().gossip;
                gossip.report_message_validation_result(&message_id, &source, verdict);
                if let Some(event) = event {
                    self.emit(event);
                }
            }
            gossipsub::Event::Subscribed { peer_id, topic } if topic == self.topic.hash() => {
                self.emit(Event::Subscribed(peer_id));
            }
            _ => {}
        }
    }

    fn on_dial_error(&mut self, peer: PeerId, id: ConnectionId, error: &DialError) {
        tracing::debug!(%peer, %error, "dial failed");
        self.reaching.check_identity(peer, error);
        let Some(dial) = self.relay_dials.ended(&id) else {
            let now = Instant::now();
            self.reaching.dial_ended(peer, id, error, &self.net, now);
            return;
        };
        if dial.shows_udp_blocked() && matches!(error, DialError::Transport(_)) {
            self.net.host.udp_blocked = true;
            self.status_changed();
        }
        if dial.needed {
            self.relay_failed(dial.peer, explain(error));
        }
    }

    pub(super) fn relay_failed(&mut self, peer: PeerId, reason: String) {
        self.relays
            .failed(&peer, reason, rand::random(), Instant::now());
        self.status_changed();
    }

    fn on_relay(&mut self, event: &relay::client::Event) {
        if let relay::client::Event::ReservationReqAccepted { relay_peer_id, .. } = event
            && self.relays.held(relay_peer_id, Instant::now())
        {
            tracing::info!("a relay holds a reservation for this peer");
            self.status_changed();
        }
    }

    fn on_listener_closed(
        &mut self,
        listener: ListenerId,
        addrs: &[Multiaddr],
        reason: Result<(), io::Error>,
    ) {
        let words = match &reason {
            Ok(()) => "the connection to it ended".into(),
            Err(error) => refusal(error),
        };
        let now = Instant::now();
        match (
            self.relays.closed(listener, words, rand::random(), now),
            reason,
        ) {
            (Some(relay), reason) => {
                tracing::info!(
                    ?reason,
                    "a relay no longer holds a reservation for this peer"
                );
                // Other connections to it may be dead without having noticed.
                let _gone = self.swarm.disconnect_peer_id(relay);
                self.status_changed();
            }
            (None, Err(error)) => tracing::warn!(?addrs, %error, "stopped listening"),
            (None, Ok(())) => {}
        }
    }

    /// A peer has said who it is, and where it sees us.
    fn on_identified(&mut self, peer: PeerId, id: ConnectionId, observed: Multiaddr) {
        let now = Instant::now();
        // Only a dial from our port over the networks in between shows where we can be dialed.
        let outside = self.net.connections.get(&id).is_some_and(|known| {
            let outside = !known.shown.lan || self.relays.is_offered(&known.peer);
            known.from_our_port && !known.shown.relayed() && outside
        });
        if outside {
            let observed = without_peer(observed);
            if self
                .reachability
                .observed(peer, observed, &self.relays, now)
            {
                self.status_changed();
            }
        }
        let action = self.relays.identified(&peer, now);
        self.act_for_relays(action);
    }

    fn on_punching(&mut self, event: dcutr::Event) {
        let peer = event.remote_peer_id;
        let (outcome, worked) = match event.result {
            Ok(_) => ("found a path through both routers", true),
            Err(error) => {
                tracing::debug!(%peer, %error, "hole punching failed");
                ("the routers let nothing through", false)
            }
        };
        let now = Instant::now();
        self.history
            .note(peer, "Hole punching", outcome, Some(worked), now);
    }

    fn on_tested(&mut self, event: autonat::v2::client::Event) {
        let (addr, arrived) = (without_peer(event.tested_addr), event.result.is_ok());
        let now = Instant::now();
        self.reachability.tested(addr, arrived, &self.net.host, now);
        self.status_changed();
    }
}
