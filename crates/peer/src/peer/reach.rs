//! How this peer is reached, and how it reaches others.

use std::{
    iter,
    net::Ipv4Addr,
    time::{Instant, SystemTime},
};

use goop2_proto::{Multiaddr, PeerId, time::unix_millis};
use multiaddr::Protocol;

use crate::{
    api::network::{Attempt, Link, PeerReach},
    connections::path_of,
    error::Error,
    peer::Peer,
};

impl Peer {
    /// Every address this peer listens on, loopback included.
    pub fn listening(&self) -> Vec<Multiaddr> {
        let status = self.0.node.status();
        let status = status.borrow();
        let loopback = Multiaddr::from(Ipv4Addr::LOCALHOST).with(Protocol::Tcp(status.port));
        let listen = status.listen.iter().cloned();
        iter::once(loopback).chain(listen).collect()
    }

    /// Remembers a multiaddr ending in `/p2p/<id>` for this run, and connects to it as soon as that
    /// works. [`Error::Invalid`] for any other text.
    pub async fn add_address(&self, addr: &str) -> Result<PeerId, Error> {
        let addr: Multiaddr = addr.trim().parse().map_err(|_| {
            Error::Invalid(
                "This is not a network address. Use one like /ip4/192.168.1.20/tcp/40123/p2p/12D3KooW…"
                    .into(),
            )
        })?;
        let added = self.0.node.add_address(addr).await;
        let peer = added.map_err(|error| Error::Invalid(error.to_string()))?;
        self.0.absent.forget(&peer);
        Ok(peer)
    }

    /// How a peer is reached and what was tried, for a page that asks again every second or so.
    pub async fn history(&self, peer: PeerId) -> PeerReach {
        let reach = self.0.node.history(peer).await;
        let status = self.0.node.status();
        let relays = status.borrow().reach.relays.clone();
        let label = |id: &PeerId| {
            let relay = relays.iter().find(|relay| relay.peer == *id);
            relay.map(|relay| relay.label.as_str())
        };
        let (now, clock) = (Instant::now(), SystemTime::now());
        let at = |then: Instant| unix_millis(clock - now.saturating_duration_since(then));
        let links = reach.links.into_iter().map(|link| Link {
            path: path_of(&link.connection, label),
            remote: link.connection.remote.to_string(),
            since: at(link.connection.since),
            received_bytes: link.received_bytes,
            sent_bytes: link.sent_bytes,
        });
        let links: Vec<_> = links.collect();
        let attempts = reach.attempts.into_iter().map(|attempt| Attempt {
            at: at(attempt.at),
            what: attempt.what,
            outcome: match attempt.times {
                1 => attempt.outcome,
                n => format!("{}, {n} times", attempt.outcome),
            },
            worked: attempt.worked,
        });
        PeerReach {
            id: peer.to_base58(),
            path: links.first().map(|link| link.path.clone()),
            links,
            attempts: attempts.collect(),
        }
    }

    /// Tests again how this peer is reached from outside. The result is in the snapshot's network
    /// within a few seconds.
    pub async fn test_again(&self) {
        self.0.node.test_again().await;
    }

    /// The state of this peer's network as plain text, to send to someone who helps. `redacted`
    /// leaves out addresses, server names and ids.
    pub fn network_report(&self, redacted: bool) -> String {
        self.0.snapshot.borrow().network.report(redacted)
    }
}
