//! What happens, on standard output: plain lines for people, or one JSON object per line for
//! scripts (`--json`).

use std::{
    collections::{HashMap, HashSet},
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

    /// Everything is listening.
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
            "“{}” is online.\n  Open in a browser   {open_url}\n  Peer ID             {}\nPress Ctrl-C to stop.",
            plain(&me.label),
            me.id
        ));
    }

    /// A rendezvous is listening.
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
                "The rendezvous is listening on {}.",
                listen.join(" and ")
            ));
            line(&how_to_join(server, &connect_urls));
            if !relay.is_empty() {
                line(&format!(
                    "Its relay connects peers that cannot reach each other directly:\n  {}",
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
            line("Press Ctrl-C to stop.");
        }
    }

    /// Reports what has changed since the last call.
    pub(crate) fn changes(&self, reported: &mut Reported, snapshot: &Snapshot) {
        for notice in snapshot
            .notices
            .iter()
            .filter(|notice| !reported.notices.contains(notice))
        {
            self.notice(notice);
        }
        reported.notices.clone_from(&snapshot.notices);
        for card in &snapshot.peers {
            let known = reported.peers.get(&card.id);
            let (was, is) = (known.is_some_and(online), online(card));
            let same = known.is_some_and(|known| {
                (&known.label, &known.email, known.group) == (&card.label, &card.email, card.group)
            });
            if (was || is) && !same {
                self.peer(card, known.map_or(card.group, |known| known.group));
            }
            let before = known.and_then(|known| known.path.as_ref());
            if self.json && before.map(route) != card.path.as_ref().map(route) {
                path(&card.id, card.path.as_ref());
            }
        }
        self.forgotten(reported, snapshot);
        if reported.network.as_ref() != Some(&snapshot.network) {
            self.network(&snapshot.network);
            reported.network = Some(snapshot.network.clone());
        }
        reported.peers = snapshot
            .peers
            .iter()
            .map(|card| (card.id.clone(), card.clone()))
            .collect();
        self.rendezvous(reported, snapshot);
    }

    /// Those that the snapshot does not name.
    fn forgotten(&self, reported: &Reported, snapshot: &Snapshot) {
        let known: HashSet<_> = snapshot.peers.iter().map(|card| &card.id).collect();
        for gone in reported.peers.values() {
            if known.contains(&gone.id) {
                continue;
            }
            if online(gone) {
                let card = PeerCard {
                    group: Group::Earlier,
                    ..gone.clone()
                };
                self.peer(&card, gone.group);
            }
            if self.json && gone.path.is_some() {
                path(&gone.id, None);
            }
        }
    }

    /// What `goop2 doctor` found.
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

    fn rendezvous(&self, reported: &mut Reported, snapshot: &Snapshot) {
        let (before, now) = (&reported.joined, &snapshot.rendezvous.joined);
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
        reported.joined.clone_from(now);
        let hosting = &snapshot.rendezvous.hosting;
        let same = (reported.hosting.state, &reported.hosting.problem)
            == (hosting.state, &hosting.problem)
            && reported.hosting.connect_urls == hosting.connect_urls;
        if !same {
            self.hosting(hosting);
            reported.hosting.clone_from(hosting);
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
            (Some(problem), _) => line(&format!("Rendezvous on this computer: {problem}")),
            (None, HostingState::On) => line(&format!(
                "Hosting a rendezvous. Others join with {}",
                hosting.connect_urls.join(" or ")
            )),
            (None, _) => line("Stopped hosting the rendezvous."),
        }
    }

    pub(crate) fn notice(&self, Notice { code, message }: &Notice) {
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

fn how_to_join(server: &Hosted, connect_urls: &[String]) -> String {
    let addresses = server.local_addrs();
    match connect_urls {
        [] if addresses.iter().any(|addr| addr.ip().is_unspecified()) => {
            "Others can't reach it: this computer isn't connected to a network.".into()
        }
        [] => "Only this computer can reach it. Set presence.rendezvous_bind to \"\" in goop.json to let others in.".into(),
        urls => format!("Others join with one of these addresses:\n  {}", urls.join("\n  ")),
    }
}

/// What was reported already.
#[derive(Default)]
pub(crate) struct Reported {
    peers: HashMap<String, PeerCard>,
    notices: Vec<Notice>,
    network: Option<Network>,
    joined: Vec<Joined>,
    hosting: Hosting,
}

/// A connection without its measurements: a change of it is worth a line.
fn route(path: &Path) -> (PathKind, Transport, Option<&str>) {
    let relay = path.relay.as_ref().map(|relay| relay.id.as_str());
    (path.kind, path.transport, relay)
}

/// How a peer is connected now.
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

/// A closed pipe means that the reader has gone: no reason to stop the peer.
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

/// The error and its causes, each once.
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
