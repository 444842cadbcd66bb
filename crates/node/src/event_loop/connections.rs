//! Connections: what is known of each, and what follows when one is made, answers, and ends.

use std::{net::IpAddr, time::Instant};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    core::{ConnectedPoint, transport::PortUse},
    multiaddr::Protocol,
    ping,
    swarm::ConnectionId,
};

use super::{Chore, Event, EventLoop, testing::CALLED, without_peer};
use crate::{
    net::{
        addresses::{self, Source},
        interfaces::{self, Interfaces},
    },
    status::{Connection, Transport},
    stream::is_relayed,
};

/// A connection, and what only this task needs to know of it.
pub(super) struct Known {
    pub(super) peer: PeerId,
    pub(super) shown: Connection,
    /// The address of this machine that it is bound to.
    pub(super) local: Option<IpAddr>,
    /// We called from the port we listen on: where the other side sees us, we can be called.
    pub(super) from_our_port: bool,
    /// This side made it.
    pub(super) dialled: bool,
    /// Made only to be seen by a relay, not for a place there.
    pub(super) looked: bool,
}

impl EventLoop {
    pub(super) fn on_connected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        first: bool,
    ) {
        let now = Instant::now();
        let (relay, remote) = place(endpoint);
        tracing::debug!(%peer, %remote, dialled = endpoint.is_dialer(), "connected");
        if endpoint.is_dialer() {
            self.book.add(peer, remote.clone(), Source::Learned, now);
        }
        let shown = Connection {
            lan: relay.is_none() && self.is_lan(&remote),
            transport: match remote.iter().nth(1) {
                Some(Protocol::Udp(_)) => Transport::Quic,
                _ => Transport::Tcp,
            },
            relay,
            remote: remote.clone(),
            rtt: None,
            since: now,
        };
        let dial = self.relay_dials.remove(&id);
        let looked = dial.is_some_and(|dial| !dial.needed);
        let known = Known {
            peer,
            looked,
            local: local_ip(endpoint, &remote),
            dialled: endpoint.is_dialer(),
            from_our_port: matches!(
                endpoint,
                ConnectedPoint::Dialer {
                    port_use: PortUse::Reuse,
                    ..
                }
            ),
            shown: shown.clone(),
        };
        self.connections.insert(id, known);
        self.choose(peer, id);
        if relay.is_none() {
            // It has moved, perhaps: the way to where it was may lead nowhere now.
            let elsewhere = addresses::ip(&remote);
            self.probe(|known| {
                known.peer == peer
                    && !known.shown.relayed()
                    && addresses::ip(&known.shown.remote) != elsewhere
            });
            if looked {
                self.end_earlier_looks(&peer, id);
            }
            self.udp_blocked &= shown.lan || shown.transport == Transport::Tcp;
            self.relays.connected(&peer, now);
            if !endpoint.is_dialer() && self.relays.is_offered(&peer) {
                self.agenda.hurry(Chore::HangUp(peer), now + CALLED);
            }
        }
        self.note_connected(peer, id, &shown, endpoint.is_dialer());
        self.dialler.forget(&peer);
        self.answer(&peer, &Ok(()));
        self.status_changed();
        if first {
            self.emit(Event::Connected(peer));
        }
    }

    pub(super) fn on_closed(&mut self, peer: PeerId, id: ConnectionId, last: bool) {
        let closed = self.connections.remove(&id);
        self.choose_again(peer, id);
        self.status_changed();
        if let Some(Known { shown, .. }) = closed {
            self.note_closed(peer, &shown, last);
        }
        if last {
            self.relays.failed(
                &peer,
                "the connection to it ended".into(),
                rand::random(),
                Instant::now(),
            );
            self.emit(Event::Disconnected(peer));
            self.lost(peer);
        }
    }

    pub(super) fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(rtt) => {
                if let Some(known) = self.connections.get_mut(&event.connection) {
                    known.shown.rtt = Some(rtt);
                    self.status_changed();
                }
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
        for (&id, known) in self.connections.iter().filter(|(_, known)| which(known)) {
            let (control, peer) = (self.control.clone(), known.peer);
            self.probes
                .spawn(async move { (id, control.answers(peer, id).await) });
        }
    }
}

/// Whether an address is on a network of ours.
pub(super) fn is_near(addr: &Multiaddr, interfaces: &Interfaces) -> bool {
    let ip = addresses::ip(addr).filter(|_| !is_relayed(addr));
    ip.is_some_and(|ip| ip.is_loopback() || interfaces.is_local(ip))
}

/// The relay a connection takes, and where the other side is: at the relay, then.
fn place(endpoint: &ConnectedPoint) -> (Option<PeerId>, Multiaddr) {
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

/// The address of this machine that a connection is bound to: what it says, or what the system
/// would choose.
fn local_ip(endpoint: &ConnectedPoint, remote: &Multiaddr) -> Option<IpAddr> {
    if let ConnectedPoint::Listener { local_addr, .. } = endpoint
        && let Some(ip) = addresses::ip(local_addr).filter(|ip| !ip.is_unspecified())
    {
        return Some(ip);
    }
    interfaces::source_of(addresses::ip(remote)?)
}
