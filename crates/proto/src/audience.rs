//! Which of its addresses a peer publishes to whom (§1.3).
//!
//! An address of a home network is useless outside it, and reveals what the network looks like.
//! Existing peers publish it to everyone; ours only within networks like it.

use std::net::IpAddr;

use multiaddr::Multiaddr;

use crate::addr;

/// Whether the server is on this host or on a network like this one: not reached over the public
/// internet.
pub fn is_near(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    addr::cannot_be_dialed(ip) || is_private(ip)
}

/// Whether to publish the address through a server that is near or not.
pub fn tells(address: &Multiaddr, near: bool) -> bool {
    // What leads through a relay says nothing of the network here.
    if addr::is_relayed(address) {
        return true;
    }
    addr::ip(address).is_none_or(|ip| {
        !addr::cannot_be_dialed(ip) && !addr::is_link_local(ip) && (near || !is_private(ip))
    })
}

/// Addresses that mean something else in every network: RFC 1918, 6598 and 4193, and link-local.
fn is_private(ip: IpAddr) -> bool {
    let shared_by_a_provider =
        |ip: std::net::Ipv4Addr| ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    addr::is_link_local(ip)
        || match ip {
            IpAddr::V4(ip) => ip.is_private() || shared_by_a_provider(ip),
            IpAddr::V6(ip) => ip.is_unique_local(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_home_network_stay_in_it() {
        let far = [
            "/ip4/203.0.113.7/tcp/1",
            "/ip6/2001:db8::1/udp/1/quic-v1",
            "/dns4/a.example/tcp/1",
        ];
        let home = [
            "/ip4/192.168.1.20/tcp/1",
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/100.64.0.9/tcp/1",
            "/ip6/fd00::1/tcp/1",
        ];
        let nowhere = [
            "/ip4/127.0.0.1/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip4/0.0.0.0/tcp/1",
        ];
        let circuit = "/ip4/10.0.0.1/tcp/4002/p2p/12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt/p2p-circuit";
        let tells = |text: &str, near| tells(&text.parse().unwrap(), near);
        for near in [false, true] {
            assert!(far.iter().all(|text| tells(text, near)));
            assert!(!nowhere.iter().any(|text| tells(text, near)));
            assert!(home.iter().all(|text| tells(text, near) == near));
            assert!(tells(circuit, near));
        }
    }

    #[test]
    fn a_server_is_near_on_this_host_and_on_private_addresses() {
        for near in [
            "127.0.0.1",
            "::1",
            "192.168.1.1",
            "172.16.0.1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["203.0.113.7", "2001:db8::1", "172.32.0.1", "100.128.0.1"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }
}
