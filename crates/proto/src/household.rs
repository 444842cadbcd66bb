//! Who counts as one when something is shared: everyone behind one line.
//!
//! Keys cost nothing, so a limit for each peer alone is none. Addresses do: a line has one IPv4
//! address, which others may share with it, and one IPv6 prefix, from which it can take any number
//! of addresses.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that a line cannot choose: providers give a household a /56 (RIPE-690),
/// and only some a single /64.
const PREFIX: u32 = 56;

/// The address that stands for a household: an IPv4 address itself, or the /56 of an IPv6 one.
pub fn of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - PREFIX))).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// A wider network, of which a household is one of many: the /16 of an IPv4 address, the /32 of an
/// IPv6 one. Many households of one owner are in few of these.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 96)).into(),
        IpAddr::V4(ip) => std::net::Ipv4Addr::from_bits(ip.to_bits() & 0xffff_0000).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_household_whatever_addresses_it_takes() {
        for (ip, household, wider) in [
            ("203.0.113.7", "203.0.113.7", "203.0.0.0"),
            ("::ffff:203.0.113.7", "203.0.113.7", "203.0.0.0"),
            ("2001:db8:1:2ff::7", "2001:db8:1:200::", "2001:db8::"),
            ("2001:db8:1:300::7", "2001:db8:1:300::", "2001:db8::"),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(of(ip).to_string(), household);
            assert_eq!(network(ip).to_string(), wider);
        }
    }
}
