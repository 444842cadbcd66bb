//! Which path the bytes of a site really took, as counted by the routers.

use std::{fmt, net::IpAddr};

use serde_json::Value;

use super::World;
use crate::support::lab::{
    Host,
    internet::{Carrier, Sent, Site},
};

/// A transfer took one path when that path has this part of the bytes; acknowledgments and presence
/// are the rest.
const NEARLY_ALL: f64 = 0.9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Lan(Carrier),
    Direct(Carrier),
    Relayed,
}

impl Way {
    /// As a peer shows it.
    pub(super) fn shown(path: &Value) -> Option<Self> {
        let carrier = if path["transport"] == "quic" {
            Carrier::Udp
        } else {
            Carrier::Tcp
        };
        match path["kind"].as_str()? {
            "lan" => Some(Self::Lan(carrier)),
            "direct" => Some(Self::Direct(carrier)),
            "relayed" => Some(Self::Relayed),
            other => panic!("no kind of path: {other}"),
        }
    }

    pub(super) fn is_relayed(self) -> bool {
        self == Self::Relayed
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carrier = |carrier: &Carrier| match carrier {
            Carrier::Tcp => "TCP",
            Carrier::Udp => "QUIC",
        };
        match self {
            Self::Lan(by) => write!(f, "LAN {}", carrier(by)),
            Self::Direct(by) => write!(f, "{}", carrier(by)),
            Self::Relayed => write!(f, "relay"),
        }
    }
}

/// Looks at what goes from an owner to a visitor.
pub(super) struct Observer<'a> {
    pub(super) world: &'a World,
    pub(super) owner: (&'a Site, &'a Host),
    pub(super) visitor: (&'a Site, &'a Host),
}

/// What was counted up to one moment.
pub(super) struct Counted {
    internet: Sent,
    routed: Sent,
    bridged: Sent,
}

impl Observer<'_> {
    pub(super) fn count(&self) -> Counted {
        Counted {
            internet: self.world.internet.sent(),
            routed: self.owner.0.sent_within("inet"),
            bridged: self.owner.0.sent_within("bridge"),
        }
    }

    /// The path that nearly all bytes took since then; none if there was no such path, or no bytes.
    pub(super) fn way_since(&self, before: &Counted) -> Option<Way> {
        let Counted {
            internet,
            routed,
            bridged,
        } = self.count();
        let (internet, routed, bridged) = (
            internet - &before.internet,
            routed - &before.routed,
            bridged - &before.bridged,
        );
        let [owner, visitor] = [self.owner.1, self.visitor.1]
            .map(|host| [host.address().parse::<IpAddr>().expect("an address")]);
        let (from, to) = (&self.owner.0.public, &self.visitor.0.public);
        let mut ways = Vec::new();
        for by in [Carrier::Tcp, Carrier::Udp] {
            ways.push((Way::Lan(by), bridged.bytes(&owner, &visitor, by)));
            ways.push((
                Way::Direct(by),
                internet.bytes(from, to, by) + routed.bytes(&owner, &visitor, by),
            ));
        }
        let relay = &self.world.site.public;
        let relayed = |by| internet.bytes(relay, to, by);
        ways.push((Way::Relayed, relayed(Carrier::Tcp) + relayed(Carrier::Udp)));
        let all: u64 = ways.iter().map(|(_, bytes)| bytes).sum();
        let (way, bytes) = ways.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        (bytes > 0 && bytes as f64 >= all as f64 * NEARLY_ALL).then_some(way)
    }
}
