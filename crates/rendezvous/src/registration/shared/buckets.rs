//! The two NATS buckets that instances share, and their contents.

use std::time::Duration;

use async_nats::{
    Client,
    jetstream::{
        self, Context,
        kv::{CreateErrorKind, Entry, Operation, Store, UpdateErrorKind},
        stream,
    },
};
use goop2_proto::{id, presence::MAX_EMAIL};
use multibase::Base;
use serde::{Deserialize, Serialize};

use crate::registration::{
    record::{Hash, LINK_MILLIS, Pending, Record, Write, key},
    refusal::Refusal,
};

/// Addresses.
const RECORDS: &str = "goop2-registrations";
/// Pending links.
const LINKS: &str = "goop2-links";
/// Longest value: an address, and what other programs store with it.
const MAX_VALUE: usize = 64 * 1024;
/// Copies in a cluster of NATS servers; one of them may be down.
const REPLICAS: usize = 3;
/// Longer than a link is valid, so that its deletion outlives it everywhere.
const KEEP_LINKS: Duration = Duration::from_millis(LINK_MILLIS.unsigned_abs() + 60 * 60 * 1000);
/// A key that is written to see when everything before it has been read.
pub(in crate::registration) const MARK: &str = "_mark";

#[derive(Clone, Debug)]
pub(in crate::registration) struct Buckets {
    pub(in crate::registration) records: Store,
    pub(in crate::registration) links: Store,
}

/// Why a change was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registration) enum Fault {
    /// Another instance was first; its change has been copied.
    Conflict,
    /// NATS or the disk failed.
    Refused(Refusal),
}

/// Why the buckets cannot be watched.
pub(in crate::registration) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// A link as stored in its bucket.
#[derive(Serialize, Deserialize)]
struct Link {
    email: String,
    #[serde(default)]
    peer_id: String,
    created_at: i64,
}

impl Buckets {
    /// Opens both, or creates them.
    pub(in crate::registration) async fn open(client: &Client) -> Result<Self, Trouble> {
        let jetstream = jetstream::new(client.clone());
        let clustered = client.server_info().cluster.is_some();
        Ok(Self {
            records: bucket(&jetstream, RECORDS, Duration::ZERO, clustered).await?,
            links: bucket(&jetstream, LINKS, KEEP_LINKS, clustered).await?,
        })
    }

    /// Writes an address if its revision is still the known one, and returns the new revision.
    pub(in crate::registration) async fn put_record(
        &self,
        record: &Record,
        known: Option<u64>,
    ) -> Result<u64, Fault> {
        let key = record_key(&record.email);
        let value = serde_json::to_vec(record).expect("texts and numbers can be written");
        if value.len() > MAX_VALUE {
            tracing::warn!("a registration with more than {MAX_VALUE} bytes is not shared");
            return Err(Fault::Refused(Refusal::Failed));
        }
        match known {
            Some(known) => {
                let updated = self.records.update(&key, value.into(), known).await;
                updated.map_err(|error| fault(error.kind()))
            }
            None => {
                let created = self.records.create(&key, value.into()).await;
                created.map_err(|error| match error.kind() {
                    CreateErrorKind::AlreadyExists => Fault::Conflict,
                    _ => Fault::Refused(Refusal::Away),
                })
            }
        }
    }

    /// Removes an address if its revision is still the known one, and returns the new revision.
    pub(in crate::registration) async fn remove_record(
        &self,
        email: &str,
        known: Option<u64>,
    ) -> Result<Option<u64>, Fault> {
        let key = record_key(email);
        let removed = self.records.delete_expect_revision(&key, known).await;
        removed.map_err(|error| fault(error.kind()))?;
        let entry = self.records.entry(&key).await.ok().flatten();
        Ok(entry.map(|entry| entry.revision))
    }

    /// Best effort: a link whose address was decided is invalid, and expires in its bucket.
    pub(in crate::registration) async fn remove_link(&self, token: &Hash) {
        let _best_effort = self.links.delete(link_key(token)).await;
    }

    pub(in crate::registration) async fn put_link(
        &self,
        token: &Hash,
        pending: &Pending,
    ) -> Result<(), Fault> {
        let link = Link {
            email: pending.email.clone(),
            peer_id: pending
                .peer
                .map(|peer| peer.to_base58())
                .unwrap_or_default(),
            created_at: pending.created_at,
        };
        let value = serde_json::to_vec(&link).expect("texts and numbers can be written");
        let put = self.links.put(link_key(token), value.into()).await;
        put.map(drop).map_err(|_| Fault::Refused(Refusal::Away))
    }
}

fn fault(kind: UpdateErrorKind) -> Fault {
    match kind {
        UpdateErrorKind::WrongLastRevision => Fault::Conflict,
        _ => Fault::Refused(Refusal::Away),
    }
}

/// Opens the bucket, or creates it with replicas if NATS is a cluster. The stream below is created
/// here because the library cannot parse the answer of NATS 2.9.
async fn bucket(
    jetstream: &Context,
    name: &str,
    max_age: Duration,
    clustered: bool,
) -> Result<Store, Trouble> {
    if let Ok(bucket) = jetstream.get_key_value(name).await {
        return Ok(bucket);
    }
    let config = |num_replicas| stream::Config {
        name: format!("KV_{name}"),
        description: Some("Goop2 rendezvous".into()),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        max_message_size: i32::try_from(MAX_VALUE).unwrap_or(i32::MAX),
        max_age,
        num_replicas,
        allow_rollup: true,
        allow_direct: true,
        deny_delete: true,
        discard: stream::DiscardPolicy::New,
        ..stream::Config::default()
    };
    let made = clustered && jetstream.create_stream(config(REPLICAS)).await.is_ok();
    if !made {
        jetstream.create_stream(config(1)).await?;
    }
    Ok(jetstream.get_key_value(name).await?)
}

/// Encoded, because addresses have characters that keys must not have.
pub(in crate::registration) fn record_key(email: &str) -> String {
    Base::Base32Lower.encode(key(email))
}

pub(in crate::registration) fn link_key(token: &Hash) -> String {
    Base::Base16Lower.encode(token)
}

/// None for values that no instance wrote.
pub(in crate::registration) fn read_record(entry: &Entry) -> Option<Write> {
    let email = Base::Base32Lower.decode(&entry.key).ok()?;
    let email = String::from_utf8(email).ok()?;
    if entry.operation != Operation::Put {
        return Some(Write::NoRecord { email });
    }
    let fits = entry.value.len() <= MAX_VALUE && email.len() <= MAX_EMAIL;
    let record: Record = serde_json::from_slice(&entry.value).ok().filter(|_| fits)?;
    (key(&record.email) == email && !email.contains(char::is_control))
        .then_some(Write::Record(record))
}

pub(in crate::registration) fn read_link(entry: &Entry) -> Option<Write> {
    let token = Base::Base16Lower.decode(&entry.key).ok()?;
    let token = Hash::try_from(token).ok()?;
    if entry.operation != Operation::Put {
        return Some(Write::NoPending(token));
    }
    let link: Link = serde_json::from_slice(&entry.value).ok()?;
    let peer = match &*link.peer_id {
        "" => None,
        text => Some(id::parse(text)?),
    };
    (link.email.len() <= MAX_EMAIL).then_some(Write::Pending(
        token,
        Pending {
            email: link.email,
            peer,
            created_at: link.created_at,
        },
    ))
}
