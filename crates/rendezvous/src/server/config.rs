//! What the operator of a server decides.

use std::{net::IpAddr, time::Duration};

use goop2_proto::{bucket::Rate, relay};
use tokio::sync::watch;

use super::connections::client::Net;
use crate::{cluster::Address, registration};

/// The port people know.
pub const DEFAULT_PORT: u16 = 8787;

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// The one address to listen on; none = all, IPv4 and IPv6.
    pub bind: Option<IpAddr>,
    /// 0 = any free one.
    pub port: u16,
    /// Empty = no administration.
    pub admin_password: String,
    /// How the server is reached from outside, if that differs from its own addresses; empty = it
    /// does not.
    pub external_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Net>,
    /// Whether peers that do not sign are refused.
    pub require_signed: bool,
    /// Whether only peers with a registered e-mail address are seen.
    pub registration_required: bool,
    /// How people register; none = they cannot, since there is no database.
    pub registration: Option<registration::Config>,
    /// Where the NATS is that joins several instances to one rendezvous; none = this is the only
    /// one.
    pub cluster: Option<Address>,
    /// The relay beside it, as it changes; none = there never is one.
    pub relay: Option<watch::Receiver<Option<relay::State>>>,
    /// How much anyone may ask.
    pub limits: Limits,
}

/// How much anyone may ask, each with room for what is usual many times over.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections in all, event streams included; beyond it the next one waits. Stay below the
    /// system's descriptors.
    pub connections: usize,
    /// Connections from one address that is no trusted proxy.
    pub connections_each: usize,
    /// Event streams in all.
    pub subscribers: usize,
    /// Event streams by one client address: a company behind one.
    pub subscribers_each: usize,
    /// Peers in all.
    pub peers: usize,
    /// Messages from one client address; a peer sends 12 a minute.
    pub publish: Rate,
    /// Messages of one peer.
    pub publish_peer: Rate,
    /// How long a peer counts as online without a message (§6.5).
    pub ttl: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: None,
            port: DEFAULT_PORT,
            admin_password: String::new(),
            external_url: String::new(),
            trusted_proxies: Net::LOOPBACK.to_vec(),
            require_signed: false,
            registration_required: false,
            registration: None,
            cluster: None,
            relay: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            connections: 30_000,
            connections_each: 3000,
            subscribers: 25_000,
            subscribers_each: 1000,
            peers: 50_000,
            publish: Rate {
                burst: 6000,
                per: minute,
            },
            publish_peer: Rate {
                burst: 60,
                per: minute,
            },
            ttl: Duration::from_secs(30),
        }
    }
}
