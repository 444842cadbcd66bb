//! Peer ids: how they are read from text, and the DNS label under which a peer's site has its origin.

use libp2p_identity::PeerId;

/// Reads a peer id in any of the forms people paste: base58 (`12D3KooW…`), or CIDv1 in base32 (`bafz…`) or base36 (`k51…`).
pub fn parse(text: &str) -> Option<PeerId> {
    todo!()
}

/// The DNS label of a peer's origin: the id as a base36 CIDv1 (libp2p-key), 62 lower-case characters for Ed25519 keys.
pub fn to_label(peer: &PeerId) -> String {
    todo!()
}

/// The peer a label made by [`to_label`] stands for. Only the canonical lower-case form is accepted.
pub fn from_label(label: &str) -> Option<PeerId> {
    todo!()
}
