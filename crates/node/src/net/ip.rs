//! What kind of address an IP address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Whether the address is of the Internet: neither of a network that somebody keeps for themselves,
/// nor of the range that providers and overlay networks share (RFC 6598), whatever it is written
/// as.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            is_reachable(ip.into()) && !ip.is_private() && !shared && a != 0
        }
        IpAddr::V6(ip) => embedded(ip).map_or_else(
            || is_reachable(ip.into()) && !ip.is_unique_local() && !is_site_local(ip),
            |ip| is_public(ip.into()),
        ),
    }
}

/// The IPv4 address that a translator (RFC 6052) or a 6to4 router (RFC 3056) would send to.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0x64, 0xff9b, .., high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

/// Deprecated (RFC 3879), and still routed within some sites.
fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_public_in_any_disguise() {
        for private in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "0.1.2.3",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "11.0.0.1",
            "100.128.0.1",
            "2600::1",
            "64:ff9b::11.0.0.1",
            "2002:b00:1::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
