//! Who is online at this rendezvous (§6.5): a state machine. Messages and time go in; what
//! subscribers have to hear comes out.
//!
//! A proved message is worth more than any number of unproved ones: while one is remembered,
//! nothing unsigned in that peer's name is taken, and no `ts` is taken twice. What is remembered
//! outlives the peer's visit, because a message that was signed stays fresh for [`FRESH`] on either
//! side of now.
//!
//! A peer is here as long as it publishes here, or at another instance of this rendezvous that is
//! heard itself. Another instance does not repeat heartbeats: it holds its peers until it says that
//! they are gone, or falls silent with them.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use goop2_proto::{
    PeerId,
    cluster::Instance,
    presence::{FRESH, Kind, Message},
    rendezvous::Accepted,
    roster::REPLAY_SLACK,
};

/// How long the newest `ts` of a peer that signs is remembered after its last message: a signed
/// message is fresh from an hour before its `ts` to an hour after it.
const REMEMBER: Duration = Duration::from_secs(2 * 60 * 60);
/// Most peers remembered like this; at 100 bytes each, some megabytes. The longest silent give way.
const MAX_REMEMBERED: usize = 65_536;
/// How old other instances' copy of a message may become: what was signed long ago is worth less,
/// and costs a client that connects there the certainty that nobody repeats it.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// A peer that another instance holds is repeated so often to existing clients, in parts of its
/// TTL, as its heartbeats would be.
const REPEATS: u32 = 4;

/// Everyone who is here, and what they last signed.
#[derive(Debug)]
pub(crate) struct Table {
    ttl: Duration,
    most: usize,
    peers: HashMap<PeerId, Entry>,
    signed: HashMap<PeerId, Signed>,
    /// Peers by the time of their last signed message, some of them outdated by a later one.
    silence: VecDeque<(Instant, PeerId)>,
    /// Other instances, and when each was last heard.
    instances: HashMap<Instance, Instant>,
    broadcast_bytes: u64,
}

/// One peer that is here.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    /// The message as it is passed on.
    pub(crate) line: Bytes,
    pub(crate) proved: bool,
    /// The client that published it; none = another instance told of it.
    pub(crate) from: Option<IpAddr>,
    pub(crate) since: Instant,
    /// When it last published here; none = it does not.
    here: Option<Instant>,
    /// The instances where it publishes.
    held: Vec<Held>,
    /// When the last message was told to other instances.
    shared: Option<Instant>,
    /// When it was last told to those who hear everything.
    told: Instant,
    /// The `ts` of the last message that those heard who hear only changes; none = no message yet.
    told_ts: Option<i64>,
    /// Bytes it published.
    pub(crate) sent: u64,
    /// What had been broadcast when it came.
    broadcast_before: u64,
}

/// That another instance holds a peer, as it said in this round; see [`Table::end_round`].
#[derive(Clone, Copy, Debug)]
struct Held {
    by: Instance,
    round: u64,
}

#[derive(Clone, Copy, Debug)]
struct Signed {
    newest: i64,
    at: Instant,
    /// Heard here, not through another instance.
    here: bool,
}

/// Who is gone after a while.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    /// From everywhere.
    pub(crate) gone: Vec<PeerId>,
    /// From here, with the newest `ts` each signed; other instances may still hear them.
    pub(crate) left: Vec<(PeerId, Option<i64>)>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands. `change`: it says something new. `share`: other instances do not know it yet.
    Told {
        line: Bytes,
        change: bool,
        share: bool,
    },
    /// Its peer signs, and this was not signed.
    Unproved,
    /// It was signed before what is known already.
    Replayed { newest: i64 },
    /// There is no room for another peer.
    Full,
    /// A goodbye of someone who was not here.
    Nothing,
}

impl Table {
    pub(crate) fn new(ttl: Duration, most: usize) -> Self {
        Self {
            ttl,
            most,
            peers: HashMap::new(),
            signed: HashMap::new(),
            silence: VecDeque::new(),
            instances: HashMap::new(),
            broadcast_bytes: 0,
        }
    }

    /// A message that a client published here.
    pub(crate) fn handle(&mut self, accepted: Accepted, from: IpAddr, now: Instant) -> Outcome {
        self.take(accepted, Some(from), now)
    }

    /// A message that another instance tells, or has told before: the peer is there, whatever else
    /// the message is worth.
    pub(crate) fn hear(
        &mut self,
        accepted: Accepted,
        by: Instance,
        round: u64,
        now: Instant,
    ) -> Outcome {
        let Message { peer, kind, ts, .. } = accepted.message;
        // Nothing unsigned has an order; what is heard here is nearer to its author.
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

    /// Another instance has spoken: those it holds are there.
    pub(crate) fn sustain(&mut self, instance: Instance, now: Instant) {
        self.instances.insert(instance, now);
    }

    /// Another instance holds the peer no more; whether that was the last.
    pub(crate) fn release(
        &mut self,
        peer: &PeerId,
        by: Instance,
        newest: Option<i64>,
        now: Instant,
        unix_millis: i64,
    ) -> bool {
        // No message is taken from further in the future, so none can have been known there.
        if let Some(newest) = newest.filter(|ts| *ts <= unix_millis.saturating_add(FRESH)) {
            let known = self.signed.get(peer).map(|signed| signed.newest);
            if known.is_none_or(|known| known < newest) {
                self.remember(*peer, newest, false, now);
            }
        }
        let Some(entry) = self.peers.get_mut(peer) else {
            return false;
        };
        entry.held.retain(|held| held.by != by);
        let gone = entry.is_nowhere();
        if gone {
            self.peers.remove(peer);
        }
        gone
    }

    /// Another instance has said everyone it holds: whoever was not among them since the round
    /// began is not there. Returns those who are nowhere else either.
    pub(crate) fn end_round(&mut self, by: Instance, round: u64) -> Vec<PeerId> {
        self.drop_where_nowhere(|entry| {
            entry
                .held
                .retain(|held| held.by != by || held.round >= round);
        })
    }

    /// Those who fell silent; they are gone. So are instances, with those they held.
    pub(crate) fn expire(&mut self, now: Instant) -> Expired {
        let ttl = self.ttl;
        let silent = |at: &Instant| now.saturating_duration_since(*at) > ttl;
        self.instances.retain(|_, heard| !silent(heard));
        let instances = std::mem::take(&mut self.instances);
        let mut left = Vec::new();
        let gone = self.drop_where_nowhere(|entry| {
            entry.held.retain(|held| instances.contains_key(&held.by));
            if entry.here.as_ref().is_some_and(silent) {
                entry.here = None;
                left.push(entry.message.peer);
            }
        });
        self.instances = instances;
        let newest = |peer: PeerId| (peer, self.signed.get(&peer).map(|signed| signed.newest));
        let left = left.into_iter().map(newest).collect();
        Expired { gone, left }
    }

    /// What existing clients have to hear again of those whose heartbeats others hear: a part of it
    /// at a time.
    pub(crate) fn repeats(&mut self, now: Instant) -> Vec<Bytes> {
        let pause = self.ttl / REPEATS;
        let most = self.peers.len() / REPEATS as usize + 1;
        let due = |entry: &&mut Entry| {
            entry.here.is_none() && now.saturating_duration_since(entry.told) >= pause
        };
        let repeated = self.peers.values_mut().filter(due).take(most);
        repeated
            .map(|entry| {
                entry.told = now;
                entry.line.clone()
            })
            .collect()
    }

    /// Everyone who publishes here.
    pub(crate) fn here(&self) -> impl Iterator<Item = &Bytes> {
        let here = self.peers.values().filter(|entry| entry.here.is_some());
        here.map(|entry| &entry.line)
    }

    /// Those who signed here and have left, with the newest `ts` of each.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = (PeerId, i64)> {
        let left = |(peer, signed): &(&PeerId, &Signed)| {
            signed.here && self.peers.get(peer).is_none_or(|e| e.here.is_none())
        };
        let remembered = self.signed.iter().filter(left);
        remembered.map(|(peer, signed)| (*peer, signed.newest))
    }

    /// Takes a peer out; whether it was here.
    pub(crate) fn remove(&mut self, peer: &PeerId) -> bool {
        self.peers.remove(peer).is_some()
    }

    /// When the peer was last known to be there.
    pub(crate) fn seen(&self, entry: &Entry) -> Instant {
        let elsewhere = entry.held.iter().filter_map(|h| self.instances.get(&h.by));
        elsewhere
            .copied()
            .chain(entry.here)
            .max()
            .unwrap_or(entry.told)
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn proved(&self) -> usize {
        self.peers.values().filter(|entry| entry.proved).count()
    }

    /// Whether a peer that is here signs.
    pub(crate) fn is_proved(&self, peer: &PeerId) -> Option<bool> {
        self.peers.get(peer).map(|entry| entry.proved)
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
        self.forget(now);
        match self.signed.get(&message.peer) {
            Some(_) if !proved => return Outcome::Unproved,
            Some(&Signed { newest, .. }) if message.ts <= newest => {
                return Outcome::Replayed { newest };
            }
            _ => {}
        }
        if !self.peers.contains_key(&message.peer)
            && message.kind != Kind::Offline
            && self.peers.len() >= self.most
        {
            return Outcome::Full;
        }
        if proved {
            self.remember(message.peer, message.ts, from.is_some(), now);
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
        let mut entry = self.peers.remove(&message.peer).unwrap_or_else(|| Entry {
            message: message.clone(),
            line: line.clone(),
            proved,
            from,
            since: now,
            here: None,
            held: Vec::new(),
            shared: None,
            told: now,
            told_ts: None,
            sent: 0,
            broadcast_before: self.broadcast_bytes,
        });
        let comes = from.is_some() && entry.here.is_none();
        // Who subscribes to several instances may have refused our older words for another's newer
        // ones.
        let outdates = |told: i64| message.ts.saturating_sub(told) > REPLAY_SLACK;
        let change = entry.told_ts.is_none_or(|told| comes && outdates(told))
            || entry.proved != proved
            || !entry.message.says_the_same(&message);
        let stale = |at: Instant| now.saturating_duration_since(at) > REFRESH;
        let share = from.is_some() && (change || comes || entry.shared.is_none_or(stale));
        if change {
            entry.told_ts = Some(message.ts);
        }
        if share {
            entry.shared = Some(now);
        }
        if from.is_some() {
            (entry.here, entry.from) = (Some(now), from);
        } else if entry.here.is_none() {
            entry.from = None;
        }
        (entry.line, entry.proved, entry.told) = (line.clone(), proved, now);
        entry.sent += size;
        entry.message = message;
        self.broadcast_bytes += size;
        self.peers.insert(entry.message.peer, entry);
        Outcome::Told {
            line,
            change,
            share,
        }
    }

    fn leave(&mut self, message: &Message, share: bool) -> Outcome {
        if self.peers.remove(&message.peer).is_none() {
            return Outcome::Nothing;
        }
        let line = Bytes::from(message.encode());
        self.broadcast_bytes += line.len() as u64;
        Outcome::Told {
            line,
            change: true,
            share,
        }
    }

    fn drop_where_nowhere(&mut self, mut change: impl FnMut(&mut Entry)) -> Vec<PeerId> {
        let mut gone = Vec::new();
        self.peers.retain(|peer, entry| {
            change(entry);
            let keep = !entry.is_nowhere();
            if !keep {
                gone.push(*peer);
            }
            keep
        });
        gone
    }

    fn remember(&mut self, peer: PeerId, newest: i64, here: bool, now: Instant) {
        let signed = Signed {
            newest,
            at: now,
            here,
        };
        let again = self.signed.insert(peer, signed);
        // One place in the queue for each peer, moved on when its turn comes.
        if again.is_none() {
            self.silence.push_back((now, peer));
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some(&(queued, peer)) = self.silence.front() {
            let overdue = now.saturating_duration_since(queued) > REMEMBER;
            if !overdue && self.signed.len() < MAX_REMEMBERED {
                break;
            }
            self.silence.pop_front();
            let Some(&Signed { at, .. }) = self.signed.get(&peer) else {
                continue;
            };
            if at > queued {
                self.silence.push_back((at, peer));
            } else {
                self.signed.remove(&peer);
            }
        }
    }
}

impl Entry {
    fn is_nowhere(&self) -> bool {
        self.here.is_none() && self.held.is_empty()
    }
}

#[cfg(test)]
mod tests;
