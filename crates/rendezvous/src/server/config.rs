//! What the operator of a server decides.

use std::{net::IpAddr, time::Duration};

use goop2_proto::{bucket::Rate, relay};
use tokio::sync::watch;

use super::connections::client::Net;
use crate::{cluster::Address, registration};

/// The usual port.
pub const DEFAULT_PORT: u16 = 8787;

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// The one address to listen on; none = all, IPv4 and IPv6.
    pub bind: Option<IpAddr>,
    /// 0 = chosen by the system.
    pub port: u16,
    /// Empty = no administration.
    pub admin_password: String,
    /// The public URL, if it differs from the server's own addresses; empty = it does not.
    pub external_url: String,
    /// Where people who don't have Goop2 get it; empty = the page doesn't say.
    pub download_url: String,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<Net>,
    /// Whether peers that do not sign are refused.
    pub require_signed: bool,
    /// Whether only peers with a registered email address are visible.
    pub registration_required: bool,
    /// How people register; none = there is no database, and they cannot.
    pub registration: Option<registration::Config>,
    /// The NATS servers that connect several instances; none = this is the only one.
    pub cluster: Option<Address>,
    /// The relay of the server, as it changes; none = there never is one.
    pub relay: Option<watch::Receiver<Option<relay::State>>>,
    /// Limits for clients and peers.
    pub limits: Limits,
}

/// Limits for clients and peers, each many times what is usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Open connections, event streams included; beyond it the next one waits. Has to stay below
    /// the limit of file descriptors.
    pub connections: usize,
    /// Open connections of one address that is not a trusted proxy.
    pub connections_each: usize,
    /// Open event streams.
    pub subscribers: usize,
    /// Open event streams of one client address: a company may share one.
    pub subscribers_each: usize,
    /// Peers online.
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
            download_url: String::new(),
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
