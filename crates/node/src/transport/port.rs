//! Which port to listen on: the same number for TCP and UDP, IPv4 and IPv6.
//!
//! The library's listeners share their port with anybody who asks to (hole punching dials from the
//! listening port), so a second peer on a configured port would start and then share its
//! connections at random. A plain bind, made first and given up again, notices that.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
};

use goop2_proto::Multiaddr;
use libp2p::multiaddr::Protocol;

/// How often to look for a number that is free for TCP and UDP. A handful is free of everything on
/// any host.
const ATTEMPTS: usize = 16;

/// How far above a taken port another one is looked for: a number that people recognize.
const NEARBY: u16 = 16;

/// The port, and what can listen on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) number: u16,
    pub(crate) ip6: bool,
    pub(crate) quic: bool,
}

impl Port {
    /// The addresses at which this host listens on this IP address, TCP first.
    pub(crate) fn addresses(self, ip: IpAddr) -> impl Iterator<Item = Multiaddr> {
        let host = Multiaddr::from(ip);
        let tcp = host.clone().with(Protocol::Tcp(self.number));
        let quic = host.with(Protocol::Udp(self.number)).with(Protocol::QuicV1);
        let usable = ip.is_ipv4() || self.ip6;
        usable
            .then_some(tcp)
            .into_iter()
            .chain((usable && self.quic).then_some(quic))
    }
}

/// Chooses the port: `wanted`, or a free one for 0. Fails only when TCP over IPv4 cannot listen.
pub(crate) fn choose(wanted: u16) -> io::Result<Port> {
    if wanted != 0 {
        return look_at(wanted);
    }
    let mut last = look_at(0)?;
    for _ in 1..ATTEMPTS {
        if last.quic {
            break;
        }
        last = look_at(0)?;
    }
    Ok(last)
}

/// A free port above one that is taken, to propose instead. None if there is none nearby.
pub(crate) fn free_above(taken: u16) -> Option<u16> {
    let near = taken.checked_add(1)?..=taken.saturating_add(NEARBY);
    near.into_iter()
        .find(|number| look_at(*number).is_ok_and(|port| port.quic))
}

fn look_at(number: u16) -> io::Result<Port> {
    let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, number))?;
    let number = tcp.local_addr()?.port();
    let ip6 = match ip6_socket(socket2::Type::STREAM, number).and_then(|s| s.listen(1)) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
        listening => listening.is_ok(),
    };
    let quic = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok()
        && (!ip6 || ip6_socket(socket2::Type::DGRAM, number).is_ok());
    Ok(Port { number, ip6, quic })
}

fn ip6_socket(kind: socket2::Type, number: u16) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, kind, None)?;
    socket.set_only_v6(true)?;
    #[cfg(unix)]
    if kind == socket2::Type::STREAM {
        // As for any listener: connections of the run before may linger.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, number)).into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_even_when_its_owner_shares_it() {
        let owner =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        owner.set_reuse_address(true).unwrap();
        #[cfg(unix)]
        owner.set_reuse_port(true).unwrap();
        owner
            .bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())
            .unwrap();
        owner.listen(1).unwrap();
        let taken = owner.local_addr().unwrap().as_socket().unwrap().port();
        assert_eq!(choose(taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        if let Some(free) = free_above(taken - 1) {
            assert!(free > taken, "{free} is proposed in place of {taken}");
        }
        drop(owner);
        assert_eq!(choose(taken).unwrap().number, taken);
    }
}
