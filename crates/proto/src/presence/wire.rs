//! The message as it travels, and the signature that proves whose it is.

use std::fmt;

use libp2p_identity::{Keypair, PeerId, PublicKey};
use multiaddr::Multiaddr;
use multibase::Base;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Error, Kind, MAX_ADDR, MAX_ADDRS, MAX_AVATAR_HASH, MAX_EMAIL, MAX_EXTRA, MAX_EXTRA_BYTES,
    MAX_LABEL, MAX_MESSAGE, Presence, canonical, shorten,
};
use crate::{
    addr,
    go_json::{self, fold, read},
    id,
};

/// What a presence signature signs begins with this, so that no other signature of the same key can
/// pass for one.
const DOMAIN: &[u8] = b"goop2-presence-v1\0";
/// Not the author's word: one is a secret between him and a rendezvous, the other what a rendezvous
/// says about him.
const NOT_THE_AUTHORS: [&str; 2] = ["verificationtoken", "verified"];

/// A presence message as its author wrote it: texts, and whatever else was in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What is announced.
    pub kind: Kind,
    /// Of whom.
    pub peer: PeerId,
    /// Display name.
    pub label: String,
    /// As the author says.
    pub email: String,
    /// Hexadecimal, or empty.
    pub avatar_hash: String,
    /// The peer does not accept video calls.
    pub video_disabled: bool,
    /// Texts that need not be addresses: that is for those to find out who would dial them.
    pub addrs: Vec<String>,
    /// Author's clock, unix time in milliseconds.
    pub ts: i64,
    /// Members that this version does not know. Never `verified` or `verificationToken`: they are
    /// not the author's word.
    pub extra: Map<String, Value>,
    /// The author's signature, if it has the form of one.
    pub sig: Option<Signature>,
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// What a message's signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// None: an existing peer, or a server in between that removed it. Anyone could have written
    /// it.
    Unsigned,
    /// Its author wrote it.
    Proved,
    /// Written or changed by someone other than its author. Must not be passed on.
    Forged,
}

impl Message {
    /// Reads one message, every field within its bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Error::TooLong);
        }
        let message = Fields::read(bytes).map_err(Error::Json)?.check()?;
        message.extra_in_bounds()?;
        Ok(message)
    }

    /// One line of JSON in the key order of existing peers, with what they do not know at the end.
    pub fn encode(&self) -> Vec<u8> {
        go_json::to_vec(&Fields::from(self))
    }

    /// Signs with the key that [`Self::peer`] is the id of. A message that has no canonical form
    /// stays unsigned: a number with a fraction among the unknown members, or a `ts` beyond what
    /// every JSON reader can hold.
    pub fn sign(&mut self, key: &Keypair) {
        self.sig = self
            .signed_bytes()
            .and_then(|bytes| key.sign(&bytes).ok()?.try_into().ok())
            .map(Signature);
    }

    /// Whether the signature was made by the key inside the peer id.
    pub fn proof(&self) -> Proof {
        let Some(Signature(sig)) = &self.sig else {
            return Proof::Unsigned;
        };
        let proved = ed25519(&self.peer)
            .zip(self.signed_bytes())
            .is_some_and(|(key, bytes)| key.verify(&bytes, sig));
        if proved { Proof::Proved } else { Proof::Forged }
    }

    /// What the signature signs: the domain, then the canonical JSON of the message without it.
    pub fn signed_bytes(&self) -> Option<Vec<u8>> {
        let unsigned = Self {
            sig: None,
            ..self.clone()
        };
        let Ok(Value::Object(members)) = serde_json::to_value(Fields::from(&unsigned)) else {
            return None;
        };
        let mut bytes = DOMAIN.to_vec();
        canonical::write(&Value::Object(members), &mut bytes)?;
        Some(bytes)
    }

    /// Everything of it that a receiver can use.
    pub fn presence(&self) -> Presence {
        Presence {
            kind: self.kind,
            peer: self.peer,
            label: self.label.clone(),
            email: self.email.clone(),
            avatar_hash: self.avatar_hash.clone(),
            video_disabled: self.video_disabled,
            addrs: self
                .addrs
                .iter()
                .filter_map(|text| dialable(text, &self.peer))
                .collect(),
            ts: self.ts,
        }
    }

    /// Whether it announces what the other does: only time has passed.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let gone = |message: &Self| message.kind == Kind::Offline;
        gone(self) == gone(other)
            && self.peer == other.peer
            && self.label == other.label
            && self.email == other.email
            && self.avatar_hash == other.avatar_hash
            && self.video_disabled == other.video_disabled
            && self.addrs == other.addrs
            && self.extra == other.extra
            && self.sig.is_some() == other.sig.is_some()
    }

    pub(crate) fn extra_in_bounds(&self) -> Result<(), Error> {
        if self.extra.len() > MAX_EXTRA || go_json::to_vec(&self.extra).len() > MAX_EXTRA_BYTES {
            return Err(Error::Extra);
        }
        Ok(())
    }
}

impl Signature {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let signature = Self(Base::Base64Url.decode(text).ok()?.try_into().ok()?);
        (signature.to_string() == text).then_some(signature)
    }
}

/// base64url without padding, as on the wire.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base::Base64Url.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

/// The key that an Ed25519 peer id consists of; ids of other keys are only their hash.
pub(crate) fn ed25519(peer: &PeerId) -> Option<libp2p_identity::ed25519::PublicKey> {
    const IDENTITY: u64 = 0;
    let hash = peer.as_ref();
    if hash.code() != IDENTITY {
        return None;
    }
    PublicKey::try_decode_protobuf(hash.digest())
        .ok()?
        .try_into_ed25519()
        .ok()
}

/// The members in the order of Feb's struct; what Feb does not know comes last.
#[derive(Default, Serialize)]
pub(crate) struct Fields {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(rename = "peerId")]
    pub(crate) peer: String,
    #[serde(rename = "content", skip_serializing_if = "String::is_empty")]
    pub(crate) label: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) email: String,
    #[serde(rename = "avatarHash", skip_serializing_if = "String::is_empty")]
    avatar_hash: String,
    #[serde(rename = "videoDisabled", skip_serializing_if = "std::ops::Not::not")]
    video_disabled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) addrs: Vec<String>,
    ts: i64,
    #[serde(flatten)]
    extra: Map<String, Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    sig: String,
}

impl Fields {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        Self::from_members(go_json::object(bytes)?)
    }

    pub(crate) fn from_members(members: Map<String, Value>) -> Result<Self, String> {
        let mut fields = Self::default();
        for (key, value) in members {
            fields.set(key, value)?;
        }
        Ok(fields)
    }

    fn set(&mut self, name: String, value: Value) -> Result<(), String> {
        let key = &*fold(&name);
        match key {
            "type" => read(&mut self.kind, key, value, go_json::text),
            "peerid" => read(&mut self.peer, key, value, go_json::text),
            "content" => read(&mut self.label, key, value, go_json::text),
            "email" => read(&mut self.email, key, value, go_json::text),
            "avatarhash" => read(&mut self.avatar_hash, key, value, go_json::text),
            "videodisabled" => read(&mut self.video_disabled, key, value, go_json::boolean),
            "addrs" => read(&mut self.addrs, key, value, go_json::texts),
            "ts" => read(&mut self.ts, key, value, go_json::integer),
            // Of another type it is another program's: the message then counts as unsigned, as
            // existing servers take it.
            "sig" => {
                self.sig = go_json::text(value).unwrap_or_default();
                Ok(())
            }
            _ if NOT_THE_AUTHORS.contains(&key) => Ok(()),
            _ => {
                self.extra.insert(name, canonical::whole(value));
                Ok(())
            }
        }
    }

    pub(crate) fn check(self) -> Result<Message, Error> {
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
        Ok(Message {
            kind,
            peer,
            label: self.label,
            email: self.email,
            avatar_hash: self.avatar_hash,
            video_disabled: self.video_disabled,
            addrs: self.addrs,
            ts: self.ts,
            extra: self.extra,
            sig: Signature::parse(&self.sig),
        })
    }
}

impl From<&Message> for Fields {
    fn from(message: &Message) -> Self {
        Self {
            kind: message.kind.as_str().into(),
            peer: message.peer.to_base58(),
            label: message.label.clone(),
            email: message.email.clone(),
            avatar_hash: message.avatar_hash.clone(),
            video_disabled: message.video_disabled,
            addrs: message.addrs.clone(),
            ts: message.ts,
            extra: message.extra.clone(),
            sig: message.sig.map(|sig| sig.to_string()).unwrap_or_default(),
        }
    }
}

/// The address, if it can lead from here to that peer (§1.4).
fn dialable(text: &str, peer: &PeerId) -> Option<Multiaddr> {
    let addr = addr::of_peer(&text.parse().ok()?, peer)?;
    let misleads = |ip| addr::cannot_be_dialed(ip) || addr::is_link_local(ip);
    if addr::ip(&addr).is_some_and(misleads) {
        None
    } else {
        Some(addr)
    }
}
