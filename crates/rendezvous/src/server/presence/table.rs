//! Who is online at this rendezvous (§6.5): a state machine. Messages and time go in; what to tell
//! subscribers comes out.
//!
//! A proved message outweighs any number of unproved ones: while one is remembered, no unsigned
//! message in that peer's name is accepted, and no `ts` is accepted twice. The memory outlives the
//! peer's time online, because a signed message stays fresh for [`FRESH`] before and after its
//! `ts`; see [`super::memory`].
//!
//! A peer is online as long as it publishes here, or at another instance that is itself online.
//! Other instances do not repeat heartbeats: an instance holds its peers until it reports that they
//! left, or times out together with them.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use goop2_proto::{
    PeerId,
    cluster::Instance,
    household,
    presence::{FRESH, Kind, Message},
    rendezvous::Accepted,
    roster::REPLAY_SLACK,
};

use super::{memory::Memory, twin::Twin};

/// How old the copy of a message at other instances may become: clients that connect there cannot
/// tell an old message from a replayed one.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// How often per TTL the peers of other instances are repeated to existing clients, in place of
/// heartbeats.
const REPEATS: u32 = 4;

/// Everyone online, and what they last signed.
#[derive(Debug)]
pub(crate) struct Table {
    ttl: Duration,
    most: usize,
    peers: HashMap<PeerId, Entry>,
    memory: Memory,
    /// Other instances, and when each last sent something.
    instances: HashMap<Instance, Instant>,
    broadcast_bytes: u64,
}

/// One peer that is online.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    /// The message as it is passed on.
    pub(crate) line: Bytes,
    pub(crate) proved: bool,
    /// The client that published it; none = it came from another instance.
    pub(crate) from: Option<IpAddr>,
    pub(crate) since: Instant,
    /// When it last published here; none = only at other instances.
    here: Option<Instant>,
    /// The other instances where it publishes.
    held: Vec<Held>,
    /// Whether two programs publish under its identity here.
    twin: Twin,
    /// When its message was last sent to other instances.
    shared: Option<Instant>,
    /// When it was last broadcast to readers of everything.
    broadcast: Instant,
    /// The `ts` of the last message broadcast to readers of changes; none = no message yet.
    broadcast_ts: Option<i64>,
    /// Bytes it has published.
    pub(crate) sent: u64,
    /// Bytes broadcast before it came.
    broadcast_before: u64,
}

/// Another instance holds the peer, as of this round; see [`Table::end_round`].
#[derive(Clone, Copy, Debug)]
struct Held {
    by: Instance,
    round: u64,
}

/// Who has timed out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    /// Everywhere.
    pub(crate) gone: Vec<PeerId>,
    /// Here, with the newest `ts` each signed; they may still be online at other instances.
    pub(crate) left: Vec<(PeerId, Option<i64>)>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stored. `change`: it says something new. `share`: other instances do not know it yet. `twin`:
    /// it is the first sign of a second program with the same identity.
    Stored {
        line: Bytes,
        change: bool,
        share: bool,
        twin: bool,
    },
    /// Rejected: its peer signs, and this was not signed.
    Unproved,
    /// Rejected: older than the newest known message.
    Replayed { newest: i64 },
    /// Rejected: too many peers.
    Full,
    /// A goodbye of a peer that was not online.
    Nothing,
}

impl Table {
    pub(crate) fn new(ttl: Duration, most: usize) -> Self {
        Self {
            ttl,
            most,
            peers: HashMap::new(),
            memory: Memory::default(),
            instances: HashMap::new(),
            broadcast_bytes: 0,
        }
    }

    /// A message that a client published here.
    pub(crate) fn handle(&mut self, accepted: Accepted, from: IpAddr, now: Instant) -> Outcome {
        self.take(accepted, Some(from), now)
    }

    /// A message from another instance: the peer is online there, even if the message is not new.
    pub(crate) fn receive(
        &mut self,
        accepted: Accepted,
        by: Instance,
        round: u64,
        now: Instant,
    ) -> Outcome {
        let Message { peer, kind, ts, .. } = accepted.message;
        // Unsigned messages have no reliable order; what arrives here comes straight from its
        // author.
        let nearer = |known: &Entry| {
            !known.proved && !accepted.proved && known.here.is_some() && ts < known.message.ts
        };
        let outcome = if self.peers.get(&peer).is_some_and(nearer) {
            Outcome::Nothing
        } else {
            self.take(accepted, None, now)
        };
        let there = kind != Kind::Offline && outcome != Outcome::Unproved;
        if let Some(entry) = self.peers.get_mut(&peer).filter(|_| there) {
            match entry.held.iter_mut().find(|held| held.by == by) {
                Some(held) => held.round = round,
                None => entry.held.push(Held { by, round }),
            }
        }
        outcome
    }

    /// Another instance is online, and so are the peers it holds.
    pub(crate) fn keep_alive(&mut self, instance: Instance, now: Instant) {
        self.instances.insert(instance, now);
    }

    /// Another instance no longer holds the peer; whether that was the last.
    pub(crate) fn release(
        &mut self,
        peer: &PeerId,
        by: Instance,
        newest: Option<i64>,
        now: Instant,
        unix_millis: i64,
    ) -> bool {
        // No message from further in the future is accepted, so none can be known there.
        if let Some(newest) = newest.filter(|ts| *ts <= unix_millis.saturating_add(FRESH)) {
            let known = self.memory.newest(peer);
            if known.is_none_or(|known| known < newest) {
                self.remember(*peer, newest, None, now);
            }
        }
        let Some(entry) = self.peers.get_mut(peer) else {
            return false;
        };
        entry.held.retain(|held| held.by != by);
        let gone = entry.is_offline();
        if gone {
            self.peers.remove(peer);
        }
        gone
    }

    /// The snapshot of another instance is complete: peers not named since the round began are not
    /// there. Returns those that are not online anywhere else.
    pub(crate) fn end_round(&mut self, by: Instance, round: u64) -> Vec<PeerId> {
        self.drop_offline(|entry| {
            entry
                .held
                .retain(|held| held.by != by || held.round >= round);
        })
    }

    /// Removes peers that timed out, and instances with the peers they held.
    pub(crate) fn expire(&mut self, now: Instant) -> Expired {
        let ttl = self.ttl;
        let silent = |at: &Instant| now.saturating_duration_since(*at) > ttl;
        self.instances.retain(|_, heard| !silent(heard));
        let instances = std::mem::take(&mut self.instances);
        let mut left = Vec::new();
        let gone = self.drop_offline(|entry| {
            entry.held.retain(|held| instances.contains_key(&held.by));
            if entry.here.as_ref().is_some_and(silent) {
                entry.here = None;
                left.push(entry.message.peer);
            }
        });
        self.instances = instances;
        let newest = |peer: PeerId| (peer, self.memory.newest(&peer));
        let left = left.into_iter().map(newest).collect();
        Expired { gone, left }
    }

    /// What to repeat to existing clients of peers that publish at other instances: a part at a
    /// time.
    pub(crate) fn repeats(&mut self, now: Instant) -> Vec<Bytes> {
        let pause = self.ttl / REPEATS;
        let most = self.peers.len() / REPEATS as usize + 1;
        let due = |entry: &&mut Entry| {
            entry.here.is_none() && now.saturating_duration_since(entry.broadcast) >= pause
        };
        let repeated = self.peers.values_mut().filter(due).take(most);
        repeated
            .map(|entry| {
                entry.broadcast = now;
                entry.line.clone()
            })
            .collect()
    }

    /// Everyone who publishes here.
    pub(crate) fn here(&self) -> impl Iterator<Item = &Bytes> {
        let here = self.peers.values().filter(|entry| entry.here.is_some());
        here.map(|entry| &entry.line)
    }

    /// Peers that signed here and have left, with the newest `ts` of each.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = (PeerId, i64)> {
        let left = |(peer, _): &(PeerId, i64)| {
            self.peers
                .get(peer)
                .is_none_or(|entry| entry.here.is_none())
        };
        self.memory.here().filter(left)
    }

    /// Removes a peer; whether it was online.
    pub(crate) fn remove(&mut self, peer: &PeerId) -> bool {
        self.peers.remove(peer).is_some()
    }

    /// When the peer was last known to be online.
    pub(crate) fn seen(&self, entry: &Entry) -> Instant {
        let remote = entry.held.iter().filter_map(|h| self.instances.get(&h.by));
        remote
            .copied()
            .chain(entry.here)
            .max()
            .unwrap_or(entry.broadcast)
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn proved(&self) -> usize {
        self.peers.values().filter(|entry| entry.proved).count()
    }

    /// Whether a peer signs, if it is online.
    pub(crate) fn is_proved(&self, peer: &PeerId) -> Option<bool> {
        self.peers.get(peer).map(|entry| entry.proved)
    }

    /// Those that two programs seem to be.
    pub(crate) fn twins(&self, now: Instant) -> usize {
        let twins = self.peers.values().filter(|entry| entry.is_twin(now));
        twins.count()
    }

    /// In no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.peers.values()
    }

    /// Bytes broadcast since that peer came.
    pub(crate) fn received(&self, entry: &Entry) -> u64 {
        self.broadcast_bytes - entry.broadcast_before
    }

    /// `from`: the client, if it was published here.
    fn take(&mut self, accepted: Accepted, from: Option<IpAddr>, now: Instant) -> Outcome {
        let Accepted { message, proved } = accepted;
        self.memory.forget(now);
        let known = self.memory.newest(&message.peer);
        match known {
            Some(_) if !proved => return Outcome::Unproved,
            Some(newest) if message.ts <= newest => return Outcome::Replayed { newest },
            _ => {}
        }
        // A goodbye of a peer that was never here says nothing, and is not remembered.
        let was_here = known.is_some() || self.peers.contains_key(&message.peer);
        if message.kind == Kind::Offline && !was_here {
            return Outcome::Nothing;
        }
        if !self.peers.contains_key(&message.peer)
            && message.kind != Kind::Offline
            && self.peers.len() >= self.most
        {
            return Outcome::Full;
        }
        if proved {
            self.remember(message.peer, message.ts, from, now);
        }
        if message.kind == Kind::Offline {
            self.leave(&message, from.is_some())
        } else {
            self.arrive(message, proved, from, now)
        }
    }

    fn arrive(
        &mut self,
        message: Message,
        proved: bool,
        from: Option<IpAddr>,
        now: Instant,
    ) -> Outcome {
        let line = Bytes::from(message.encode());
        let size = line.len() as u64;
        let before = self.broadcast_bytes;
        let mut entry = self
            .peers
            .remove(&message.peer)
            .unwrap_or_else(|| Entry::new(message.clone(), line.clone(), from, before, now));
        let change = entry.is_changed_by(&message, proved, from);
        let twin = proved && from.is_some() && entry.twin.announce(&message.addrs, now);
        let stale = |at: Instant| now.saturating_duration_since(at) > REFRESH;
        let comes = from.is_some() && entry.here.is_none();
        let share = from.is_some() && (change || comes || entry.shared.is_none_or(stale));
        if change {
            entry.broadcast_ts = Some(message.ts);
        }
        if share {
            entry.shared = Some(now);
        }
        if from.is_some() {
            (entry.here, entry.from) = (Some(now), from);
        } else if entry.here.is_none() {
            entry.from = None;
        }
        (entry.line, entry.proved, entry.broadcast) = (line.clone(), proved, now);
        entry.sent += size;
        entry.message = message;
        self.broadcast_bytes += size;
        self.peers.insert(entry.message.peer, entry);
        Outcome::Stored {
            line,
            change,
            share,
            twin,
        }
    }

    fn leave(&mut self, message: &Message, share: bool) -> Outcome {
        if self.peers.remove(&message.peer).is_none() {
            return Outcome::Nothing;
        }
        let line = Bytes::from(message.encode());
        self.broadcast_bytes += line.len() as u64;
        Outcome::Stored {
            line,
            change: true,
            share,
            twin: false,
        }
    }

    fn drop_offline(&mut self, mut change: impl FnMut(&mut Entry)) -> Vec<PeerId> {
        let mut gone = Vec::new();
        self.peers.retain(|peer, entry| {
            change(entry);
            let keep = !entry.is_offline();
            if !keep {
                gone.push(*peer);
            }
            keep
        });
        gone
    }

    fn remember(&mut self, peer: PeerId, newest: i64, from: Option<IpAddr>, now: Instant) {
        let online = |peer: &PeerId| self.peers.contains_key(peer);
        let home = from.map(household::of);
        self.memory.remember(peer, newest, home, now, online);
    }
}

impl Entry {
    /// Not proved, and broadcast to nobody yet.
    fn new(
        message: Message,
        line: Bytes,
        from: Option<IpAddr>,
        broadcast_before: u64,
        now: Instant,
    ) -> Self {
        Self {
            message,
            line,
            proved: false,
            from,
            since: now,
            here: None,
            held: Vec::new(),
            twin: Twin::default(),
            shared: None,
            broadcast: now,
            broadcast_ts: None,
            sent: 0,
            broadcast_before,
        }
    }

    /// Whether readers of changes have to get the message.
    fn is_changed_by(&self, message: &Message, proved: bool, from: Option<IpAddr>) -> bool {
        let comes = from.is_some() && self.here.is_none();
        // A client of several instances may have dropped our older message for a newer one of
        // another instance.
        let outdates = |known: i64| message.ts.saturating_sub(known) > REPLAY_SLACK;
        self.broadcast_ts
            .is_none_or(|known| comes && outdates(known))
            || self.proved != proved
            || !self.message.says_the_same(message)
    }

    /// Whether two programs seem to publish under its identity.
    pub(crate) fn is_twin(&self, now: Instant) -> bool {
        self.twin.is_there(now)
    }

    fn is_offline(&self) -> bool {
        self.here.is_none() && self.held.is_empty()
    }
}

#[cfg(test)]
mod tests;
