//! Presence on the server: the table, and two feeds of its changes.
//!
//! *Everything* is for existing clients: it repeats every heartbeat, or their peers would expire.
//! *Changes* is for clients that ask for it: a snapshot, then only news. Its cost grows with the
//! number of arrivals and departures, not with the square of the number of peers. Both begin with a
//! snapshot, built once for all who ask within a moment.
//!
//! In a cluster, the hub also sends what is published here to the other instances, through
//! [`Outbox`], and receives what they publish.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use goop2_proto::{
    PeerId,
    cluster::{Instance, Line},
    presence::Presence,
    rendezvous::{Accepted, MAX_LINE},
};
use tokio::{
    sync::Notify,
    time::{self, MissedTickBehavior, interval, interval_at, sleep},
};

use super::{
    feed::{Feed, frame},
    outbox::{Outbox, Outgoing},
    table::{Outcome, Table},
};
use crate::server::log::Log;

/// A snapshot up to this age is reused; what happened since follows from the ring.
const SNAPSHOT_AGE: Duration = Duration::from_millis(250);
/// Comment lines between events, as existing servers send them (§6.4): proxies and clients close
/// silent streams.
const PING: Duration = Duration::from_secs(25);
/// How often expired peers are removed: soon after their TTL, and rarely enough to cost nothing.
const EXPIRE: Duration = Duration::from_secs(1);
/// The cost of waking one subscriber; the pause grows by this for each of them.
const PAUSE_EACH: Duration = Duration::from_micros(20);
/// The shortest and the longest pause between two wakes: never long enough to be noticed.
const PAUSES: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(2)..=Duration::from_millis(100);
/// Most peers that can be blocked.
pub(crate) const MAX_BLOCKED: usize = 1024;

/// Which feed a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Existing clients.
    Everything,
    /// Clients that asked for `changes`.
    Changes,
}

#[derive(Debug)]
pub(crate) struct Hub {
    table: Mutex<Table>,
    blocked: Mutex<HashSet<PeerId>>,
    everything: Feed,
    changes: Feed,
    snapshots: [Mutex<Option<Snapshot>>; 2],
    news: Notify,
    /// None = there is no other instance.
    outbox: Option<Outbox>,
    pub(crate) counters: Counters,
}

/// What `/metrics` and the status report.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) throttled: AtomicU64,
    pub(crate) unproved: AtomicU64,
    pub(crate) replayed: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) delivered_bytes: AtomicU64,
    pub(crate) resynchronised: AtomicU64,
    pub(crate) stalled: AtomicU64,
    pub(crate) cluster_in: AtomicU64,
    pub(crate) cluster_out: AtomicU64,
    pub(crate) cluster_refused: AtomicU64,
    pub(crate) cluster_resyncs: AtomicU64,
}

/// Everyone online, ready to send, and the position in the feed that follows.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) pieces: std::sync::Arc<[Bytes]>,
    pub(crate) next: u64,
    at: Instant,
}

impl Hub {
    /// `shared`: other instances receive what is published here.
    pub(crate) fn new(table: Table, epoch: u64, shared: bool) -> Self {
        Self {
            table: Mutex::new(table),
            blocked: Mutex::default(),
            everything: Feed::new(epoch),
            changes: Feed::new(epoch),
            snapshots: Default::default(),
            news: Notify::new(),
            outbox: shared.then(Outbox::default),
            counters: Counters::default(),
        }
    }

    /// Stores a checked message and broadcasts it.
    pub(crate) fn publish(&self, accepted: Accepted, from: IpAddr, now: Instant) -> Outcome {
        let mut table = self.table();
        let outcome = table.handle(accepted, from, now);
        let counter = match &outcome {
            Outcome::Stored {
                line,
                change,
                share,
                ..
            } => {
                self.broadcast(line, *change);
                if let Some(outbox) = self.outbox.as_ref().filter(|_| *share) {
                    outbox.push(line.clone());
                }
                &self.counters.published
            }
            Outcome::Unproved => &self.counters.unproved,
            Outcome::Replayed { .. } => &self.counters.replayed,
            Outcome::Full => &self.counters.throttled,
            Outcome::Nothing => &self.counters.published,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// Stores a checked message of another instance and broadcasts it here; see [`Table::receive`].
    pub(crate) fn receive(&self, accepted: Accepted, by: Instance, round: u64, now: Instant) {
        let mut table = self.table();
        if let Outcome::Stored { line, change, .. } = table.receive(accepted, by, round, now) {
            self.broadcast(&line, change);
        }
    }

    /// The peer no longer publishes at another instance.
    pub(crate) fn release(
        &self,
        peer: PeerId,
        by: Instance,
        newest: Option<i64>,
        now: Instant,
        unix_millis: i64,
    ) {
        let mut table = self.table();
        if table.release(&peer, by, newest, now, unix_millis) {
            self.broadcast_gone(peer, unix_millis);
        }
    }

    /// A snapshot of another instance is complete.
    pub(crate) fn end_round(&self, by: Instance, round: u64, unix_millis: i64) {
        let mut table = self.table();
        for peer in table.end_round(by, round) {
            self.broadcast_gone(peer, unix_millis);
        }
    }

    /// What to send to other instances: everyone who publishes here, or what happened since the
    /// last time. None if there is nothing.
    pub(crate) fn outgoing(&self, everyone: bool) -> Option<Outgoing> {
        let outbox = self.outbox.as_ref()?;
        // Lines are added under the table's lock, so none is lost or sent twice.
        let table = self.table();
        if !everyone && !outbox.overflowed() {
            return outbox.take().map(Outgoing::News);
        }
        outbox.clear();
        let gone = |(peer, ts)| {
            let newest = Some(ts);
            Bytes::from(Line::Gone { peer, newest }.encode())
        };
        let here = table.here().cloned();
        Some(Outgoing::Everyone(
            here.chain(table.remembered().map(gone)).collect(),
        ))
    }

    /// Returns when there is something to send to other instances.
    pub(crate) async fn outgoing_ready(&self) {
        match &self.outbox {
            Some(outbox) => outbox.filled().await,
            None => std::future::pending().await,
        }
    }

    /// Removes a peer, here and at other instances; it returns with its next heartbeat.
    pub(crate) fn kick(&self, peer: &PeerId, unix_millis: i64) -> bool {
        let mut table = self.table();
        let was_online = self.take_out(&mut table, peer, unix_millis);
        if let Some(outbox) = self.outbox.as_ref().filter(|_| was_online) {
            outbox.push(Line::Removed(*peer).encode().into());
        }
        was_online
    }

    /// As [`Self::kick`], requested by another instance.
    pub(crate) fn remove(&self, peer: &PeerId, unix_millis: i64) {
        self.take_out(&mut self.table(), peer, unix_millis);
    }

    /// Removes a peer until it is unblocked; false if the list is full.
    pub(crate) fn block(&self, peer: PeerId, unix_millis: i64) -> bool {
        {
            let mut blocked = self.blocked();
            if blocked.len() >= MAX_BLOCKED && !blocked.contains(&peer) {
                return false;
            }
            blocked.insert(peer);
        }
        self.kick(&peer, unix_millis);
        true
    }

    pub(crate) fn unblock(&self, peer: &PeerId) -> bool {
        self.blocked().remove(peer)
    }

    /// The blocked peers.
    pub(crate) fn blocked(&self) -> MutexGuard<'_, HashSet<PeerId>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guard is never held across an await.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn feed(&self, audience: Audience) -> &Feed {
        match audience {
            Audience::Everything => &self.everything,
            Audience::Changes => &self.changes,
        }
    }

    /// The current state, or one a moment old if what followed is still in the ring.
    pub(crate) fn snapshot(&self, audience: Audience) -> Snapshot {
        let mut kept = self.snapshots[audience as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let feed = self.feed(audience);
        let fresh = |snapshot: &&Snapshot| {
            snapshot.at.elapsed() < SNAPSHOT_AGE && feed.holds(snapshot.next)
        };
        if let Some(snapshot) = kept.as_ref().filter(fresh) {
            return snapshot.clone();
        }
        // The position is read under the table's lock, as pieces are added under it, so nothing is
        // missing or sent twice.
        let (lines, next) = {
            let table = self.table();
            let lines: Vec<_> = table.entries().map(|entry| entry.line.clone()).collect();
            (lines, feed.next())
        };
        let pieces = match audience {
            Audience::Everything => lines.iter().map(|line| frame("", None, line)).collect(),
            Audience::Changes => arrays(&lines)
                .map(|array| frame("snapshot", None, &array))
                .chain([frame(
                    "current",
                    next.checked_sub(1).map(|last| feed.id(last)).as_deref(),
                    b"",
                )])
                .collect(),
        };
        let snapshot = Snapshot {
            pieces,
            next,
            at: Instant::now(),
        };
        kept.insert(snapshot).clone()
    }

    /// Wakes subscribers, removes expired peers and keeps connections alive; never returns.
    pub(crate) async fn run(
        &self,
        log: &Log,
        subscribers: impl Fn() -> usize,
        clock: impl Fn() -> i64,
    ) {
        let mut ping = interval_at(time::Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut expire = interval(EXPIRE);
        expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.news.notified() => {
                    self.wake();
                    let all = u32::try_from(subscribers()).unwrap_or(u32::MAX);
                    sleep((PAUSE_EACH * all).clamp(*PAUSES.start(), *PAUSES.end())).await;
                }
                _ = expire.tick() => self.expire(log, clock()),
                _ = ping.tick() => {
                    self.everything.push_comment("ping");
                    self.changes.push_comment("ping");
                    self.wake();
                }
            }
        }
    }

    /// Ends all subscribers, with a goodbye.
    pub(crate) fn close(&self) {
        for feed in [&self.everything, &self.changes] {
            feed.push_comment("bye");
            feed.close();
        }
    }

    fn expire(&self, log: &Log, unix_millis: i64) {
        let now = Instant::now();
        let mut table = self.table();
        let expired = table.expire(now);
        if let Some(outbox) = &self.outbox {
            for (peer, newest) in expired.left {
                outbox.push(Line::Gone { peer, newest }.encode().into());
            }
        }
        for peer in expired.gone {
            self.broadcast_gone(peer, unix_millis);
            log.add(unix_millis, format!("{peer} timed out"));
        }
        for line in table.repeats(now) {
            self.broadcast(&line, false);
        }
    }

    fn take_out(&self, table: &mut Table, peer: &PeerId, unix_millis: i64) -> bool {
        let was_online = table.remove(peer);
        if was_online {
            self.broadcast_gone(*peer, unix_millis);
        }
        was_online
    }

    fn broadcast(&self, line: &Bytes, change: bool) {
        self.everything.push_plain(line);
        if change {
            self.changes.push("", line);
        }
        self.news.notify_one();
    }

    /// In the server's own name: it has no key of the peer to sign a goodbye with.
    fn broadcast_gone(&self, peer: PeerId, unix_millis: i64) {
        self.everything
            .push_plain(&Presence::offline(peer, unix_millis).encode());
        self.changes.push("gone", peer.to_base58().as_bytes());
        self.news.notify_one();
    }

    fn wake(&self) {
        self.everything.wake();
        self.changes.wake();
    }
}

/// The lines as JSON arrays that each fit a line of the event stream; at least one.
fn arrays(lines: &[Bytes]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = lines.iter().peekable();
    let mut first = true;
    std::iter::from_fn(move || {
        if rest.peek().is_none() && !first {
            return None;
        }
        first = false;
        let mut array = vec![b'['];
        while let Some(line) = rest.next_if(|line| array.len() + line.len() + 2 < MAX_LINE) {
            if array.len() > 1 {
                array.push(b',');
            }
            array.extend_from_slice(line);
        }
        array.push(b']');
        Some(array)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_line_stays_below_what_clients_read() {
        let lines = vec![Bytes::from(vec![b'1'; 25_000]); 5];
        let arrays: Vec<_> = arrays(&lines).collect();
        assert_eq!(arrays.len(), 3);
        assert!(arrays.iter().all(|array| array.len() < MAX_LINE));
        assert_eq!(super::arrays(&[]).collect::<Vec<_>>(), [b"[]"]);
    }
}
