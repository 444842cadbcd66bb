//! Whether other networks reach this peer without help: the addresses where it may be dialed, what
//! came of test dials to them, and what to tell others.
//!
//! A peer counts as reachable when a test dial arrived at an address of this host or at one that
//! the router maps. An arrival at an address that only others saw proves less: a router may
//! let in anyone who was dialed before, as the tester was.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddrV4},
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId, presence::MAX_ADDRS};

use crate::{
    agenda::Agenda,
    net::{addresses, network::Host},
    outside::{observed::Observations, relays::Relays},
    status::{Mapping, Nat, Reach, Transport},
};

/// Test results kept; there are as many addresses as transports and families, and some change.
const MAX_TESTED: usize = 32;

/// How long a test may take: a relay is connected to, the library asks every two seconds, and gives
/// up a question after ten.
const TEST: Duration = Duration::from_secs(15);

/// How long this peer must have been reachable directly before it gives up its relays.
const REACHABLE_FOR: Duration = Duration::from_secs(20);

/// Addresses announced in addition to those of this host.
const MAX_OUTSIDE: usize = 12;

/// What to do now.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Have others test this address.
    Test(Multiaddr),
    /// Forget all tests, and have these addresses tested.
    TestAnew(Vec<Multiaddr>),
    /// This peer is not reached at this address.
    NotReached(Multiaddr),
    /// Ask the router for ports again.
    AskRouter,
    /// Whether this peer is reached without relays.
    Reachable(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Chore {
    /// See whether this peer is still reachable, and needs no relay.
    Reachable,
    /// The test is over.
    Tested,
}

/// What the router does with UDP, for hole punching.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Udp {
    pub(crate) nat: Nat,
    /// Where others see our QUIC, over IPv4.
    pub(crate) seen_at: Option<SocketAddrV4>,
}

#[derive(Default)]
pub(crate) struct Reachability {
    observations: Observations,
    /// Addresses of ours that other hosts were asked to dial, and whether they got through; at most
    /// [`MAX_TESTED`].
    tested: BTreeMap<Multiaddr, bool>,
    /// Those whose result the current test waits for.
    under_test: BTreeSet<Multiaddr>,
    /// A test has begun on this network; further ones begin when the user asks.
    was_tested: bool,
    mapping: Mapping,
    agenda: Agenda<Chore>,
    actions: VecDeque<Action>,
}

impl Reachability {
    /// A peer outside, dialed from our port, saw us at `addr`; whether that is news.
    pub(crate) fn observed(
        &mut self,
        observer: PeerId,
        addr: Multiaddr,
        relays: &Relays,
        now: Instant,
    ) -> bool {
        self.may_be_dialed_at(addr.clone(), relays, now);
        self.observations.add(observer, addr, now)
    }

    /// What the router maps has changed.
    pub(crate) fn mapped(&mut self, mapping: Mapping, relays: &Relays, host: &Host, now: Instant) {
        self.mapping = mapping;
        for addr in self.mapped_addresses().to_vec() {
            self.may_be_dialed_at(addr, relays, now);
        }
        self.judge(host, now);
    }

    /// The result of one test dial.
    pub(crate) fn tested(&mut self, addr: Multiaddr, arrived: bool, host: &Host, now: Instant) {
        tracing::debug!(%addr, arrived, "an address was tested from outside");
        if !arrived {
            self.actions.push_back(Action::NotReached(addr.clone()));
        }
        self.under_test.remove(&addr);
        if self.under_test.is_empty() {
            self.agenda.drop(Chore::Tested);
        }
        if self.tested.len() < MAX_TESTED || self.tested.contains_key(&addr) {
            self.tested.insert(addr, arrived);
        }
        self.forget_old_tests(host);
        self.judge(host, now);
    }

    /// The user asks: everything that may have changed without notice is tested again. Whether that
    /// begins now; during a test there is nothing to add.
    pub(crate) fn test_again(&mut self, relays: &Relays, host: &Host, now: Instant) -> bool {
        if self.agenda.has(Chore::Tested) {
            return false;
        }
        // A router is not asked to map again what it maps well: it would take that back first.
        let mapped = self.mapped_addresses().to_vec();
        if !mapped
            .iter()
            .any(|addr| self.tested.get(addr) == Some(&true))
        {
            self.actions.push_back(Action::AskRouter);
            self.tested.retain(|addr, _| !mapped.contains(addr));
            if !mapped.is_empty() {
                self.mapping = Mapping::Asking;
            }
        }
        self.forget_old_tests(host);
        self.under_test = self
            .worth_a_test(host)
            .into_iter()
            .take(MAX_TESTED)
            .collect();
        let addrs = self.under_test.iter().cloned().collect();
        self.actions.push_back(Action::TestAnew(addrs));
        if !relays.is_empty() {
            self.agenda.put(Chore::Tested, now + TEST);
        }
        true
    }

    /// The network may be another: what others saw is void, and test dials to this peer's own
    /// addresses are made again.
    pub(crate) fn network_changed(&mut self, host: &Host, now: Instant) {
        self.observations.clear();
        let tested = self.tested.keys().filter(|addr| self.is_own(addr, host));
        let own = tested.cloned().collect();
        self.was_tested = false;
        self.actions.push_back(Action::TestAnew(own));
        self.actions.push_back(Action::AskRouter);
        self.judge(host, now);
    }

    /// Does what is due; whether anything was.
    pub(crate) fn poll(&mut self, host: &Host, now: Instant) -> bool {
        let mut changed = false;
        while let Some(chore) = self.agenda.due(now) {
            changed = true;
            match chore {
                Chore::Reachable => {
                    let reachable = self.is_reachable(host);
                    self.actions.push_back(Action::Reachable(reachable));
                }
                // Anyone who has not dialed by now will not.
                Chore::Tested => self.under_test.clear(),
            }
        }
        changed
    }

    /// When [`Self::poll`] has something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// The next thing to do.
    pub(crate) fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(crate) fn is_testing(&self) -> bool {
        self.agenda.has(Chore::Tested)
    }

    /// What the router does with UDP.
    pub(crate) fn udp(&self, host: &Host) -> Udp {
        let seen = self.observations.seen();
        let seen_at = seen
            .iter()
            .filter(|seen| addresses::transport(&seen.addr) == Some(Transport::Quic))
            .find_map(|seen| match addresses::ip(&seen.addr)? {
                IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, addresses::port(&seen.addr)?)),
                IpAddr::V6(_) => None,
            });
        let (port, own) = (host.port.number, host.ips());
        Udp {
            nat: self.observations.nat_of(Transport::Quic, port, &own),
            seen_at,
        }
    }

    /// The addresses to announce, those of this host first.
    pub(crate) fn published(
        &self,
        listen: &[Multiaddr],
        relays: &Relays,
        host: &Host,
    ) -> Vec<Multiaddr> {
        let confirmed = self.tested.iter().filter(|(_, arrived)| **arrived);
        let seen = self.observations.useful(host.port.number, &host.ips());
        let mut outside = Vec::new();
        let candidates = relays
            .circuits()
            .chain(self.mapped_addresses().iter().cloned())
            .chain(
                confirmed
                    .map(|(addr, _)| addr.clone())
                    .filter(|addr| seen.contains(addr)),
            )
            .chain(seen.clone());
        for addr in candidates {
            if outside.len() < MAX_OUTSIDE && !outside.contains(&addr) && !listen.contains(&addr) {
                outside.push(addr);
            }
        }
        let own = listen.iter().take(MAX_ADDRS - outside.len()).cloned();
        own.chain(outside).collect()
    }

    pub(crate) fn report(&self, relays: &Relays, host: &Host) -> Reach {
        let tested = |wanted| {
            let tested = self
                .tested
                .iter()
                .filter(move |(_, arrived)| **arrived == wanted);
            tested.map(|(addr, _)| addr.clone()).collect()
        };
        Reach {
            nat: self.observations.nat(host.port.number, &host.ips()),
            observed: self.observations.seen(),
            udp_blocked: host.udp_blocked,
            reachable: self.is_reachable(host),
            confirmed: tested(true),
            unreachable: tested(false),
            mapping: self.mapping.clone(),
            relays: relays.status(),
            testing: relays.is_asking() || self.mapping == Mapping::Asking || self.is_testing(),
        }
    }

    /// Others may be able to dial this peer there: somebody saw it there, or the router maps it.
    fn may_be_dialed_at(&mut self, addr: Multiaddr, relays: &Relays, now: Instant) {
        self.actions.push_back(Action::Test(addr.clone()));
        if !relays.is_empty() && !std::mem::replace(&mut self.was_tested, true) {
            self.agenda.put(Chore::Tested, now + TEST);
        }
        if self.is_testing() && self.under_test.len() < MAX_TESTED {
            self.under_test.insert(addr);
        }
    }

    /// Relays are needed again at once, and given up only after a while.
    fn judge(&mut self, host: &Host, now: Instant) {
        if !self.is_reachable(host) {
            self.agenda.drop(Chore::Reachable);
            self.actions.push_back(Action::Reachable(false));
        } else if !self.agenda.has(Chore::Reachable) {
            self.agenda.put(Chore::Reachable, now + REACHABLE_FOR);
        }
    }

    /// Every address where others may dial this peer. Of our addresses, those at which it is seen
    /// from outside, or was.
    fn worth_a_test(&self, host: &Host) -> BTreeSet<Multiaddr> {
        let mut addrs = self.seen();
        let ips: BTreeSet<_> = addrs.iter().filter_map(addresses::ip).collect();
        let mut own = host.listening();
        own.retain(|addr| addresses::ip(addr).is_some_and(|ip| ips.contains(&ip)));
        addrs.extend(own);
        addrs.extend(self.tested.keys().cloned());
        addrs.extend(self.mapped_addresses().iter().cloned());
        addrs
    }

    /// Behind some routers each dial comes from another port: of what others saw, only the last
    /// counts, and what the router may pass on at the port that is listened on.
    fn forget_old_tests(&mut self, host: &Host) {
        let seen = self.seen();
        let ips: BTreeSet<_> = seen.iter().filter_map(addresses::ip).collect();
        let passed_on = |addr: &Multiaddr| {
            let same_port = addresses::port(addr) == Some(host.port.number);
            same_port && addresses::ip(addr).is_some_and(|ip| ips.contains(&ip))
        };
        let mut tested = std::mem::take(&mut self.tested);
        tested.retain(|addr, _| self.is_own(addr, host) || seen.contains(addr) || passed_on(addr));
        self.tested = tested;
    }

    fn seen(&self) -> BTreeSet<Multiaddr> {
        let seen = self.observations.seen().into_iter();
        seen.map(|seen| seen.addr).collect()
    }

    fn is_reachable(&self, host: &Host) -> bool {
        let mut tested = self.tested.iter();
        tested.any(|(addr, arrived)| *arrived && self.is_own(addr, host))
    }

    fn is_own(&self, addr: &Multiaddr, host: &Host) -> bool {
        let own = host.ips();
        let mapped = self.mapped_addresses().contains(addr);
        mapped || addresses::ip(addr).is_some_and(|ip| own.contains(&ip))
    }

    fn mapped_addresses(&self) -> &[Multiaddr] {
        match &self.mapping {
            Mapping::Mapped(addrs) => addrs,
            Mapping::Off | Mapping::Asking | Mapping::NotFound => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        net::{
            interfaces::{Interface, Interfaces},
            network::tests::host,
        },
        outside::relays::RelayOffer,
    };

    const OWN: &str = "/ip4/11.0.0.1/tcp/4001";
    const SEEN: &str = "/ip4/11.0.0.9/udp/24001/quic-v1";

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn public_host() -> Host {
        Host {
            interfaces: Interfaces(vec![Interface {
                index: 2,
                name: "eth0".into(),
                addrs: vec![("11.0.0.1".parse().unwrap(), 24)],
            }]),
            ..host()
        }
    }

    fn relays(now: Instant) -> Relays {
        let mut relays = Relays::default();
        let offer = RelayOffer {
            peer: PeerId::random(),
            addrs: vec![addr("/ip4/11.0.0.8/tcp/1")],
            label: "meet.example".into(),
        };
        relays.offer(vec![offer], now);
        relays
    }

    fn actions(state: &mut Reachability) -> Vec<Action> {
        std::iter::from_fn(|| state.action()).collect()
    }

    #[test]
    fn relays_are_given_up_after_a_while_and_wanted_again_at_once() {
        let (now, host, mut state) = (Instant::now(), public_host(), Reachability::default());
        state.tested(addr(OWN), true, &host, now);
        assert!(actions(&mut state).is_empty());
        let later = now + REACHABLE_FOR;
        assert_eq!(state.poll_timeout(), Some(later));
        assert!(state.poll(&host, later));
        assert_eq!(actions(&mut state), [Action::Reachable(true)]);
        state.tested(addr(OWN), false, &host, later);
        assert_eq!(
            actions(&mut state),
            [Action::NotReached(addr(OWN)), Action::Reachable(false)]
        );
    }

    #[test]
    fn an_address_that_only_others_see_does_not_make_a_peer_reachable() {
        let (now, host, mut state) = (Instant::now(), host(), Reachability::default());
        assert!(state.observed(PeerId::random(), addr(SEEN), &relays(now), now));
        assert!(state.is_testing());
        state.tested(addr(SEEN), true, &host, now);
        assert!(!state.is_testing(), "nothing else is under test");
        let report = state.report(&Relays::default(), &host);
        assert!(!report.reachable);
        assert_eq!(report.confirmed, [addr(SEEN)]);
        assert_eq!(
            state.udp(&host).seen_at,
            Some("11.0.0.9:24001".parse().unwrap())
        );
    }

    #[test]
    fn a_test_that_nobody_answers_ends() {
        let (now, host, mut state) = (Instant::now(), host(), Reachability::default());
        let relays = relays(now);
        state.observed(PeerId::random(), addr(SEEN), &relays, now);
        assert!(!state.test_again(&relays, &host, now), "one at a time");
        assert!(state.poll(&host, now + TEST));
        assert!(!state.is_testing());
        assert!(state.test_again(&relays, &host, now));
        assert!(actions(&mut state).contains(&Action::TestAnew(vec![addr(SEEN)])));
    }
}
