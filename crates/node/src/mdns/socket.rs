//! One multicast socket: one interface, one family.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

pub(super) const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// What mDNS responders send with; receivers may take less as a sign that the packet was routed.
const HOPS: u32 = 255;

/// A socket that hears the group on one interface only, and where to send so that the group there
/// hears.
pub(super) struct Multicast {
    socket: UdpSocket,
    group: SocketAddr,
}

impl Multicast {
    /// Joins on the interface with this index; `own` is one of its addresses and chooses the
    /// family.
    pub(super) fn join(own: IpAddr, index: u32) -> io::Result<Self> {
        let domain = if own.is_ipv4() {
            Domain::IPV4
        } else {
            Domain::IPV6
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Others on this host have the port as well: other peers, and the system's own
        // responder.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        let group = match own {
            IpAddr::V4(own) => {
                #[cfg(target_os = "linux")]
                socket.set_multicast_all_v4(false)?;
                socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
                socket.join_multicast_v4(&GROUP_V4, &own)?;
                socket.set_multicast_if_v4(&own)?;
                socket.set_multicast_ttl_v4(HOPS)?;
                socket.set_ttl_v4(HOPS)?;
                SocketAddr::from((GROUP_V4, PORT))
            }
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                #[cfg(target_os = "linux")]
                socket.set_multicast_all_v6(false)?;
                socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)).into())?;
                socket.join_multicast_v6(&GROUP_V6, index)?;
                socket.set_multicast_if_v6(index)?;
                socket.set_multicast_hops_v6(HOPS)?;
                socket.set_unicast_hops_v6(HOPS)?;
                SocketAddrV6::new(GROUP_V6, PORT, 0, index).into()
            }
        };
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            group,
        })
    }

    /// To everybody on the interface. Errors pass: the packet is sent again, or the interface is
    /// about to go.
    pub(super) async fn send(&self, packet: &[u8]) {
        self.send_to(packet, self.group).await;
    }

    /// The same, with the system's error.
    pub(super) async fn try_send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, self.group).await.map(drop)
    }

    pub(super) async fn send_to(&self, packet: &[u8], to: SocketAddr) {
        if let Err(error) = self.socket.send_to(packet, to).await {
            tracing::debug!(%to, %error, "an mDNS packet was not sent");
        }
    }

    /// Fails when the socket can no longer be used; what is wrong with one packet is none of its
    /// failures.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            match self.socket.recv_from(buffer).await {
                Err(error) if is_of_one_packet(&error) => {}
                received => return received,
            }
        }
    }
}

/// Windows tells, as if receiving had failed, that an earlier packet reached nobody, and that one
/// did not fit in the buffer, which other systems cut off.
fn is_of_one_packet(error: &io::Error) -> bool {
    const WSAEMSGSIZE: i32 = 10040;
    error.kind() == io::ErrorKind::ConnectionReset
        || cfg!(windows) && error.raw_os_error() == Some(WSAEMSGSIZE)
}
