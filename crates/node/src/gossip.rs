//! Presence over gossipsub: the parameters of §3.1, and the gate every message passes before it is
//! believed or forwarded.

use std::time::{Duration, Instant};

use goop2_proto::{
    PeerId,
    bucket::{Buckets, Rate},
    presence::Presence,
};
use libp2p::{
    gossipsub::{self, MessageAcceptance},
    identity::Keypair,
};

use crate::command::Event;

/// The limit of existing peers; a larger message would not be forwarded by them.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// Presence of one author: one every 5 s is usual, a few at a start or a change; a peer that
/// is restarted again and again, as while a site is being made, is still heard.
const AUTHOR: Rate = Rate {
    burst: 120,
    per: Duration::from_secs(60),
};

/// Messages through one neighbor, of all authors: those cost nothing to invent. A network of a
/// thousand peers that all pass through one neighbor makes 200 a second.
const NEIGHBOR: Rate = Rate {
    burst: 2000,
    per: Duration::from_secs(4),
};

/// Authors and neighbors watched at a time; beyond, newcomers have to wait.
const MAX_WATCHED: usize = 8192;

pub(crate) fn behaviour(
    key: &Keypair,
    topic: &gossipsub::IdentTopic,
) -> Result<gossipsub::Behaviour, String> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(MAX_MESSAGE)
        .message_id_fn(message_id)
        // The default of 5 s loses the first presence messages.
        .heartbeat_initial_delay(Duration::from_millis(100))
        .heartbeat_interval(Duration::from_secs(1))
        .duplicate_cache_time(Duration::from_secs(120))
        .build()
        .map_err(|e| e.to_string())?;
    let mut behaviour =
        gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Signed(key.clone()), config)?;
    behaviour.subscribe(topic).map_err(|e| e.to_string())?;
    Ok(behaviour)
}

/// `from` and the big-endian `seqno`, as existing peers compute it: they name messages to each
/// other by it.
pub(crate) fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    let mut id = message.source.map(PeerId::to_bytes).unwrap_or_default();
    id.extend(message.sequence_number.unwrap_or_default().to_be_bytes());
    id.into()
}

/// Decides what becomes of a message whose signature is good.
pub(crate) struct Gate {
    authors: Buckets<PeerId>,
    neighbors: Buckets<PeerId>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            authors: Buckets::new(AUTHOR, MAX_WATCHED),
            neighbors: Buckets::new(NEIGHBOR, MAX_WATCHED),
        }
    }
}

impl Gate {
    /// The verdict for gossipsub, and what to report. `neighbor` and `lan` are of the sender:
    /// whether what it says counts as being on our networks, and whether it is on one of them.
    ///
    /// What comes from afar is not passed on: it would make peers on other networks look like
    /// neighbors.
    pub(crate) fn hear(
        &mut self,
        source: PeerId,
        message: &gossipsub::Message,
        neighbor: bool,
        lan: bool,
        now: Instant,
    ) -> (MessageAcceptance, Option<Event>) {
        let near = neighbor && lan;
        match self.judge(source, message, now) {
            (verdict, Some(presence)) if near => (verdict, Some(Event::Presence(presence))),
            (MessageAcceptance::Accept, presence) if !near => {
                let own = presence.filter(|presence| neighbor && presence.peer == source);
                (MessageAcceptance::Ignore, own.map(Event::FarPresence))
            }
            (verdict, _) => (verdict, None),
        }
    }

    fn judge(
        &mut self,
        neighbor: PeerId,
        message: &gossipsub::Message,
        now: Instant,
    ) -> (MessageAcceptance, Option<Presence>) {
        let Some(author) = message.source else {
            return (MessageAcceptance::Reject, None);
        };
        if self.neighbors.take(neighbor, now).is_err() || self.authors.take(author, now).is_err() {
            return (MessageAcceptance::Ignore, None);
        }
        match Presence::decode(&message.data) {
            Ok(presence) if presence.peer == author => (MessageAcceptance::Accept, Some(presence)),
            Ok(_) => (MessageAcceptance::Reject, None),
            Err(error) => {
                tracing::debug!(%author, %error, "a gossip message is not a presence message");
                (MessageAcceptance::Reject, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use goop2_proto::presence::Kind;
    use libp2p::identity::PublicKey;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Fixture {
        peer_id: String,
        messages: Vec<Recorded>,
    }

    /// What an existing peer really sent.
    #[derive(Deserialize)]
    struct Recorded {
        from: String,
        message_protobuf_hex: String,
        seqno_hex: String,
        topic: String,
    }

    fn recorded() -> impl Iterator<Item = (PeerId, Recorded)> {
        [
            include_str!("../tests/fixtures/gossip-feb.json"),
            include_str!("../tests/fixtures/gossip-head.json"),
        ]
        .into_iter()
        .flat_map(|text| {
            let fixture: Fixture = serde_json::from_str(text).unwrap();
            let peer: PeerId = fixture.peer_id.parse().unwrap();
            fixture
                .messages
                .into_iter()
                .map(move |message| (peer, message))
        })
    }

    #[test]
    fn recorded_messages_are_signed_named_and_believed_as_ours_are() {
        let mut gate = Gate::default();
        let mut count = 0;
        for (peer, recorded) in recorded() {
            let fields = fields(&unhex(&recorded.message_protobuf_hex));
            assert_eq!(recorded.from, peer.to_string());
            assert_eq!(fields[&1], peer.to_bytes());
            assert_eq!(fields[&4], recorded.topic.as_bytes());
            assert_eq!(signer(&fields), peer);

            let seqno = unhex(&recorded.seqno_hex);
            let message = gossipsub::Message {
                source: Some(peer),
                data: fields[&2].clone(),
                sequence_number: Some(u64::from_be_bytes(seqno.clone().try_into().unwrap())),
                topic: gossipsub::IdentTopic::new(recorded.topic).hash(),
            };
            assert_eq!(message_id(&message).0, [peer.to_bytes(), seqno].concat());
            let (verdict, presence) = gate.judge(peer, &message, Instant::now());
            assert!(matches!(verdict, MessageAcceptance::Accept));
            assert_eq!(presence.unwrap().kind, Kind::Update);
            count += 1;

            // The same words from another peer.
            let stolen = gossipsub::Message {
                source: Some(PeerId::random()),
                ..message
            };
            let (verdict, presence) = gate.judge(peer, &stolen, Instant::now());
            assert!(matches!(verdict, MessageAcceptance::Reject) && presence.is_none());
        }
        assert!(count >= 4, "{count} messages");
    }

    #[test]
    fn what_comes_from_afar_is_not_passed_on_and_only_its_author_is_heard() {
        let (peer, recorded) = recorded().next().unwrap();
        let fields = fields(&unhex(&recorded.message_protobuf_hex));
        let message = gossipsub::Message {
            source: Some(peer),
            data: fields[&2].clone(),
            sequence_number: None,
            topic: gossipsub::IdentTopic::new(recorded.topic).hash(),
        };
        let (now, mut gate) = (Instant::now(), Gate::default());
        let mut hear = |source, neighbor, lan| gate.hear(source, &message, neighbor, lan, now);
        let (verdict, event) = hear(PeerId::random(), true, true);
        assert!(matches!(verdict, MessageAcceptance::Accept));
        assert!(matches!(event, Some(Event::Presence(_))));
        let (verdict, event) = hear(peer, true, false);
        assert!(matches!(verdict, MessageAcceptance::Ignore));
        assert!(matches!(event, Some(Event::FarPresence(_))));
        for (source, neighbor, lan) in [(PeerId::random(), true, false), (peer, false, true)] {
            let (verdict, event) = hear(source, neighbor, lan);
            assert!(matches!(verdict, MessageAcceptance::Ignore) && event.is_none());
        }
    }

    #[test]
    fn authors_without_end_are_bounded() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for _ in 0..MAX_WATCHED + 100 {
            let _ = gate.authors.take(PeerId::random(), now);
        }
        assert_eq!(gate.authors.len(), MAX_WATCHED);
        assert!(
            gate.authors
                .take(PeerId::random(), now + Duration::from_secs(60))
                .is_ok()
        );
    }

    /// Who signed: the key is inside the author's id; the signature is over the message without
    /// signature and key.
    fn signer(fields: &BTreeMap<u8, Vec<u8>>) -> PeerId {
        let author = PeerId::from_bytes(&fields[&1]).unwrap();
        let key = PublicKey::try_decode_protobuf(author.as_ref().digest()).unwrap();
        let mut signed = b"libp2p-pubsub:".to_vec();
        for (number, value) in fields.iter().filter(|(number, _)| **number < 5) {
            signed.push(number << 3 | 2);
            put_varint(&mut signed, value.len());
            signed.extend(value);
        }
        assert!(key.verify(&signed, &fields[&5]));
        assert!(!fields.contains_key(&6), "the key is in the id");
        author
    }

    /// A protobuf message of length-delimited fields.
    fn fields(mut bytes: &[u8]) -> BTreeMap<u8, Vec<u8>> {
        let mut fields = BTreeMap::new();
        while let [tag, rest @ ..] = bytes {
            assert_eq!(tag & 7, 2);
            let (len, rest) = varint(rest);
            let (value, rest) = rest.split_at(len);
            assert!(fields.insert(tag >> 3, value.to_vec()).is_none());
            bytes = rest;
        }
        fields
    }

    fn varint(bytes: &[u8]) -> (usize, &[u8]) {
        let end = bytes.iter().position(|b| b & 0x80 == 0).unwrap();
        let value = bytes[..=end]
            .iter()
            .rev()
            .fold(0, |value, b| value << 7 | usize::from(b & 0x7f));
        (value, &bytes[end + 1..])
    }

    fn put_varint(to: &mut Vec<u8>, mut value: usize) {
        while value >= 0x80 {
            to.push(value as u8 | 0x80);
            value >>= 7;
        }
        to.push(value as u8);
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }
}
