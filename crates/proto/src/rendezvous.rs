//! What a rendezvous takes (§6.3): the checks of `POST /publish` in their documented order, each
//! with its documented text.
//!
//! Existing peers swallow these answers; people with a terminal read them, and so do the recorded
//! exchanges.

use crate::{
    go_json,
    presence::{
        Error, FRESH, Kind, MAX_ADDR, MAX_ADDRS, MAX_EMAIL, MAX_LABEL, MAX_MESSAGE, Message, Proof,
        is_fresh, shorten,
    },
};

/// Longest body of `/publish`: three times the largest message of an existing peer.
pub const MAX_BODY: usize = 16 * 1024;
/// Longest `peerId` text that is looked at.
pub const MAX_PEER_ID: usize = 256;
/// Longest line of `/events`: at 64 KiB the reader of existing clients breaks, for ever (§6.4).
pub const MAX_LINE: usize = 60 * 1024;
/// A `type` in an answer is cut here.
const MAX_QUOTED: usize = 64;

/// Why a published message is not taken. The text is the answer's body; all are 400 in HTTP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not JSON, or a member of the wrong type.
    #[error("bad json")]
    Json,
    /// Either is missing or blank.
    #[error("bad message: type and peerId are required")]
    Required,
    /// Not online, update or offline.
    #[error("bad message: unknown type {0:?}")]
    Kind(String),
    /// Over [`MAX_PEER_ID`].
    #[error("bad message: peerId too long")]
    PeerTooLong,
    /// Over [`MAX_LABEL`].
    #[error("bad message: content too long")]
    Label,
    /// Over [`MAX_EMAIL`].
    #[error("bad message: email too long")]
    Email,
    /// Over [`MAX_ADDRS`].
    #[error("bad message: too many addrs")]
    Addrs,
    /// Over [`MAX_ADDR`].
    #[error("bad message: addr too long")]
    Addr,
    /// Not hexadecimal or too long. From here on existing servers do not look.
    #[error("bad message: avatarHash is not valid")]
    AvatarHash,
    /// Any text but a peer id.
    #[error("bad message: not a peer id")]
    Peer,
    /// More unknown members than are passed on, or the whole longer than [`MAX_MESSAGE`].
    #[error("bad message: too long")]
    TooLong,
    /// The signature is not of that peer, or not of this message.
    #[error("bad message: the signature does not verify")]
    Forged,
    /// Signed too long ago, or by a clock that is wrong.
    #[error("bad message: ts is more than {} minutes from the server's clock", FRESH / 60_000)]
    Stale,
}

/// A message that may be taken, with the bytes to pass on.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// What it says; `ts` is the server's where it was 0.
    pub message: Message,
    /// Whether its author signed it.
    pub proved: bool,
}

/// The whole of the checks; `now` is the server's clock, unix time in milliseconds. JSON after the
/// first value is ignored, as existing servers do.
pub fn check(body: &[u8], now: i64) -> Result<Accepted, Refusal> {
    let members = go_json::first_object(body).map_err(|_| Refusal::Json)?;
    let fields = crate::presence::Fields::from_members(members).map_err(|_| Refusal::Json)?;
    if fields.kind.trim().is_empty() || fields.peer.trim().is_empty() {
        return Err(Refusal::Required);
    }
    if Kind::parse(&fields.kind).is_none() {
        return Err(Refusal::Kind(shorten(&fields.kind, MAX_QUOTED).into()));
    }
    if fields.peer.len() > MAX_PEER_ID {
        return Err(Refusal::PeerTooLong);
    }
    if fields.label.len() > MAX_LABEL {
        return Err(Refusal::Label);
    }
    if fields.email.len() > MAX_EMAIL {
        return Err(Refusal::Email);
    }
    if fields.addrs.len() > MAX_ADDRS {
        return Err(Refusal::Addrs);
    }
    if fields.addrs.iter().any(|addr| addr.len() > MAX_ADDR) {
        return Err(Refusal::Addr);
    }
    let mut message = fields.check()?;
    message.extra_in_bounds()?;
    let proved = match message.proof() {
        Proof::Forged => return Err(Refusal::Forged),
        Proof::Proved if !is_fresh(message.ts, now) => return Err(Refusal::Stale),
        Proof::Proved => true,
        Proof::Unsigned => false,
    };
    if message.ts == 0 {
        message.ts = now;
    }
    if message.encode().len() > MAX_MESSAGE {
        return Err(Refusal::TooLong);
    }
    Ok(Accepted { message, proved })
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLong | Error::Extra => Self::TooLong,
            Error::Json(_) => Self::Json,
            Error::OtherKind(kind) => Self::Kind(kind),
            Error::Peer => Self::Peer,
            Error::Label => Self::Label,
            Error::Email => Self::Email,
            Error::AvatarHash => Self::AvatarHash,
            Error::Addrs => Self::Addrs,
        }
    }
}
