//! The signature of presence: the vectors of docs/protocol-v2.md, and every way to be refused by a
//! rendezvous.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

use goop2_proto::{
    Keypair, cluster,
    presence::{Error, FRESH, Kind, MAX_EXTRA, MAX_EXTRA_BYTES, Message, Presence, Proof},
    rendezvous::{self, Refusal},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_770_465_600_500;

fn key(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

fn alice() -> Message {
    let presence = Presence {
        kind: Kind::Update,
        label: "Alice & <Bob>".into(),
        email: "a@example.org".into(),
        avatar_hash: "9f86d081884c7d65".into(),
        video_disabled: true,
        addrs: vec!["/ip4/192.168.1.20/tcp/40123".parse().unwrap()],
        ..Presence::offline(key(0).public().to_peer_id(), 1_770_465_600_123)
    };
    presence.message()
}

fn signed(mut message: Message) -> Message {
    message.sign(&key(0));
    message
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The blocks of the specification that begin with these words.
fn vectors(kind: &str) -> Vec<String> {
    let spec = include_str!("../../../docs/protocol-v2.md");
    let fence = format!("```{kind}\n");
    spec.split(&fence)
        .skip(1)
        .map(|block| block.split("\n```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_vectors_of_the_specification() {
    let (lines, canonicals) = (vectors("json presence"), vectors("json canonical"));
    assert_eq!((lines.len(), canonicals.len()), (3, 3));
    for (line, canonical) in lines.iter().zip(canonicals) {
        let message = Message::decode(line.as_bytes()).unwrap();
        assert_eq!(message.proof(), Proof::Proved, "{line}");
        assert_eq!(
            text(&message.signed_bytes().unwrap()),
            format!("goop2-presence-v1\0{canonical}")
        );
        assert_eq!(text(&message.encode()), *line);
        assert_eq!(text(&signed(message).encode()), *line);
    }
    for line in vectors("json forged") {
        let message = Message::decode(line.as_bytes()).unwrap();
        assert_eq!(message.proof(), Proof::Forged, "{line}");
    }
}

#[test]
fn what_instances_pass_on_is_checked_as_what_is_published() {
    let frame = vectors("json frame").remove(0);
    let (header, body) = cluster::Header::decode(frame.as_bytes()).unwrap();
    assert_eq!((header.number, header.part), (7, cluster::Part::News));
    let lines: Vec<_> = cluster::lines(body).map(Result::unwrap).collect();
    let [
        cluster::Line::Message(message),
        cluster::Line::Gone { peer, .. },
    ] = &*lines
    else {
        panic!("{lines:?}")
    };
    let accepted = rendezvous::check(message, 1_770_465_612_000).unwrap();
    assert!(accepted.proved && accepted.message.peer == *peer);
}

#[test]
fn a_signature_covers_every_member() {
    let message = signed(alice());
    assert_eq!(message.proof(), Proof::Proved);
    let changes: [fn(&mut Message); 10] = [
        |m| m.kind = Kind::Offline,
        |m| m.peer = key(1).public().to_peer_id(),
        |m| m.label.push('x'),
        |m| m.email.clear(),
        |m| m.avatar_hash.clear(),
        |m| m.video_disabled = false,
        |m| m.addrs.push("/ip4/10.0.0.1/tcp/1".into()),
        |m| m.ts += 1,
        |m| drop(m.extra.insert("x".into(), Value::Null)),
        |m| m.sign(&key(1)),
    ];
    for change in changes {
        let mut changed = message.clone();
        change(&mut changed);
        assert_eq!(changed.proof(), Proof::Forged, "{changed:?}");
    }
    assert_eq!(alice().proof(), Proof::Unsigned);
}

#[test]
fn a_server_may_add_its_opinion_and_nothing_else() {
    let mut message: Value = serde_json::from_slice(&signed(alice()).encode()).unwrap();
    message["verified"] = json!(true);
    message["VerificationToken"] = json!("secret");
    let read = Message::decode(message.to_string().as_bytes()).unwrap();
    assert_eq!((read.proof(), read.extra.len()), (Proof::Proved, 0));
    message["x"] = json!(1);
    let read = Message::decode(message.to_string().as_bytes()).unwrap();
    assert_eq!(read.proof(), Proof::Forged);
}

#[test]
fn what_has_no_canonical_form_stays_unsigned() {
    let mut message = alice();
    message.extra.insert("ratio".into(), json!(0.5));
    assert_eq!(signed(message).sig, None);
    let ancient = Message {
        ts: i64::MIN,
        ..alice()
    };
    assert_eq!(signed(ancient).sig, None);
}

#[test]
fn an_invalid_signature_counts_as_none() {
    let good = signed(alice()).sig.unwrap().to_string();
    for odd in [
        json!("zz"),
        json!(5),
        json!(null),
        json!(format!("{good}=")),
        json!(good.replace(&good[85..], "B")),
    ] {
        let mut message: Value = serde_json::from_slice(&alice().encode()).unwrap();
        message["sig"] = odd.clone();
        let read = Message::decode(message.to_string().as_bytes()).unwrap();
        assert_eq!((read.sig, read.proof()), (None, Proof::Unsigned), "{odd}");
    }
}

#[test]
fn only_a_peer_whose_id_is_its_key_can_sign() {
    let rsa_like = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
    let mut message = signed(alice());
    message.peer = rsa_like.parse().unwrap();
    assert_eq!(message.proof(), Proof::Forged);
}

#[test]
fn unknown_members_are_bounded() {
    let mut message = alice();
    message
        .extra
        .insert("x".into(), json!("y".repeat(MAX_EXTRA_BYTES)));
    assert_eq!(Message::decode(&message.encode()), Err(Error::Extra));
    assert_eq!(check(&message.encode()), Err(Refusal::TooLong));
    let mut message = alice();
    message.extra = (0..=MAX_EXTRA).map(|n| (n.to_string(), json!(n))).collect();
    assert_eq!(Message::decode(&message.encode()), Err(Error::Extra));
}

fn check(body: &[u8]) -> Result<(Message, bool), Refusal> {
    rendezvous::check(body, NOW).map(|accepted| (accepted.message, accepted.proved))
}

#[test]
fn a_rendezvous_checks_in_the_documented_order() {
    let id = alice().peer.to_base58();
    let long = |max: usize| "c".repeat(max + 1);
    let cases = [
        (json!([]), "bad json"),
        (json!({"type": 1}), "bad json"),
        (json!(null), "bad message: type and peerId are required"),
        (
            json!({"type": " ", "peerId": id}),
            "bad message: type and peerId are required",
        ),
        (
            json!({"type": "punch"}),
            "bad message: type and peerId are required",
        ),
        (
            json!({"type": "punch", "peerId": long(256)}),
            "bad message: unknown type \"punch\"",
        ),
        (
            json!({"type": "a\"b", "peerId": id}),
            "bad message: unknown type \"a\\\"b\"",
        ),
        (
            json!({"type": "update", "peerId": long(256), "content": long(4096)}),
            "bad message: peerId too long",
        ),
        (
            json!({"type": "update", "peerId": "x", "content": long(4096), "email": long(320)}),
            "bad message: content too long",
        ),
        (
            json!({"type": "update", "peerId": "x", "email": long(320), "addrs": vec!["a"; 21]}),
            "bad message: email too long",
        ),
        (
            json!({"type": "update", "peerId": "x", "addrs": vec![long(256); 21]}),
            "bad message: too many addrs",
        ),
        (
            json!({"type": "update", "peerId": "x", "addrs": [long(256)]}),
            "bad message: addr too long",
        ),
        (
            json!({"type": "update", "peerId": "not-a-peer-id"}),
            "bad message: not a peer id",
        ),
        (
            json!({"type": "update", "peerId": id, "avatarHash": "<>"}),
            "bad message: avatarHash is not valid",
        ),
        (
            json!({"type": "update", "peerId": id, "content": "<".repeat(4096), "addrs": vec!["<".repeat(256); 20]}),
            "bad message: too long",
        ),
    ];
    for (body, answer) in cases {
        let refusal = check(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(refusal.to_string(), answer, "{body}");
    }
    for broken in ["", "nope", "{", "\"x\""] {
        assert_eq!(check(broken.as_bytes()), Err(Refusal::Json), "{broken}");
    }
}

#[test]
fn a_rendezvous_takes_what_existing_peers_send() {
    let id = alice().peer.to_base58();
    let body =
        format!("{{\"type\":\"update\",\"peerId\":\"{id}\",\"sig\":\"zz\",\"x\":[1]}} and more");
    let (message, proved) = check(body.as_bytes()).unwrap();
    assert!(!proved);
    assert_eq!(
        text(&message.encode()),
        format!("{{\"type\":\"update\",\"peerId\":\"{id}\",\"ts\":{NOW},\"x\":[1]}}")
    );
}

#[test]
fn a_rendezvous_takes_only_fresh_and_whole_proofs() {
    assert_eq!(
        check(&signed(alice()).encode()),
        Ok((signed(alice()), true))
    );
    for ts in [0, NOW - FRESH - 1, NOW + FRESH + 1] {
        let message = signed(Message { ts, ..alice() });
        assert_eq!(check(&message.encode()), Err(Refusal::Stale), "{ts}");
    }
    let forged = Message {
        label: "Mallory".into(),
        ..signed(alice())
    };
    assert_eq!(check(&forged.encode()), Err(Refusal::Forged));
}

proptest! {
    #[test]
    fn no_body_makes_a_rendezvous_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = check(&body);
        let _ = Message::decode(&body);
    }

    /// What is passed on is read as what was taken, and proves the same.
    #[test]
    fn a_signed_message_survives_any_server(label in "\\PC{0,40}", ts in 0..1_i64 << 53, extra in "[a-zA-Z<\u{1}-\u{20}é]{1,8}", number: i32) {
        let mut message = Message { label, ts, ..alice() };
        message.extra.insert(extra, json!({"n": [number, "<é\u{2028}"]}));
        // A name that is a member of ours in another case is that member.
        let Ok(message) = Message::decode(&message.encode()) else { return Ok(()) };
        let message = signed(message);
        let once = Message::decode(&message.encode()).unwrap();
        let twice = Message::decode(&once.encode()).unwrap();
        prop_assert_eq!(twice.proof(), Proof::Proved);
        prop_assert_eq!(twice, message);
    }
}
