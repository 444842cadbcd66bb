//! Who is online (§3.4, §3.5): presence per peer *and per source*, so that an `offline` heard from one source never removes a
//! peer that another still sees. A state machine: messages and time go in, changes come out.
//!
//! A peer is online while at least one source has spoken of it within the TTL. Whoever leaves stays in the roster as seen
//! earlier. Both groups are bounded, and differently: of those seen earlier the oldest gives way, but nobody who is online
//! does, or a stranger with many keys could push out everyone else by talking.
//!
//! The order of messages is the sender's clock (`ts`), per source: what is clearly older than the last message heard is a
//! replay. Existing peers ignore `ts` altogether.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    PeerId,
    presence::{Kind, Presence},
};

/// Most peers online at a time: a large network, and at the bounds of a message some 40 MB.
pub const MAX_ONLINE: usize = 4096;
/// Most peers kept as seen earlier: more than anyone looks through.
pub const MAX_EARLIER: usize = 256;
/// How much older than the newest a message may be, in milliseconds: gossip reorders heartbeats, and clocks are set.
pub const REPLAY_SLACK: i64 = 30_000;
/// How long after its last message a source's newest `ts` counts. A clock that was wrong and is set back makes its peer
/// invisible no longer than this; what is older than this may be replayed, and then shows a ghost for one TTL.
pub const REPLAY_MEMORY: Duration = Duration::from_secs(10 * 60);

/// Where a message was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Gossip on the local network.
    Lan,
    /// The rendezvous server with this number in the configuration.
    Wan(u16),
}

/// What changed, for those who show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The peer appeared, or its record is different now.
    Updated(PeerId),
    /// No source sees the peer any more.
    Gone(PeerId),
}

/// What is known of one peer.
#[derive(Clone, Debug)]
pub struct Record {
    /// The last `online` or `update` that was accepted, from whatever source.
    pub presence: Presence,
    /// The sources that see it now, in order; empty once it is gone.
    pub sources: Vec<Source>,
    /// Whether any source sees it.
    pub online: bool,
    /// When a message of it was last accepted.
    pub last_seen: Instant,
}

/// All peers that are online, and some that were.
#[derive(Debug)]
pub struct Roster {
    own: PeerId,
    ttl: Duration,
    peers: BTreeMap<PeerId, Entry>,
    online: usize,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    heard: BTreeMap<Source, Heard>,
}

/// What one source said last of one peer.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// When, by our clock.
    at: Instant,
    /// The newest accepted, by the sender's clock.
    newest: i64,
    /// Until when the peer counts as seen by the source; none after an `offline` or the TTL.
    until: Option<Instant>,
}

impl Roster {
    /// `own` is ignored in messages; `ttl` is how long a peer counts as online without a message (§3.5).
    pub fn new(own: PeerId, ttl: Duration) -> Self {
        Self {
            own,
            ttl,
            peers: BTreeMap::new(),
            online: 0,
        }
    }

    /// Takes one decoded message; older than the newest accepted `ts` of that peer and source (with slack) is ignored.
    pub fn handle(&mut self, message: Presence, source: Source, now: Instant) -> Option<Change> {
        if message.peer == self.own {
            return None;
        }
        let heard = self
            .peers
            .get(&message.peer)
            .and_then(|entry| entry.heard.get(&source));
        if heard.is_some_and(|heard| heard.outdates(&message, now)) {
            return None;
        }
        match message.kind {
            Kind::Online | Kind::Update => self.arrive(message, source, now),
            Kind::Offline => self.leave(&message, source, now),
        }
    }

    /// Everything a source said is forgotten (a rendezvous was left).
    pub fn forget(&mut self, source: Source) -> Vec<Change> {
        self.drop_sightings(|entry| entry.heard.remove(&source))
    }

    /// Expires what is due.
    pub fn poll(&mut self, now: Instant) -> Vec<Change> {
        self.drop_sightings(|entry| {
            let due = entry
                .heard
                .values_mut()
                .filter(|heard| heard.until.is_some_and(|until| until <= now));
            due.map(|heard| heard.until = None).last()
        })
    }

    /// When [`Self::poll`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.peers
            .values()
            .flat_map(|entry| entry.heard.values())
            .filter_map(|heard| heard.until)
            .min()
    }

    /// What is known of the peer.
    pub fn get(&self, peer: &PeerId) -> Option<&Record> {
        self.peers.get(peer).map(|entry| &entry.record)
    }

    /// All records, those seen earlier included, ordered by peer id.
    pub fn records(&self) -> impl Iterator<Item = (&PeerId, &Record)> {
        self.peers.iter().map(|(peer, entry)| (peer, &entry.record))
    }

    fn arrive(&mut self, message: Presence, source: Source, now: Instant) -> Option<Change> {
        let peer = message.peer;
        let was_online = self.get(&peer).is_some_and(|record| record.online);
        if !was_online && self.online == MAX_ONLINE {
            return None;
        }
        let (ts, until) = (message.ts, now + self.ttl);
        let entry = self
            .peers
            .entry(peer)
            .or_insert_with(|| Entry::new(message.clone(), now));
        let newest = entry
            .heard
            .get(&source)
            .map_or(ts, |heard| heard.newest(ts, now));
        entry.heard.insert(
            source,
            Heard {
                at: now,
                newest,
                until: Some(until),
            },
        );
        let changed = !says_the_same(&entry.record.presence, &message);
        entry.record.presence = message;
        entry.record.last_seen = now;
        let seen_by_more = entry.refresh();
        self.online += usize::from(!was_online);
        (changed || seen_by_more).then_some(Change::Updated(peer))
    }

    fn leave(&mut self, message: &Presence, source: Source, now: Instant) -> Option<Change> {
        let entry = self.peers.get_mut(&message.peer)?;
        let heard = entry.heard.get_mut(&source)?;
        *heard = Heard {
            at: now,
            newest: heard.newest(message.ts, now),
            until: None,
        };
        entry.record.last_seen = now;
        self.settle(message.peer)
    }

    /// Takes sightings from every entry and tells what that changed.
    fn drop_sightings<T>(&mut self, take: impl Fn(&mut Entry) -> Option<T>) -> Vec<Change> {
        let touched: Vec<_> = self
            .peers
            .iter_mut()
            .filter_map(|(peer, entry)| take(entry).map(|_| *peer))
            .collect();
        touched
            .into_iter()
            .filter_map(|peer| self.settle(peer))
            .collect()
    }

    /// Brings a record up to date after its sightings became fewer.
    fn settle(&mut self, peer: PeerId) -> Option<Change> {
        let entry = self.peers.get_mut(&peer)?;
        if !entry.refresh() {
            return None;
        }
        if entry.record.online {
            return Some(Change::Updated(peer));
        }
        self.online -= 1;
        self.trim_earlier();
        Some(Change::Gone(peer))
    }

    fn trim_earlier(&mut self) {
        if self.peers.len() - self.online > MAX_EARLIER {
            let earlier = self.peers.iter().filter(|(_, entry)| !entry.record.online);
            if let Some(oldest) = earlier
                .min_by_key(|(_, entry)| entry.record.last_seen)
                .map(|(peer, _)| *peer)
            {
                self.peers.remove(&oldest);
            }
        }
    }
}

impl Entry {
    fn new(presence: Presence, now: Instant) -> Self {
        let record = Record {
            presence,
            sources: Vec::new(),
            online: false,
            last_seen: now,
        };
        Self {
            record,
            heard: BTreeMap::new(),
        }
    }

    /// Derives the record's sources from what was heard; whether they changed.
    fn refresh(&mut self) -> bool {
        let sees = |(source, heard): (&Source, &Heard)| heard.until.map(|_| *source);
        let sources: Vec<_> = self.heard.iter().filter_map(sees).collect();
        self.record.online = !sources.is_empty();
        let changed = self.record.sources != sources;
        self.record.sources = sources;
        changed
    }
}

impl Heard {
    /// Whether the message was sent before what is known already. Slack is only for a heartbeat among heartbeats: a late
    /// one must not bring back who has left, nor a late `offline` send away who has come back.
    fn outdates(&self, message: &Presence, now: Instant) -> bool {
        let turns = (message.kind == Kind::Offline) == self.until.is_some();
        let slack = if turns { 0 } else { REPLAY_SLACK };
        self.is_remembered(now) && message.ts < self.newest.saturating_sub(slack)
    }

    /// The newest of what is remembered and a message just accepted.
    fn newest(&self, ts: i64, now: Instant) -> i64 {
        if self.is_remembered(now) {
            self.newest.max(ts)
        } else {
            ts
        }
    }

    fn is_remembered(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) <= REPLAY_MEMORY
    }
}

/// Whether two messages differ in nothing that is shown.
fn says_the_same(a: &Presence, b: &Presence) -> bool {
    let shown = |p: &Presence| Presence {
        kind: Kind::Update,
        ts: 0,
        ..p.clone()
    };
    shown(a) == shown(b)
}
