//! The presence message (§3.2): what a peer says about itself, on gossip and through a rendezvous.
//!
//! Everything in it is only the sender's claim. Decoding bounds it and removes what could mislead
//! the reader (addresses that point back at the reader, or at another peer). Whether the sender is
//! who it claims to be is for the caller to check: by the author of the gossip message, or the
//! signature of a [`Message`].
//!
//! There are two forms of it. [`Presence`] is what a peer believes: addresses it could dial.
//! [`Message`] is what travels: texts exactly as their author signed them, including members of
//! later versions, so that it can be passed on and verified without understanding them.

mod canonical;
mod wire;

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::addr;
pub(crate) use wire::{Fields, ed25519};
pub use wire::{Message, Proof, Signature};

/// What the message announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The peer has just started.
    Online,
    /// The heartbeat.
    Update,
    /// The peer leaves.
    Offline,
}

/// One presence message, every field within its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Presence {
    /// What is announced.
    pub kind: Kind,
    /// Of whom.
    pub peer: PeerId,
    /// Display name; `content` on the wire. At most [`MAX_LABEL`] bytes.
    pub label: String,
    /// As the peer says, unproved. At most [`MAX_EMAIL`] bytes.
    pub email: String,
    /// Changes with the avatar; empty = none. Hexadecimal, at most [`MAX_AVATAR_HASH`] digits.
    pub avatar_hash: String,
    /// The peer does not accept video calls.
    pub video_disabled: bool,
    /// Where it can be dialed, without its own id at the end. At most [`MAX_ADDRS`].
    pub addrs: Vec<Multiaddr>,
    /// Sender's clock, unix time in milliseconds.
    pub ts: i64,
}

/// Longest display name; this and the next three are the limits of the rendezvous (§6.3).
pub const MAX_LABEL: usize = 4096;
/// Longest email address.
pub const MAX_EMAIL: usize = 320;
/// Most addresses in a message.
pub const MAX_ADDRS: usize = 20;
/// Longest address text.
pub const MAX_ADDR: usize = 256;
/// Most digits of an avatar's hash: a whole SHA-256, of which existing peers send a quarter.
pub const MAX_AVATAR_HASH: usize = 64;
/// Most members of a message that we do not know; existing peers of April send five.
pub const MAX_EXTRA: usize = 32;
/// Most bytes of those members together, as they are written.
pub const MAX_EXTRA_BYTES: usize = 4 * 1024;
/// How far the clock of a signed message may be from ours, in milliseconds: clocks that nobody set
/// are wrong by minutes, those set to the wrong zone by hours.
pub const FRESH: i64 = 60 * 60 * 1000;
/// Longest message: room for every field at its bound with every byte of the texts escaped, and
/// well below the 64 KiB at which the event stream of existing clients breaks (§6.4).
pub const MAX_MESSAGE: usize = 40 * 1024;

/// Why a message is dropped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than [`MAX_MESSAGE`].
    #[error("the message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    /// Not JSON, or a field of the wrong type.
    #[error("the message is not valid: {0}")]
    Json(String),
    /// A message for others: HEAD's `punch`, or one of a version to come.
    #[error("the message is of another type, {0:?}")]
    OtherKind(String),
    /// `peerId` is missing or no peer id.
    #[error("the peer id is not valid")]
    Peer,
    /// More than [`MAX_LABEL`].
    #[error("the label is longer than {MAX_LABEL} bytes")]
    Label,
    /// More than [`MAX_EMAIL`].
    #[error("the email address is longer than {MAX_EMAIL} bytes")]
    Email,
    /// Not hexadecimal, or more than [`MAX_AVATAR_HASH`].
    #[error("the avatar's hash is not valid")]
    AvatarHash,
    /// More than [`MAX_ADDRS`], or one longer than [`MAX_ADDR`].
    #[error("more than {MAX_ADDRS} addresses, or one longer than {MAX_ADDR} bytes")]
    Addrs,
    /// More than [`MAX_EXTRA`] unknown members, or more than [`MAX_EXTRA_BYTES`] of them.
    #[error("more than {MAX_EXTRA} unknown members, or more than {MAX_EXTRA_BYTES} bytes of them")]
    Extra,
}

impl Presence {
    /// What a leaving peer says: nothing but that.
    pub fn offline(peer: PeerId, ts: i64) -> Self {
        Self {
            kind: Kind::Offline,
            peer,
            label: String::new(),
            email: String::new(),
            avatar_hash: String::new(),
            video_disabled: false,
            addrs: Vec::new(),
            ts,
        }
    }

    /// Reads one message. Unknown keys and unparsable addresses are skipped; keys match
    /// case-insensitively; anything out of bounds is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Error::TooLong);
        }
        let message = Fields::read(bytes).map_err(Error::Json)?.check()?;
        Ok(message.presence())
    }

    /// The bytes a Go peer would send: key order, omitted empty fields and escapes as in §3.2.
    pub fn encode(&self) -> Vec<u8> {
        self.message().encode()
    }

    /// The form that travels, not signed yet. What is longer than a receiver accepts is shortened
    /// or left out, so that one long name does not make the peer invisible.
    pub fn message(&self) -> Message {
        let unless_long = |text: &str, max| {
            if text.len() > max {
                String::new()
            } else {
                text.to_owned()
            }
        };
        let addrs = self
            .addrs
            .iter()
            .filter_map(|addr| addr::of_peer(addr, &self.peer));
        Message {
            kind: self.kind,
            peer: self.peer,
            label: shorten(&self.label, MAX_LABEL).into(),
            email: unless_long(&self.email, MAX_EMAIL),
            avatar_hash: unless_long(&self.avatar_hash, MAX_AVATAR_HASH),
            video_disabled: self.video_disabled,
            addrs: addrs
                .map(|addr| addr.to_string())
                .filter(|addr| addr.len() <= MAX_ADDR)
                .take(MAX_ADDRS)
                .collect(),
            ts: self.ts,
            extra: serde_json::Map::new(),
            sig: None,
        }
    }
}

impl Kind {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Update => "update",
            Self::Offline => "offline",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Online, Self::Update, Self::Offline]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// The longest beginning of the text that has at most so many bytes and no broken character.
pub fn shorten(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// Whether a signed message was made around now, both in unix milliseconds. Together with the
/// newest `ts` accepted of each peer this ends replays: what is older than the memory of those is
/// not fresh either.
pub fn is_fresh(ts: i64, now: i64) -> bool {
    ts.abs_diff(now) <= FRESH.unsigned_abs()
}
