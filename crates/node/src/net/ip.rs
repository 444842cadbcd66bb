//! What kind of address an IP address is.

use std::net::IpAddr;

/// Whether another host may reach this address: not loopback, link-local, unspecified or
/// multicast.
pub(crate) fn is_reachable(ip: IpAddr) -> bool {
    let excluded = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast();
    let odd = match ip {
        IpAddr::V4(ip) => ip.is_broadcast(),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    !excluded && !odd && !is_link_local(ip)
}

/// Whether the address means something on one link only.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether the address is of a range kept for local networks.
pub(crate) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}
