//! The packets of tagged mDNS (§2): a name of our own, SRV, one TXT and A/AAAA in the same packet.

use std::net::IpAddr;

use crate::{Multiaddr, PeerId};

/// A validated `p2p.mdns_tag`: one DNS label, `[A-Za-z0-9_-]{1,63}`, compared exactly (§2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=63).contains(&text.len());
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// The tag as configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What one instance announces: everything a Go browser needs in one packet (§2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub tag: Tag,
    /// Random label of 32–63 characters `[a-z0-9]`, new in every process and after every change of addresses.
    pub instance: String,
    /// Addresses with `/p2p/<own id>` at the end, most useful first; those that do not fit the packet are left out.
    pub addrs: Vec<Multiaddr>,
    pub ips: Vec<IpAddr>,
}

impl Service {
    /// §2.4 b; the TTL-0 form is the goodbye of §2.4 e.
    pub fn announcement(&self) -> Vec<u8> {
        todo!()
    }
    pub fn goodbye(&self) -> Vec<u8> {
        todo!()
    }
    /// §2.4 d: the answer to a query with this id.
    pub fn response(&self, id: u16) -> Vec<u8> {
        todo!()
    }
}

/// §2.4 c, 33 bytes for the default tag.
pub fn query(tag: &Tag, id: u16) -> Vec<u8> {
    todo!()
}

/// What a received packet means to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Someone asks for our tag: answer with [`Service::response`] under this id; `unicast` when the QU bit was set.
    /// No answer when our instance is among the `known` (§2.5).
    Query {
        id: u16,
        unicast: bool,
        known: Vec<String>,
    },
    /// Peers found (own instance included), with the addresses that parsed; a TTL of 0 is a goodbye.
    Found(Vec<Found>),
    /// Nothing for us, or not DNS at all.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub instance: String,
    pub peer: PeerId,
    pub addrs: Vec<Multiaddr>,
    pub goodbye: bool,
}

/// Reads any packet, from anyone. Bounded by the packet's own size; never panics.
pub fn decode(packet: &[u8], tag: &Tag) -> Received {
    todo!()
}
