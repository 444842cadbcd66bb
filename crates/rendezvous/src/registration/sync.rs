//! Registrations of several instances: two NATS buckets are authoritative, and each instance's
//! database is a copy.
//!
//! A change is first written to its bucket, on condition that the key was not changed since it was
//! last read here; then to the database. An instance that loses copies the other change and decides
//! again, so an address has one owner everywhere. Changes of other instances are watched and
//! copied.
//!
//! While NATS is down nothing can change: a link would work at one instance only, and an address
//! that two instances gave to two peers would have no right owner. Registered peers are admitted
//! from the copy, so only new ones have to wait. Queueing changes was rejected for the same reason.
//!
//! One bucket has the addresses, permanently; the other has the links, by the hashes of their
//! tokens, for a day. Registrations of a joining instance that are in no bucket are added, and
//! those that a bucket has as removed are removed.

use std::{collections::HashSet, future::pending, sync::atomic::Ordering, time::Instant};

use async_nats::{
    Client,
    jetstream::kv::{self, Entry},
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::sleep;

use super::{
    Registrations,
    record::{Record, Write, is_old},
    records::Admission,
    refusal::Refusal,
    shared::{
        Claim, Shared,
        buckets::{Buckets, Fault, MARK, Trouble, link_key, read_link, read_record, record_key},
    },
};
use crate::{backoff::Backoff, cluster::LONGEST_WAIT};

/// Changes copied at once.
const BATCH: usize = 256;
/// Values added at once by a joining instance.
const AT_ONCE: usize = 32;

/// Marks the copy as outdated when it is no longer followed.
struct Current<'a>(&'a Shared);

impl Registrations {
    /// Keeps the copy and the buckets in sync as long as the connection lives. `clock`: unix time
    /// in milliseconds.
    pub(crate) async fn share(&self, client: &Client, clock: fn() -> i64) {
        let Some(shared) = &self.shared else {
            return pending().await;
        };
        let mut backoff = Backoff::new(LONGEST_WAIT);
        loop {
            let began = Instant::now();
            let followed = self.follow(shared, client, clock).await;
            let why = followed.map_or_else(|why| why.to_string(), |()| "the stream ended".into());
            let wait = backoff.wait(Some(began.elapsed()), rand::random());
            tracing::warn!(
                why,
                ?wait,
                "registrations cannot be shared; nobody can register"
            );
            sleep(wait).await;
        }
    }

    /// Writes a change to the buckets, and returns the revisions to note once it is saved here:
    /// noted earlier, the change would not be copied if saving were canceled. The caller holds
    /// `changing`.
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
                Write::Record(record) => shared.put(&buckets, record).await.map(Some),
                Write::NoRecord { email } => shared.remove(&buckets, email).await,
                Write::Pending(token, pending) => {
                    buckets.put_link(token, pending).await.map(|()| None)
                }
                Write::NoPending(token) => {
                    buckets.remove_link(token).await;
                    Ok(None)
                }
                // Not shared.
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

    /// Copies the change of another instance that was faster.
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
        let buckets = Buckets::open(client).await?;
        shared.revisions().clear();
        let records = buckets.records.watch_with_history(">").await?;
        let links = buckets.links.watch_with_history(">").await?;
        let mut records = records.ready_chunks(BATCH);
        let mut links = links.ready_chunks(BATCH);
        let mut known = HashSet::new();
        // What comes before our own mark was there before we joined.
        let mark = buckets.records.put(MARK, Bytes::new()).await?;
        self.catch_up(shared, &mut records, read_record, mark, &mut known)
            .await?;
        let mark = buckets.links.put(MARK, Bytes::new()).await?;
        self.catch_up(shared, &mut links, read_link, mark, &mut known)
            .await?;
        self.add_own(shared, &buckets, &known, clock()).await?;
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
        let _changing = self.changing.lock().await;
        let writes = entries.iter().map(read).collect();
        self.copy(shared, writes, entries).await;
        Ok(())
    }

    /// Copies entries that were read. The caller holds `changing`.
    async fn copy(&self, shared: &Shared, writes: Vec<Option<Write>>, entries: Vec<Entry>) {
        let mut news = Vec::new();
        for (write, entry) in writes.into_iter().zip(entries) {
            match write {
                Some(write) if shared.note(&entry.key, entry.revision) => news.push(write),
                None if entry.key != MARK => {
                    tracing::warn!(bucket = entry.bucket, "ignoring a foreign value");
                }
                _ => {}
            }
        }
        // If this fails, it is copied again after the next start.
        let _logged = self.database.write(news.clone()).await;
        self.records().apply(&news);
        shared.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds registrations that no bucket has.
    async fn add_own(
        &self,
        shared: &Shared,
        buckets: &Buckets,
        known: &HashSet<String>,
        now: i64,
    ) -> Result<(), Trouble> {
        let is_new = |write: &Write| match write {
            Write::Record(record) => !known.contains(&record_key(&record.email)),
            Write::Pending(token, pending) => {
                !known.contains(&link_key(token)) && !is_old(pending.created_at, now)
            }
            _ => false,
        };
        let own: Vec<_> = self.records().contents().filter(is_new).collect();
        if !own.is_empty() {
            tracing::info!(
                values = own.len(),
                "adding the registrations of this instance"
            );
        }
        let put = async |write: Write| match write {
            Write::Record(record) => shared.put(buckets, &record).await.map(drop),
            Write::Pending(token, pending) => buckets.put_link(&token, &pending).await,
            _ => Ok(()),
        };
        let mut put = futures::stream::iter(own)
            .map(put)
            .buffer_unordered(AT_ONCE);
        while let Some(done) = put.next().await {
            match done {
                // Another instance has added the same address; it will be copied.
                Ok(()) | Err(Fault::Conflict) => {}
                Err(Fault::Refused(why)) => return Err(why.into()),
            }
        }
        Ok(())
    }

    async fn settle(&self, claim: Claim) {
        let _changing = self.changing.lock().await;
        let Claim {
            email,
            peer,
            proved,
        } = claim;
        let admission = self.records().admits(&email, peer, proved);
        if let Admission::First(record) | Admission::Proved(record) = admission {
            let _next_heartbeat = self.commit(vec![Write::Record(record)]).await;
        }
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        *self.0.current() = None;
    }
}
