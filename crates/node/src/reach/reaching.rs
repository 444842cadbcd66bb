//! Reaching peers: what is learned of their addresses, who is dialed how, and who waits for it.
//!
//! A dial goes to all addresses of a peer: those on local networks and those over QUIC at once, TCP
//! and relays after a moment, or at once when nothing else is known. The first that answers is
//! used; of those that answer later the better one takes over. Time and events go in; [`Action`]s
//! come out.

mod dials;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId, mdns::Found};
use libp2p::swarm::{ConnectionId, DialError, dial_opts::DialOpts};

use crate::{
    agenda::Agenda,
    net::{
        addresses::{self, without_peer},
        connections::Known,
        network::Network,
    },
    reach::{
        address_book::{AddressBook, Source},
        attempt::{Attempt, Purpose, Reply, Waiting, explain},
        caution::{self, Visited},
        dialer::{Class, Dialer},
    },
};

/// Two peers that discover each other would both dial at once. The one with the greater id lets the
/// other go first.
const HEAD_START: Duration = Duration::from_millis(150);

/// How often a connect that somebody waits for is tried: both sides may have dialed at the same
/// moment, and both failed.
const CONNECT_TRIES: u32 = 2;

/// The pause between those tries, at least; up to twice as long.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection to a peer that was released is kept: a rendezvous that was offline for two
/// minutes lists it again, and until then a direct connection costs nobody anything.
const LEAVE_AFTER: Duration = Duration::from_secs(150);

/// How long a request to a peer that was listed a moment ago waits for its addresses, and for
/// connections that take some attempts.
const PATIENCE: Duration = Duration::from_secs(6);

/// How soon relays that refused are asked again, as long as other dials run: where a peer has no
/// reservation yet a relay says so at once, and after a restart of the relay it has one within
/// seconds.
const CIRCUITS_AGAIN: Duration = Duration::from_secs(1);

/// What to do now.
#[derive(Debug)]
pub(crate) enum Action {
    /// Start a dial; if that is not possible, report to [`Reaching::refused`]. How it ends is
    /// reported to [`Reaching::connected`] or [`Reaching::dial_ended`].
    Dial(Dial),
    /// Refuse what these dials, which still run, connect.
    Cancel(Vec<ConnectionId>),
    /// Close the connections to a peer that was released, or report to [`Reaching::in_use`].
    Leave(PeerId),
    /// A connected peer has addresses that were not known.
    NewAddresses(PeerId),
    /// All dials of an attempt failed, for the history.
    Failed {
        peer: PeerId,
        addresses: usize,
        outcome: String,
    },
}

/// One dial.
#[derive(Debug)]
pub(crate) struct Dial {
    peer: PeerId,
    id: ConnectionId,
    addresses: usize,
    options: Option<DialOpts>,
}

impl Dial {
    /// What to give the swarm; once.
    pub(crate) fn take_options(&mut self) -> Option<DialOpts> {
        self.options.take()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Chore {
    /// QUIC had its head start: TCP's turn, and the relays'.
    Rest(PeerId),
    /// The peer was released: close what connections there are.
    Leave(PeerId),
}

pub(crate) struct Reaching {
    book: AddressBook,
    dialer: Dialer,
    waiting: HashMap<PeerId, Waiting>,
    attempts: HashMap<PeerId, Attempt>,
    visited: Visited,
    /// Peers on other networks to stay connected to.
    kept: HashSet<PeerId>,
    /// Those of them, and of those kept before, that are connected: what they gossip does not make
    /// them neighbors.
    remote: HashSet<PeerId>,
    agenda: Agenda<Chore>,
    actions: VecDeque<Action>,
}

impl Reaching {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            book: AddressBook::default(),
            dialer: Dialer::new(now),
            waiting: HashMap::new(),
            attempts: HashMap::new(),
            visited: Visited::default(),
            kept: HashSet::new(),
            remote: HashSet::new(),
            agenda: Agenda::default(),
            actions: VecDeque::new(),
        }
    }

    /// Somebody needs a connection to this peer.
    pub(crate) fn connect(
        &mut self,
        peer: PeerId,
        purpose: Purpose,
        reply: Reply,
        net: &Network,
        now: Instant,
    ) {
        if purpose == Purpose::Visit {
            self.visit(peer, net, now);
        }
        if net.connections.is_connected(&peer) {
            let _gone = reply.send(Ok(()));
            return;
        }
        let waiting = self.waiting.entry(peer);
        if waiting.or_insert_with(|| Waiting::new(now)).add(reply, now)
            && let Err(reason) = self.dial(peer, net, now)
        {
            self.failed(peer, reason, net, now);
        }
    }

    /// The user wants to reach the peer: all that is known of it may be dialed from now on.
    pub(crate) fn visit(&mut self, peer: PeerId, net: &Network, now: Instant) {
        if !self.visited.add(peer, now) {
            return;
        }
        if net.connections.is_connected(&peer) {
            self.actions.push_back(Action::NewAddresses(peer));
        } else if self.attempts.contains_key(&peer) {
            let withheld = |addr: &Multiaddr, source| !caution::allows(addr, source, net);
            let withheld = self.book.addresses(&peer, withheld, now);
            self.dial_too(peer, withheld, net, now);
        }
    }

    /// An address that the user typed.
    pub(crate) fn add(&mut self, peer: PeerId, addr: Multiaddr, net: &Network, now: Instant) {
        self.book.add(peer, addr, Source::Manual, now);
        if !net.connections.is_connected(&peer) {
            self.dialer.want(peer, Class::Near, now);
        }
    }

    /// Addresses that a peer gave for itself.
    pub(crate) fn learn(
        &mut self,
        peer: PeerId,
        addrs: Vec<Multiaddr>,
        net: &Network,
        now: Instant,
    ) {
        let own = net.host.own;
        if peer == own {
            return;
        }
        let news: Vec<_> = addrs
            .into_iter()
            .filter_map(|addr| addresses::from_stranger(addr, &peer))
            .filter(|addr| addresses::relay(addr) != Some(own))
            .filter(|addr| self.book.add(peer, addr.clone(), Source::Learned, now))
            .collect();
        if news.is_empty() {
        } else if net.connections.is_connected(&peer) {
            self.actions.push_back(Action::NewAddresses(peer));
        } else if self.attempts.contains_key(&peer) {
            let mut news = news;
            let visited = self.visited.contains(&peer, now);
            news.retain(|addr| visited || caution::allows(addr, Source::Learned, net));
            self.dial_too(peer, news, net, now);
        } else if self.kept.contains(&peer) {
            self.want(peer, net, now);
        }
    }

    /// Whom to stay connected to from now on.
    pub(crate) fn keep_connected(
        &mut self,
        mut peers: HashSet<PeerId>,
        net: &Network,
        now: Instant,
    ) {
        peers.remove(&net.host.own);
        let released: Vec<_> = self.kept.difference(&peers).copied().collect();
        for peer in released {
            self.release(peer, net, now);
        }
        for peer in peers {
            self.keep(peer, net, now);
        }
    }

    /// A request got no answer: another connection is made, for the case that the one it took is
    /// dead.
    pub(crate) fn try_another(&mut self, peer: PeerId, net: &Network, now: Instant) {
        if self.attempts.contains_key(&peer) {
            return;
        }
        self.dial_direct_again(peer, net, now);
        if net.connections.to(&peer).count() < 2 {
            self.dial_circuits(peer, net, now);
        }
    }

    /// Somebody announced themselves, or said goodbye, on a network of ours.
    pub(crate) fn found(&mut self, found: Found, net: &Network, now: Instant) {
        let peer = found.peer;
        if peer == net.host.own {
            return;
        }
        let addrs: Vec<_> = found
            .addrs
            .into_iter()
            .filter_map(|addr| addresses::from_neighbor(addr, &peer, &net.host.interfaces))
            .collect();
        if found.goodbye {
            self.book.retain(peer, |addr, source| {
                source != Source::Announced || !addrs.contains(addr)
            });
            if !self.is_wanted(&peer, now) {
                self.dialer.forget(&peer);
            }
            return;
        }
        let mut news = false;
        for addr in &addrs {
            news |= self.book.add(peer, addr.clone(), Source::Announced, now);
        }
        let reached = |known: &Known| {
            let at = addresses::ip(&known.shown.remote);
            addrs.iter().any(|addr| addresses::ip(addr) == at)
        };
        if addrs.is_empty() || net.connections.to(&peer).any(|(_, known)| reached(known)) {
            return;
        }
        if news || !self.dialer.wants(&peer) {
            self.want(peer, net, now);
        }
    }

    /// A connection was made; how long its attempt took, if it belongs to one.
    pub(crate) fn connected(
        &mut self,
        id: ConnectionId,
        known: &Known,
        now: Instant,
    ) -> Option<Duration> {
        let (peer, shown) = (known.peer, &known.shown);
        if known.dialed {
            let addr = shown.remote.clone();
            self.book.add(peer, addr, Source::Reached, now);
        }
        let attempt = self.attempts.get(&peer);
        let took = attempt
            .filter(|attempt| attempt.dials.contains(&id))
            .map(|attempt| now.saturating_duration_since(attempt.since));
        if shown.relayed() {
            // What else is dialed may still bring a better connection.
            self.end_dial(&peer, id);
        } else {
            self.end_attempt(&peer, id, shown.lan);
        }
        self.dialer.forget(&peer);
        self.answer(&peer, &Ok(()));
        took
    }

    /// The last connection to a peer ended.
    pub(crate) fn lost(&mut self, peer: PeerId, jitter: f64, now: Instant) {
        if !self.kept.contains(&peer) {
            self.remote.remove(&peer);
        }
        self.agenda.drop(Chore::Leave(peer));
        if self.is_wanted(&peer, now) {
            // Not at once: both sides notice at the same moment.
            let pause = HEAD_START.mul_f64(1.0 + jitter);
            self.dialer.want(peer, self.class(&peer, now), now + pause);
        }
    }

    /// The connection to a peer is dead and will end soon.
    pub(crate) fn replace(&mut self, peer: PeerId, now: Instant) {
        self.dialer.want(peer, self.class(&peer, now), now);
    }

    /// The swarm does not start this dial.
    pub(crate) fn refused(&mut self, dial: &Dial, reason: String, net: &Network, now: Instant) {
        let Dial { peer, id, .. } = *dial;
        let attempt = self.attempts.get_mut(&peer);
        let Some(attempt) = attempt.filter(|attempt| attempt.dials.contains(&id)) else {
            return;
        };
        attempt.end(id);
        attempt.addresses -= dial.addresses;
        attempt.refusal.get_or_insert(reason);
        self.go_on(peer, net, now);
    }

    /// A dial of ours, or of the library for us, failed.
    pub(crate) fn dial_ended(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        error: &DialError,
        net: &Network,
        now: Instant,
    ) {
        let Some(attempt) = self.attempts.get_mut(&peer) else {
            return;
        };
        let ours = attempt.dials.contains(&id);
        let refused = attempt.end(id);
        if !ours || !attempt.dials.is_empty() {
            if refused && !net.connections.is_connected(&peer) {
                self.agenda.put(Chore::Rest(peer), now + CIRCUITS_AGAIN);
            }
            return;
        }
        attempt.failure = Some(match (attempt.addresses, error) {
            (n @ 2.., DialError::Transport(_)) => format!("none of its {n} addresses answers"),
            _ => explain(error),
        });
        self.go_on(peer, net, now);
    }

    /// Forgets an address at which another peer answers.
    pub(crate) fn check_identity(&mut self, peer: PeerId, error: &DialError) {
        if let DialError::WrongPeerId { address, .. } = error {
            let address = without_peer(address.clone());
            self.book.retain(peer, |addr, _| *addr != address);
        }
    }

    /// A peer that was released is still in use.
    pub(crate) fn in_use(&mut self, peer: PeerId, now: Instant) {
        self.agenda.put(Chore::Leave(peer), now + LEAVE_AFTER);
    }

    /// Whether what the peer gossips counts as being on our networks. Not from one that is kept
    /// because a rendezvous server lists it: one that leaves there is gone, whatever connections
    /// are left.
    pub(crate) fn is_neighbor(&self, peer: &PeerId, now: Instant) -> bool {
        !self.remote.contains(peer) || self.book.is_wanted(peer, now)
    }

    /// Whether any dial through a relay runs.
    pub(crate) fn is_dialing_circuits(&self) -> bool {
        let mut attempts = self.attempts.values();
        attempts.any(|attempt| attempt.circuits.is_some())
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, net: &Network, now: Instant) {
        while let Some(peer) = self.due(net, now) {
            if !self.is_wanted(&peer, now) && !self.waiting.contains_key(&peer) {
                self.dialer.forget(&peer);
            } else if let Err(reason) = self.dial(peer, net, now) {
                tracing::debug!(%peer, reason, "not dialed");
                self.failed(peer, reason, net, now);
            }
        }
        while let Some(chore) = self.agenda.due(now) {
            match chore {
                Chore::Rest(peer) => self.dial_rest(peer, net, now),
                Chore::Leave(peer) if self.is_wanted(&peer, now) => {}
                Chore::Leave(peer) => self.actions.push_back(Action::Leave(peer)),
            }
        }
    }

    /// When [`Self::poll`] has something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let timers = self.dialer.poll_timeout().into_iter();
        timers.chain(self.agenda.next()).min()
    }

    /// The next thing to do.
    pub(crate) fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn keep(&mut self, peer: PeerId, net: &Network, now: Instant) {
        if !self.kept.insert(peer) {
            return;
        }
        self.remote.insert(peer);
        self.agenda.drop(Chore::Leave(peer));
        if !net.connections.is_connected(&peer) {
            self.want(peer, net, now);
        }
    }

    /// A connection that stands is closed once nobody uses it.
    fn release(&mut self, peer: PeerId, net: &Network, now: Instant) {
        if !self.kept.remove(&peer) || self.book.is_wanted(&peer, now) {
            return;
        }
        self.dialer.forget(&peer);
        self.answer(&peer, &Err("it is offline".into()));
        if net.connections.is_connected(&peer) {
            self.agenda.put(Chore::Leave(peer), now + LEAVE_AFTER);
        } else {
            self.remote.remove(&peer);
        }
    }

    fn want(&mut self, peer: PeerId, net: &Network, now: Instant) {
        let first = net.host.own < peer;
        let due = if first { now } else { now + HEAD_START };
        self.dialer.want(peer, self.class(&peer, now), due);
    }

    /// One that is to be dialed now.
    fn due(&mut self, net: &Network, now: Instant) -> Option<PeerId> {
        let (book, visited) = (&self.book, &self.visited);
        let can_be_dialed = |peer: &PeerId| !dialed(book, visited, peer, net, now).is_empty();
        self.dialer.poll(can_be_dialed, now)
    }

    fn class(&self, peer: &PeerId, now: Instant) -> Class {
        if self.book.is_wanted(peer, now) || self.waiting.contains_key(peer) {
            Class::Near
        } else {
            Class::Far
        }
    }

    fn is_wanted(&self, peer: &PeerId, now: Instant) -> bool {
        self.kept.contains(peer) || self.book.is_wanted(peer, now)
    }

    fn failed(&mut self, peer: PeerId, reason: String, net: &Network, now: Instant) {
        let jitter = rand::random::<f64>();
        if !net.connections.is_connected(&peer)
            && let Some(waiting) = self.waiting.get_mut(&peer)
        {
            waiting.tries += 1;
            // Of one that was listed a moment ago more addresses may come; it is also dialed when
            // they do.
            let expected = self.kept.contains(&peer) && waiting.is_younger_than(PATIENCE, now);
            if waiting.tries < CONNECT_TRIES || expected {
                let pause = CONNECT_PAUSE * waiting.tries.min(8);
                self.dialer.forget(&peer);
                let due = now + pause.mul_f64(1.0 + jitter);
                self.dialer.want(peer, Class::Near, due);
                return;
            }
        }
        self.answer(&peer, &Err(reason));
        if self.is_wanted(&peer, now) {
            self.dialer.failed(peer, jitter, now);
        } else {
            self.dialer.forget(&peer);
        }
    }

    /// Tells everyone waiting for a connection to `peer` how it went.
    fn answer(&mut self, peer: &PeerId, outcome: &Result<(), String>) {
        if let Some(waiting) = self.waiting.remove(peer) {
            waiting.answer(outcome);
        }
    }
}

/// What may be dialed for a peer now, most trusted first.
fn dialed(
    book: &AddressBook,
    visited: &Visited,
    peer: &PeerId,
    net: &Network,
    now: Instant,
) -> Vec<Multiaddr> {
    let visited = visited.contains(peer, now);
    let may_be_dialed = |addr: &Multiaddr, source| visited || caution::allows(addr, source, net);
    book.addresses(peer, may_be_dialed, now)
}

#[cfg(test)]
mod tests;
