//! Another peer with our own identity on the local network: a copy of the folder runs on another
//! computer. Visitors reach either, and neither owner would notice. What is announced under our id at
//! an address that never was ours comes from there; our own announcements come back, too, some after
//! an address is gone.

use std::{collections::HashSet, net::IpAddr};

use goop2_proto::{Multiaddr, mdns::Found};
use libp2p::multiaddr::Protocol;

use crate::net::{addresses, network::Host};

/// Addresses of this host remembered: more than it gets in any run, unless someone plays with them.
const MAX_HELD: usize = 1024;

#[derive(Default)]
pub(crate) struct Twin {
    /// The IP addresses that this host had since the start.
    held: HashSet<IpAddr>,
    pub(crate) seen: bool,
}

impl Twin {
    /// To be called whenever the addresses changed.
    pub(crate) fn hold(&mut self, host: &Host) {
        let ips = host.ips();
        if self.held.len() + ips.len() <= MAX_HELD {
            self.held.extend(ips);
        }
    }

    /// Whether this is the first sign of one.
    pub(crate) fn found(&mut self, found: &Found, host: &Host) -> bool {
        if self.seen || found.peer != host.own || found.goodbye {
            return false;
        }
        self.seen = found.addrs.iter().any(|addr| self.is_foreign(addr, host));
        self.seen
    }

    fn is_foreign(&self, addr: &Multiaddr, host: &Host) -> bool {
        let port = addr.iter().find_map(|part| match part {
            Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
            _ => None,
        });
        addresses::ip(addr).is_some_and(|ip| !self.held.contains(&ip))
            || port.is_some_and(|port| port != host.port.number)
    }
}

#[cfg(test)]
mod tests {
    use goop2_proto::PeerId;

    use super::*;
    use crate::net::{
        interfaces::{Interface, Interfaces},
        network::tests::host,
    };

    fn at(ip: &str) -> Interfaces {
        Interfaces(vec![Interface {
            index: 1,
            name: "eth0".into(),
            addrs: vec![(ip.parse().unwrap(), 24)],
        }])
    }

    fn announced(peer: PeerId, addr: &str, goodbye: bool) -> Found {
        Found {
            instance: "x".into(),
            peer,
            addrs: vec![addr.parse().unwrap()],
            goodbye,
        }
    }

    #[test]
    fn our_own_announcements_are_none_even_after_the_address_changed() {
        let (mut twin, mut host) = (Twin::default(), host());
        let own = host.own;
        host.interfaces = at("192.168.1.20");
        twin.hold(&host);
        host.interfaces = at("192.168.1.30");
        twin.hold(&host);
        for addr in [
            "/ip4/192.168.1.20/tcp/4001",
            "/ip4/192.168.1.30/udp/4001/quic-v1",
        ] {
            assert!(!twin.found(&announced(own, addr, false), &host), "{addr}");
        }
        let elsewhere = "/ip4/192.168.1.40/tcp/4001";
        assert!(!twin.found(&announced(PeerId::random(), elsewhere, false), &host));
        assert!(!twin.found(&announced(own, elsewhere, true), &host));
        assert!(!twin.seen);
    }

    #[test]
    fn another_address_or_another_port_is_another_computer_or_another_program() {
        for addr in ["/ip4/192.168.1.40/tcp/4001", "/ip4/192.168.1.20/tcp/4002"] {
            let (mut twin, mut host) = (Twin::default(), host());
            host.interfaces = at("192.168.1.20");
            twin.hold(&host);
            let found = announced(host.own, addr, false);
            assert!(twin.found(&found, &host), "{addr}");
            assert!(!twin.found(&found, &host), "said once");
        }
    }
}
