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
/// Values written at once by an instance that brings its own.
const AT_ONCE: usize = 32;

/// Nobody writes by a copy that is not followed any more.
struct Current<'a>(&'a Shared);

impl Registrations {
    /// Keeps the copy and the buckets the same, for as long as the connection lives. `clock`: unix
    /// time in milliseconds.
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
                Write::Record(record) => shared.put(&buckets, record).await.map(Some),
                Write::NoRecord { email } => shared.remove(&buckets, email).await,
                Write::Pending(token, pending) => {
                    buckets.put_link(token, pending).await.map(|()| None)
                }
                Write::NoPending(token) => {
                    buckets.remove_link(token).await;
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
        let buckets = Buckets::open(client).await?;
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
                    tracing::warn!(bucket = entry.bucket, "ignoring a foreign value");
                }
                _ => {}
            }
        }
        // What the disk does not take is copied again after the next start.
        let _logged = self.database.write(news.clone()).await;
        self.records().apply(&news);
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
