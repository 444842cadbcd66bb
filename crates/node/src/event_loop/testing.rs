//! Whether this peer is reached without help: the addresses where others may call it, what came of
//! their calls, and the press on “Test again”.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::autonat;

use super::{Chore, EventLoop, without_peer};
use crate::{net::addresses, outside::observed, status::Mapping};

/// Test results kept; there are as many addresses as transports and families, and some change.
pub(super) const MAX_TESTED: usize = 32;

/// How long a test may take: a relay is connected to, the library asks every two seconds, and gives
/// up a question after ten.
const TEST: Duration = Duration::from_secs(15);

/// How long this peer must have been reachable by itself before it gives up its relays.
const REACHABLE_FOR: Duration = Duration::from_secs(20);

/// How long a call that was made to see whether it can be is kept: a few round trips, after which
/// there is no use for it.
pub(super) const CALLED: Duration = Duration::from_secs(3);

impl EventLoop {
    /// Others may be able to call this peer there: somebody saw it there, or the router passes it
    /// on.
    pub(super) fn may_be_called_at(&mut self, addr: Multiaddr) {
        self.swarm.behaviour_mut().test.report(addr.clone());
        if !self.relays.is_empty() && !std::mem::replace(&mut self.was_tested, true) {
            self.agenda.put(Chore::Tested, Instant::now() + TEST);
        }
        if self.agenda.has(Chore::Tested) && self.under_test.len() < MAX_TESTED {
            self.under_test.insert(addr);
        }
    }

    pub(super) fn on_tested(&mut self, event: autonat::v2::client::Event) {
        let addr = without_peer(event.tested_addr);
        let arrived = event.result.is_ok();
        tracing::debug!(%addr, arrived, "an address was tested from outside");
        if !arrived {
            self.swarm.remove_external_address(&addr);
        }
        self.under_test.remove(&addr);
        if self.under_test.is_empty() {
            self.agenda.drop(Chore::Tested);
        }
        if self.tested.len() < MAX_TESTED || self.tested.contains_key(&addr) {
            self.tested.insert(addr, arrived);
        }
        self.forget_old_tests();
        self.see_whether_reachable();
    }

    /// Everything that may have changed without notice is looked at again. While that is under way
    /// there is nothing to add.
    pub(super) fn test_again(&mut self) {
        let now = Instant::now();
        if self.agenda.has(Chore::Tested) {
            return;
        }
        // A router is not asked to map again what it maps well: it would take that back first.
        let mapped = self.mapped().to_vec();
        if !mapped
            .iter()
            .any(|addr| self.tested.get(addr) == Some(&true))
        {
            self.map_ports.send_modify(|wish| wish.network += 1);
            self.tested.retain(|addr, _| !mapped.contains(addr));
            if !mapped.is_empty() {
                self.mapping = Mapping::Asking;
            }
        }
        self.forget_old_tests();
        self.under_test = self.worth_a_test().into_iter().take(MAX_TESTED).collect();
        self.swarm.behaviour_mut().test.test_anew(&self.under_test);
        if !self.relays.is_empty() {
            self.agenda.put(Chore::Tested, now + TEST);
        }
        self.relays.hurry(now);
        self.status_changed();
    }

    /// Every address where others may call this peer; of its own those at which it is seen from
    /// outside, or was.
    fn worth_a_test(&self) -> BTreeSet<Multiaddr> {
        let seen = self.observations.seen().into_iter().map(|seen| seen.addr);
        let mut addrs: BTreeSet<_> = seen.collect();
        let ips: BTreeSet<_> = addrs.iter().filter_map(addresses::ip).collect();
        let mut own = self.listening();
        own.retain(|addr| addresses::ip(addr).is_some_and(|ip| ips.contains(&ip)));
        addrs.extend(own);
        addrs.extend(self.tested.keys().cloned());
        addrs.extend(self.mapped().iter().cloned());
        addrs
    }

    /// Behind some routers each call comes from another port: of what others saw, only the last
    /// counts, and what the router may pass on at the port that is listened on.
    fn forget_old_tests(&mut self) {
        let seen: BTreeSet<_> = self
            .observations
            .seen()
            .into_iter()
            .map(|seen| seen.addr)
            .collect();
        let ips: BTreeSet<_> = seen.iter().filter_map(addresses::ip).collect();
        let passed_on = |addr: &Multiaddr| {
            let same_port = observed::port(addr) == Some(self.port.number);
            same_port && addresses::ip(addr).is_some_and(|ip| ips.contains(&ip))
        };
        let mut tested = std::mem::take(&mut self.tested);
        tested.retain(|addr, _| self.is_own(addr) || seen.contains(addr) || passed_on(addr));
        self.tested = tested;
    }

    /// The network is perhaps another: what calls at this peer's own addresses came to is found out
    /// anew.
    pub(super) fn test_own_again(&mut self) {
        let tested = self.tested.keys().filter(|addr| self.is_own(addr));
        let own: Vec<_> = tested.cloned().collect();
        self.was_tested = false;
        self.swarm.behaviour_mut().test.test_anew(&own);
    }

    /// Relays call to see whether they can, and for nothing else; they would keep what they have
    /// made for a while, and there may only be a few connections to one peer.
    pub(super) fn hang_up(&mut self, relay: &PeerId, now: Instant) {
        let calls = self
            .connections
            .iter()
            .filter(|(_, known)| known.peer == *relay && !known.dialled && !known.shown.relayed());
        for (&id, known) in calls {
            let until = known.shown.since + CALLED;
            if until <= now {
                self.swarm.close_connection(id);
            } else {
                self.agenda.hurry(Chore::HangUp(*relay), until);
            }
        }
    }

    /// Whoever has not called by now will not.
    pub(super) fn end_test(&mut self) {
        self.under_test.clear();
        self.status_changed();
    }

    /// Reachable is who has been called at an address of this machine or one that the router maps.
    /// That a call came through at an address that only others saw proves less: a router may let in
    /// whoever was called before, as the tester was.
    pub(super) fn is_reachable(&self) -> bool {
        let mut tested = self.tested.iter();
        tested.any(|(addr, arrived)| *arrived && self.is_own(addr))
    }

    fn is_own(&self, addr: &Multiaddr) -> bool {
        let own = self.own_ips();
        self.mapped().contains(addr) || addresses::ip(addr).is_some_and(|ip| own.contains(&ip))
    }

    pub(super) fn see_whether_reachable(&mut self) {
        if !self.is_reachable() {
            self.agenda.drop(Chore::Reachable);
            let actions = self.relays.set_reachable(false, Instant::now());
            self.act(actions);
        } else if !self.agenda.has(Chore::Reachable) {
            self.agenda
                .put(Chore::Reachable, Instant::now() + REACHABLE_FOR);
        }
        self.status_changed();
    }

    pub(super) fn on_reachable(&mut self, now: Instant) {
        let reachable = self.is_reachable();
        let actions = self.relays.set_reachable(reachable, now);
        self.act(actions);
        self.status_changed();
    }

    pub(super) fn on_mapping(&mut self, mapping: Mapping) {
        self.mapping = mapping;
        for addr in self.mapped().to_vec() {
            self.may_be_called_at(addr);
        }
        self.see_whether_reachable();
    }

    pub(super) fn mapped(&self) -> &[Multiaddr] {
        match &self.mapping {
            Mapping::Mapped(addrs) => addrs,
            Mapping::Off | Mapping::Asking | Mapping::NotFound => &[],
        }
    }
}
