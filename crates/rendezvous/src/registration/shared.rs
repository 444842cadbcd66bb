//! Registrations of several instances: two buckets of NATS are the truth, and the database is each
//! instance's copy of it.
//!
//! A change is written to its bucket first, on condition that nobody has written to the same key
//! since it was last read here; then to the database. Whoever loses reads what the other wrote and
//! decides again, so an address has one owner everywhere. What others write is heard and copied.
//!
//! While NATS is away nothing changes: a link would be good at one instance only, and an address
//! that two instances gave to two peers has no right owner afterwards. Whoever is registered is
//! admitted from the copy, so only new people wait. Queueing changes was refused for the same
//! reason.
//!
//! One bucket has the addresses, for ever; the other the links, by the hashes of their tokens, for
//! a day. What an instance brings along that no bucket knows is added to it, and what one says was
//! removed is removed.

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{
    Client,
    jetstream::{
        self, Context,
        kv::{self, CreateErrorKind, Entry, Operation, Store, UpdateErrorKind},
        stream,
    },
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use goop2_proto::{PeerId, id, presence::MAX_EMAIL};
use multibase::Base;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::sleep};

use super::{
    Refusal, Registrations,
    book::{self, Admission, Hash, LINK_MILLIS, Pending, Record, Write},
};
use crate::cluster::Waits;

/// Addresses.
const RECORDS: &str = "goop2-registrations";
/// Links under way.
const LINKS: &str = "goop2-links";
/// Longest value: an address, and what other programs keep with it.
const MAX_VALUE: usize = 64 * 1024;
/// Copies that a cluster of NATS servers keeps; of those, one may be away.
const REPLICAS: usize = 3;
/// Beyond the age of a link, so that the news of its end outlives it everywhere.
const KEEP_LINKS: Duration = Duration::from_millis(LINK_MILLIS.unsigned_abs() + 60 * 60 * 1000);
/// A key that is written to hear how far one has read.
const MARK: &str = "_mark";
/// Changes copied at once.
const BATCH: usize = 256;
/// Values written at once by an instance that brings its own.
const AT_ONCE: usize = 32;
/// Addresses that wait for their first peer to be written down; it asks again with its next
/// heartbeat.
const MAX_CLAIMS: usize = 64;

/// What an instance knows of the buckets.
#[derive(Debug)]
pub(super) struct Shared {
    /// While everything in them is known here.
    current: Mutex<Option<Buckets>>,
    /// The last change of each key that was copied.
    revisions: Mutex<HashMap<String, u64>>,
    claim: mpsc::Sender<Claim>,
    claims: tokio::sync::Mutex<mpsc::Receiver<Claim>>,
    changes: AtomicU64,
}

#[derive(Clone, Debug)]
struct Buckets {
    records: Store,
    links: Store,
}

/// A peer that publishes a registered address.
#[derive(Debug)]
struct Claim {
    email: String,
    peer: PeerId,
    proved: bool,
}

/// Why a change was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another instance was first; what it wrote is known now.
    Conflict,
    /// NATS or the disk.
    Refused(Refusal),
}

/// Why the buckets cannot be followed.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Nobody writes by a copy that is not followed any more.
struct Current<'a>(&'a Shared);

/// A link, as its bucket has it.
#[derive(Serialize, Deserialize)]
struct Link {
    email: String,
    #[serde(default)]
    peer_id: String,
    created_at: i64,
}

impl Shared {
    pub(super) fn new() -> Self {
        let (claim, claims) = mpsc::channel(MAX_CLAIMS);
        Self {
            current: Mutex::default(),
            revisions: Mutex::default(),
            claim,
            claims: tokio::sync::Mutex::new(claims),
            changes: AtomicU64::new(0),
        }
    }

    /// Whether changes can be made.
    pub(super) fn is_current(&self) -> bool {
        self.current().is_some()
    }

    /// Counts the changes copied.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Has it written down that the address is this peer's.
    pub(super) fn claim(&self, email: &str, peer: PeerId, proved: bool) {
        let email = email.to_owned();
        let _next_heartbeat = self.claim.try_send(Claim {
            email,
            peer,
            proved,
        });
    }

    fn current(&self) -> MutexGuard<'_, Option<Buckets>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn revisions(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.revisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the change is news.
    pub(super) fn note(&self, key: &str, revision: u64) -> bool {
        let mut revisions = self.revisions();
        let news = revisions.get(key).is_none_or(|known| *known < revision);
        if news {
            revisions.insert(key.to_owned(), revision);
        }
        news
    }
}

impl Registrations {
    /// Keeps the copy and the buckets the same, for as long as the connection lives. `clock`: unix
    /// time in milliseconds.
    pub(crate) async fn share(&self, client: &Client, clock: fn() -> i64) {
        let Some(shared) = &self.shared else {
            return pending().await;
        };
        let mut waits = Waits::new();
        loop {
            let began = Instant::now();
            let followed = self.follow(shared, client, clock).await;
            let why = followed.map_or_else(|why| why.to_string(), |()| "the stream ended".into());
            let wait = waits.next(began.elapsed(), rand::random());
            tracing::warn!(
                why,
                ?wait,
                "registrations are not shared, and nobody can register"
            );
            sleep(wait).await;
        }
    }

    /// Writes a change to the buckets, and returns what is to be noted once it is kept here too:
    /// until then, whoever gave up meanwhile would have it copied as another's. The caller has the
    /// turn.
    pub(super) async fn put(
        &self,
        shared: &Shared,
        writes: &[Write],
    ) -> Result<Vec<(String, u64)>, Fault> {
        let Some(buckets) = shared.current().clone() else {
            return Err(Fault::Refused(Refusal::Away));
        };
        let mut written = Vec::new();
        for write in writes {
            let done = match write {
                Write::Record(record) => buckets.put_record(shared, record).await.map(Some),
                Write::NoRecord { email } => buckets.remove_record(shared, email).await,
                Write::Pending(token, pending) => {
                    buckets.put_link(token, pending).await.map(|()| None)
                }
                Write::NoPending(token) => {
                    // A link whose address was decided is worth nothing, and its bucket forgets it
                    // by itself.
                    let _best_effort = buckets.links.delete(link_key(token)).await;
                    Ok(None)
                }
                // Each instance's own.
                Write::Block(_) | Write::NoBlock(_) => Ok(None),
            };
            match done {
                Ok(change) => written.extend(change),
                Err(fault) => {
                    self.reread(shared, &buckets, write).await;
                    return Err(fault);
                }
            }
        }
        Ok(written)
    }

    /// Copies what somebody else wrote instead.
    async fn reread(&self, shared: &Shared, buckets: &Buckets, write: &Write) {
        let (Write::Record(Record { email, .. }) | Write::NoRecord { email }) = write else {
            return;
        };
        if let Ok(Some(entry)) = buckets.records.entry(record_key(email)).await {
            self.copy(shared, vec![read_record(&entry)], vec![entry])
                .await;
        }
    }

    async fn follow(
        &self,
        shared: &Shared,
        client: &Client,
        clock: fn() -> i64,
    ) -> Result<(), Trouble> {
        let jetstream = jetstream::new(client.clone());
        let clustered = client.server_info().cluster.is_some();
        let buckets = Buckets {
            records: bucket(&jetstream, RECORDS, Duration::ZERO, clustered).await?,
            links: bucket(&jetstream, LINKS, KEEP_LINKS, clustered).await?,
        };
        shared.revisions().clear();
        let records = buckets.records.watch_with_history(">").await?;
        let links = buckets.links.watch_with_history(">").await?;
        let mut records = records.ready_chunks(BATCH);
        let mut links = links.ready_chunks(BATCH);
        let mut known = HashSet::new();
        // What comes before our own mark was there when we came.
        let mark = buckets.records.put(MARK, Bytes::new()).await?;
        self.catch_up(shared, &mut records, read_record, mark, &mut known)
            .await?;
        let mark = buckets.links.put(MARK, Bytes::new()).await?;
        self.catch_up(shared, &mut links, read_link, mark, &mut known)
            .await?;
        self.bring(shared, &buckets, &known, clock()).await?;
        *shared.current() = Some(buckets);
        let _until_the_end = Current(shared);
        tracing::info!("registrations are shared");
        let mut claims = shared.claims.lock().await;
        loop {
            tokio::select! {
                Some(entries) = records.next() => self.take(shared, entries, read_record).await?,
                Some(entries) = links.next() => self.take(shared, entries, read_link).await?,
                Some(claim) = claims.recv() => self.settle(claim).await,
                else => return Ok(()),
            }
        }
    }

    async fn catch_up(
        &self,
        shared: &Shared,
        entries: &mut (impl Stream<Item = Vec<Result<Entry, kv::WatcherError>>> + Unpin),
        read: fn(&Entry) -> Option<Write>,
        mark: u64,
        known: &mut HashSet<String>,
    ) -> Result<(), Trouble> {
        while let Some(batch) = entries.next().await {
            let last = batch.iter().flatten().map(|entry| entry.revision).max();
            known.extend(batch.iter().flatten().map(|entry| entry.key.clone()));
            self.take(shared, batch, read).await?;
            if last >= Some(mark) {
                return Ok(());
            }
        }
        Err("the stream ended".into())
    }

    async fn take(
        &self,
        shared: &Shared,
        entries: Vec<Result<Entry, kv::WatcherError>>,
        read: fn(&Entry) -> Option<Write>,
    ) -> Result<(), Trouble> {
        let entries: Vec<_> = entries.into_iter().collect::<Result<_, _>>()?;
        let _turn = self.turn.lock().await;
        let writes = entries.iter().map(read).collect();
        self.copy(shared, writes, entries).await;
        Ok(())
    }

    /// Copies entries as they were read. The caller has the turn.
    async fn copy(&self, shared: &Shared, writes: Vec<Option<Write>>, entries: Vec<Entry>) {
        let mut news = Vec::new();
        for (write, entry) in writes.into_iter().zip(entries) {
            match write {
                Some(write) if shared.note(&entry.key, entry.revision) => news.push(write),
                None if entry.key != MARK => {
                    tracing::warn!(
                        bucket = entry.bucket,
                        "a value that is none of ours is ignored"
                    );
                }
                _ => {}
            }
        }
        // What the disk does not take is copied again after the next start.
        let _logged = self.database.write(news.clone()).await;
        self.book().apply(&news);
        shared.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what this instance knows and no bucket does.
    async fn bring(
        &self,
        shared: &Shared,
        buckets: &Buckets,
        known: &HashSet<String>,
        now: i64,
    ) -> Result<(), Trouble> {
        let is_new = |write: &Write| match write {
            Write::Record(record) => !known.contains(&record_key(&record.email)),
            Write::Pending(token, pending) => {
                !known.contains(&link_key(token)) && !book::is_old(pending.created_at, now)
            }
            _ => false,
        };
        let own: Vec<_> = self.book().contents().filter(is_new).collect();
        if !own.is_empty() {
            tracing::info!(values = own.len(), "this instance brings its registrations");
        }
        let put = async |write: Write| match write {
            Write::Record(record) => buckets.put_record(shared, &record).await.map(drop),
            Write::Pending(token, pending) => buckets.put_link(&token, &pending).await,
            _ => Ok(()),
        };
        let mut put = futures::stream::iter(own)
            .map(put)
            .buffer_unordered(AT_ONCE);
        while let Some(done) = put.next().await {
            match done {
                // Another instance has brought the same address; it will be heard.
                Ok(()) | Err(Fault::Conflict) => {}
                Err(Fault::Refused(why)) => return Err(why.into()),
            }
        }
        Ok(())
    }

    async fn settle(&self, claim: Claim) {
        let _turn = self.turn.lock().await;
        let Claim {
            email,
            peer,
            proved,
        } = claim;
        let admission = self.book().admits(&email, peer, proved);
        if let Admission::First(record) | Admission::Proved(record) = admission {
            let _next_heartbeat = self.commit(vec![Write::Record(record)]).await;
        }
    }
}

impl Buckets {
    async fn put_record(&self, shared: &Shared, record: &Record) -> Result<(String, u64), Fault> {
        let key = record_key(&record.email);
        let value = serde_json::to_vec(record).expect("texts and numbers can be written");
        if value.len() > MAX_VALUE {
            tracing::warn!("a registration with more than {MAX_VALUE} bytes is not shared");
            return Err(Fault::Refused(Refusal::Failed));
        }
        let known = shared.revisions().get(&key).copied();
        let revision = match known {
            Some(known) => {
                let updated = self.records.update(&key, value.into(), known).await;
                updated.map_err(|error| fault(error.kind()))?
            }
            None => {
                let created = self.records.create(&key, value.into()).await;
                created.map_err(|error| match error.kind() {
                    CreateErrorKind::AlreadyExists => Fault::Conflict,
                    _ => Fault::Refused(Refusal::Away),
                })?
            }
        };
        Ok((key, revision))
    }

    async fn remove_record(
        &self,
        shared: &Shared,
        email: &str,
    ) -> Result<Option<(String, u64)>, Fault> {
        let key = record_key(email);
        let known = shared.revisions().get(&key).copied();
        let removed = self.records.delete_expect_revision(&key, known).await;
        removed.map_err(|error| fault(error.kind()))?;
        let entry = self.records.entry(&key).await.ok().flatten();
        Ok(entry.map(|entry| (key, entry.revision)))
    }

    async fn put_link(&self, token: &Hash, pending: &Pending) -> Result<(), Fault> {
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

impl Drop for Current<'_> {
    fn drop(&mut self) {
        *self.0.current() = None;
    }
}

fn fault(kind: UpdateErrorKind) -> Fault {
    match kind {
        UpdateErrorKind::WrongLastRevision => Fault::Conflict,
        _ => Fault::Refused(Refusal::Away),
    }
}

/// Opens the bucket, or makes it: as many copies as the cluster has servers for. The stream beneath
/// is made here because the library's own way reads an answer that NATS 2.9 gives in another form.
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

/// Addresses have characters that keys must not have.
fn record_key(email: &str) -> String {
    Base::Base32Lower.encode(book::key(email))
}

fn link_key(token: &Hash) -> String {
    Base::Base16Lower.encode(token)
}

/// None for what nobody of us wrote.
fn read_record(entry: &Entry) -> Option<Write> {
    let key = Base::Base32Lower.decode(&entry.key).ok()?;
    let email = String::from_utf8(key).ok()?;
    if entry.operation != Operation::Put {
        return Some(Write::NoRecord { email });
    }
    let fits = entry.value.len() <= MAX_VALUE && email.len() <= MAX_EMAIL;
    let record: Record = serde_json::from_slice(&entry.value).ok().filter(|_| fits)?;
    (book::key(&record.email) == email && !email.contains(char::is_control))
        .then_some(Write::Record(record))
}

fn read_link(entry: &Entry) -> Option<Write> {
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
