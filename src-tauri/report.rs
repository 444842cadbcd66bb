//! What happens, on standard output: plain lines for people, or one JSON object per line for
//! scripts (`--json`).

use std::{
    collections::HashMap,
    io::{self, Write},
};

use goop2_peer::{
    Hosted,
    api::{
        Group, Hosting, HostingState, Joined, JoinedState, Network, Notice, Path, PathKind,
        PeerCard, Snapshot, Transport,
    },
};
use serde_json::{Value, json};

pub(crate) struct Report {
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Everything listens.
    pub(crate) fn ready(
        &self,
        snapshot: &Snapshot,
        listen: &[String],
        viewer_url: &str,
        open_url: &str,
    ) {
        let me = &snapshot.me;
        if self.json {
            let event = json!({
                "event": "ready", "peer_id": me.id, "label": me.label, "viewer_url": viewer_url, "open_url": open_url, "listen": listen,
            });
            return line(&event.to_string());
        }
        line(&format!(
            "“{}” is online.\n  Open in a browser   {open_url}\n  Peer id             {}\nStop with Ctrl-C.",
            plain(&me.label),
            me.id
        ));
    }

    /// A rendezvous listens.
    pub(crate) fn serving(&self, server: &Hosted) {
        let listen: Vec<_> = server
            .local_addrs()
            .iter()
            .map(ToString::to_string)
            .collect();
        let (connect_urls, relay) = (server.connect_urls(), server.relay_addrs());
        if self.json {
            let event = json!({
                "event": "ready", "listen": listen, "connect_urls": connect_urls, "relay": relay,
            });
            line(&event.to_string());
        } else {
            line(&format!(
                "The rendezvous listens on {}.",
                listen.join(" and ")
            ));
            match connect_urls.as_slice() {
                [] if server
                    .local_addrs()
                    .iter()
                    .any(|addr| addr.ip().is_unspecified()) =>
                {
                    line("No other machine reaches it: this one is in no network.");
                }
                [] => line(
                    "Only this machine reaches it: set presence.rendezvous_bind to \"\" in goop.json to open it to others.",
                ),
                urls => line(&format!(
                    "Others paste one of these to meet here:\n  {}",
                    urls.join("\n  ")
                )),
            }
            if !relay.is_empty() {
                line(&format!(
                    "Peers that cannot reach each other meet at its relay:\n  {}",
                    relay.join("\n  ")
                ));
            }
        }
        if let Some(problem) = server.relay_problem() {
            self.notice(&Notice {
                code: "relay-host".into(),
                message: problem.to_string(),
            });
        }
        if !self.json {
            line("Stop with Ctrl-C.");
        }
    }

    /// Says what is different from what was said before.
    pub(crate) fn changes(&self, said: &mut Said, snapshot: &Snapshot) {
        for notice in snapshot
            .notices
            .iter()
            .filter(|notice| !said.notices.contains(notice))
        {
            self.notice(notice);
        }
        said.notices.clone_from(&snapshot.notices);
        for card in &snapshot.peers {
            let known = said.peers.get(&card.id);
            let (was, is) = (known.is_some_and(online), online(card));
            let same = known.is_some_and(|known| {
                (&known.label, &known.email, known.group) == (&card.label, &card.email, card.group)
            });
            if (was || is) && !same {
                self.peer(card, known.map_or(card.group, |known| known.group));
            }
            let before = known.and_then(|known| known.path.as_ref());
            if self.json && before.map(way) != card.path.as_ref().map(way) {
                path(&card.id, card.path.as_ref());
            }
        }
        if said.network.as_ref() != Some(&snapshot.network) {
            self.network(&snapshot.network);
            said.network = Some(snapshot.network.clone());
        }
        said.peers = snapshot
            .peers
            .iter()
            .map(|card| (card.id.clone(), card.clone()))
            .collect();
        self.rendezvous(said, snapshot);
    }

    /// What `goop2 doctor` found out.
    pub(crate) fn diagnosis(&self, network: &Network) {
        if self.json {
            return line(&json!({ "event": "network", "network": network }).to_string());
        }
        line(network.report(false).trim_end());
    }

    pub(crate) fn error(&self, message: &str) {
        if self.json {
            line(&json!({ "event": "error", "message": message }).to_string());
        } else {
            eprintln!("goop2: {message}");
        }
    }

    fn rendezvous(&self, said: &mut Said, snapshot: &Snapshot) {
        let (before, now) = (&said.joined, &snapshot.rendezvous.joined);
        for joined in now {
            let same = |known: &&Joined| {
                (&known.url, known.state, &known.reason, known.registration)
                    == (
                        &joined.url,
                        joined.state,
                        &joined.reason,
                        joined.registration,
                    )
            };
            if !before.iter().any(|known| same(&known)) {
                self.joined(joined);
            }
        }
        for left in before {
            if !now.iter().any(|joined| joined.url == left.url) {
                self.left(left);
            }
        }
        said.joined.clone_from(now);
        let hosting = &snapshot.rendezvous.hosting;
        let same = (said.hosting.state, &said.hosting.problem) == (hosting.state, &hosting.problem)
            && said.hosting.connect_urls == hosting.connect_urls;
        if !same {
            self.hosting(hosting);
            said.hosting.clone_from(hosting);
        }
    }

    fn joined(&self, joined: &Joined) {
        if self.json {
            let event = json!({
                "event": "rendezvous", "url": joined.url, "state": joined.state, "reason": joined.reason,
                "registration": joined.registration,
            });
            return line(&event.to_string());
        }
        let how = match (&joined.reason, joined.state) {
            (Some(reason), _) => reason,
            (None, JoinedState::Connecting) => "connecting …",
            (None, _) => "connected.",
        };
        line(&format!("Rendezvous {}: {how}", joined.name));
    }

    fn left(&self, joined: &Joined) {
        if self.json {
            let event = json!({ "event": "rendezvous", "url": joined.url, "state": "left", "reason": null, "registration": "none" });
            return line(&event.to_string());
        }
        line(&format!("Rendezvous {}: left.", joined.name));
    }

    fn hosting(&self, hosting: &Hosting) {
        if self.json {
            let event = json!({
                "event": "hosting", "state": hosting.state, "problem": hosting.problem, "connect_urls": hosting.connect_urls,
            });
            return line(&event.to_string());
        }
        match (&hosting.problem, hosting.state) {
            (Some(problem), _) => line(&format!("Hosting a rendezvous: {problem}")),
            (None, HostingState::On) => line(&format!(
                "Hosting a rendezvous; others paste {}",
                hosting.connect_urls.join(" or ")
            )),
            (None, _) => line("Hosting a rendezvous no longer."),
        }
    }

    fn notice(&self, Notice { code, message }: &Notice) {
        if self.json {
            line(&json!({ "event": "notice", "code": code, "message": message }).to_string());
        } else {
            line(message);
        }
    }

    /// For scripts only: people have the Network page and `goop2 doctor`.
    fn network(&self, network: &Network) {
        if self.json {
            line(&json!({ "event": "network", "network": network }).to_string());
        }
    }

    fn peer(&self, card: &PeerCard, before: Group) {
        let online = online(card);
        if self.json {
            let source = match if online { card.group } else { before } {
                Group::Elsewhere => "wan",
                Group::Nearby | Group::Earlier => "lan",
            };
            let event: Value = json!({
                "event": "peer", "peer_id": card.id, "state": if online { "online" } else { "offline" },
                "label": card.label, "email": card.email, "source": source,
            });
            return line(&event.to_string());
        }
        line(&format!(
            "{} {} ({})",
            if online { "+" } else { "-" },
            plain(&card.label),
            card.id
        ));
    }
}

/// What was said already.
#[derive(Default)]
pub(crate) struct Said {
    peers: HashMap<String, PeerCard>,
    notices: Vec<Notice>,
    network: Option<Network>,
    joined: Vec<Joined>,
    hosting: Hosting,
}

/// A path without what is measured: a change of it is worth a line.
fn way(path: &Path) -> (PathKind, Transport, Option<&str>) {
    let relay = path.relay.as_ref().map(|relay| relay.id.as_str());
    (path.kind, path.transport, relay)
}

/// How a peer is reached from now on.
fn path(peer: &str, path: Option<&Path>) {
    let event = json!({
        "event": "path", "peer_id": peer, "kind": path.map(|path| path.kind),
        "transport": path.map(|path| path.transport),
        "relay": path.and_then(|path| path.relay.as_ref()).map(|relay| &relay.id),
    });
    line(&event.to_string());
}

fn online(card: &PeerCard) -> bool {
    card.group != Group::Earlier
}

/// A closed pipe is whoever reads going away: no reason to stop the peer.
fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A stranger's label on a terminal: no control characters, no escape sequences.
fn plain(label: &str) -> String {
    label
        .chars()
        .map(|char| if char.is_control() { '·' } else { char })
        .collect()
}

/// The error and its causes, each said once.
pub(crate) fn words(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |said, cause| {
            if said.contains(&cause) {
                said
            } else if said.is_empty() {
                cause
            } else {
                format!("{said}: {cause}")
            }
        })
}
