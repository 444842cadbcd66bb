//! What the node shows of itself.

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use goop2_proto::PeerId;
use tokio::sync::watch;

use super::EventLoop;
use crate::status::{Connection, Link, PeerReach, Status, Transport};

/// Status changes within this are published together.
const COALESCE: Duration = Duration::from_millis(50);

/// The published status.
#[derive(Default)]
pub(super) struct Report {
    status: watch::Sender<Status>,
    /// When the status, which has changed, is published.
    due: Option<Instant>,
}

impl Report {
    pub(super) fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn changed(&mut self, now: Instant) {
        self.due.get_or_insert(now + COALESCE);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|at| at <= now)
    }

    fn publish(&mut self, status: Status) {
        self.due = None;
        self.status.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
    }
}

impl EventLoop {
    pub(super) fn status_changed(&mut self) {
        self.report.changed(Instant::now());
    }

    pub(super) fn publish_status(&mut self) {
        let host = &self.net.host;
        let listen = host.listening();
        let mut status = Status {
            port: host.port.number,
            published: self.reachability.published(&listen, &self.relays, host),
            listen,
            multicast: self.multicast.clone(),
            twin: self.twin.seen,
            reach: self.reachability.report(&self.relays, host),
            ..Status::default()
        };
        let mut known: Vec<_> = self.net.connections.iter().collect();
        known.sort_by_key(|(id, known)| {
            let chosen = self.net.connections.is_chosen(&known.peer, *id);
            (chosen, known.shown.since)
        });
        for (_, known) in known {
            let connections = status.connections.entry(known.peer).or_default();
            connections.push(known.shown.clone());
        }
        self.report.publish(status);
    }

    /// The connections to a peer, and what was tried.
    pub(super) fn peer_reach(&self, peer: &PeerId) -> PeerReach {
        let connections = self.net.connections.to(peer);
        let mut links: Vec<_> = connections
            .map(|(id, known)| {
                let traffic = self.control.traffic(peer, id);
                let (received, sent) = traffic.map(|traffic| traffic.bytes()).unwrap_or_default();
                let link = Link {
                    connection: known.shown.clone(),
                    received_bytes: received,
                    sent_bytes: sent,
                };
                (!self.net.connections.is_chosen(peer, id), link)
            })
            .collect();
        links.sort_by_key(|(other, link)| {
            let since = Reverse(link.connection.since);
            (*other, link.connection.relayed(), since)
        });
        PeerReach {
            links: links.into_iter().map(|(_, link)| link).collect(),
            attempts: self.history.of(peer),
        }
    }

    /// A connection in words, for the history.
    pub(super) fn describe(&self, shown: &Connection) -> String {
        let transport = match shown.transport {
            Transport::Tcp => "TCP",
            Transport::Quic => "QUIC",
        };
        match (shown.relay, shown.lan) {
            (Some(relay), _) => format!("through the relay of {}", self.relays.label(&relay)),
            (None, true) => format!("on this network over {transport}"),
            (None, false) => format!("directly over {transport}"),
        }
    }
}
