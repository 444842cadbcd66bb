//! The dials of an attempt: which addresses are dialed at once, which wait, and what follows when
//! one has ended.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{
    multiaddr::Protocol,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::{Action, Chore, Dial, Reaching, dialed};
use crate::{
    net::{
        addresses::{self, is_relayed},
        network::Network,
    },
    reach::{attempt::Attempt, history::spoken},
    status::Transport,
};

/// How long QUIC is tried alone before TCP and a relay are tried too: longer than a round trip to
/// most places, shorter than anyone waits for a page. Sooner, and what answers second would have to
/// be thrown away most of the time.
pub(super) const REST_AFTER: Duration = Duration::from_millis(250);

/// Addresses through relays that are tried at a time.
const MAX_CIRCUITS: usize = 4;

pub(super) const NO_ADDRESS: &str = "no address of it is known";

/// Which local port a dial uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// The port we listen on, so that routers let answers in and others learn where to dial us.
    OurPort,
    AnyPort,
}

impl Reaching {
    /// Dials the peer's addresses, although there is a connection.
    pub(crate) fn dial_direct_again(&mut self, peer: PeerId, net: &Network, now: Instant) {
        let mut addrs = self.addresses(&peer, net, now);
        addrs.retain(|addr| addresses::transport(addr).is_some());
        self.start_direct(peer, addrs, false, net);
    }

    /// Dials the peer's addresses through relays: those of relays first that we are connected to,
    /// and of those only one.
    pub(crate) fn dial_circuits(&mut self, peer: PeerId, net: &Network, now: Instant) {
        let mut circuits: Vec<_> = self
            .addresses(&peer, net, now)
            .into_iter()
            .filter_map(|addr| {
                let relay = addresses::relay(&addr)?;
                Some((!net.connections.is_connected(&relay), relay, addr))
            })
            .collect();
        circuits.sort();
        circuits.dedup_by_key(|(away, relay, addr)| (*relay, away.then(|| addr.clone())));
        circuits.truncate(MAX_CIRCUITS);
        let circuits = circuits
            .into_iter()
            .map(|(_, _, addr)| addr.with(Protocol::P2p(peer)))
            .collect();
        self.start_dial(peer, circuits, From::OurPort, net);
    }

    fn addresses(&self, peer: &PeerId, net: &Network, now: Instant) -> Vec<Multiaddr> {
        dialed(&self.book, &self.visited, peer, net, now)
    }

    /// Begins an attempt, unless one runs.
    pub(super) fn dial(&mut self, peer: PeerId, net: &Network, now: Instant) -> Result<(), String> {
        if self.attempts.contains_key(&peer) {
            return Ok(());
        }
        let addrs = self.addresses(&peer, net, now);
        if addrs.is_empty() {
            return Err(NO_ADDRESS.into());
        }
        let (circuits, direct): (Vec<_>, Vec<_>) = addrs
            .into_iter()
            .partition(|addr| addresses::relay(addr).is_some());
        self.attempts.insert(peer, Attempt::new(now));
        self.start_direct(peer, direct, true, net);
        let attempt = self.attempts.get(&peer);
        let dials = attempt.is_some_and(|attempt| !attempt.dials.is_empty());
        let tcp_waits = attempt.is_some_and(|attempt| !attempt.tcp.is_empty());
        if dials && (tcp_waits || !circuits.is_empty()) {
            self.agenda.put(Chore::Rest(peer), now + REST_AFTER);
        } else {
            self.dial_rest(peer, net, now);
        }
        Ok(())
    }

    /// More addresses for an attempt that runs: it may be waiting for the others until they time
    /// out.
    pub(super) fn dial_too(
        &mut self,
        peer: PeerId,
        addrs: Vec<Multiaddr>,
        net: &Network,
        now: Instant,
    ) {
        let (circuits, direct): (Vec<_>, Vec<_>) = addrs
            .into_iter()
            .partition(|addr| addresses::relay(addr).is_some());
        self.start_direct(peer, direct, false, net);
        if !circuits.is_empty() {
            self.agenda.hurry(Chore::Rest(peer), now + REST_AFTER);
        }
    }

    /// What had to wait for QUIC: TCP, and the relays.
    pub(super) fn dial_rest(&mut self, peer: PeerId, net: &Network, now: Instant) {
        self.agenda.drop(Chore::Rest(peer));
        let attempt = self.attempts.get_mut(&peer);
        let tcp = attempt.map(|attempt| std::mem::take(&mut attempt.tcp));
        self.start_dial(peer, tcp.unwrap_or_default(), From::AnyPort, net);
        self.dial_circuits(peer, net, now);
    }

    /// On a local network it takes TCP first, over which one stream is a sixth faster than over
    /// QUIC; on others whatever answers first is best.
    fn preferred(&self, peer: &PeerId, mut near: Vec<Multiaddr>, alone: bool) -> Vec<Multiaddr> {
        let tries = self.waiting.get(peer).map_or(0, |w| w.tries) + self.dialer.failures(peer);
        let is_tcp = |addr: &Multiaddr| addresses::transport(addr) == Some(Transport::Tcp);
        if (tries.is_multiple_of(2) || !alone) && near.iter().any(is_tcp) {
            near.retain(is_tcp);
        }
        near
    }

    /// Dials addresses without a relay: those on a local network and those on others, each in its
    /// way.
    ///
    /// TCP uses a new port: two peers that dial each other from their listening ports
    /// at the same moment make one TCP connection with two initiators, on which no protocol can be
    /// agreed; and a dial from there that hangs would be in the way of hole punching. QUIC goes
    /// from the port that others know, so that routers let their dials in.
    fn start_direct(&mut self, peer: PeerId, addrs: Vec<Multiaddr>, at_first: bool, net: &Network) {
        let (near, far): (Vec<_>, Vec<_>) =
            addrs.into_iter().partition(|addr| net.host.is_lan(addr));
        let near = if at_first {
            self.preferred(&peer, near, far.is_empty())
        } else {
            near
        };
        let (quic, tcp): (Vec<_>, Vec<_>) = far
            .into_iter()
            .partition(|addr| addresses::transport(addr) == Some(Transport::Quic));
        let tcp = match self.attempts.get_mut(&peer) {
            Some(attempt) if at_first && !quic.is_empty() && !net.host.udp_blocked => {
                attempt.tcp = tcp;
                Vec::new()
            }
            _ => tcp,
        };
        self.start_dial(peer, near, From::AnyPort, net);
        self.start_dial(peer, quic, From::OurPort, net);
        self.start_dial(peer, tcp, From::AnyPort, net);
    }

    /// Starts one dial, of the attempt that runs if there is one.
    fn start_dial(&mut self, peer: PeerId, addrs: Vec<Multiaddr>, from: From, net: &Network) {
        let addresses = addrs.len();
        if addresses == 0 {
            return;
        }
        let near = addrs.iter().all(|addr| net.host.is_lan(addr));
        let through_relays = addrs.iter().all(is_relayed);
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addrs);
        let options = match from {
            From::OurPort => options,
            From::AnyPort => options.allocate_new_port(),
        };
        let options = options.build();
        let id = options.connection_id();
        if let Some(attempt) = self.attempts.get_mut(&peer) {
            attempt.dials.insert(id);
            if near {
                attempt.near.insert(id);
            }
            if through_relays {
                attempt.circuits = Some(id);
            }
            attempt.addresses += addresses;
        }
        let dial = Dial {
            peer,
            id,
            addresses,
            options: Some(options),
        };
        self.actions.push_back(Action::Dial(dial));
    }

    /// A direct connection stands: the other dials of the attempt have lost, but for nearer ones.
    pub(super) fn end_attempt(&mut self, peer: &PeerId, winner: ConnectionId, lan: bool) {
        self.agenda.drop(Chore::Rest(*peer));
        let Some(attempt) = self.attempts.remove(peer) else {
            return;
        };
        let lost = attempt
            .dials
            .into_iter()
            .filter(|id| *id != winner && (lan || !attempt.near.contains(id)))
            .collect();
        self.actions.push_back(Action::Cancel(lost));
    }

    pub(super) fn end_dial(&mut self, peer: &PeerId, id: ConnectionId) {
        let Some(attempt) = self.attempts.get_mut(peer) else {
            return;
        };
        attempt.end(id);
        if attempt.dials.is_empty() {
            self.attempts.remove(peer);
            self.agenda.drop(Chore::Rest(*peer));
        }
    }

    /// A dial of the attempt has ended in vain: what waits comes next, and then the end.
    pub(super) fn go_on(&mut self, peer: PeerId, net: &Network, now: Instant) {
        let dials = |attempts: &HashMap<PeerId, Attempt>| {
            let attempt = attempts.get(&peer);
            attempt.is_some_and(|attempt| !attempt.dials.is_empty())
        };
        if dials(&self.attempts) {
            return;
        }
        if self.agenda.has(Chore::Rest(peer)) {
            self.dial_rest(peer, net, now);
            if dials(&self.attempts) {
                return;
            }
        }
        let Some(attempt) = self.attempts.remove(&peer) else {
            return;
        };
        let reason = match attempt.failure {
            Some(reason) => {
                let took = spoken(now.saturating_duration_since(attempt.since));
                self.actions.push_back(Action::Failed {
                    peer,
                    addresses: attempt.addresses,
                    outcome: format!("{reason} ({took})"),
                });
                reason
            }
            None => attempt.refusal.unwrap_or_else(|| NO_ADDRESS.into()),
        };
        self.failed(peer, reason, net, now);
    }
}
