//! Where the relay is reached from outside: what the operator configures, or the addresses of
//! this host.
//!
//! Names are looked up again from time to time: a line at home changes its address, existing
//! servers keep the one of their start. The relay asks nobody whether an address works: those who
//! could tell are the peers that want to use it.

use std::{io, net::IpAddr, time::Duration};

use goop2_proto::{Multiaddr, relay::MAX_ADDRS};
use libp2p::multiaddr::Protocol;
use tokio::{net::lookup_host, sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    net::{
        addresses::ip,
        interfaces::{self, Interfaces},
        ip::{is_private, is_reachable},
    },
    transport::port::Port,
};

/// How often names are looked up: the usual life of the record of a changing line.
const LOOK_UP: Duration = Duration::from_secs(5 * 60);

/// How soon again when a name was not found: while a host starts its network may not be up.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(15);

/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One address or name of the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum External {
    /// A whole address, taken as it is.
    Addr(Multiaddr),
    /// An IP address, or a name that stands for some; with the relay's own port.
    Host(String),
}

impl External {
    /// A multiaddress, an IP address or a name; nothing for a multiaddress that is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.starts_with('/') {
            return Some(Self::Host(text.into()));
        }
        let mut addr: Multiaddr = text.parse().ok()?;
        if let Some(Protocol::P2p(_)) = addr.iter().last() {
            addr.pop();
        }
        Some(Self::Addr(addr))
    }

    /// What it stands for now; nothing when that cannot be found out.
    async fn resolve(&self, port: Port) -> Option<Vec<Multiaddr>> {
        let name = match self {
            Self::Addr(addr) => return Some(vec![addr.clone()]),
            Self::Host(name) => name,
        };
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Some(port.addresses(ip).collect());
        }
        let look_up = lookup_host((name.as_str(), port.number));
        match timeout(PATIENCE, look_up).await.map_err(io::Error::from) {
            Ok(Ok(found)) => Some(
                found
                    .map(|found| found.ip())
                    .filter(|ip| is_reachable(*ip))
                    .flat_map(|ip| port.addresses(ip))
                    .collect(),
            ),
            Ok(Err(error)) | Err(error) => {
                tracing::warn!(name, %error, "the relay's host name was not found");
                None
            }
        }
    }
}

/// Publishes the addresses, best first, and again when they change, until stopped.
pub(super) async fn follow(
    externals: Vec<External>,
    port: Port,
    addresses: watch::Sender<Vec<Multiaddr>>,
    stop: CancellationToken,
) {
    let here = watch::Sender::new(Interfaces::read().unwrap_or_default());
    let mut changes = here.subscribe();
    let watching = interfaces::follow(here, stop.clone());
    let telling = async {
        let mut known = vec![None; externals.len()];
        loop {
            let mut pause = LOOK_UP;
            for (external, known) in externals.iter().zip(&mut known) {
                match external.resolve(port).await {
                    // A name that is not found now still stands for what it did.
                    None => pause = LOOK_UP_AGAIN,
                    found => *known = found,
                }
            }
            let own = changes.borrow_and_update().clone();
            let addrs = choose(known.iter().flatten().flatten(), &own, port);
            addresses.send_if_modified(|old| std::mem::replace(old, addrs.clone()) != addrs);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Ok(()) = changes.changed() => {}
            }
        }
    };
    tokio::select! {
        () = watching => {}
        () = telling => {}
        () = stop.cancelled() => {}
    }
}

/// What was configured, or else what this host has; public ones first.
fn choose<'a>(
    said: impl Iterator<Item = &'a Multiaddr>,
    own: &Interfaces,
    port: Port,
) -> Vec<Multiaddr> {
    let mut addrs: Vec<_> = said.cloned().collect();
    if addrs.is_empty() {
        addrs = own.reachable().flat_map(|ip| port.addresses(ip)).collect();
    }
    addrs.sort_by_key(|addr| ip(addr).is_some_and(is_private));
    let mut seen = Vec::new();
    addrs.retain(|addr| {
        let new = !seen.contains(addr);
        seen.push(addr.clone());
        new
    });
    addrs.truncate(MAX_ADDRS);
    addrs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::interfaces::Interface;

    const PORT: Port = Port {
        number: 4002,
        ip6: true,
        quic: true,
    };

    fn own() -> Interfaces {
        Interfaces(vec![Interface {
            index: 2,
            name: "eth0".into(),
            addrs: ["192.168.1.9", "11.0.0.2", "fe80::1"]
                .map(|ip| (ip.parse().unwrap(), 24))
                .into(),
        }])
    }

    fn texts(addrs: &[Multiaddr]) -> Vec<String> {
        addrs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn without_configuration_it_is_this_host_public_first() {
        let addrs = choose([].iter(), &own(), PORT);
        assert_eq!(
            texts(&addrs),
            [
                "/ip4/11.0.0.2/tcp/4002",
                "/ip4/11.0.0.2/udp/4002/quic-v1",
                "/ip4/192.168.1.9/tcp/4002",
                "/ip4/192.168.1.9/udp/4002/quic-v1"
            ]
        );
    }

    #[tokio::test]
    async fn what_the_operator_configures_is_taken() {
        let mut said = Vec::new();
        for text in [
            "10.1.1.1",
            "/ip4/203.0.113.9/tcp/99",
            "203.0.113.9",
            "/ip4/203.0.113.9/tcp/99",
        ] {
            said.extend(External::parse(text).unwrap().resolve(PORT).await.unwrap());
        }
        let addrs = choose(said.iter(), &own(), PORT);
        assert_eq!(
            texts(&addrs),
            [
                "/ip4/203.0.113.9/tcp/99",
                "/ip4/203.0.113.9/tcp/4002",
                "/ip4/203.0.113.9/udp/4002/quic-v1",
                "/ip4/10.1.1.1/tcp/4002",
                "/ip4/10.1.1.1/udp/4002/quic-v1"
            ]
        );
        assert_eq!(External::parse("/nonsense"), None);
    }
}
