//! How a peer asks a rendezvous to register an email address, and proves which peer it is.
//!
//! Existing servers register an address alone, and trust any peer that writes it into its messages.
//! Ours bind it to a peer id: the request is signed by that peer, and the reader of the mail
//! confirms it. Signature bytes: [`DOMAIN`], then the address, the peer id's text and `ts` in
//! decimal, each ended by a zero byte, which none of them contains.

use libp2p_identity::{Keypair, PeerId};
use serde_json::{Value, json};

use crate::{
    go_json, id,
    presence::{MAX_EMAIL, Signature, ed25519},
};

/// What a registration's signature signs begins with this, so that no other signature of the same
/// key can pass for one.
pub const DOMAIN: &[u8] = b"goop2-register-v1\0";
/// Longest body of a request.
pub const MAX_BODY: usize = 4 * 1024;

/// A request whose signature verified, or one that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The address to register.
    pub email: String,
    /// The peer that will use it.
    pub peer: PeerId,
    /// The peer's clock, unix time in milliseconds.
    pub ts: i64,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not JSON, or a member missing or of the wrong type.
    #[error("bad json")]
    Json,
    /// Not an address; see [`email`].
    #[error("that is not an email address")]
    Email,
    /// Not signed by that peer, or not this.
    #[error("the signature does not verify")]
    Forged,
}

impl Request {
    /// The signed body, `{"email", "peer_id", "ts", "sig"}`.
    pub fn sign(&self, key: &Keypair) -> Vec<u8> {
        let sig = key
            .sign(&self.signed_bytes())
            .ok()
            .and_then(|sig| sig.try_into().ok())
            .map(|sig| Signature(sig).to_string());
        go_json::to_vec(&json!({
            "email": self.email,
            "peer_id": self.peer.to_base58(),
            "ts": self.ts,
            "sig": sig.unwrap_or_default(),
        }))
    }

    /// Reads a body and verifies it. Whether `ts` is fresh is for the owner of a clock to say.
    pub fn verify(body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > MAX_BODY {
            return Err(Refusal::Json);
        }
        let members = go_json::object(body).map_err(|_| Refusal::Json)?;
        let text = |key| {
            members
                .get(key)
                .and_then(Value::as_str)
                .ok_or(Refusal::Json)
        };
        let request = Self {
            email: email(text("email")?).ok_or(Refusal::Email)?.to_owned(),
            peer: id::parse(text("peer_id")?).ok_or(Refusal::Json)?,
            ts: members
                .get("ts")
                .and_then(Value::as_i64)
                .ok_or(Refusal::Json)?,
        };
        let Signature(sig) = Signature::parse(text("sig")?).ok_or(Refusal::Forged)?;
        let verified =
            ed25519(&request.peer).is_some_and(|key| key.verify(&request.signed_bytes(), &sig));
        if verified {
            Ok(request)
        } else {
            Err(Refusal::Forged)
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        for part in [&self.email, &self.peer.to_base58(), &self.ts.to_string()] {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        bytes
    }
}

/// The address in the text, as far as anyone can tell without sending a mail: one `@` with
/// something before it, a dot in what comes after, and nothing that has a meaning in the header of
/// a mail.
pub fn email(text: &str) -> Option<&str> {
    let text = text.trim();
    let (name, host) = text.split_once('@')?;
    let odd = |c: char| c.is_control() || c.is_whitespace() || r#"<>()[]\,;:"@"#.contains(c);
    let labels = host.split('.').count() > 1 && host.split('.').all(|label| !label.is_empty());
    let fits = text.len() <= MAX_EMAIL && !name.is_empty() && labels;
    (fits && !name.contains(odd) && !host.contains(odd)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: &Keypair) -> Request {
        Request {
            email: "ann@example.org".into(),
            peer: key.public().to_peer_id(),
            ts: 1_770_465_600_123,
        }
    }

    /// The key of the vectors: 32 zero bytes.
    fn key() -> Keypair {
        Keypair::ed25519_from_bytes([0; 32]).unwrap()
    }

    #[test]
    fn the_vector_of_the_protocol() {
        let body = String::from_utf8(request(&key()).sign(&key())).unwrap();
        assert_eq!(body, VECTOR);
        assert_eq!(Request::verify(VECTOR.as_bytes()), Ok(request(&key())));
    }

    #[test]
    fn whatever_is_changed_or_signed_by_another_is_refused() {
        let other = Keypair::ed25519_from_bytes([1; 32]).unwrap();
        assert_eq!(
            Request::verify(&request(&key()).sign(&other)),
            Err(Refusal::Forged)
        );
        for (from, to) in [
            ("ann@", "bob@"),
            ("600123", "600124"),
            (
                &*key().public().to_peer_id().to_base58(),
                &*other.public().to_peer_id().to_base58(),
            ),
            ("\"sig\":\"", "\"sig\":\"A"),
        ] {
            let changed = VECTOR.replace(from, to);
            assert_eq!(
                Request::verify(changed.as_bytes()),
                Err(Refusal::Forged),
                "{changed}"
            );
        }
        for bad in ["", "null", "[]", "{}", r#"{"email":1}"#] {
            assert_eq!(Request::verify(bad.as_bytes()), Err(Refusal::Json));
        }
    }

    #[test]
    fn addresses_are_recognized_among_other_text() {
        for good in [
            "a@b.c",
            " ann@example.org ",
            "o'neil+goop@mail.example.org",
            "ü@müller.example",
        ] {
            assert_eq!(email(good), Some(good.trim()));
        }
        let long = format!("{}@example.org", "x".repeat(MAX_EMAIL));
        for bad in [
            "",
            "ann",
            "ann@",
            "@example.org",
            "ann@localhost",
            "ann@example.",
            "a@b@c.d",
            "a b@c.d",
            "ann@example.org\r\nBcc: x@y.z",
            "Ann <ann@example.org>",
            "a,b@c.d",
            &long,
        ] {
            assert_eq!(email(bad), None, "{bad}");
        }
    }

    const VECTOR: &str = r#"{"email":"ann@example.org","peer_id":"12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN","ts":1770465600123,"sig":"C3C7wQwjlJ8MiCLJbr0vjqXllVAsaosaxciPFxPYY1JRxIVC63kj7SAEmPHYaXAiL9a7Xihpz7iUg78h_zFrDQ"}"#;
}
