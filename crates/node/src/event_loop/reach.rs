//! Reaching peers: what is learned of their addresses, who is dialled, and who waits for it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId, mdns::Found};
use libp2p::{
    multiaddr::Protocol,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::{Chore, EventLoop, Known, Reply};
use crate::{
    net::addresses::{self, Source},
    reach::history::spoken,
    status::Transport,
    stream::is_relayed,
};

/// Two peers that discover each other would both dial at once. The one with the greater id lets the
/// other go first.
const HEAD_START: Duration = Duration::from_millis(150);

/// How often a connect that somebody waits for is tried: both sides may have dialled at the same
/// moment, and both failed.
const CONNECT_TRIES: u32 = 2;

/// The pause between those tries, at least; up to twice as long.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Callers that wait for a connection to one peer; far more than streams may be open to it.
const MAX_WAITING: usize = 1024;

/// How long a connection to a peer that is no longer seen is kept: a rendezvous that was away for
/// two minutes sees it again, and meanwhile a direct way needs nobody.
const LEAVE_AFTER: Duration = Duration::from_secs(150);

/// How long QUIC is tried alone before TCP and a relay are tried too: longer than a round trip to
/// most places, shorter than anyone waits for a page. Sooner, and what answers second would have to
/// be thrown away most of the time.
const REST_AFTER: Duration = Duration::from_millis(250);

/// How long who waits for a peer that was seen a moment ago waits for its addresses, and for ways
/// that take some attempts.
const PATIENCE: Duration = Duration::from_secs(6);

/// Addresses through relays that are tried at a time.
const MAX_CIRCUITS: usize = 4;

/// How soon relays that refused are asked again, as long as other ways are still being tried: where
/// a peer has no place yet a relay says so at once, and after a restart of the relay it has one
/// within seconds.
const CIRCUITS_AGAIN: Duration = Duration::from_secs(1);

/// The ways in which a peer is being dialled. It is one attempt until the last of them has ended.
pub(super) struct Attempt {
    pub(super) since: Instant,
    pub(super) dials: HashSet<ConnectionId>,
    /// Those of them on a local network: they win even when they answer second.
    near: HashSet<ConnectionId>,
    /// That of them which goes through relays.
    pub(super) circuits: Option<ConnectionId>,
    addresses: usize,
    /// Addresses over TCP elsewhere, for when QUIC had its head start.
    tcp: Vec<Multiaddr>,
}

/// How the addresses of one dial are used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// The port we listen on, so that routers let answers in and others learn where to call.
    OurPort,
    AnyPort,
}

/// Those who wait for a connection to one peer.
pub(super) struct Waiting {
    since: Instant,
    replies: Vec<Reply>,
    tries: u32,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            replies: Vec::new(),
            tries: 0,
        }
    }
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
        if waiting.replies.is_empty() {
            *waiting = Waiting::default();
        }
        waiting.replies.push(reply);
        if let Err(reason) = self.dial(peer) {
            self.dial_failed(peer, reason);
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
        let own = *self.swarm.local_peer_id();
        if peer == own {
            return;
        }
        let now = Instant::now();
        let news: Vec<_> = addrs
            .into_iter()
            .filter_map(|addr| addresses::from_stranger(addr, &peer))
            .filter(|addr| addresses::relay(addr) != Some(own))
            .filter(|addr| self.book.add(peer, addr.clone(), Source::Learned, now))
            .collect();
        if news.is_empty() {
        } else if self.swarm.is_connected(&peer) {
            self.news_of(peer);
        } else if self.attempts.contains_key(&peer) {
            self.dial_too(peer, news);
        } else if self.kept.contains(&peer) {
            self.want(peer, now);
        }
    }

    /// More addresses for an attempt that is under way: it may be waiting for the others until they
    /// time out.
    fn dial_too(&mut self, peer: PeerId, addrs: Vec<Multiaddr>) {
        let (circuits, direct): (Vec<_>, Vec<_>) = addrs
            .into_iter()
            .partition(|addr| addresses::relay(addr).is_some());
        let _outcomes = self.start_direct(peer, direct, false);
        if !circuits.is_empty() {
            let due = Instant::now() + REST_AFTER;
            self.agenda.hurry(Chore::Rest(peer), due);
        }
    }

    /// Whom to stay connected to from now on.
    pub(super) fn keep_connected(&mut self, mut peers: HashSet<PeerId>) {
        peers.remove(self.swarm.local_peer_id());
        let released: Vec<_> = self.kept.difference(&peers).copied().collect();
        for peer in released {
            self.release(&peer);
        }
        for peer in peers {
            self.keep(peer);
        }
    }

    fn keep(&mut self, peer: PeerId) {
        if !self.kept.insert(peer) {
            return;
        }
        self.from_elsewhere.insert(peer);
        self.agenda.drop(Chore::Leave(peer));
        if !self.swarm.is_connected(&peer) {
            self.want(peer, Instant::now());
        }
    }

    /// It is not seen any more. A connection that stands is closed once nobody uses it.
    fn release(&mut self, peer: &PeerId) {
        let now = Instant::now();
        if self.kept.remove(peer) && !self.book.is_wanted(peer, now) {
            self.dialler.forget(peer);
            self.answer(peer, &Err("it has gone".into()));
            if self.swarm.is_connected(peer) {
                self.agenda.put(Chore::Leave(*peer), now + LEAVE_AFTER);
            } else {
                self.from_elsewhere.remove(peer);
            }
        }
    }

    pub(super) fn leave(&mut self, peer: PeerId, now: Instant) {
        if self.is_wanted(&peer, now) {
            return;
        }
        let mut to_it = self
            .connections
            .iter()
            .filter(|(_, known)| known.peer == peer);
        let in_use = |id| {
            let traffic = self.control.traffic(&peer, id);
            traffic.is_some_and(|traffic| !traffic.is_idle())
        };
        if to_it.any(|(id, _)| in_use(*id)) {
            self.agenda.put(Chore::Leave(peer), now + LEAVE_AFTER);
        } else {
            let _gone = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Whether what the peer gossips counts as being seen here. Not from one that was kept because of a
    /// rendezvous: who leaves that is gone, whatever connections are left.
    pub(super) fn is_heard(&self, peer: &PeerId) -> bool {
        !self.from_elsewhere.contains(peer) || self.book.is_wanted(peer, Instant::now())
    }

    fn want(&mut self, peer: PeerId, now: Instant) {
        let first = *self.swarm.local_peer_id() < peer;
        let due = if first { now } else { now + HEAD_START };
        self.dialler.want(peer, due);
    }

    fn is_wanted(&self, peer: &PeerId, now: Instant) -> bool {
        self.kept.contains(peer) || self.book.is_wanted(peer, now)
    }

    /// A request got no answer on its connection. If that is dead it ends in a moment, and
    /// meanwhile another way is made.
    pub(super) fn doubt(&mut self, peer: PeerId) {
        self.probe(|known| known.peer == peer);
        if self.attempts.contains_key(&peer) {
            return;
        }
        self.dial_direct_again(peer);
        if self.connections_to(&peer) < 2 {
            let _none = self.dial_circuits(peer);
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
            if !self.is_wanted(&peer, now) {
                self.dialler.forget(&peer);
            }
            return;
        }
        let mut news = false;
        for addr in &addrs {
            news |= self.book.add(peer, addr.clone(), Source::Announced, now);
        }
        let reached = |known: &Known| {
            known.peer == peer
                && addrs
                    .iter()
                    .any(|addr| addresses::ip(addr) == addresses::ip(&known.shown.remote))
        };
        if addrs.is_empty() || self.connections.values().any(reached) {
            return;
        }
        if news || !self.dialler.wants(&peer) {
            self.want(peer, now);
        }
    }

    /// The last connection to a peer ended. Not at once: both sides notice at the same moment.
    pub(super) fn lost(&mut self, peer: PeerId) {
        let now = Instant::now();
        if self.is_wanted(&peer, now) {
            let pause = HEAD_START.mul_f64(1.0 + rand::random::<f64>());
            self.dialler.want(peer, now + pause);
        }
    }

    pub(super) fn dial_due(&mut self, now: Instant) {
        while let Some(peer) = self.dialler.poll(now) {
            if !self.is_wanted(&peer, now) && !self.waiting.contains_key(&peer) {
                self.dialler.forget(&peer);
            } else if let Err(reason) = self.dial(peer) {
                tracing::debug!(%peer, reason, "not dialled");
                self.dial_failed(peer, reason);
            }
        }
    }

    /// Tries every way there is to a peer, unless that is under way: its addresses here and
    /// elsewhere at once, and relays after a moment, or at once when nothing else is known. The
    /// first that answers is used; of those that answer later the better one takes over.
    fn dial(&mut self, peer: PeerId) -> Result<(), String> {
        if self.attempts.contains_key(&peer) {
            return Ok(());
        }
        let now = Instant::now();
        let addrs = self.book.addresses(&peer, now);
        if addrs.is_empty() {
            return Err("no address of it is known".into());
        }
        let (circuits, direct): (Vec<_>, Vec<_>) = addrs
            .into_iter()
            .partition(|addr| addresses::relay(addr).is_some());
        self.attempts.insert(
            peer,
            Attempt {
                since: now,
                dials: HashSet::new(),
                near: HashSet::new(),
                circuits: None,
                addresses: 0,
                tcp: Vec::new(),
            },
        );
        let outcomes = self.start_direct(peer, direct, true);
        let under_way = outcomes.contains(&Ok(true));
        let tcp_waits = self.attempts.get(&peer).is_some_and(|a| !a.tcp.is_empty());
        if under_way && (tcp_waits || !circuits.is_empty()) {
            self.agenda.put(Chore::Rest(peer), now + REST_AFTER);
            return Ok(());
        }
        let rest = self.dial_rest(peer);
        if under_way || rest == Ok(true) {
            return Ok(());
        }
        self.attempts.remove(&peer);
        let reason = outcomes.into_iter().chain([rest]).find_map(Result::err);
        Err(reason.unwrap_or_else(|| "no address of it is known".into()))
    }

    /// What had to wait for QUIC: TCP, and the relays. Whether there was any.
    pub(super) fn dial_rest(&mut self, peer: PeerId) -> Result<bool, String> {
        self.agenda.drop(Chore::Rest(peer));
        let attempt = self.attempts.get_mut(&peer);
        let tcp = attempt.map(|attempt| std::mem::take(&mut attempt.tcp));
        let outcomes = [
            self.start_dial(peer, tcp.unwrap_or_default(), From::AnyPort),
            self.dial_circuits(peer),
        ];
        if outcomes.contains(&Ok(true)) {
            return Ok(true);
        }
        outcomes
            .into_iter()
            .find(Result::is_err)
            .unwrap_or(Ok(false))
    }

    /// On a local network it takes TCP first, over which one stream is a sixth faster than over
    /// QUIC; elsewhere whatever answers first is best.
    fn preferred(&self, peer: &PeerId, mut near: Vec<Multiaddr>, alone: bool) -> Vec<Multiaddr> {
        let tries = self.waiting.get(peer).map_or(0, |w| w.tries) + self.dialler.failures(peer);
        let is_tcp = |addr: &Multiaddr| addresses::transport(addr) == Some(Transport::Tcp);
        if (tries.is_multiple_of(2) || !alone) && near.iter().any(is_tcp) {
            near.retain(is_tcp);
        }
        near
    }

    /// Dials addresses without a relay: those on a local network and those elsewhere, each in its
    /// way.
    ///
    /// TCP goes from a port of its own: two peers that dial each other from their listening ports
    /// at the same moment make one TCP connection with two initiators, on which no protocol can be
    /// agreed; and a dial from there that hangs would be in the way of hole punching. QUIC goes
    /// from the port that others know, so that routers let their calls in.
    fn start_direct(
        &mut self,
        peer: PeerId,
        addrs: Vec<Multiaddr>,
        at_first: bool,
    ) -> [Result<bool, String>; 3] {
        let (near, far): (Vec<_>, Vec<_>) = addrs.into_iter().partition(|addr| self.is_lan(addr));
        let near = if at_first {
            self.preferred(&peer, near, far.is_empty())
        } else {
            near
        };
        let (quic, tcp): (Vec<_>, Vec<_>) = far
            .into_iter()
            .partition(|addr| addresses::transport(addr) == Some(Transport::Quic));
        let tcp = match self.attempts.get_mut(&peer) {
            Some(attempt) if at_first && !quic.is_empty() && !self.udp_blocked => {
                attempt.tcp = tcp;
                Vec::new()
            }
            _ => tcp,
        };
        [
            self.start_dial(peer, near, From::AnyPort),
            self.start_dial(peer, quic, From::OurPort),
            self.start_dial(peer, tcp, From::AnyPort),
        ]
    }

    /// Starts one dial of the attempt that is under way, if there is one; whether there was
    /// anything to dial.
    fn start_dial(
        &mut self,
        peer: PeerId,
        addrs: Vec<Multiaddr>,
        from: From,
    ) -> Result<bool, String> {
        let count = addrs.len();
        if count == 0 {
            return Ok(false);
        }
        let near = addrs.iter().all(|addr| self.is_lan(addr));
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
        self.swarm.dial(options).map_err(|error| explain(&error))?;
        if let Some(attempt) = self.attempts.get_mut(&peer) {
            attempt.dials.insert(id);
            if near {
                attempt.near.insert(id);
            }
            if through_relays {
                attempt.circuits = Some(id);
            }
            attempt.addresses += count;
        }
        Ok(true)
    }

    /// Dials the peer's addresses through relays: those of relays first that we are connected to,
    /// and of those only one. Whether there was any.
    pub(super) fn dial_circuits(&mut self, peer: PeerId) -> Result<bool, String> {
        let mut circuits: Vec<_> = self
            .book
            .addresses(&peer, Instant::now())
            .into_iter()
            .filter_map(|addr| {
                let relay = addresses::relay(&addr)?;
                Some((!self.swarm.is_connected(&relay), relay, addr))
            })
            .collect();
        circuits.sort();
        circuits.dedup_by_key(|(away, relay, addr)| (*relay, away.then(|| addr.clone())));
        circuits.truncate(MAX_CIRCUITS);
        let circuits = circuits
            .into_iter()
            .map(|(_, _, addr)| addr.with(Protocol::P2p(peer)))
            .collect();
        self.start_dial(peer, circuits, From::OurPort)
    }

    /// Dials the peer's addresses, although there is a connection.
    pub(super) fn dial_direct_again(&mut self, peer: PeerId) {
        let mut addrs = self.book.addresses(&peer, Instant::now());
        addrs.retain(|addr| addresses::transport(addr).is_some());
        let _outcomes = self.start_direct(peer, addrs, false);
    }

    /// A direct connection stands: the other dials of the attempt have lost, but for a nearer way.
    pub(super) fn end_attempt(&mut self, peer: &PeerId, winner: ConnectionId, lan: bool) {
        let Some(attempt) = self.attempts.remove(peer) else {
            return;
        };
        let lost = attempt
            .dials
            .into_iter()
            .filter(|id| *id != winner && (lan || !attempt.near.contains(id)));
        self.swarm.behaviour_mut().losers.add(lost);
    }

    /// A connection through a relay stands: what else is under way may still bring a better one.
    pub(super) fn end_dial(&mut self, peer: &PeerId, id: ConnectionId) {
        let Some(attempt) = self.attempts.get_mut(peer) else {
            return;
        };
        attempt.dials.remove(&id);
        attempt.circuits.take_if(|dial| *dial == id);
        if attempt.dials.is_empty() {
            self.attempts.remove(peer);
            self.agenda.drop(Chore::Rest(*peer));
        }
    }

    /// A dial of ours, or of the library for us, failed.
    pub(super) fn dial_ended(&mut self, peer: PeerId, id: ConnectionId, error: &DialError) {
        let now = Instant::now();
        if let Some(dial) = self.relay_dials.remove(&id) {
            return self.relay_dial_ended(&dial, error);
        }
        let Some(attempt) = self.attempts.get_mut(&peer) else {
            return;
        };
        let refused = attempt.circuits.take_if(|dial| *dial == id).is_some();
        if !attempt.dials.remove(&id) || !attempt.dials.is_empty() {
            if refused && !self.swarm.is_connected(&peer) {
                self.agenda.put(Chore::Rest(peer), now + CIRCUITS_AGAIN);
            }
            return;
        }
        let (addresses, since) = (attempt.addresses, attempt.since);
        if self.agenda.has(Chore::Rest(peer)) && self.dial_rest(peer) == Ok(true) {
            return;
        }
        self.attempts.remove(&peer);
        let reason = match (addresses, error) {
            (2.., DialError::Transport(_)) => format!("none of its {addresses} addresses answers"),
            _ => explain(error),
        };
        let took = spoken(now.saturating_duration_since(since));
        let what = match addresses {
            1 => "Called its address".to_owned(),
            n => format!("Called its {n} addresses"),
        };
        self.history
            .note(peer, what, format!("{reason} ({took})"), Some(false), now);
        self.dial_failed(peer, reason);
    }

    pub(super) fn dial_failed(&mut self, peer: PeerId, reason: String) {
        let now = Instant::now();
        let jitter = rand::random::<f64>();
        if !self.swarm.is_connected(&peer)
            && let Some(waiting) = self.waiting.get_mut(&peer)
        {
            waiting.tries += 1;
            // Of one that was seen a moment ago more addresses may come; it is also called when
            // they do.
            let expected = self.kept.contains(&peer)
                && now.saturating_duration_since(waiting.since) < PATIENCE;
            if waiting.tries < CONNECT_TRIES || expected {
                let pause = CONNECT_PAUSE * waiting.tries.min(8);
                self.dialler.forget(&peer);
                self.dialler.want(peer, now + pause.mul_f64(1.0 + jitter));
                return;
            }
        }
        self.answer(&peer, &Err(reason));
        if self.is_wanted(&peer, now) {
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
