//! Which client sent a request: behind a proxy all requests have the proxy's address, and only what
//! that proxy itself wrote into `X-Forwarded-For`, the end of the list, can be trusted.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use axum::http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
/// More proxies in a row than anyone uses.
const MAX_HOPS: usize = 16;

/// The client behind all trusted proxies; in the extensions of every request.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) IpAddr);

/// A network: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Net {
    ip: IpAddr,
    bits: u8,
}

impl Net {
    /// This host, IPv4 and IPv6.
    pub const LOOPBACK: [Self; 2] = [
        Self {
            ip: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)),
            bits: 8,
        },
        Self {
            ip: IpAddr::V6(Ipv6Addr::LOCALHOST),
            bits: 128,
        },
    ];

    /// Whether the address belongs to it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                (net.to_bits() ^ ip.to_bits())
                    .checked_shr(32 - u32::from(self.bits))
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                (net.to_bits() ^ ip.to_bits())
                    .checked_shr(128 - u32::from(self.bits))
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

/// The text is not a network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is neither an address (192.0.2.1) nor a network (192.0.2.0/24)")]
pub struct NotANet(String);

impl FromStr for Net {
    type Err = NotANet;

    fn from_str(text: &str) -> Result<Self, NotANet> {
        let no = || NotANet(text.into());
        let (ip, bits) = match text.trim().split_once('/') {
            Some((ip, bits)) => (ip, Some(bits.parse::<u8>().map_err(|_| no())?)),
            None => (text.trim(), None),
        };
        let ip = ip.parse::<IpAddr>().map_err(|_| no())?.to_canonical();
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(no());
        }
        Ok(Self { ip, bits })
    }
}

impl TryFrom<String> for Net {
    type Error = NotANet;

    fn try_from(text: String) -> Result<Self, NotANet> {
        text.parse()
    }
}

impl From<Net> for String {
    fn from(net: Net) -> Self {
        format!("{}/{}", net.ip, net.bits)
    }
}

/// The client that a request came from: the last one in the list that is not a trusted proxy. The
/// socket's own address if that is not a proxy, or if the header is not an address.
pub(crate) fn client(socket: IpAddr, headers: &HeaderMap, trusted: &[Net]) -> IpAddr {
    let mut client = socket.to_canonical();
    let hops = headers
        .get_all(FORWARDED)
        .iter()
        .rev()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    for hop in hops.take(MAX_HOPS) {
        if !trusted.iter().any(|net| net.contains(client)) {
            break;
        }
        let Some(ip) = parse(hop.trim()) else { break };
        client = ip.to_canonical();
    }
    client
}

/// Some proxies add a port, and then brackets.
fn parse(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(socket: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, value.parse().unwrap());
        }
        let mut nets = Net::LOOPBACK.to_vec();
        nets.extend(trusted.iter().map(|net| net.parse::<Net>().unwrap()));
        client(socket.parse().unwrap(), &headers, &nets).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_trusted_about_its_clients() {
        assert_eq!(of("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(of("127.0.0.1", &["198.51.100.1"], &[]), "198.51.100.1");
        assert_eq!(of("::1", &["2001:db8::7"], &[]), "2001:db8::7");
        assert_eq!(
            of("::ffff:127.0.0.1", &["198.51.100.1"], &[]),
            "198.51.100.1"
        );
        assert_eq!(of("127.0.0.1", &[], &[]), "127.0.0.1");
    }

    #[test]
    fn what_the_client_wrote_itself_is_ignored() {
        assert_eq!(
            of("127.0.0.1", &["1.1.1.1, 198.51.100.1"], &[]),
            "198.51.100.1"
        );
        assert_eq!(
            of("127.0.0.1", &["1.1.1.1", "198.51.100.1"], &[]),
            "198.51.100.1"
        );
        assert_eq!(
            of(
                "127.0.0.1",
                &["1.1.1.1, 198.51.100.1, 10.1.2.3"],
                &["10.0.0.0/8"]
            ),
            "198.51.100.1"
        );
        assert_eq!(of("127.0.0.1", &["127.0.0.1, 127.0.0.1"], &[]), "127.0.0.1");
    }

    #[test]
    fn nonsense_ends_the_search() {
        assert_eq!(
            of("127.0.0.1", &["198.51.100.1, unknown"], &[]),
            "127.0.0.1"
        );
        assert_eq!(of("127.0.0.1", &["", ","], &[]), "127.0.0.1");
        assert_eq!(of("127.0.0.1", &["198.51.100.1:4711"], &[]), "198.51.100.1");
        assert_eq!(of("127.0.0.1", &["[2001:db8::7]:4711"], &[]), "2001:db8::7");
    }

    #[test]
    fn networks_are_read_and_refused() {
        let net = |text: &str| text.parse::<Net>();
        assert!(net("0.0.0.0/0").unwrap().contains([8, 8, 8, 8].into()));
        assert!(net("10.0.0.0/8").unwrap().contains([10, 9, 8, 7].into()));
        assert!(!net("10.0.0.0/8").unwrap().contains([11, 0, 0, 1].into()));
        assert!(
            net("2001:db8::/32")
                .unwrap()
                .contains("2001:db8:1::1".parse().unwrap())
        );
        assert!(!net("::1").unwrap().contains("::2".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "x", "10.0.0.1/"] {
            assert!(net(bad).is_err(), "{bad}");
        }
    }
}
