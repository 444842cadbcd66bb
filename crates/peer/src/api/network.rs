//! The state of the network: how this peer can be reached, and how it reaches others.

use std::{fmt::Write, net::IpAddr};

use goop2_proto::{Multiaddr, PeerId};
use multiaddr::Protocol;
use serde::Serialize;
use ts_rs::TS;
use url::Url;

use crate::api::connection::Path;

/// The state of this peer in the network: a verdict, and the facts behind it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Network {
    /// The worst that matters: `broken` only when no peer can be reached at all.
    pub verdict: Verdict,
    /// One sentence for someone who is not a network engineer.
    pub headline: String,
    /// In the order to show them: `address`, `reachable`, `nat`, `mapping`, `relay`, one
    /// `rendezvous` for each server joined, `multicast`. Without a server there are only `address`
    /// and `multicast`; without a network, only `address` and the `rendezvous` of a server on this
    /// computer.
    pub facts: Vec<Fact>,
    /// Whether a test is in progress, requested or automatic: verdicts may change within seconds.
    pub testing: bool,
}

/// One fact about the network.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Fact {
    /// Stable name, for tests and pictures: `address`, `reachable`, `nat`, `mapping`, `relay`,
    /// `rendezvous`, `multicast`.
    pub code: String,
    /// How good that is.
    pub verdict: Verdict,
    /// A few words: “Your router”, “Relay”.
    pub title: String,
    /// What is so, in one or two sentences.
    pub detail: String,
    /// What to do about it; null when there is nothing to do.
    pub remedy: Option<String>,
    /// Technical details, a line each: addresses, names of servers, errors. At most 16 lines.
    pub items: Vec<String>,
}

/// How good something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Verdict {
    /// As it should be.
    #[default]
    Good,
    /// Works, but something is slower or harder than it could be.
    Limited,
    /// Does not work.
    Broken,
}

/// How a peer is reached, and what was tried. Not part of the snapshot: requested while someone
/// looks at it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct PeerReach {
    /// Peer id, base58.
    pub id: String,
    /// The connection that new requests use; null without one.
    pub path: Option<Path>,
    /// All connections, the one of `path` first.
    pub links: Vec<Link>,
    /// What was tried, oldest first; at most 32.
    pub attempts: Vec<Attempt>,
}

/// One connection to a peer.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Link {
    /// Its kind and transport.
    pub path: Path,
    /// The multiaddr of the other side; of the relay, through a relay.
    pub remote: String,
    /// Unix time in milliseconds since when it is established.
    #[ts(type = "number")]
    pub since: i64,
    /// Bytes of pages, data and pictures received over it.
    #[ts(type = "number")]
    pub received_bytes: u64,
    /// The same, sent.
    #[ts(type = "number")]
    pub sent_bytes: u64,
}

/// One attempt to reach a peer, or one change of the connection to it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Attempt {
    /// Unix time in milliseconds.
    #[ts(type = "number")]
    pub at: i64,
    /// What was tried: “Dialed 3 addresses”, “Hole punching, started by the other side”.
    pub what: String,
    /// The result: “connected over QUIC”, “none of them answered”.
    pub outcome: String,
    /// Whether it worked; null for a change that is neither, such as a connection that ended.
    pub worked: Option<bool>,
}

impl Network {
    /// All of it as plain text, for someone who helps. `redacted` leaves out everything that tells
    /// who and where this is: addresses, names of servers, peer ids. Ports stay, because help is
    /// mostly about them.
    pub fn report(&self, redacted: bool) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let system = std::env::consts::OS;
        let mut text = format!(
            "Goop2 {version} on {system}\n{}: {}\n",
            self.verdict.word(),
            self.headline
        );
        for fact in &self.facts {
            let (title, verdict) = (&fact.title, fact.verdict.word());
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{title}: {verdict}\n  {}\n", fact.detail);
            if let Some(remedy) = &fact.remedy {
                let _ = writeln!(text, "  What to do: {remedy}");
            }
            for item in &fact.items {
                let _ = writeln!(text, "  - {item}");
            }
        }
        if redacted { redact(&text) } else { text }
    }
}

impl Verdict {
    /// For a line of text.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Limited => "limited",
            Self::Broken => "broken",
        }
    }
}

/// Replaces each word that tells who or where.
fn redact(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|piece| {
            let word = piece.trim_matches(|c: char| !c.is_alphanumeric() && !"/[]".contains(c));
            let start = piece.find(word).unwrap_or_default();
            let (before, rest) = piece.split_at(start);
            let after = &rest[word.len()..];
            format!("{before}{}{after}", redacted(word))
        })
        .collect()
}

fn redacted(word: &str) -> String {
    if word.starts_with('/')
        && let Ok(addr) = word.parse::<Multiaddr>()
    {
        return without_hosts(&addr);
    }
    let bare = word.trim_matches(['[', ']']);
    let host = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
    let is_ip = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_ip(bare) || is_ip(host) {
        "(address)".into()
    } else if word.parse::<PeerId>().is_ok() {
        "(peer)".into()
    } else if Url::parse(word).is_ok_and(|url| url.has_host()) || is_host_name(host) {
        "(server)".into()
    } else {
        word.to_owned()
    }
}

/// A name with a dot inside, as hosts have and words do not.
fn is_host_name(word: &str) -> bool {
    let labels: Vec<_> = word.split('.').collect();
    let is_label =
        |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    // Keys of `goop.json` have a dot too, but also an underscore.
    labels.len() > 1 && labels.iter().all(is_label) && !word.starts_with(char::is_numeric)
}

fn without_hosts(addr: &Multiaddr) -> String {
    let mut text = String::new();
    for part in addr {
        match part {
            Protocol::Ip4(_) => text.push_str("/ip4/(address)"),
            Protocol::Ip6(_) => text.push_str("/ip6/(address)"),
            Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) => {
                text.push_str("/dns/(server)");
            }
            Protocol::P2p(_) => text.push_str("/p2p/(peer)"),
            part => {
                let _ = write!(text, "{part}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt";

    #[test]
    fn a_full_report_has_everything() {
        let full = network().report(false);
        for part in [
            "192.0.2.77",
            "meet.example.org",
            PEER,
            "limited: Some people",
            "What to do: Forward",
        ] {
            assert!(full.contains(part), "{part} in {full}");
        }
    }

    #[test]
    fn a_redacted_report_tells_neither_who_nor_where() {
        let redacted = network().report(true);
        for part in ["192.0.2", "2001:db8", "example", "12D3"] {
            assert!(!redacted.contains(part), "{part} in {redacted}");
        }
        for part in [
            "/ip4/(address)/udp/4001/quic-v1 seen by 2 others",
            "port 4001 (TCP and UDP)",
            "p2p.port_mapping",
            "Some people on other networks may not reach you.",
            "it is full",
        ] {
            assert!(redacted.contains(part), "{part} in {redacted}");
        }
    }

    fn network() -> Network {
        let relayed = format!("/dns4/meet.example.org/tcp/4002/p2p/{PEER}/p2p-circuit");
        let seen = "/ip4/192.0.2.77/udp/4001/quic-v1 seen by 2 others";
        Network {
            verdict: Verdict::Limited,
            headline: "Some people on other networks may not reach you.".into(),
            facts: vec![
                fact("Your router", "It hides this computer.", &[seen, &relayed]),
                fact(
                    "Rendezvous meet.example.org",
                    "192.0.2.9:8787 or [2001:db8::9]:8787 or http://meet.example.org/x did not answer, says the peer.",
                    &["meet.example.org: it is full", PEER],
                ),
            ],
            testing: false,
        }
    }

    fn fact(title: &str, detail: &str, items: &[&str]) -> Fact {
        Fact {
            code: "x".into(),
            verdict: Verdict::Limited,
            title: title.into(),
            detail: detail.into(),
            remedy: Some(
                "Forward port 4001 (TCP and UDP) in your router (p2p.port_mapping).".into(),
            ),
            items: items.iter().map(|&item| item.to_owned()).collect(),
        }
    }
}
