//! What a node knows of its networks: this host's own addresses, and the connections there are.
//!
//! Every other state decides from it and none changes it; only the event loop does.

use std::net::IpAddr;

use goop2_proto::{Multiaddr, PeerId};

use crate::{
    net::{
        addresses::{self, is_relayed},
        connections::Connections,
        interfaces::Interfaces,
    },
    transport::port::Port,
};

pub(crate) struct Network {
    pub(crate) host: Host,
    pub(crate) connections: Connections,
}

/// This host.
pub(crate) struct Host {
    /// The peer that runs here.
    pub(crate) own: PeerId,
    pub(crate) port: Port,
    pub(crate) interfaces: Interfaces,
    /// A relay answers over TCP, and not over QUIC.
    pub(crate) udp_blocked: bool,
}

impl Host {
    /// Whether an address is on this host or on one of its networks.
    pub(crate) fn is_lan(&self, addr: &Multiaddr) -> bool {
        let ip = addresses::ip(addr).filter(|_| !is_relayed(addr));
        ip.is_some_and(|ip| ip.is_loopback() || self.interfaces.is_local(ip))
    }

    /// Its IP addresses.
    pub(crate) fn ips(&self) -> Vec<IpAddr> {
        let all = self.interfaces.0.iter().flat_map(|i| &i.addrs);
        all.map(|(ip, _)| *ip).collect()
    }

    /// Its addresses that others may reach.
    pub(crate) fn listening(&self) -> Vec<Multiaddr> {
        self.interfaces
            .reachable()
            .flat_map(|ip| self.port.addresses(ip))
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A host without networks.
    pub(crate) fn host() -> Host {
        Host {
            own: PeerId::random(),
            port: Port {
                number: 4001,
                ip6: true,
                quic: true,
            },
            interfaces: Interfaces::default(),
            udp_blocked: false,
        }
    }

    pub(crate) fn network() -> Network {
        Network {
            host: host(),
            connections: Connections::default(),
        }
    }
}
