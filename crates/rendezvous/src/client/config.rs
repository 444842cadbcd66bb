//! What a client needs to know.

use std::time::Duration;

use goop2_proto::{Keypair, roster::Source};

use super::{address::Address, http::Http};

/// Of one client.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server.
    pub address: Address,
    /// What its messages are marked with.
    pub source: Source,
    /// Signs what is published.
    pub key: Keypair,
    /// How often the peer says that it is online.
    pub heartbeat: Duration,
    /// A stream that is silent for so long is dead; servers say something every 25 s.
    pub silence: Duration,
    /// Shared by all clients.
    pub http: Http,
}
