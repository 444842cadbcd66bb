//! Reservations at relays: which relay to connect to, and when to ask it for a reservation.
//!
//! The library renews a reservation while everything is well, and does nothing when it is not: a
//! relay that was restarted, a network that changed or a computer that slept lose it. This state
//! machine makes it again. Each relay has its own state
//!
//! ```text
//! waiting ─▶ connecting ─▶ connected ─▶ asking ─▶ held
//!    ▲           │             │          │        │
//!    └───────────┴─────────────┴──────────┴────────┘  on any failure, with a growing pause
//! ```
//!
//! `connected` waits for the relay to say who it is (identify): by then it has also said where it
//! sees us, which hole punching needs later. Time goes in, [`Action`]s come out. A peer that is
//! reachable directly makes no reservation.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::core::transport::ListenerId;

use crate::{
    net::{addresses, ip::is_reachable},
    status::{Relay, Reservation, Transport},
};

/// Relays used at a time: one is enough, a second outlives the first, and each costs its operator
/// something.
const MAX_RELAYS: usize = 4;

/// Addresses of one relay that are used: each transport and family.
const MAX_ADDRS: usize = 6;

/// What a step may take; the dial itself ends earlier.
const STEP: Duration = Duration::from_secs(12);

/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// The longest pause while a relay may just be restarting: it should not be missed for ten seconds
/// once it is back.
const PAUSE: Duration = Duration::from_secs(6);

/// Failures in a row after which it is not just restarting, and the pause then.
const LONG_GONE: u32 = 60;
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// How long a connection over the other transport may be missing before it is dialed again.
const OBSERVE_AGAIN: Duration = Duration::from_secs(60);

/// How often a peer that needs no reservation connects to a relay nevertheless: what others observe
/// is forgotten after two hours.
const OBSERVE_RARELY: Duration = Duration::from_secs(60 * 60);

/// A relay that a rendezvous server offers.
#[derive(Clone, Debug, PartialEq)]
pub struct RelayOffer {
    /// Who it is.
    pub peer: PeerId,
    /// Where, best first, without `/p2p`.
    pub addrs: Vec<Multiaddr>,
    /// Whose it is, for people: the host name of the server.
    pub label: String,
}

/// What to do now.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Connect; the outcome is reported by [`Relays::connected`] or [`Relays::failed`].
    Dial { peer: PeerId, addrs: Vec<Multiaddr> },
    /// Connect for the relay to observe our address, over the other transport too or without a
    /// reservation; nothing depends on it.
    Observe { peer: PeerId, addrs: Vec<Multiaddr> },
    /// Ask for a reservation by listening there; the listener goes to [`Relays::asking`].
    Reserve { peer: PeerId, addr: Multiaddr },
    /// Give the reservation back.
    Release { peer: PeerId, listener: ListenerId },
    /// Close every connection to it: some may be dead without having noticed.
    Disconnect(PeerId),
}

/// Every relay on offer.
#[derive(Default)]
pub(crate) struct Relays {
    entries: BTreeMap<PeerId, Entry>,
    /// This peer is reached without.
    reachable: bool,
}

struct Entry {
    offer: RelayOffer,
    step: Step,
    failures: u32,
    reason: String,
    /// When to be observed over the other transport again.
    observe: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Waiting {
        until: Instant,
    },
    Connecting {
        until: Instant,
    },
    Connected {
        until: Instant,
    },
    /// The listener is known a moment later.
    Asking {
        until: Instant,
        listener: Option<ListenerId>,
    },
    Held {
        since: Instant,
        listener: ListenerId,
    },
}

impl Relays {
    /// Which relays there are now; reservations at others are given back.
    pub(crate) fn offer(&mut self, offers: Vec<RelayOffer>, now: Instant) -> Vec<Action> {
        let mut offers: BTreeMap<_, _> = offers
            .into_iter()
            .map(|mut offer| {
                offer.addrs = usable(offer.addrs);
                (offer.peer, offer)
            })
            .filter(|(_, offer)| !offer.addrs.is_empty())
            .take(MAX_RELAYS)
            .collect();
        let mut actions = Vec::new();
        self.entries
            .retain(|peer, entry| match offers.remove(peer) {
                Some(offer) => {
                    entry.offer = offer;
                    true
                }
                None => {
                    actions.extend(entry.release(*peer));
                    false
                }
            });
        self.entries.extend(offers.into_iter().map(|(peer, offer)| {
            let entry = Entry {
                offer,
                step: Step::Waiting { until: now },
                failures: 0,
                reason: String::new(),
                observe: now,
            };
            (peer, entry)
        }));
        actions
    }

    /// Whether this peer is reachable without relays.
    pub(crate) fn set_reachable(&mut self, reachable: bool, now: Instant) -> Vec<Action> {
        if std::mem::replace(&mut self.reachable, reachable) == reachable {
            return Vec::new();
        }
        let mut actions = Vec::new();
        for (&peer, entry) in &mut self.entries {
            actions.extend(entry.release(peer));
            entry.step = Step::Waiting { until: now };
            entry.observe = now + OBSERVE_RARELY;
            entry.failures = 0;
        }
        actions
    }

    /// Everything that failed is tried again now: the network is another, or the user asks.
    pub(crate) fn hurry(&mut self, now: Instant) {
        for entry in self.entries.values_mut() {
            entry.failures = 0;
            entry.observe = now;
            if let Step::Waiting { until } = &mut entry.step {
                *until = now;
            }
        }
    }

    /// What is due. Call until it gives nothing.
    pub(crate) fn poll(&mut self, jitter: f64, now: Instant) -> Option<Action> {
        for (&peer, entry) in &mut self.entries {
            match entry.step {
                Step::Waiting { until } if until <= now && !self.reachable => {
                    entry.step = Step::Connecting { until: now + STEP };
                    let addrs = entry.addrs();
                    return Some(Action::Dial { peer, addrs });
                }
                Step::Waiting { .. } if self.reachable && entry.observe <= now => {
                    entry.observe = now + OBSERVE_RARELY;
                    let addrs = entry.addrs();
                    return Some(Action::Observe { peer, addrs });
                }
                Step::Connecting { until }
                | Step::Connected { until }
                | Step::Asking { until, .. }
                    if until <= now =>
                {
                    entry.fail("it does not answer".into(), jitter, now);
                    return Some(Action::Disconnect(peer));
                }
                Step::Connected { .. } | Step::Asking { .. } | Step::Held { .. }
                    if entry.observe <= now =>
                {
                    entry.observe = now + OBSERVE_AGAIN;
                    let addrs = entry.other_transport();
                    if !addrs.is_empty() {
                        return Some(Action::Observe { peer, addrs });
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// When [`Self::poll`] has something to give next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = |entry: &Entry| match entry.step {
            Step::Waiting { .. } if self.reachable => entry.observe,
            Step::Waiting { until } | Step::Connecting { until } => until,
            Step::Connected { until } | Step::Asking { until, .. } => until.min(entry.observe),
            Step::Held { .. } => entry.observe,
        };
        self.entries.values().map(due).min()
    }

    /// A direct connection to a peer was made.
    pub(crate) fn connected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(peer)
            && matches!(entry.step, Step::Waiting { .. } | Step::Connecting { .. })
            && !self.reachable
        {
            entry.step = Step::Connected { until: now + STEP };
            entry.observe = now;
        }
    }

    /// A peer that we are connected to has said who it is.
    pub(crate) fn identified(&mut self, peer: &PeerId, now: Instant) -> Option<Action> {
        let entry = self.entries.get_mut(peer)?;
        if self.reachable || !matches!(entry.step, Step::Connected { .. }) {
            return None;
        }
        entry.step = Step::Asking {
            until: now + STEP,
            listener: None,
        };
        Some(Action::Reserve {
            peer: *peer,
            addr: entry.addrs().swap_remove(0),
        })
    }

    /// The listener that asks for the reservation, or why there is none.
    pub(crate) fn asking(
        &mut self,
        peer: &PeerId,
        listener: Result<ListenerId, String>,
        now: Instant,
    ) {
        let Some(entry) = self.entries.get_mut(peer) else {
            return;
        };
        match (listener, &mut entry.step) {
            (Ok(id), Step::Asking { listener, .. }) => *listener = Some(id),
            (Err(reason), _) => entry.fail(reason, 1.0, now),
            (Ok(_), _) => {}
        }
    }

    /// The relay holds a reservation for us; whether that is news.
    pub(crate) fn held(&mut self, peer: &PeerId, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(peer) else {
            return false;
        };
        let Step::Asking {
            listener: Some(listener),
            ..
        } = entry.step
        else {
            return false;
        };
        entry.step = Step::Held {
            since: now,
            listener,
        };
        entry.failures = 0;
        true
    }

    /// A listener ended. Returns the relay it was at, when it was one of these.
    pub(crate) fn closed(
        &mut self,
        listener: ListenerId,
        reason: String,
        jitter: f64,
        now: Instant,
    ) -> Option<PeerId> {
        let (&peer, entry) = self
            .entries
            .iter_mut()
            .find(|(_, entry)| entry.step.listener() == Some(listener))?;
        entry.fail(reason, jitter, now);
        Some(peer)
    }

    /// It could not be connected to, or the connection to it that stood is gone.
    pub(crate) fn failed(&mut self, peer: &PeerId, reason: String, jitter: f64, now: Instant) {
        if let Some(entry) = self.entries.get_mut(peer)
            && !matches!(entry.step, Step::Waiting { .. })
        {
            entry.fail(reason, jitter, now);
        }
    }

    /// Whether a reservation there is of use.
    pub(crate) fn wants(&self, peer: &PeerId) -> bool {
        !self.reachable && self.is_offered(peer)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn is_offered(&self, peer: &PeerId) -> bool {
        self.entries.contains_key(peer)
    }

    /// Its name, for people.
    pub(crate) fn label(&self, peer: &PeerId) -> String {
        match self.entries.get(peer) {
            Some(entry) => entry.offer.label.clone(),
            None => "another server".into(),
        }
    }

    /// Whether any reservation is being made.
    pub(crate) fn is_asking(&self) -> bool {
        self.entries.values().any(|entry| {
            entry.failures == 0 && !self.reachable && !matches!(entry.step, Step::Held { .. })
        })
    }

    /// Addresses at which this peer is reached through relays, in the form of §1.3.
    pub(crate) fn circuits(&self) -> impl Iterator<Item = Multiaddr> {
        self.entries
            .values()
            .filter(|entry| matches!(entry.step, Step::Held { .. }))
            .flat_map(|entry| {
                entry
                    .offer
                    .addrs
                    .iter()
                    .take(2)
                    .map(|addr| (addr, entry.offer.peer))
            })
            .map(|(addr, relay)| addresses::circuit(addr.clone(), relay))
    }

    pub(crate) fn status(&self) -> Vec<Relay> {
        let state = |entry: &Entry| match entry.step {
            Step::Held { since, .. } => Reservation::Held(since),
            Step::Waiting { .. } if self.reachable => Reservation::NotNeeded,
            _ if entry.failures == 0 => Reservation::Asking,
            Step::Waiting { until }
            | Step::Connecting { until }
            | Step::Connected { until }
            | Step::Asking { until, .. } => Reservation::Failed {
                reason: entry.reason.clone(),
                next: until,
            },
        };
        self.entries
            .iter()
            .map(|(&peer, entry)| Relay {
                peer,
                label: entry.offer.label.clone(),
                state: state(entry),
            })
            .collect()
    }
}

impl Entry {
    /// TCP first: a relay that was killed says so at once, over QUIC it is missed only after ten
    /// seconds. When that failed, the other one's turn.
    fn addrs(&self) -> Vec<Multiaddr> {
        let mut addrs = self.offer.addrs.clone();
        let tcp_first = self.failures.is_multiple_of(2);
        addrs.sort_by_key(|addr| (addresses::transport(addr) == Some(Transport::Tcp)) != tcp_first);
        let first = addrs.first().and_then(addresses::transport);
        addrs.retain(|addr| addresses::transport(addr) == first);
        addrs
    }

    fn other_transport(&self) -> Vec<Multiaddr> {
        let used = self.addrs();
        let mut addrs = self.offer.addrs.clone();
        addrs.retain(|addr| !used.contains(addr));
        addrs
    }

    fn release(&self, peer: PeerId) -> Option<Action> {
        let listener = self.step.listener()?;
        Some(Action::Release { peer, listener })
    }

    fn fail(&mut self, reason: String, jitter: f64, now: Instant) {
        let longest = if self.failures < LONG_GONE {
            PAUSE
        } else {
            LONG_PAUSE
        };
        let pause = FIRST_PAUSE
            .saturating_mul(1 << self.failures.min(8))
            .min(longest)
            .mul_f64(0.5 + jitter / 2.0);
        self.failures += 1;
        self.reason = reason;
        self.step = Step::Waiting { until: now + pause };
    }
}

impl Step {
    fn listener(&self) -> Option<ListenerId> {
        match self {
            Self::Held { listener, .. } => Some(*listener),
            Self::Asking { listener, .. } => *listener,
            Self::Waiting { .. } | Self::Connecting { .. } | Self::Connected { .. } => None,
        }
    }
}

/// Those we can dial. Loopback, which existing servers list too, is for a relay on this very
/// host that has nothing else.
fn usable(mut addrs: Vec<Multiaddr>) -> Vec<Multiaddr> {
    addrs.retain(|addr| addresses::transport(addr).is_some());
    let reachable = |addr: &Multiaddr| addresses::ip(addr).is_none_or(is_reachable);
    if addrs.iter().any(reachable) {
        addrs.retain(reachable);
    }
    addrs.truncate(MAX_ADDRS);
    addrs
}

/// Why a relay refuses a reservation, as far as the library tells.
pub(crate) fn refusal(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    let mut causes = std::iter::successors(
        error
            .get_ref()
            .map(|inner| inner as &(dyn std::error::Error + 'static)),
        |error| error.source(),
    );
    let said = causes.find_map(|cause| {
        let text = cause.to_string().to_lowercase();
        let refused = ["refused", "permission", "denied"];
        if refused.iter().any(|word| text.contains(word)) {
            Some("it refuses a reservation for this peer")
        } else if text.contains("resource limit") {
            Some("it is full")
        } else if text.contains("not supported") || text.contains("unsupported") {
            Some("it is not a relay at the moment")
        } else if text.contains("no address") {
            Some("it does not know its own address")
        } else {
            None
        }
    });
    said.map_or(text, str::to_owned)
}

#[cfg(test)]
mod tests;
