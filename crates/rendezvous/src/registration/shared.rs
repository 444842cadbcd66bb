//! What an instance knows of the shared registrations; see [`super::sync`].

pub(super) mod buckets;

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use goop2_proto::PeerId;
use tokio::sync::mpsc;

use super::record::Record;
use buckets::{Buckets, Fault, record_key};

/// Addresses whose first owner waits to be saved; the peer triggers it again with its next
/// heartbeat.
const MAX_CLAIMS: usize = 64;

/// What an instance knows of the buckets.
#[derive(Debug)]
pub(super) struct Shared {
    /// Set while the local copy is complete and followed.
    current: Mutex<Option<Buckets>>,
    /// The last copied revision of each key.
    revisions: Mutex<HashMap<String, u64>>,
    claim: mpsc::Sender<Claim>,
    pub(super) claims: tokio::sync::Mutex<mpsc::Receiver<Claim>>,
    pub(super) changes: AtomicU64,
}

/// A peer that publishes a registered address.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) email: String,
    pub(super) peer: PeerId,
    pub(super) proved: bool,
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

    /// Queues that the address belongs to this peer.
    pub(super) fn claim(&self, email: &str, peer: PeerId, proved: bool) {
        let email = email.to_owned();
        let _next_heartbeat = self.claim.try_send(Claim {
            email,
            peer,
            proved,
        });
    }

    pub(super) fn current(&self) -> MutexGuard<'_, Option<Buckets>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revisions(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.revisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an address to its bucket, and returns its key and change.
    pub(super) async fn put(
        &self,
        buckets: &Buckets,
        record: &Record,
    ) -> Result<(String, u64), Fault> {
        let key = record_key(&record.email);
        let known = self.revisions().get(&key).copied();
        let revision = buckets.put_record(record, known).await?;
        Ok((key, revision))
    }

    /// As [`Self::put`], of an address that is removed.
    pub(super) async fn remove(
        &self,
        buckets: &Buckets,
        email: &str,
    ) -> Result<Option<(String, u64)>, Fault> {
        let key = record_key(email);
        let known = self.revisions().get(&key).copied();
        let revision = buckets.remove_record(email, known).await?;
        Ok(revision.map(|revision| (key, revision)))
    }

    /// Notes a revision; whether it is new.
    pub(super) fn note(&self, key: &str, revision: u64) -> bool {
        let mut revisions = self.revisions();
        let news = revisions.get(key).is_none_or(|known| *known < revision);
        if news {
            revisions.insert(key.to_owned(), revision);
        }
        news
    }
}
