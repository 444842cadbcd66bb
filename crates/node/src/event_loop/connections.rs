//! Connections that are made, answer, and end; and changes of the network they run over.

use std::{net::IpAddr, time::Instant};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    core::{ConnectedPoint, transport::PortUse},
    multiaddr::Protocol,
    ping,
    swarm::ConnectionId,
};
use tokio::sync::mpsc;

use super::EventLoop;
use crate::{
    command::Event,
    net::{
        addresses::{self, is_relayed, without_peer},
        connections::Known,
        interfaces::{self, Interfaces},
    },
    reach::history::spoken,
    status::{Connection, Mapping, Transport},
};

impl EventLoop {
    pub(super) fn on_connected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        first: bool,
    ) {
        let now = Instant::now();
        let dial = self.relay_dials.ended(&id);
        let observing = dial.is_some_and(|dial| !dial.needed);
        let known = self.known(peer, endpoint, observing, now);
        tracing::debug!(%peer, remote = %known.shown.remote, dialed = known.dialed, "connected");
        if self.net.connections.add(id, known.clone()) {
            self.control.prefer(&peer, id);
        }
        let took = self.reaching.connected(id, &known, now);
        if !known.shown.relayed() {
            self.on_direct(&known, id, now);
        }
        let what = match (known.dialed, took) {
            (false, _) => "Dialed by the other side".to_owned(),
            (true, None) => "Dialed, both at the same moment".to_owned(),
            (true, Some(took)) => format!("Dialed, {}", spoken(took)),
        };
        let outcome = format!("connected {}", self.describe(&known.shown));
        self.history.note(peer, what, outcome, Some(true), now);
        let is_relay = self.relays.is_offered(&peer);
        self.upgrades.connected(peer, is_relay, &self.net, now);
        self.status_changed();
        if first {
            self.emit(Event::Connected(peer));
        }
    }

    fn on_direct(&mut self, known: &Known, id: ConnectionId, now: Instant) {
        let (peer, shown) = (known.peer, &known.shown);
        // It may have moved: connections to its earlier address may be dead.
        let at = addresses::ip(&shown.remote);
        self.probe(|other| {
            other.peer == peer && !other.shown.relayed() && addresses::ip(&other.shown.remote) != at
        });
        if known.observing {
            for id in self.net.connections.earlier_observing(&peer, id) {
                self.close_if_idle(&peer, id);
            }
        }
        self.net.host.udp_blocked &= shown.lan || shown.transport == Transport::Tcp;
        self.relays.connected(&peer, now);
        if !known.dialed && self.relays.is_offered(&peer) {
            self.relay_dials.connected_to_us(peer, now);
        }
        self.punching.cancel(peer);
    }

    pub(super) fn on_closed(&mut self, peer: PeerId, id: ConnectionId, last: bool) {
        let now = Instant::now();
        let (closed, next) = self.net.connections.remove(peer, id);
        if let Some(next) = next {
            self.control.prefer(&peer, next);
        }
        self.status_changed();
        if let Some(Known { shown, .. }) = closed {
            let what = format!("Connection {} ended", self.describe(&shown));
            let outcome = match (last, self.net.connections.is_direct(&peer)) {
                (true, _) => "no other connection is left",
                (false, true) => "a direct connection is left",
                (false, false) => "a relayed connection is left",
            };
            self.history.note(peer, what, outcome, None, now);
            self.punching.closed(&peer, last, &self.net.connections);
            self.upgrades.closed(peer, &self.net, now);
        }
        if last {
            let reason = "the connection to it ended".into();
            self.relays.failed(&peer, reason, rand::random(), now);
            self.emit(Event::Disconnected(peer));
            self.reaching.lost(peer, rand::random(), now);
        }
    }

    pub(super) fn on_ping(&mut self, event: &ping::Event) {
        match &event.result {
            Ok(rtt) => {
                self.net.connections.set_rtt(&event.connection, *rtt);
                self.status_changed();
            }
            Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                tracing::debug!(peer = %event.peer, %error, "the connection is dead");
                self.swarm.close_connection(event.connection);
            }
        }
    }

    /// Asks connections whether they still answer; those that do not are closed.
    pub(super) fn probe(&mut self, which: impl Fn(&Known) -> bool) {
        for (id, known) in self
            .net
            .connections
            .iter()
            .filter(|(_, known)| which(known))
        {
            let (control, peer) = (self.control.clone(), known.peer);
            self.probes
                .spawn(async move { (id, control.answers(peer, id).await) });
        }
    }

    /// Closes a connection that carries no stream; whether it did.
    pub(super) fn close_if_idle(&mut self, peer: &PeerId, id: ConnectionId) -> bool {
        let traffic = self.control.traffic(peer, id);
        let idle = traffic.is_none_or(|traffic| traffic.is_idle());
        if idle {
            self.swarm.close_connection(id);
        }
        idle
    }

    pub(super) fn on_mapping(&mut self, mapping: Mapping) {
        let now = Instant::now();
        self.reachability
            .mapped(mapping, &self.relays, &self.net.host, now);
        self.status_changed();
    }

    /// Addresses came or went.
    pub(super) fn on_interfaces(&mut self, interfaces: Interfaces) {
        let now = Instant::now();
        let host = &mut self.net.host;
        host.interfaces = interfaces;
        self.twin.hold(host);
        let own = host.ips();
        self.net.connections.judge_lan(|addr| host.is_lan(addr));
        // What is bound to an address that is gone is dead, and would be noticed only when it is
        // used.
        let (dead, alive): (Vec<_>, Vec<_>) = self
            .net
            .connections
            .iter()
            .map(|(id, known)| (id, known.peer, known.local))
            .partition(|(.., local)| {
                local.is_some_and(|ip| !ip.is_loopback() && !own.contains(&ip))
            });
        for (id, peer, _) in dead {
            self.net.connections.has_died(id);
            // Gossip says its topics on the first connection only. To a peer that still holds its
            // end of this one, another is not the first: closed now, nothing would be received
            // from it. So it stays until the probe ends it.
            let replaced = alive.iter().any(|(_, to, _)| *to == peer);
            if replaced || !self.is_in_gossip(&peer) {
                self.swarm.close_connection(id);
            } else {
                self.reaching.replace(peer, now);
            }
        }
        self.network_changed(now);
    }

    /// Nothing known of the world outside is certain now.
    pub(super) fn network_changed(&mut self, now: Instant) {
        self.probe(|_| true);
        self.net.host.udp_blocked = false;
        self.relays.hurry(now);
        self.reachability.network_changed(&self.net.host, now);
        self.status_changed();
    }

    pub(super) fn emit(&self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::debug!(?event, "the application is behind: an event was dropped");
        }
    }

    fn is_in_gossip(&self, peer: &PeerId) -> bool {
        let mut peers = self.swarm.behaviour().gossip.all_peers();
        peers.any(|(to, topics)| to == peer && !topics.is_empty())
    }

    fn known(
        &self,
        peer: PeerId,
        endpoint: &ConnectedPoint,
        observing: bool,
        now: Instant,
    ) -> Known {
        let (relay, remote) = far_end(endpoint);
        Known {
            peer,
            observing,
            local: local_ip(endpoint, &remote),
            dialed: endpoint.is_dialer(),
            from_our_port: matches!(
                endpoint,
                ConnectedPoint::Dialer {
                    port_use: PortUse::Reuse,
                    ..
                }
            ),
            shown: Connection {
                lan: relay.is_none() && self.net.host.is_lan(&remote),
                transport: match remote.iter().nth(1) {
                    Some(Protocol::Udp(_)) => Transport::Quic,
                    _ => Transport::Tcp,
                },
                relay,
                remote,
                rtt: None,
                since: now,
            },
        }
    }
}

/// The relay a connection takes, and where the other side is: at the relay, then.
fn far_end(endpoint: &ConnectedPoint) -> (Option<PeerId>, Multiaddr) {
    let (near, far) = match endpoint {
        ConnectedPoint::Dialer { address, .. } => (None, address),
        ConnectedPoint::Listener {
            local_addr,
            send_back_addr,
        } => (Some(local_addr), send_back_addr),
    };
    let through = near.into_iter().chain([far]).find(|addr| is_relayed(addr));
    let Some(through) = through else {
        return (None, without_peer(far.clone()));
    };
    let mut at = Multiaddr::empty();
    let mut relay = None;
    for part in through {
        match part {
            Protocol::P2p(peer) => relay = Some(peer),
            Protocol::P2pCircuit => break,
            part => at.push(part),
        }
    }
    match relay {
        Some(peer) => (relay, addresses::circuit(at, peer)),
        None => (None, at.with(Protocol::P2pCircuit)),
    }
}

/// The address of this host that a connection is bound to: what it says, or what the system would
/// choose.
fn local_ip(endpoint: &ConnectedPoint, remote: &Multiaddr) -> Option<IpAddr> {
    if let ConnectedPoint::Listener { local_addr, .. } = endpoint
        && let Some(ip) = addresses::ip(local_addr).filter(|ip| !ip.is_unspecified())
    {
        return Some(ip);
    }
    interfaces::source_of(addresses::ip(remote)?)
}
