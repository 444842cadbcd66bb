//! The host's interfaces and addresses, as they come and go.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    time::Duration,
};

use futures::StreamExt;
use if_watch::tokio::IfWatcher;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::net::ip::{is_private, is_reachable};

/// Several addresses change together; wait for the rest of them.
const SETTLE: Duration = Duration::from_millis(100);

/// How often to look anyway: the system reports addresses that come and go, but not that an
/// interface, which keeps its address, has lost its cable or was switched off. A look costs less
/// than a tenth of a millisecond.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// One interface that is up and not loopback, with its addresses in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// With the length of the subnet's prefix.
    pub(crate) addrs: Vec<(IpAddr, u8)>,
}

impl Interface {
    /// The addresses others can reach, IPv4 first.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = IpAddr> {
        self.addrs
            .iter()
            .map(|(ip, _)| *ip)
            .filter(|ip| is_reachable(*ip))
    }
}

/// All of them, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interfaces(pub(crate) Vec<Interface>);

impl Interfaces {
    /// What there is now.
    pub(crate) fn read() -> io::Result<Self> {
        let mut interfaces = BTreeMap::<(u32, String), Vec<(IpAddr, u8)>>::new();
        for found in if_addrs::get_if_addrs()? {
            let Some(index) = found
                .index
                .filter(|_| found.is_oper_up() && !found.is_loopback())
            else {
                continue;
            };
            let prefix = match &found.addr {
                if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                if_addrs::IfAddr::V6(v6) => v6.prefixlen,
            };
            interfaces
                .entry((index, found.name.clone()))
                .or_default()
                .push((found.ip(), prefix));
        }
        Ok(Self(
            interfaces
                .into_iter()
                .map(|((index, name), mut addrs)| {
                    addrs.sort();
                    Interface { index, name, addrs }
                })
                .collect(),
        ))
    }

    /// The addresses others can reach.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = IpAddr> {
        self.0.iter().flat_map(Interface::reachable)
    }

    /// Whether the address is of one of our subnets, or of a private range that a router may join
    /// to ours.
    pub(crate) fn is_local(&self, ip: IpAddr) -> bool {
        is_private(ip) || self.is_own(ip)
    }

    /// Whether the address is of one of our subnets.
    pub(crate) fn is_own(&self, ip: IpAddr) -> bool {
        let mut own = self.0.iter().flat_map(|interface| &interface.addrs);
        own.any(|(own, prefix)| same_subnet(*own, ip, *prefix))
    }
}

fn same_subnet(a: IpAddr, b: IpAddr, prefix: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).leading_zeros() >= prefix.into()
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).leading_zeros() >= prefix.into()
        }
        _ => false,
    }
}

/// The address of this host from which it would send there now.
pub(crate) fn source_of(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Sends nothing: it only looks up the route. The port does not matter.
    socket.connect((destination, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Keeps `current` up to date until stopped.
pub(crate) async fn follow(current: watch::Sender<Interfaces>, stop: CancellationToken) {
    let mut watcher = IfWatcher::new()
        .inspect_err(
            |error| tracing::debug!(%error, "no notice of interface changes: looking every second"),
        )
        .ok();
    loop {
        let news = async {
            match &mut watcher {
                Some(watcher) => drop(watcher.next().await),
                None => std::future::pending().await,
            }
            tokio::time::sleep(SETTLE).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = news => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        match Interfaces::read() {
            Ok(read) => drop(current.send_if_modified(|old| {
                let changed = *old != read;
                *old = read;
                changed
            })),
            Err(error) => tracing::debug!(%error, "the interfaces cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_is_the_own_subnet_or_a_private_range() {
        let own = |ip: &str, prefix| {
            Interfaces(vec![Interface {
                index: 2,
                name: "eth0".into(),
                addrs: vec![(ip.parse().unwrap(), prefix)],
            }])
        };
        let interfaces = own("11.77.3.9", 24);
        for local in ["11.77.3.200", "192.168.9.9", "10.1.1.1", "fd00::7"] {
            assert!(interfaces.is_local(local.parse().unwrap()), "{local}");
        }
        for foreign in ["11.77.4.1", "8.8.8.8", "2001:db8::1"] {
            assert!(!interfaces.is_local(foreign.parse().unwrap()), "{foreign}");
        }
        assert!(own("2001:db8::1", 64).is_local("2001:db8::ffff".parse().unwrap()));
    }
}
