//! What a client needs to know.

use std::time::Duration;

use goop2_proto::{Keypair, roster::Source};

use super::{address::Address, http::Http};

/// Of one client.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server.
    pub address: Address,
    /// The source its events are marked with.
    pub source: Source,
    /// Signs what is published.
    pub key: Keypair,
    /// How often the peer publishes that it is online.
    pub heartbeat: Duration,
    /// A stream that is silent for so long is dead; servers send something every 25 s.
    pub silence: Duration,
    /// Shared by all clients.
    pub http: Http,
}
