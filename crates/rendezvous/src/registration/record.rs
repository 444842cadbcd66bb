//! A registered address, a link, and how they are written.

use goop2_proto::{PeerId, id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::mail;

/// How long a link is valid, as the mail says. In milliseconds, like all times here.
pub(super) const LINK_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// The keys of the owner in a record's `metadata`.
const PEER: &str = "peer_id";
const PROVED: &str = "peer_proved";

/// The SHA-256 of a token; the token itself is not stored.
pub(super) type Hash = [u8; 32];

/// One registered address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// As it was written when it was registered.
    pub email: String,
    /// Unix time in milliseconds.
    pub created_at: i64,
    /// Unix time in milliseconds; 0 = not yet.
    pub verified_at: i64,
    /// Which peer it belongs to, and what other programs store here.
    pub metadata: Map<String, Value>,
}

/// A pending link.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) email: String,
    pub(super) peer: Option<PeerId>,
    pub(super) created_at: i64,
}

/// One change to save.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Write {
    Record(Record),
    NoRecord {
        email: String,
    },
    Pending(Hash, Pending),
    NoPending(Hash),
    /// The peer is blocked.
    Block(PeerId),
    NoBlock(PeerId),
}

impl Record {
    /// An address that is not verified yet.
    pub(super) fn new(email: String, created_at: i64) -> Self {
        Self {
            email,
            created_at,
            verified_at: 0,
            metadata: Map::new(),
        }
    }

    /// The peer that the address belongs to, and whether it has to sign its presence.
    pub fn owner(&self) -> Option<(PeerId, bool)> {
        let peer = id::parse(self.metadata.get(PEER)?.as_str()?)?;
        let proved = self
            .metadata
            .get(PROVED)
            .and_then(Value::as_bool)
            .unwrap_or(false);
        Some((peer, proved))
    }

    pub(super) fn set_owner(&mut self, peer: PeerId, proved: bool) {
        self.metadata.insert(PEER.into(), peer.to_base58().into());
        self.metadata.insert(PROVED.into(), proved.into());
    }
}

/// What is stored of a token.
pub(super) fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

/// Addresses that differ only in case are the same mailbox in practice, and a host is the same in
/// its own script and in ASCII.
pub(super) fn key(email: &str) -> String {
    let email = email.trim().to_lowercase();
    if email.is_ascii() {
        return email;
    }
    mail::ascii_host(&email).unwrap_or(email)
}

/// Whether a link of that time has expired.
pub(super) fn is_old(created_at: i64, now: i64) -> bool {
    now - created_at >= LINK_MILLIS
}
