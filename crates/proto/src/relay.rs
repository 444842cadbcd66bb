//! What `GET /relay` answers (§6.7): the relay beside a rendezvous.

use serde::Serialize;
use serde_json::Value;

use crate::{Multiaddr, PeerId, addr, go_json, id, presence::MAX_ADDR};

/// Longest answer that is read.
pub const MAX_BODY: usize = 16 * 1024;
/// Most addresses of a relay: those of every interface of a server, IPv6 included.
pub const MAX_ADDRS: usize = 32;

/// Who forwards, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The relay's own peer id.
    pub peer: PeerId,
    /// Where it listens, best first, without its peer id at the end.
    pub addrs: Vec<Multiaddr>,
}

impl Relay {
    /// Reads an answer. Addresses come with and without `/p2p/<id>` (§8.3); those of another peer, those that are none and
    /// those beyond [`MAX_ADDRS`] are passed over. Nothing, if no address is left.
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

    /// The answer as existing servers write it: the first address, by which most come, carries the peer id.
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body {
            peer_id: String,
            addrs: Vec<String>,
        }
        let name = |(index, addr): (usize, &Multiaddr)| match index {
            0 => format!("{addr}/p2p/{}", self.peer),
            _ => addr.to_string(),
        };
        go_json::to_vec(&Body {
            peer_id: self.peer.to_base58(),
            addrs: self.addrs.iter().enumerate().map(name).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt";

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
                r#"{{"peer_id":"{PEER}","addrs":["/ip4/11.77.179.1/tcp/4002/p2p/{PEER}","/ip4/127.0.0.1/tcp/4002"]}}"#
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
