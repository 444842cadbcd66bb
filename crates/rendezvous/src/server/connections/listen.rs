//! Which addresses the server binds, and the URLs at which people reach it (§6.7, §10.2).

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that wait to be accepted: a reconnecting crowd comes at once.
const BACKLOG: i32 = 4096;
/// How often another free port is tried when only one of the two families has the first.
const ATTEMPTS: usize = 16;
/// How far above a taken port another one is looked for: a number that people recognize.
const NEARBY: u16 = 16;
/// Interfaces of containers and virtual machines: their addresses cannot be reached from outside.
const VIRTUAL: [&str; 4] = ["docker", "veth", "br-", "virbr"];

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is in use.
    #[error(
        "presence.rendezvous_port: port {port} is in use by another program. Choose {}, or stop that program.",
        free.map_or_else(|| "another port".into(), |free| format!("port {free}, which is free"))
    )]
    Taken {
        /// The port.
        port: u16,
        /// One that is free.
        free: Option<u16>,
    },
    /// The address is not one of this host.
    #[error(
        "presence.rendezvous_bind: {0} is not an address of this computer. Leave it empty to listen on all addresses."
    )]
    NotOurs(IpAddr),
    /// The port is reserved for administrators.
    #[error(
        "presence.rendezvous_port: port {0} requires administrator rights. Choose one above 1023."
    )]
    Forbidden(u16),
    /// Any other error of the system.
    #[error("The rendezvous cannot listen on port {port}: {source}")]
    Io {
        /// The port asked for.
        port: u16,
        /// The reason.
        source: io::Error,
    },
}

/// Listens on one address, or with none given on all of both families, on one port.
pub(crate) fn bind(ip: Option<IpAddr>, port: u16) -> Result<Vec<TcpListener>, Error> {
    let bound = bind_all(ip, port);
    bound.map_err(|error| match error {
        Error::Taken { port, .. } => Error::Taken {
            port,
            free: free_above(ip, port),
        },
        error => error,
    })
}

/// A free port above one that is taken, to propose instead. None if there is none nearby.
fn free_above(ip: Option<IpAddr>, taken: u16) -> Option<u16> {
    let mut near = taken.checked_add(1)?..=taken.saturating_add(NEARBY);
    near.find(|port| bind_all(ip, *port).is_ok())
}

fn bind_all(ip: Option<IpAddr>, port: u16) -> Result<Vec<TcpListener>, Error> {
    if let Some(ip) = ip.filter(|ip| !ip.is_unspecified()) {
        return Ok(vec![one(ip, port)?]);
    }
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        let v4 = one(Ipv4Addr::UNSPECIFIED.into(), port)?;
        let chosen = v4
            .local_addr()
            .map_err(|source| Error::Io { port, source })?
            .port();
        match one(Ipv6Addr::UNSPECIFIED.into(), chosen) {
            Ok(v6) => return Ok(vec![v4, v6]),
            Err(Error::Taken { .. }) if port == 0 && attempts > 0 => {}
            Err(taken @ Error::Taken { .. }) => return Err(taken),
            // A host without IPv6.
            Err(_) => return Ok(vec![v4]),
        }
    }
}

fn one(ip: IpAddr, port: u16) -> Result<TcpListener, Error> {
    let listen = || {
        let addr = SocketAddr::new(ip, port);
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        if ip.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // On Windows this would let another program share the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    listen().map_err(|source: io::Error| match source.kind() {
        ErrorKind::AddrInUse => Error::Taken { port, free: None },
        ErrorKind::AddrNotAvailable => Error::NotOurs(ip),
        ErrorKind::PermissionDenied => Error::Forbidden(port),
        _ => Error::Io { port, source },
    })
}

/// The URLs that others can paste: only the public one if there is one; none if the server listens
/// on loopback only.
pub(crate) fn connect_urls(external: &str, bound: &[SocketAddr]) -> Vec<String> {
    let external = external.trim().trim_end_matches('/');
    if !external.is_empty() {
        return vec![external.into()];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let found = interfaces
        .iter()
        .filter(|interface| interface.is_oper_up())
        .map(|interface| (interface.name.as_str(), interface.ip()));
    reachable(bound, found)
}

fn reachable<'a>(
    bound: &[SocketAddr],
    interfaces: impl Iterator<Item = (&'a str, IpAddr)>,
) -> Vec<String> {
    let mut ips: Vec<IpAddr> = bound.iter().map(SocketAddr::ip).collect();
    let Some(port) = bound.first().map(SocketAddr::port) else {
        return Vec::new();
    };
    let everywhere: Vec<_> = ips.extract_if(.., |ip| ip.is_unspecified()).collect();
    for (name, ip) in interfaces {
        let name = name.to_lowercase();
        let is_virtual = VIRTUAL.iter().any(|prefix| name.starts_with(prefix));
        let listened = everywhere.iter().any(|any| any.is_ipv4() == ip.is_ipv4());
        if listened && !is_virtual && !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    ips.retain(|ip| !ip.is_loopback() && !is_link_local(*ip));
    ips.sort_by_key(IpAddr::is_ipv6);
    ips.into_iter()
        .map(|ip| format!("http://{}", SocketAddr::new(ip, port)))
        .collect()
}

/// In a URL it would need the zone, which browsers refuse.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(bound: &[&str], interfaces: &[(&str, &str)]) -> Vec<String> {
        let bound: Vec<SocketAddr> = bound.iter().map(|addr| addr.parse().unwrap()).collect();
        reachable(
            &bound,
            interfaces
                .iter()
                .map(|(name, ip)| (*name, ip.parse().unwrap())),
        )
    }

    #[test]
    fn the_urls_are_those_that_can_be_reached_from_outside() {
        let interfaces = [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("eth0", "2001:db8::5"),
            ("eth0", "fe80::1"),
            ("eth0", "192.168.1.20"),
            ("wlan0", "169.254.1.1"),
            ("docker0", "172.17.0.1"),
            ("vethab", "172.18.0.1"),
            ("br-12", "172.19.0.1"),
            ("VirBr0", "192.168.122.1"),
        ];
        assert_eq!(
            urls(&["0.0.0.0:8787", "[::]:8787"], &interfaces),
            ["http://192.168.1.20:8787", "http://[2001:db8::5]:8787"]
        );
        assert_eq!(
            urls(&["0.0.0.0:8787"], &interfaces),
            ["http://192.168.1.20:8787"]
        );
        assert_eq!(
            urls(&["192.168.1.20:80"], &interfaces),
            ["http://192.168.1.20:80"]
        );
        assert_eq!(urls(&["127.0.0.1:8787"], &interfaces), [""; 0]);
    }

    #[test]
    fn a_public_url_is_the_only_one() {
        let bound = ["0.0.0.0:8787".parse().unwrap()];
        assert_eq!(
            connect_urls(" https://meet.example/ ", &bound),
            ["https://meet.example"]
        );
    }

    #[tokio::test]
    async fn both_families_share_a_port_and_one_in_use_is_reported() {
        let listeners = bind(None, 0).unwrap();
        let port = listeners[0].local_addr().unwrap().port();
        assert!(
            listeners
                .iter()
                .all(|listener| listener.local_addr().unwrap().port() == port)
        );
        let error = bind(None, port).unwrap_err();
        let Error::Taken { port: taken, free } = error else {
            panic!("{error}");
        };
        assert_eq!(taken, port);
        if let Some(free) = free {
            assert!(free > port);
            assert!(
                error
                    .to_string()
                    .contains(&format!("port {free}, which is free"))
            );
        }
        let foreign = [203, 0, 113, 77].into();
        assert!(matches!(bind(Some(foreign), 0), Err(Error::NotOurs(ip)) if ip == foreign));
    }
}
