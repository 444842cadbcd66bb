//! Reaching peers: what is learned of their addresses, who is dialled, and who waits for it.

use std::time::{Duration, Instant};

use goop2_proto::{Multiaddr, PeerId, mdns::Found};
use libp2p::swarm::{
    DialError,
    dial_opts::{DialOpts, PeerCondition},
};

use super::{EventLoop, Reply};
use crate::{
    Connection, Transport,
    addresses::{self, Source},
};

/// Two peers that discover each other would both dial at once. The one with the greater id lets the other go first.
const HEAD_START: Duration = Duration::from_millis(150);

/// How often a connect that somebody waits for is tried: both sides may have dialled at the same moment, and both failed.
const CONNECT_TRIES: u32 = 2;

/// The pause between those tries, at least; up to twice as long.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Callers that wait for a connection to one peer; far more than streams may be open to it.
const MAX_WAITING: usize = 1024;

/// Those who wait for a connection to one peer.
#[derive(Default)]
pub(super) struct Waiting {
    replies: Vec<Reply>,
    tries: u32,
}

impl EventLoop {
    pub(super) fn connect(&mut self, peer: PeerId, reply: Reply) {
        if self.swarm.is_connected(&peer) {
            let _ = reply.send(Ok(()));
            return;
        }
        let waiting = self.waiting.entry(peer).or_default();
        waiting.replies.retain(|reply| !reply.is_closed());
        if waiting.replies.len() >= MAX_WAITING {
            let _ = reply.send(Err("too much waits for it already".into()));
            return;
        }
        waiting.replies.push(reply);
        if let Err(reason) = self.dial(peer) {
            self.answer(&peer, &Err(reason));
        }
    }

    /// An address the user typed.
    pub(super) fn add(&mut self, peer: PeerId, addr: Multiaddr) {
        let now = Instant::now();
        self.book.add(peer, addr, Source::Manual, now);
        if !self.swarm.is_connected(&peer) {
            self.dialler.want(peer, now);
        }
    }

    pub(super) fn learn(&mut self, peer: PeerId, addrs: Vec<Multiaddr>) {
        if peer == *self.swarm.local_peer_id() {
            return;
        }
        for addr in addrs
            .into_iter()
            .filter_map(|addr| addresses::from_stranger(addr, &peer))
        {
            self.book.add(peer, addr, Source::Learned, Instant::now());
        }
    }

    /// Somebody announced themselves, or said goodbye, on a network of ours.
    pub(super) fn on_found(&mut self, found: Found) {
        let (own, now) = (*self.swarm.local_peer_id(), Instant::now());
        let peer = found.peer;
        if peer == own {
            return;
        }
        let addrs: Vec<_> = {
            let interfaces = self.interfaces.borrow();
            found
                .addrs
                .into_iter()
                .filter_map(|a| addresses::from_neighbour(a, &peer, &interfaces))
                .collect()
        };
        if found.goodbye {
            self.book.retain(peer, |addr, source| {
                source != Source::Announced || !addrs.contains(addr)
            });
            if !self.book.is_wanted(&peer, now) {
                self.dialler.forget(&peer);
            }
            return;
        }
        let mut news = false;
        for addr in &addrs {
            news |= self.book.add(peer, addr.clone(), Source::Announced, now);
        }
        let reached = |(to, connection): &(PeerId, Connection)| {
            *to == peer
                && addrs
                    .iter()
                    .any(|addr| addresses::ip(addr) == addresses::ip(&connection.remote))
        };
        if addrs.is_empty() || self.connections.values().any(reached) {
            return;
        }
        if news || !self.dialler.wants(&peer) {
            let first = own < peer;
            self.dialler
                .want(peer, if first { now } else { now + HEAD_START });
        }
    }

    /// The last connection to a peer ended. Not at once: both sides notice at the same moment.
    pub(super) fn lost(&mut self, peer: PeerId) {
        let now = Instant::now();
        if self.book.is_wanted(&peer, now) {
            let pause = HEAD_START.mul_f64(1.0 + rand::random::<f64>());
            self.dialler.want(peer, now + pause);
        }
    }

    pub(super) fn dial_due(&mut self, now: Instant) {
        while let Some(peer) = self.dialler.poll(now) {
            if !self.book.is_wanted(&peer, now) && !self.waiting.contains_key(&peer) {
                self.dialler.forget(&peer);
            } else if let Err(reason) = self.dial(peer) {
                tracing::debug!(%peer, reason, "not dialled");
                self.dial_failed(peer, reason);
            }
        }
    }

    /// Dials the addresses known, unless it is being dialled already.
    ///
    /// On a local network it goes from a port of its own: two peers that dial each other from their listening ports at
    /// the same moment make one TCP connection with two initiators, on which no protocol can be agreed. And it takes TCP
    /// first, over which one stream is a sixth faster than over QUIC; elsewhere whatever answers first is best.
    fn dial(&mut self, peer: PeerId) -> Result<(), String> {
        let mut addrs = self.book.addresses(&peer, Instant::now());
        if addrs.is_empty() {
            return Err("no address of it is known".into());
        }
        let near = addrs.iter().all(|addr| self.is_lan(addr));
        let tries = self.waiting.get(&peer).map_or(0, |w| w.tries) + self.dialler.failures(&peer);
        let is_tcp = |addr: &Multiaddr| addresses::transport(addr) == Some(Transport::Tcp);
        if near && tries.is_multiple_of(2) && addrs.iter().any(is_tcp) {
            addrs.retain(is_tcp);
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::NotDialing)
            .addresses(addrs);
        let options = if near {
            options.allocate_new_port()
        } else {
            options
        };
        match self.swarm.dial(options.build()) {
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => Ok(()),
            Err(error) => Err(explain(&error)),
        }
    }

    pub(super) fn dial_failed(&mut self, peer: PeerId, reason: String) {
        let now = Instant::now();
        let jitter = rand::random::<f64>();
        if !self.swarm.is_connected(&peer)
            && let Some(waiting) = self.waiting.get_mut(&peer)
        {
            waiting.tries += 1;
            if waiting.tries < CONNECT_TRIES {
                self.dialler.forget(&peer);
                self.dialler
                    .want(peer, now + CONNECT_PAUSE.mul_f64(1.0 + jitter));
                return;
            }
        }
        self.answer(&peer, &Err(reason));
        if self.book.is_wanted(&peer, now) {
            self.dialler.failed(peer, jitter, now);
        } else {
            self.dialler.forget(&peer);
        }
    }

    /// Tells everybody who waits for a connection to `peer` how it went.
    pub(super) fn answer(&mut self, peer: &PeerId, outcome: &Result<(), String>) {
        for reply in self
            .waiting
            .remove(peer)
            .into_iter()
            .flat_map(|w| w.replies)
        {
            let _ = reply.send(outcome.clone());
        }
    }
}

/// A failed dial in plain words.
pub(super) fn explain(error: &DialError) -> String {
    match error {
        DialError::WrongPeerId { .. } => "another peer answers at its address".into(),
        DialError::Denied { .. } => "there are too many connections already".into(),
        DialError::Transport(attempts) => match attempts.len() {
            1 => "its address does not answer".into(),
            n => format!("none of its {n} addresses answers"),
        },
        other => other.to_string(),
    }
}
