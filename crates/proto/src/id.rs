//! Peer ids: how they are read from text, and the DNS label under which a peer's site has its
//! origin.
//!
//! A peer id is case-sensitive base58 everywhere on the wire, which no host name can carry. An
//! origin therefore uses the other form libp2p defines for the same bytes: a CIDv1 of type
//! "libp2p-key", in base36 because only that stays within the 63 characters of a DNS label.

use libp2p_identity::PeerId;
use multibase::Base;

/// Longest text looked at: room for every form of every id (base16, the longest, needs 93), and
/// decoding costs the square of the length.
const MAX_TEXT: usize = 128;
/// CID version 1, content type `libp2p-key`; the id's multihash follows.
const CID_PREFIX: [u8; 2] = [0x01, 0x72];

/// Reads a peer id in any of the forms people paste: base58 (`12D3KooW…`), or CIDv1 in base32
/// (`bafz…`) or base36 (`k51…`).
pub fn parse(text: &str) -> Option<PeerId> {
    if text.len() > MAX_TEXT || !text.is_ascii() {
        return None;
    }
    text.parse().ok().or_else(|| parse_cid(text))
}

/// The DNS label of a peer's origin: the id as a base36 CIDv1 (libp2p-key), 62 lower-case
/// characters for Ed25519 keys.
pub fn to_label(peer: &PeerId) -> String {
    multibase::encode(
        Base::Base36Lower,
        [&CID_PREFIX[..], &peer.to_bytes()].concat(),
    )
}

/// The peer a label made by [`to_label`] stands for. Only the canonical lower-case form is
/// accepted.
pub fn from_label(label: &str) -> Option<PeerId> {
    parse(label).filter(|peer| to_label(peer) == label)
}

fn parse_cid(text: &str) -> Option<PeerId> {
    let (_, bytes) = multibase::decode(text).ok()?;
    PeerId::from_bytes(bytes.strip_prefix(&CID_PREFIX)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE58: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const LABEL: &str = "k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or";

    #[test]
    fn the_label_of_the_design_is_ours() {
        let peer = parse(BASE58).unwrap();
        assert_eq!(to_label(&peer), LABEL);
        assert_eq!(from_label(LABEL), Some(peer));
    }

    #[test]
    fn every_pasted_form_is_the_same_peer() {
        let peer = parse(BASE58).unwrap();
        let cid = [&CID_PREFIX[..], &peer.to_bytes()].concat();
        for base in [
            Base::Base32Lower,
            Base::Base36Lower,
            Base::Base36Upper,
            Base::Base58Btc,
            Base::Base16Lower,
        ] {
            assert_eq!(
                parse(&multibase::encode(base, &cid)),
                Some(peer),
                "{base:?}"
            );
        }
    }

    #[test]
    fn only_the_canonical_label_has_an_origin() {
        assert_eq!(from_label(BASE58), None);
        assert_eq!(from_label(&LABEL.to_uppercase()), None);
        assert_eq!(from_label(&LABEL[..61]), None);
        assert_eq!(from_label(&format!("k0{}", &LABEL[1..])), None);
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "k",
            "12D3KooW",
            "hello",
            "🚀",
            "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
            &"1".repeat(5000),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
