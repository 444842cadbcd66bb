//! Where others see this peer, and what that means about the router in between.
//!
//! Every peer that we dial from the port we listen on reports which address the dial came from. The
//! same port for all of them is a router through which we can be dialed (a *cone*); another one for
//! each is one through which we cannot (*symmetric*), and then there is no address to announce. One
//! observer who sees our own port settles it too, for routers that keep the port do so for
//! everybody; one who sees another does not.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use goop2_proto::{Multiaddr, PeerId};

use crate::{
    net::{addresses, ip::is_reachable},
    status::{Nat, Observed, Transport},
};

/// Observers remembered; the newest are right.
const MAX_OBSERVERS: usize = 32;

/// How long an observation counts without being repeated: connections to relays, which last, repeat
/// nothing.
const GOOD_FOR: Duration = Duration::from_secs(2 * 60 * 60);

/// What others observed.
#[derive(Default)]
pub(crate) struct Observations(BTreeMap<(PeerId, Transport, bool), Seen>);

struct Seen {
    addr: Multiaddr,
    at: Instant,
}

impl Observations {
    /// A peer outside our networks, dialed from the port we listen on, saw the dial come from
    /// `addr`. Whether that is news.
    pub(crate) fn add(&mut self, observer: PeerId, addr: Multiaddr, now: Instant) -> bool {
        let (Some(transport), Some(ip)) = (addresses::transport(&addr), addresses::ip(&addr))
        else {
            return false;
        };
        if !is_reachable(ip) {
            return false;
        }
        let key = (observer, transport, ip.is_ipv4());
        let news = self.0.get(&key).is_none_or(|seen| seen.addr != addr);
        self.0.insert(key, Seen { addr, at: now });
        self.0
            .retain(|_, seen| now.saturating_duration_since(seen.at) < GOOD_FOR);
        if self.0.len() > MAX_OBSERVERS
            && let Some(oldest) = self
                .0
                .iter()
                .min_by_key(|(_, seen)| seen.at)
                .map(|(key, _)| *key)
        {
            self.0.remove(&oldest);
        }
        news
    }

    /// The network has changed: nothing of it holds.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The addresses seen, those seen by most first, and of those the newest.
    pub(crate) fn seen(&self) -> Vec<Observed> {
        let mut seen = BTreeMap::<&Multiaddr, (usize, Instant)>::new();
        for Seen { addr, at } in self.0.values() {
            let (observers, newest) = seen.entry(addr).or_insert((0, *at));
            *observers += 1;
            *newest = (*newest).max(*at);
        }
        let mut seen: Vec<_> = seen.into_iter().collect();
        seen.sort_by_key(|(_, known)| std::cmp::Reverse(*known));
        seen.into_iter()
            .map(|(addr, (observers, _))| Observed {
                addr: addr.clone(),
                observers,
            })
            .collect()
    }

    /// What the router does, judged over IPv4: nobody translates IPv6. `port` is what we listen on,
    /// `own` the addresses of this host.
    pub(crate) fn nat(&self, port: u16, own: &[IpAddr]) -> Nat {
        [Transport::Quic, Transport::Tcp]
            .map(|transport| self.nat_of(transport, port, own))
            .into_iter()
            .max_by_key(|nat| match nat {
                Nat::Unknown => 0,
                Nat::Changed => 1,
                // One transport that works is enough to be dialed.
                Nat::Symmetric => 2,
                Nat::Cone => 3,
                Nat::None => 4,
            })
            .unwrap_or_default()
    }

    /// The same for one transport: hole punching over QUIC depends on what the router does with
    /// UDP.
    pub(crate) fn nat_of(&self, transport: Transport, port: u16, own: &[IpAddr]) -> Nat {
        let seen: Vec<_> = self
            .0
            .iter()
            .filter(|((_, by, ip4), _)| *ip4 && *by == transport)
            .filter_map(|(_, seen)| {
                Some((addresses::ip(&seen.addr)?, addresses::port(&seen.addr)?))
            })
            .collect();
        let Some(first) = seen.first() else {
            return Nat::Unknown;
        };
        if seen.iter().any(|(ip, at)| own.contains(ip) && *at == port) {
            Nat::None
        } else if seen.iter().any(|other| other != first) {
            // Two uplinks look the same, and are as hard to dial.
            Nat::Symmetric
        } else if first.1 == port || seen.len() > 1 {
            Nat::Cone
        } else {
            Nat::Changed
        }
    }

    /// The addresses worth announcing: not those made for one destination only.
    pub(crate) fn useful(&self, port: u16, own: &[IpAddr]) -> Vec<Multiaddr> {
        self.seen()
            .into_iter()
            .map(|seen| seen.addr)
            .filter(|addr| {
                let is_ip4 = addresses::ip(addr).is_some_and(|ip| ip.is_ipv4());
                addresses::transport(addr).is_some_and(|transport| {
                    !is_ip4 || self.nat_of(transport, port, own) != Nat::Symmetric
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 4001;

    fn judge(seen: &[&str], own: &str) -> (Nat, usize) {
        let (now, mut observations) = (Instant::now(), Observations::default());
        for addr in seen {
            observations.add(PeerId::random(), addr.parse().unwrap(), now);
        }
        let own = [own.parse().unwrap()];
        (
            observations.nat(PORT, &own),
            observations.useful(PORT, &own).len(),
        )
    }

    #[test]
    fn the_router_is_judged_by_the_ports_that_others_see() {
        const HOME: &str = "192.168.1.2";
        let quic = |port: u16| format!("/ip4/11.0.0.1/udp/{port}/quic-v1");
        assert_eq!(judge(&[], HOME), (Nat::Unknown, 0));
        assert_eq!(
            judge(&["/ip4/11.0.0.1/tcp/4001"], "11.0.0.1"),
            (Nat::None, 1)
        );
        assert_eq!(judge(&["/ip4/11.0.0.1/tcp/4001"], HOME), (Nat::Cone, 1));
        assert_eq!(judge(&[&quic(24001)], HOME), (Nat::Changed, 1));
        assert_eq!(judge(&[&quic(24001), &quic(24001)], HOME), (Nat::Cone, 1));
        assert_eq!(
            judge(&[&quic(24001), &quic(50123)], HOME),
            (Nat::Symmetric, 0)
        );
        assert_eq!(
            judge(&["/ip6/2001:db8::7/tcp/4001"], HOME),
            (Nat::Unknown, 1)
        );
        // UDP is translated differently for each destination, TCP is not: it can be dialed over
        // TCP.
        assert_eq!(
            judge(
                &[&quic(24001), &quic(50123), "/ip4/11.0.0.1/tcp/4001"],
                HOME
            ),
            (Nat::Cone, 1)
        );
    }

    #[test]
    fn what_was_seen_most_comes_first_and_old_news_go() {
        let (now, mut observations) = (Instant::now(), Observations::default());
        let (a, b) = ("/ip4/11.0.0.1/tcp/1", "/ip4/11.0.0.1/tcp/2");
        assert!(observations.add(PeerId::random(), a.parse().unwrap(), now));
        let often = PeerId::random();
        for _ in 0..3 {
            observations.add(PeerId::random(), b.parse().unwrap(), now);
        }
        assert!(observations.add(often, a.parse().unwrap(), now));
        assert!(!observations.add(often, a.parse().unwrap(), now));
        assert_eq!(observations.seen()[0].addr.to_string(), b);
        assert_eq!(observations.seen()[0].observers, 3);
        for _ in 0..100 {
            observations.add(PeerId::random(), a.parse().unwrap(), now);
        }
        assert_eq!(observations.0.len(), MAX_OBSERVERS);
        observations.add(often, a.parse().unwrap(), now + GOOD_FOR);
        assert_eq!(observations.0.len(), 1);
        assert!(!observations.add(often, "/ip4/127.0.0.1/tcp/1".parse().unwrap(), now));
    }
}
