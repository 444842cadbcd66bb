//! Who is online (§3.4, §3.5): presence per peer *and per source*, so that an `offline` from
//! one source never removes a peer that another still sees. A state machine: messages and time go
//! in, changes come out.
//!
//! A peer is online while at least one source has reported it within the TTL. A peer that leaves
//! stays in the roster as seen earlier. Both groups are bounded: of those seen earlier the oldest is
//! dropped, and of those online the largest share gives way (`shares`), or a stranger with many
//! keys could hide everyone else.
//!
//! The order of messages is the sender's clock (`ts`), per source: what is clearly older than the
//! last message received is a replay. Existing peers ignore `ts` altogether.
//!
//! A message may be proved: by the author of the gossip, or by its signature. What every source
//! said last is kept, and the record is drawn from it: as long as a proved word stands, no other is
//! looked at. A peer that once signed at a rendezvous is expected to, until it is forgotten; from
//! then on nobody can speak for it without its key. A server can still repeat what was signed, so
//! there `ts` has to grow, and must not be behind what other servers know.

pub mod kept;
mod shares;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use libp2p_identity::PeerId;

use crate::presence::{Kind, Presence};

use shares::{Group, Shares, Verdict};

/// Most peers online at a time: a large network, and at the bounds of a message some 40 MB a
/// source.
pub const MAX_ONLINE: usize = 4096;
/// Of those, on the local network: more than it can connect by far. The rest is for servers, so
/// that a neighbor with many keys does not hide everybody there.
pub const MAX_NEARBY: usize = MAX_ONLINE / 4 * 3;
/// Peers that the user visited last and that are always in: more than anyone opens in a day.
pub const MAX_VISITED: usize = 64;
/// Most peers kept as seen earlier: more than anyone looks through.
pub const MAX_EARLIER: usize = 256;
/// How much older than the newest a message may be, in milliseconds: gossip reorders heartbeats,
/// and clocks are set.
pub const REPLAY_SLACK: i64 = 30_000;
/// How long after its last message a source's newest `ts` counts. A clock that was wrong and is set
/// back makes its peer invisible no longer than this; what is older than this may be replayed, and
/// then shows a ghost for one TTL.
pub const REPLAY_MEMORY: Duration = Duration::from_secs(10 * 60);

/// Where a message came from.
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
    /// No source sees the peer anymore.
    Gone(PeerId),
    /// The peer appeared, and there was room for it only once the other was forgotten.
    Instead {
        /// Who appeared.
        peer: PeerId,
        /// Who was forgotten.
        forgotten: PeerId,
    },
}

/// What is known of one peer.
#[derive(Clone, Debug)]
pub struct Record {
    /// The last `online` or `update` that was believed, from whatever source.
    pub presence: Presence,
    /// Whether it is known that the peer itself said so.
    pub proved: bool,
    /// The sources that see it now and are believed, in order; empty once it is gone.
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
    online: Shares,
    /// When the first sighting may expire: not later than it does. To look through all of them for
    /// each message would let a server with thousands take the time of everybody else.
    expires: Option<Instant>,
    favorites: HashSet<PeerId>,
    /// The latest at the end.
    visited: VecDeque<PeerId>,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    /// Since when it has been online.
    since: Instant,
    sightings: BTreeMap<Source, Sighting>,
    /// The newest that was signed, from whatever rendezvous; once there is one, nothing unsigned
    /// counts.
    signed: Option<Signed>,
}

/// There is no room for one more.
struct Full;

#[derive(Clone, Copy, Debug)]
struct Signed {
    at: Instant,
    newest: i64,
    left: bool,
}

/// What one source said last of one peer.
#[derive(Clone, Debug)]
struct Sighting {
    /// When, by our clock.
    at: Instant,
    /// The newest accepted, by the sender's clock.
    newest: i64,
    /// Until when the peer counts as seen by the source; none after an `offline` or the TTL.
    until: Option<Instant>,
    /// The last `online` or `update`.
    presence: Presence,
    proved: bool,
}

impl Roster {
    /// `own` is ignored in messages; `ttl` is how long a peer counts as online without a message
    /// (§3.5).
    pub fn new(own: PeerId, ttl: Duration) -> Self {
        Self {
            own,
            ttl,
            peers: BTreeMap::new(),
            online: Shares::default(),
            expires: None,
            favorites: HashSet::new(),
            visited: VecDeque::new(),
        }
    }

    /// The peers that are always in, in place of those before; the caller bounds them.
    pub fn set_favorites(&mut self, favorites: HashSet<PeerId>) {
        self.favorites = favorites;
    }

    /// The user visits this peer: as one of the last [`MAX_VISITED`] it is always in.
    pub fn visit(&mut self, peer: PeerId) {
        if self.visited.back() == Some(&peer) {
            return;
        }
        self.visited.retain(|visited| *visited != peer);
        if self.visited.len() == MAX_VISITED {
            self.visited.pop_front();
        }
        self.visited.push_back(peer);
    }

    /// Whether the user chose the peer: as a favorite, or by a visit.
    pub fn is_chosen(&self, peer: &PeerId) -> bool {
        self.favorites.contains(peer) || self.visited.contains(peer)
    }

    /// Takes one decoded message. `proved`: the gossip's author, or a signature that verified, is
    /// the peer it speaks of. Replays, and what is unproved about a peer that signs, change
    /// nothing.
    pub fn handle(
        &mut self,
        message: Presence,
        source: Source,
        proved: bool,
        now: Instant,
    ) -> Option<Change> {
        if message.peer == self.own {
            return None;
        }
        let known = self.peers.get(&message.peer);
        if known.is_some_and(|entry| entry.refuses(&message, source, proved, now)) {
            return None;
        }
        match message.kind {
            Kind::Online | Kind::Update => self.arrive(message, source, proved, now),
            Kind::Offline => self.leave(&message, source, proved, now),
        }
    }

    /// A source that reports only changes is still connected: the peers it sees stay for another
    /// TTL.
    pub fn sustain(&mut self, source: Source, now: Instant) {
        let sighting = self
            .peers
            .values_mut()
            .filter_map(|entry| entry.sightings.get_mut(&source));
        for until in sighting.filter_map(|sighting| sighting.until.as_mut()) {
            *until = now + self.ttl;
        }
    }

    /// A source says for itself that it no longer sees the peer: it fell silent there. Nobody
    /// speaks for the peer here.
    pub fn lose(&mut self, source: Source, peer: &PeerId) -> Option<Change> {
        let sighting = self.peers.get_mut(peer)?.sightings.get_mut(&source)?;
        sighting.until.take()?;
        self.settle(*peer)
    }

    /// A source has listed all peers it sees: those not in the list have left it.
    pub fn retain(&mut self, source: Source, seen: &HashSet<PeerId>) -> Vec<Change> {
        self.drop_sightings(|entry| {
            if seen.contains(&entry.record.presence.peer) {
                return None;
            }
            entry.sightings.get_mut(&source)?.until.take()
        })
    }

    /// Everything a source said is forgotten (a rendezvous was left).
    pub fn forget(&mut self, source: Source) -> Vec<Change> {
        self.drop_sightings(|entry| entry.sightings.remove(&source))
    }

    /// Expires what is due.
    pub fn poll(&mut self, now: Instant) -> Vec<Change> {
        let changes = self.drop_sightings(|entry| {
            let due = entry
                .sightings
                .values_mut()
                .filter(|sighting| sighting.until.is_some_and(|until| until <= now));
            due.map(|sighting| sighting.until = None).last()
        });
        let sightings = self
            .peers
            .values()
            .flat_map(|entry| entry.sightings.values());
        self.expires = sightings.filter_map(|sighting| sighting.until).min();
        changes
    }

    /// When to call [`Self::poll`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.expires
    }

    /// What is known of the peer.
    pub fn get(&self, peer: &PeerId) -> Option<&Record> {
        self.peers.get(peer).map(|entry| &entry.record)
    }

    /// All records, those seen earlier included, ordered by peer id.
    pub fn records(&self) -> impl Iterator<Item = (&PeerId, &Record)> {
        self.peers.iter().map(|(peer, entry)| (peer, &entry.record))
    }

    fn arrive(
        &mut self,
        message: Presence,
        source: Source,
        proved: bool,
        now: Instant,
    ) -> Option<Change> {
        let peer = message.peer;
        let known = self.peers.get(&peer);
        let before = known.and_then(Entry::group);
        let forgotten = if before.is_some() {
            None
        } else {
            self.make_room(&peer, Group { source, proved }).ok()?
        };
        let until = now + self.ttl;
        self.expires = Some(self.expires.map_or(until, |expires| expires.min(until)));
        let entry = self
            .peers
            .entry(peer)
            .or_insert_with(|| Entry::new(message.clone(), proved, now));
        if before.is_none() {
            entry.since = now;
        }
        entry.note_signed(&message, source, proved, now);
        let newest = entry.sightings.get(&source).map_or(message.ts, |sighting| {
            sighting.newest(&message, proved, now)
        });
        let sighting = Sighting {
            at: now,
            newest,
            until: Some(until),
            presence: message,
            proved,
        };
        entry.sightings.insert(source, sighting);
        let changed = entry.refresh();
        if entry.record.sources.contains(&source) {
            entry.record.last_seen = now;
        }
        self.online.regroup(before, entry.group());
        match forgotten {
            Some(forgotten) => Some(Change::Instead { peer, forgotten }),
            None => changed.then_some(Change::Updated(peer)),
        }
    }

    /// Room for one more that is online, and who gave way for it.
    fn make_room(&mut self, peer: &PeerId, group: Group) -> Result<Option<PeerId>, Full> {
        let other = match self.online.judge(group, self.is_chosen(peer)) {
            Verdict::Room => return Ok(None),
            Verdict::Full => return Err(Full),
            Verdict::Instead(other) => other,
        };
        // Who came last: those before are more likely to be more than a key.
        let last = self
            .peers
            .iter()
            .filter(|(peer, entry)| entry.group() == Some(other) && !self.is_chosen(peer))
            .max_by_key(|(_, entry)| entry.since)
            .map(|(peer, _)| *peer)
            .ok_or(Full)?;
        self.peers.remove(&last);
        self.online.regroup(Some(other), None);
        Ok(Some(last))
    }

    fn leave(
        &mut self,
        message: &Presence,
        source: Source,
        proved: bool,
        now: Instant,
    ) -> Option<Change> {
        let entry = self.peers.get_mut(&message.peer)?;
        entry.note_signed(message, source, proved, now);
        let believed = entry.record.sources.contains(&source);
        let sighting = entry.sightings.get_mut(&source)?;
        sighting.newest = sighting.newest(message, proved, now);
        (sighting.at, sighting.until, sighting.proved) = (now, None, proved);
        if believed {
            entry.record.last_seen = now;
        }
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
        let before = entry.group();
        if !entry.refresh() {
            return None;
        }
        self.online.regroup(before, entry.group());
        if entry.record.online {
            return Some(Change::Updated(peer));
        }
        self.trim_earlier();
        Some(Change::Gone(peer))
    }

    fn trim_earlier(&mut self) {
        if self.peers.len() - self.online.all() > MAX_EARLIER {
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
    fn new(presence: Presence, proved: bool, now: Instant) -> Self {
        let record = Record {
            presence,
            proved,
            sources: Vec::new(),
            online: false,
            last_seen: now,
        };
        Self {
            record,
            since: now,
            sightings: BTreeMap::new(),
            signed: None,
        }
    }

    /// How it is counted while it is online.
    fn group(&self) -> Option<Group> {
        Some(Group {
            source: *self.record.sources.first()?,
            proved: self.record.proved,
        })
    }

    fn refuses(&self, message: &Presence, source: Source, proved: bool, now: Instant) -> bool {
        if !proved && self.signed.is_some() {
            return true;
        }
        let signed = is_signed(source, proved);
        let repeats = self
            .sightings
            .get(&source)
            .is_some_and(|sighting| sighting.outdates(message, signed, now));
        repeats || (signed && self.signed.is_some_and(|last| last.outdates(message, now)))
    }

    fn note_signed(&mut self, message: &Presence, source: Source, proved: bool, now: Instant) {
        if !is_signed(source, proved) {
            return;
        }
        let remembered = self
            .signed
            .filter(|last| is_remembered(last.at, now) && last.newest > message.ts);
        self.signed = Some(Signed {
            at: now,
            newest: remembered.map_or(message.ts, |last| last.newest),
            left: remembered.map_or(message.kind == Kind::Offline, |last| last.left),
        });
    }

    /// Draws the record from what was heard; whether that changed it.
    fn refresh(&mut self) -> bool {
        let sees = |sighting: &Sighting| sighting.until.is_some();
        let only_proved = self.signed.is_some()
            || self
                .sightings
                .values()
                .any(|sighting| sees(sighting) && sighting.proved);
        let believed: Vec<_> = self
            .sightings
            .iter()
            .filter(|(_, sighting)| sees(sighting) && (sighting.proved || !only_proved))
            .collect();
        let sources: Vec<_> = believed.iter().map(|(source, _)| **source).collect();
        let record = &mut self.record;
        let mut changed = record.sources != sources;
        // The author's clock says which of his own words is the last; a stranger's could say
        // anything.
        let last = believed
            .iter()
            .map(|(_, sighting)| sighting)
            .max_by_key(|sighting| {
                (
                    if sighting.proved {
                        sighting.presence.ts
                    } else {
                        0
                    },
                    sighting.at,
                )
            });
        if let Some(last) = last {
            changed |=
                record.proved != last.proved || !says_the_same(&record.presence, &last.presence);
            (record.presence, record.proved) = (last.presence.clone(), last.proved);
        }
        record.online = !sources.is_empty();
        record.sources = sources;
        changed
    }
}

impl Signed {
    /// Whether another server already knew better. Slack for those that are slower; none once the
    /// peer has left.
    fn outdates(&self, message: &Presence, now: Instant) -> bool {
        let revives = self.left && message.kind != Kind::Offline;
        is_remembered(self.at, now)
            && if revives {
                message.ts <= self.newest
            } else {
                message.ts < self.newest.saturating_sub(REPLAY_SLACK)
            }
    }
}

impl Sighting {
    /// Whether the message was sent before what is known already. Slack is only for a heartbeat
    /// among heartbeats: a late one must not bring back who has left, nor a late `offline` send
    /// away who has come back. A signed one comes in order.
    fn outdates(&self, message: &Presence, signed: bool, now: Instant) -> bool {
        if !is_remembered(self.at, now) {
            return false;
        }
        if signed && self.proved {
            return message.ts <= self.newest;
        }
        let turns = (message.kind == Kind::Offline) == self.until.is_some();
        let slack = if turns { 0 } else { REPLAY_SLACK };
        // What strangers said must not keep out the peer itself.
        !signed && message.ts < self.newest.saturating_sub(slack)
    }

    /// The newest of what is remembered and a message just accepted.
    fn newest(&self, message: &Presence, proved: bool, now: Instant) -> i64 {
        if is_remembered(self.at, now) && (self.proved || !proved) {
            self.newest.max(message.ts)
        } else {
            message.ts
        }
    }
}

/// Gossip carries its own proof and its own order; at a rendezvous a proof is a signature.
fn is_signed(source: Source, proved: bool) -> bool {
    proved && matches!(source, Source::Wan(_))
}

fn is_remembered(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) <= REPLAY_MEMORY
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
