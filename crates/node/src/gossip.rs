//! Presence over gossipsub: the parameters of §3.1, and the gate every message passes before it is believed or forwarded.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use goop2_proto::{PeerId, presence::Presence};
use libp2p::{
    gossipsub::{self, MessageAcceptance},
    identity::Keypair,
};

use crate::bucket::Bucket;

/// The limit of existing peers; a larger message would not be forwarded by them.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// Presence of one author: one every 5 s is usual, a few at a start or a change.
const AUTHOR: (u32, f64) = (20, 2.0);

/// Messages by way of one neighbour, whoever wrote them: authors cost nothing to invent. A network of a thousand peers
/// that all pass through one neighbour makes 200 a second.
const NEIGHBOUR: (u32, f64) = (2000, 500.0);

/// Authors and neighbours whose rate is watched at a time; beyond, everybody new has to wait until one calms down.
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

/// `from` and the big-endian `seqno`, as existing peers compute it: they name messages to each other by it.
pub(crate) fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    let mut id = message.source.map(PeerId::to_bytes).unwrap_or_default();
    id.extend(message.sequence_number.unwrap_or_default().to_be_bytes());
    id.into()
}

/// Decides what becomes of a message whose signature is good.
#[derive(Default)]
pub(crate) struct Gate {
    authors: HashMap<PeerId, Bucket>,
    neighbours: HashMap<PeerId, Bucket>,
}

impl Gate {
    /// The verdict for gossipsub, and the message when it is to be believed.
    pub(crate) fn judge(
        &mut self,
        neighbour: PeerId,
        message: &gossipsub::Message,
        now: Instant,
    ) -> (MessageAcceptance, Option<Presence>) {
        let Some(author) = message.source else {
            return (MessageAcceptance::Reject, None);
        };
        if !take(&mut self.neighbours, neighbour, NEIGHBOUR, now)
            || !take(&mut self.authors, author, AUTHOR, now)
        {
            return (MessageAcceptance::Ignore, None);
        }
        match Presence::decode(&message.data) {
            Ok(presence) if presence.peer == author => (MessageAcceptance::Accept, Some(presence)),
            Ok(_) => (MessageAcceptance::Reject, None),
            Err(error) => {
                tracing::debug!(%author, %error, "a gossip message is no presence");
                (MessageAcceptance::Reject, None)
            }
        }
    }
}

fn take(
    buckets: &mut HashMap<PeerId, Bucket>,
    peer: PeerId,
    (burst, rate): (u32, f64),
    now: Instant,
) -> bool {
    if !buckets.contains_key(&peer) && buckets.len() >= MAX_WATCHED {
        buckets.retain(|_, bucket| !bucket.is_full(now));
        if buckets.len() >= MAX_WATCHED {
            return false;
        }
    }
    buckets
        .entry(peer)
        .or_insert_with(|| Bucket::new(burst, rate, now))
        .take(now)
}
