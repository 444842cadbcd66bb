//! The presence message (§3.2): what a peer says of itself, on gossip and through a rendezvous.
//!
//! Everything in it is the sender's word. Decoding bounds it and takes out what could mislead the reader (addresses that
//! would point back at himself, or at another peer); whether the sender is who he says is for the caller to know: the
//! author of the gossip message, or a signature.

use serde::Serialize;
use serde_json::Value;

use crate::{
    Multiaddr, PeerId, addr,
    go_json::{self, fold, read},
    id,
};

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
    /// The peer takes no video calls.
    pub video_disabled: bool,
    /// Where it can be dialled, without its own id at the end. At most [`MAX_ADDRS`].
    pub addrs: Vec<Multiaddr>,
    /// Sender's clock, unix time in milliseconds.
    pub ts: i64,
}

/// Longest display name; this and the next three are the limits of the rendezvous (§6.3).
pub const MAX_LABEL: usize = 4096;
/// Longest e-mail address.
pub const MAX_EMAIL: usize = 320;
/// Most addresses in a message.
pub const MAX_ADDRS: usize = 20;
/// Longest address text.
pub const MAX_ADDR: usize = 256;
/// Most digits of an avatar's hash: a whole SHA-256, of which existing peers send a quarter.
pub const MAX_AVATAR_HASH: usize = 64;
/// Longest message: room for every field at its bound with every byte of the texts escaped, and well below the 64 KiB
/// at which the event stream of existing clients breaks (§6.4).
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
    #[error("the e-mail address is longer than {MAX_EMAIL} bytes")]
    Email,
    /// Not hexadecimal, or more than [`MAX_AVATAR_HASH`].
    #[error("the avatar's hash is not valid")]
    AvatarHash,
    /// More than [`MAX_ADDRS`], or one longer than [`MAX_ADDR`].
    #[error("more than {MAX_ADDRS} addresses, or one longer than {MAX_ADDR} bytes")]
    Addrs,
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

    /// Reads one message. Unknown keys and unparsable addresses are skipped; keys match case-insensitively; anything out of bounds is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Error::TooLong);
        }
        Fields::read(bytes).map_err(Error::Json)?.check()
    }

    /// The bytes a Go peer would send: key order, omitted empty fields and escapes as in §3.2. What is longer than a
    /// receiver accepts is shortened or left out, so that one long name does not make the peer invisible.
    pub fn encode(&self) -> Vec<u8> {
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
        go_json::to_vec(&Fields {
            kind: self.kind.as_str().into(),
            peer: self.peer.to_base58(),
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
        })
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

    fn parse(text: &str) -> Option<Self> {
        [Self::Online, Self::Update, Self::Offline]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// The longest beginning of the text that has at most so many bytes and no broken character.
pub fn shorten(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// The message as it is on the wire, in the order of Feb's struct.
#[derive(Default, Serialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "peerId")]
    peer: String,
    #[serde(rename = "content", skip_serializing_if = "String::is_empty")]
    label: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(rename = "avatarHash", skip_serializing_if = "String::is_empty")]
    avatar_hash: String,
    #[serde(rename = "videoDisabled", skip_serializing_if = "std::ops::Not::not")]
    video_disabled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addrs: Vec<String>,
    ts: i64,
}

impl Fields {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut f = Self::default();
        for (key, value) in go_json::object(bytes)? {
            f.set(&fold(&key), value)?;
        }
        Ok(f)
    }

    fn set(&mut self, key: &str, value: Value) -> Result<(), String> {
        match key {
            "type" => read(&mut self.kind, key, value, go_json::text),
            "peerid" => read(&mut self.peer, key, value, go_json::text),
            "content" => read(&mut self.label, key, value, go_json::text),
            "email" => read(&mut self.email, key, value, go_json::text),
            "avatarhash" => read(&mut self.avatar_hash, key, value, go_json::text),
            "videodisabled" => read(&mut self.video_disabled, key, value, go_json::boolean),
            "addrs" => read(&mut self.addrs, key, value, go_json::texts),
            "ts" => read(&mut self.ts, key, value, go_json::integer),
            _ => Ok(()),
        }
    }

    fn check(self) -> Result<Presence, Error> {
        let Some(kind) = Kind::parse(&self.kind) else {
            return Err(Error::OtherKind(shorten(&self.kind, 32).into()));
        };
        let peer = id::parse(&self.peer).ok_or(Error::Peer)?;
        if self.label.len() > MAX_LABEL {
            return Err(Error::Label);
        }
        if self.email.len() > MAX_EMAIL {
            return Err(Error::Email);
        }
        if self.avatar_hash.len() > MAX_AVATAR_HASH
            || !self.avatar_hash.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(Error::AvatarHash);
        }
        if self.addrs.len() > MAX_ADDRS || self.addrs.iter().any(|addr| addr.len() > MAX_ADDR) {
            return Err(Error::Addrs);
        }
        Ok(Presence {
            kind,
            peer,
            label: self.label,
            email: self.email,
            avatar_hash: self.avatar_hash,
            video_disabled: self.video_disabled,
            addrs: self
                .addrs
                .iter()
                .filter_map(|text| dialable(text, &peer))
                .collect(),
            ts: self.ts,
        })
    }
}

/// The address, if it can lead from here to that peer (§1.4).
fn dialable(text: &str, peer: &PeerId) -> Option<Multiaddr> {
    let addr = addr::of_peer(&text.parse().ok()?, peer)?;
    let misleads = |ip| addr::is_no_destination(ip) || addr::is_link_local(ip);
    if addr::ip(&addr).is_some_and(misleads) {
        None
    } else {
        Some(addr)
    }
}
