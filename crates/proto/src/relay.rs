//! What `GET /relay` answers (§6.7): the relay next to a rendezvous; and what the two exchange.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;
use serde::Serialize;
use serde_json::Value;

use crate::{addr, go_json, id, presence::MAX_ADDR};

/// The port that documentation and windows propose for a relay: the one after 4001, which libp2p
/// programs use for themselves.
pub const USUAL_PORT: u16 = 4002;
/// Longest answer that is read.
pub const MAX_BODY: usize = 16 * 1024;
/// Most addresses of a relay: those of every interface of a server, IPv6 included.
pub const MAX_ADDRS: usize = 32;

/// A relay and where it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The relay's own peer id.
    pub peer: PeerId,
    /// Where it listens, best first, without its peer id at the end.
    pub addrs: Vec<Multiaddr>,
}

impl Relay {
    /// Reads an answer. Addresses come with and without `/p2p/<id>` (§8.3); those of another peer,
    /// those that are not addresses and those beyond [`MAX_ADDRS`] are skipped. None if no address
    /// is left.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_BODY {
            return None;
        }
        let members = go_json::object(bytes).ok()?;
        let mut peer = None;
        let mut texts = Vec::new();
        for (key, value) in members {
            match (&*go_json::fold(&key), value) {
                ("peer_id", Value::String(text)) => peer = id::parse(&text),
                ("addrs", value) => texts = go_json::texts(value)?,
                _ => {}
            }
        }
        let peer = peer?;
        let mut addrs = Vec::new();
        for text in texts.iter().filter(|text| text.len() <= MAX_ADDR) {
            let addr = text
                .parse()
                .ok()
                .and_then(|addr| addr::of_peer(&addr, &peer));
            addrs.extend(addr.filter(|addr| !addrs.contains(addr)));
        }
        addrs.truncate(MAX_ADDRS);
        (!addrs.is_empty()).then_some(Self { peer, addrs })
    }

    /// The answer: existing servers put the peer id at the end of the first address only, and
    /// existing peers read both.
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body {
            peer_id: String,
            addrs: Vec<String>,
        }
        go_json::to_vec(&Body {
            peer_id: self.peer.to_base58(),
            addrs: self.named().map(|addr| addr.to_string()).collect(),
        })
    }

    /// The addresses with the peer id at their end.
    pub fn named(&self) -> impl Iterator<Item = Multiaddr> {
        let end = multiaddr::Protocol::P2p(self.peer);
        self.addrs
            .iter()
            .map(move |addr| addr.clone().with(end.clone()))
    }
}

/// What a peer is at the rendezvous next to a relay: it decides what the peer may ask of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Online, with signed presence.
    Proved,
    /// Online with unsigned presence, like existing peers.
    Claimed,
    /// Not online there.
    Absent,
    /// Removed by the operator.
    Barred,
}

/// A relay at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Where it is.
    pub relay: Relay,
    /// What it is used for.
    pub usage: Usage,
}

/// What a relay is used for, and what it refused since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Open connections.
    pub connections: usize,
    /// The peers with a reservation or in a circuit.
    pub guests: Vec<Guest>,
    /// Open circuits, oldest first.
    pub circuits: Vec<Circuit>,
    /// Reservations made, renewals not counted.
    pub reserved: u64,
    /// Circuits opened.
    pub connected: u64,
    /// Bytes carried.
    pub bytes: u64,
    /// How often it refused.
    pub refused: BTreeMap<Refusal, u64>,
}

impl Usage {
    /// Peers that can be reached through it.
    pub fn reachable(&self) -> usize {
        let holds = |guest: &&Guest| guest.reservations > 0;
        self.guests.iter().filter(holds).count()
    }
}

/// One peer that holds a reservation or takes part in a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Who.
    pub peer: PeerId,
    /// Its reservations; more than one where it is connected more than once.
    pub reservations: usize,
    /// Bytes it sent.
    pub sent: u64,
    /// Bytes it was sent.
    pub received: u64,
}

/// One open circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// Who opened it.
    pub from: PeerId,
    /// To whom.
    pub to: PeerId,
    /// How long ago.
    pub seconds: u64,
}

/// Why a relay refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The peer is not at the rendezvous.
    Stranger,
    /// The peer has reached its limit.
    Peer,
    /// Peers that do not sign, together or at one address, have reached theirs.
    Unsigned,
    /// All reservations or circuits are taken.
    Full,
    /// Too often.
    Rate,
    /// No such peer has a reservation.
    Nobody,
    /// The destination did not answer.
    Unanswered,
    /// Too many connections.
    Connection,
    /// To dial an address that is not public or not the asker's own, or too often.
    DialBack,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Stranger,
        Self::Peer,
        Self::Unsigned,
        Self::Full,
        Self::Rate,
        Self::Nobody,
        Self::Unanswered,
        Self::Connection,
        Self::DialBack,
    ];

    /// In metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Peer => "peer_limit",
            Self::Unsigned => "unsigned_limit",
            Self::Full => "full",
            Self::Rate => "rate",
            Self::Nobody => "no_reservation",
            Self::Unanswered => "unanswered",
            Self::Connection => "connection_limit",
            Self::DialBack => "dial_back",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt";

    #[test]
    fn the_documentation_proposes_the_usual_port() {
        let page = include_str!("../../../docs/operating.md");
        assert!(page.contains(&format!(r#"{{ "relay_port": {USUAL_PORT} }}"#)));
        assert!(page.contains(&format!("/tcp/{USUAL_PORT}`")));
    }

    #[test]
    fn a_recorded_answer_is_read() {
        let body = format!(
            "{{\"peer_id\":\"{PEER}\",\"addrs\":[\"/ip4/11.77.179.1/tcp/4002\",\"/ip4/127.0.0.1/tcp/4002\"]}}\n"
        );
        let relay = Relay::decode(body.as_bytes()).unwrap();
        assert_eq!(relay.peer.to_base58(), PEER);
        assert_eq!(relay.addrs.len(), 2);
        assert_eq!(
            String::from_utf8(relay.encode()).unwrap(),
            format!(
                r#"{{"peer_id":"{PEER}","addrs":["/ip4/11.77.179.1/tcp/4002/p2p/{PEER}","/ip4/127.0.0.1/tcp/4002/p2p/{PEER}"]}}"#
            )
        );
        assert_eq!(Relay::decode(&relay.encode()), Some(relay));
    }

    #[test]
    fn addresses_of_others_and_nonsense_are_passed_over() {
        let other = "12D3KooWQuX36bUushwbM8m3Jas54d3N1zadfxo1MshD6iJZPAVr";
        let body = format!(
            r#"{{"peer_id":"{PEER}","addrs":["/ip4/1.2.3.4/tcp/1/p2p/{other}","x","/ip4/1.2.3.4/tcp/2/p2p/{PEER}","/ip4/1.2.3.4/tcp/2",null],"poll_deadline_sec":10}}"#
        );
        assert_eq!(Relay::decode(body.as_bytes()).unwrap().addrs.len(), 1);
        for bad in [
            "",
            "null",
            "{}",
            r#"{"peer_id":"x","addrs":["/ip4/1.2.3.4/tcp/1"]}"#,
        ] {
            assert_eq!(Relay::decode(bad.as_bytes()), None);
        }
        assert_eq!(Relay::decode(&vec![b' '; MAX_BODY + 1]), None);
    }
}
