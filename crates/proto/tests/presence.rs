//! The presence message: the recorded ones, ours as golden bytes, and what strangers may try.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

mod common;

use common::fixture;
use goop2_proto::{
    Multiaddr, PeerId, id,
    mdns::{self, Received, Service, Tag},
    presence::{
        self, Error, Kind, MAX_ADDR, MAX_ADDRS, MAX_AVATAR_HASH, MAX_EMAIL, MAX_LABEL, MAX_MESSAGE,
        Presence,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
const OTHER: &str = "12D3KooWQaj9WpvANC4aX2Pf8sNtyUAp4iREgytii1suEBMYiXwh";

fn peer() -> PeerId {
    id::parse(PEER).unwrap()
}

fn messages(file: &str) -> Vec<String> {
    let messages = fixture(file)["messages"].as_array().unwrap().clone();
    messages
        .iter()
        .map(|message| message["data"].as_str().unwrap().to_owned())
        .collect()
}

fn decode(message: &Value) -> Result<Presence, Error> {
    Presence::decode(message.to_string().as_bytes())
}

/// A valid message with one member changed.
fn with(key: &str, value: Value) -> Value {
    let mut message = json!({"type": "update", "peerId": PEER, "ts": 1});
    message[key] = value;
    message
}

fn addrs(texts: &[&str]) -> Vec<String> {
    let presence = decode(&with("addrs", json!(texts))).unwrap();
    presence.addrs.iter().map(Multiaddr::to_string).collect()
}

#[test]
fn recorded_messages_are_read_and_those_of_feb_written_the_same() {
    for data in messages("gossip-feb.json") {
        let presence = Presence::decode(data.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(presence.encode()).unwrap(), data);
    }
    for data in messages("gossip-head.json") {
        let presence = Presence::decode(data.as_bytes()).unwrap();
        assert_eq!(
            (
                presence.kind,
                presence.label.as_str(),
                presence.email.as_str()
            ),
            (Kind::Update, "alpha", "alpha@example.org")
        );
        let ours = data.replace(
            "\"encryptionSupported\":true,\"goopClientVersion\":\"dev\",",
            "",
        );
        assert_eq!(String::from_utf8(presence.encode()).unwrap(), ours);
    }
}

#[test]
fn our_messages() {
    let presence = Presence {
        kind: Kind::Online,
        label: "Alice & <Bob>".into(),
        email: "a@example.org".into(),
        avatar_hash: "9f86d081884c7d65".into(),
        video_disabled: true,
        addrs: vec![
            "/ip4/192.168.1.20/tcp/40123".parse().unwrap(),
            format!("/ip4/198.51.100.2/tcp/4002/p2p/{OTHER}/p2p-circuit/p2p/{PEER}")
                .parse()
                .unwrap(),
        ],
        ..Presence::offline(peer(), 1_770_465_600_123)
    };
    let expected = format!(
        "{{\"type\":\"online\",\"peerId\":\"{PEER}\",\"content\":\"Alice \\u0026 \\u003cBob\\u003e\",\"email\":\"a@example.org\",\
         \"avatarHash\":\"9f86d081884c7d65\",\"videoDisabled\":true,\"addrs\":[\"/ip4/192.168.1.20/tcp/40123\",\
         \"/ip4/198.51.100.2/tcp/4002/p2p/{OTHER}/p2p-circuit\"],\"ts\":1770465600123}}"
    );
    assert_eq!(String::from_utf8(presence.encode()).unwrap(), expected);
    let expected = format!("{{\"type\":\"offline\",\"peerId\":\"{PEER}\",\"ts\":1770465612000}}");
    assert_eq!(
        String::from_utf8(Presence::offline(peer(), 1_770_465_612_000).encode()).unwrap(),
        expected
    );
}

#[test]
fn keys_match_in_any_case_and_null_is_absent() {
    let message = json!({"TYPE": "offline", "PeerID": PEER, "TS": 5, "content": null, "addrs": null, "verified": true, "x": {}});
    assert_eq!(decode(&message), Ok(Presence::offline(peer(), 5)));
    assert_eq!(
        decode(&json!({"type": "offline", "peerId": PEER})),
        Ok(Presence::offline(peer(), 0))
    );
}

#[test]
fn messages_for_others_differ_from_broken_ones() {
    assert_eq!(
        decode(&with("type", json!("punch"))),
        Err(Error::OtherKind("punch".into()))
    );
    assert_eq!(
        decode(&with("type", json!("x".repeat(1000)))),
        Err(Error::OtherKind("x".repeat(32)))
    );
    assert_eq!(
        decode(&with("type", Value::Null)),
        Err(Error::OtherKind(String::new()))
    );
    assert_eq!(
        decode(&with("type", json!("Online"))),
        Err(Error::OtherKind("Online".into()))
    );
    for broken in [
        with("type", json!(1)),
        with("ts", json!(1.5)),
        with("ts", json!("1")),
        with("addrs", json!([1])),
        json!([]),
    ] {
        assert!(matches!(decode(&broken), Err(Error::Json(_))), "{broken}");
    }
}

#[test]
fn every_field_is_bounded() {
    let long = |max: usize| json!("a".repeat(max + 1));
    assert_eq!(decode(&with("content", long(MAX_LABEL))), Err(Error::Label));
    assert_eq!(decode(&with("email", long(MAX_EMAIL))), Err(Error::Email));
    assert_eq!(
        decode(&with("avatarHash", long(MAX_AVATAR_HASH))),
        Err(Error::AvatarHash)
    );
    assert_eq!(
        decode(&with("avatarHash", json!("../x"))),
        Err(Error::AvatarHash)
    );
    assert_eq!(
        decode(&with("addrs", json!(vec!["/ip4/10.0.0.1"; MAX_ADDRS + 1]))),
        Err(Error::Addrs)
    );
    assert_eq!(
        decode(&with("addrs", json!([long(MAX_ADDR)]))),
        Err(Error::Addrs)
    );
    assert_eq!(decode(&with("x", long(MAX_MESSAGE))), Err(Error::TooLong));
    for bad in ["", "alice", "12D3KooW", &"1".repeat(MAX_MESSAGE - 100)] {
        assert_eq!(decode(&with("peerId", json!(bad))), Err(Error::Peer));
    }
}

#[test]
fn the_longest_valid_message_is_not_too_long() {
    let full = Presence {
        kind: Kind::Update,
        label: "\u{1}".repeat(MAX_LABEL),
        email: "<".repeat(MAX_EMAIL),
        avatar_hash: "f".repeat(MAX_AVATAR_HASH),
        video_disabled: true,
        addrs: vec![
            format!("/dns4/{}/tcp/1", "d".repeat(MAX_ADDR - 12))
                .parse()
                .unwrap();
            MAX_ADDRS
        ],
        ..Presence::offline(peer(), i64::MIN)
    };
    assert_eq!(Presence::decode(&full.encode()), Ok(full));
}

#[test]
fn what_receivers_would_refuse_is_not_sent() {
    let sent = Presence {
        kind: Kind::Update,
        label: "ü".repeat(MAX_LABEL),
        email: "e".repeat(MAX_EMAIL + 1),
        addrs: vec!["/ip4/10.0.0.1/tcp/1".parse().unwrap(); MAX_ADDRS + 1],
        ..Presence::offline(peer(), 1)
    };
    let read = Presence::decode(&sent.encode()).unwrap();
    assert_eq!(
        (read.label, read.email, read.addrs.len()),
        ("ü".repeat(MAX_LABEL / 2), String::new(), MAX_ADDRS)
    );
    assert_eq!(presence::shorten("aü", 2), "a");
}

#[test]
fn addresses_follow_the_receivers_rules() {
    assert_eq!(
        addrs(&[
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip4/0.0.0.0/tcp/1"
        ]),
        Vec::<String>::new()
    );
    assert_eq!(
        addrs(&[
            "nonsense",
            "",
            "/",
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/10.0.0/tcp/1"
        ]),
        ["/ip4/10.0.0.1/tcp/1"]
    );
    assert_eq!(
        addrs(&[&format!("/ip4/10.0.0.1/tcp/1/p2p/{PEER}")]),
        ["/ip4/10.0.0.1/tcp/1"]
    );
    assert_eq!(
        addrs(&[
            &format!("/ip4/10.0.0.1/tcp/1/p2p/{OTHER}"),
            &format!("/p2p/{PEER}")
        ]),
        Vec::<String>::new()
    );
    let circuit = format!("/ip4/198.51.100.2/tcp/4002/p2p/{OTHER}/p2p-circuit");
    assert_eq!(
        addrs(&[&circuit, &format!("{circuit}/p2p/{PEER}")]),
        [circuit.clone(), circuit]
    );
}

fn any_presence() -> impl Strategy<Value = Presence> {
    let kind = prop_oneof![Just(Kind::Online), Just(Kind::Update), Just(Kind::Offline)];
    let addr = prop_oneof![
        (1..=99_u8, any::<u16>()).prop_map(|(a, port)| format!("/ip4/{a}.2.3.4/tcp/{port}")),
        any::<u16>().prop_map(|port| format!("/ip6/fd00::{port:x}/udp/{port}/quic-v1")),
        Just(format!("/ip4/9.9.9.9/tcp/1/p2p/{OTHER}/p2p-circuit")),
    ];
    let addrs =
        proptest::collection::vec(addr.prop_map(|text| text.parse().unwrap()), 0..MAX_ADDRS);
    let texts = (
        "\\PC{0,80}|[\u{0}-\u{2030}]{0,40}",
        ".{0,60}",
        "([0-9a-f]{16})?",
    );
    (kind, texts, any::<bool>(), addrs, any::<i64>()).prop_map(
        |(kind, (label, email, avatar_hash), video_disabled, addrs, ts)| Presence {
            kind,
            label,
            email,
            avatar_hash,
            video_disabled,
            addrs,
            ..Presence::offline(peer(), ts)
        },
    )
}

proptest! {
    #[test]
    fn a_message_comes_back_as_it_was(presence in any_presence()) {
        let bytes = presence.encode();
        prop_assert!(!bytes.contains(&b'\n'));
        prop_assert_eq!(Presence::decode(&bytes), Ok(presence));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Presence::decode(&bytes);
        let _ = mdns::decode(&bytes, &Tag::parse(mdns::DEFAULT_TAG).unwrap());
        let _ = id::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_damaged_packet_is_survived(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let tag = Tag::parse(mdns::DEFAULT_TAG).unwrap();
        let addrs = vec![format!("/ip4/10.0.0.1/tcp/1/p2p/{PEER}").parse().unwrap()];
        let service = Service { tag: tag.clone(), instance: "x".repeat(40), addrs, ips: vec![[10, 0, 0, 1].into()] };
        let mut packet = service.announcement();
        prop_assert!(matches!(mdns::decode(&packet, &tag), Received::Found(_)));
        let at = at.index(packet.len());
        packet[at] = byte;
        let _ = mdns::decode(&packet, &tag);
        let _ = mdns::decode(&packet[..cut.index(packet.len())], &tag);
    }

    #[test]
    fn an_announced_service_is_found(instance in "[a-z0-9]{32,63}", ports in proptest::collection::vec(1..=u16::MAX, 1..8), id: u16) {
        let tag = Tag::parse(mdns::DEFAULT_TAG).unwrap();
        let addrs: Vec<Multiaddr> = ports.iter().map(|port| format!("/ip4/10.0.0.1/tcp/{port}/p2p/{PEER}").parse().unwrap()).collect();
        let service = Service { tag: tag.clone(), instance: instance.clone(), addrs, ips: vec![[10, 0, 0, 1].into()] };
        for packet in [service.announcement(), service.response(id), service.goodbye()] {
            let Received::Found(found) = mdns::decode(&packet, &tag) else { panic!() };
            prop_assert_eq!((&found[0].instance, found[0].peer), (&instance, peer()));
        }
    }

    #[test]
    fn an_id_comes_back_from_each_of_its_forms(seed: [u8; 32]) {
        let secret = libp2p_identity::ed25519::SecretKey::try_from_bytes(seed).unwrap();
        let peer = libp2p_identity::PublicKey::from(libp2p_identity::ed25519::Keypair::from(secret).public()).to_peer_id();
        let label = id::to_label(&peer);
        prop_assert_eq!(label.len(), 62);
        prop_assert_eq!(id::from_label(&label), Some(peer));
        prop_assert_eq!(id::parse(&peer.to_base58()), Some(peer));
    }
}
