//! The truth about the network as a skin sees it: how this peer can be reached, and how it reaches
//! another.

use std::{fmt::Write, net::IpAddr};

use goop2_proto::{Multiaddr, PeerId};
use multiaddr::Protocol;
use serde::Serialize;
use ts_rs::TS;
use url::Url;

use crate::api::connection::Path;

/// How this peer stands in the network: the verdict first, what it rests on below.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Network {
    /// The worst that matters: `broken` only when nobody can be met at all.
    pub verdict: Verdict,
    /// One sentence for someone who is no network engineer.
    pub headline: String,
    /// In the order to show them: `address`, `reachable`, `nat`, `mapping`, `relay`, one
    /// `rendezvous` for each server joined, `multicast`. All are always there, but for `rendezvous`
    /// without a server and `mapping`, `nat` and `relay` where they could change nothing. Without
    /// any network there is only `address`, and `rendezvous` of a server on this machine.
    pub facts: Vec<Fact>,
    /// A test is under way ([`crate::Peer::test_again`], or the first after a start or a change of
    /// network): verdicts may still change within seconds.
    pub testing: bool,
}

/// One thing known about the own network.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Fact {
    /// Stable name, for tests and pictures: `address`, `reachable`, `nat`, `mapping`, `relay`,
    /// `rendezvous`, `multicast`.
    pub code: String,
    pub verdict: Verdict,
    /// A few words: “Your router”, “Relay”.
    pub title: String,
    /// What is so, in one or two plain sentences.
    pub detail: String,
    /// What to do about it; null when there is nothing to do.
    pub remedy: Option<String>,
    /// The technical part, a line each, for those who look closer: addresses, names of servers,
    /// errors. At most 16 lines.
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

/// How a peer is reached, and what was tried. Not part of the snapshot: asked for while somebody
/// looks.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct PeerReach {
    /// Peer id, base58.
    pub id: String,
    /// The path that new requests take; null while there is none.
    pub path: Option<Path>,
    /// Every connection there is now, the one of `path` first.
    pub links: Vec<Link>,
    /// What was tried, oldest first; at most 32.
    pub attempts: Vec<Attempt>,
}

/// One connection to a peer.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Link {
    pub path: Path,
    /// Where the other side is, a multiaddr; through a relay, the relay's.
    pub remote: String,
    /// Unix time in milliseconds when it was made.
    #[ts(type = "number")]
    pub since: i64,
    /// Bytes of pages, data and pictures that came in over it.
    #[ts(type = "number")]
    pub received_bytes: u64,
    /// The same, sent.
    #[ts(type = "number")]
    pub sent_bytes: u64,
}

/// One attempt to reach a peer, or one change of the way to it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Attempt {
    /// Unix time in milliseconds.
    #[ts(type = "number")]
    pub at: i64,
    /// What was tried: “Dialled 3 addresses”, “Hole punching, started by the other side”.
    pub what: String,
    /// How it went: “connected over QUIC”, “none of its 3 addresses answers”.
    pub outcome: String,
    /// Whether it worked; null for a change that is neither, such as a connection that ended.
    pub worked: Option<bool>,
}

impl Network {
    /// All of it as plain text, for whoever helps. `redacted` leaves out everything that says who
    /// and where this is: addresses, names of servers, peer ids. Ports stay, for help is mostly
    /// about them.
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

/// Replaces each word that says who or where.
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
        return without_place(&addr);
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

/// A name with a dot inside, as hosts have and words have not.
fn is_host_name(word: &str) -> bool {
    let labels: Vec<_> = word.split('.').collect();
    let is_label =
        |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    // Keys of `goop.json` have a dot too, and an underscore.
    labels.len() > 1 && labels.iter().all(is_label) && !word.starts_with(char::is_numeric)
}

fn without_place(addr: &Multiaddr) -> String {
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

    #[test]
    fn a_redacted_report_says_neither_who_nor_where() {
        const PEER: &str = "12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt";
        let fact = |title: &str, detail: &str, items: &[&str]| Fact {
            code: "x".into(),
            verdict: Verdict::Limited,
            title: title.into(),
            detail: detail.into(),
            remedy: Some(
                "Let the router pass port 4001 (TCP and UDP) on (p2p.port_mapping).".into(),
            ),
            items: items.iter().map(|&item| item.to_owned()).collect(),
        };
        let relayed = format!("/dns4/meet.example.org/tcp/4002/p2p/{PEER}/p2p-circuit");
        let network = Network {
            verdict: Verdict::Limited,
            headline: "Some peers elsewhere cannot reach this one.".into(),
            facts: vec![
                fact(
                    "Your router",
                    "It hides this machine.",
                    &[
                        "/ip4/192.0.2.77/udp/4001/quic-v1 seen by 2 others",
                        &relayed,
                    ],
                ),
                fact(
                    "Rendezvous meet.example.org",
                    "No server answers at 192.0.2.9:8787 or [2001:db8::9]:8787 or http://meet.example.org/x, says the peer.",
                    &["meet.example.org: it is full", PEER],
                ),
            ],
            testing: false,
        };
        let full = network.report(false);
        for part in [
            "192.0.2.77",
            "meet.example.org",
            PEER,
            "limited: Some peers",
            "What to do: Let",
        ] {
            assert!(full.contains(part), "{part} in {full}");
        }
        let redacted = network.report(true);
        for part in ["192.0.2", "2001:db8", "example", "12D3"] {
            assert!(!redacted.contains(part), "{part} in {redacted}");
        }
        for part in [
            "/ip4/(address)/udp/4001/quic-v1 seen by 2 others",
            "port 4001 (TCP and UDP)",
            "p2p.port_mapping",
            "Some peers elsewhere cannot reach this one.",
            "it is full",
        ] {
            assert!(redacted.contains(part), "{part} in {redacted}");
        }
    }
}
