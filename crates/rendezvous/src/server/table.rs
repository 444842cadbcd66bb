//! Who is online at this rendezvous (§6.5): a state machine. Messages and time go in; what subscribers have to hear comes out.
//!
//! A proved message is worth more than any number of unproved ones: while one is remembered, nothing unsigned in that
//! peer's name is taken, and no `ts` is taken twice. What is remembered outlives the peer's visit, because a message that
//! was signed stays fresh for [`FRESH`] on either side of now.
//!
//! A peer is here as long as it publishes here, or at another instance of this rendezvous that is heard itself. Another
//! instance does not repeat heartbeats: it holds its peers until it says that they are gone, or falls silent with them.

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

/// How long the newest `ts` of a peer that signs is remembered after its last message: a signed message is fresh from an
/// hour before its `ts` to an hour after it.
const REMEMBER: Duration = Duration::from_secs(2 * 60 * 60);
/// Most peers remembered like this; at 100 bytes each, some megabytes. The longest silent give way.
const MAX_REMEMBERED: usize = 65_536;
/// How old other instances' copy of a message may become: what was signed long ago is worth less, and costs a client that
/// connects there the certainty that nobody repeats it.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// A peer that another instance holds is repeated so often to existing clients, in parts of its TTL, as its heartbeats would be.
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

    /// A message that another instance tells, or has told before: the peer is there, whatever else the message is worth.
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

    /// Another instance has said everyone it holds: whoever was not among them since the round began is not there. Returns
    /// those who are nowhere else either.
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

    /// What existing clients have to hear again of those whose heartbeats others hear: a part of it at a time.
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
        // Who subscribes to several instances may have refused our older words for another's newer ones.
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
mod tests {
    use std::net::Ipv4Addr;

    use goop2_proto::{
        Keypair,
        presence::{Presence, Proof},
    };

    use super::*;

    const TTL: Duration = Duration::from_secs(30);
    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn key(seed: u8) -> Keypair {
        Keypair::ed25519_from_bytes([seed; 32]).unwrap()
    }

    fn message(seed: u8, kind: Kind, label: &str, ts: i64) -> Message {
        let presence = Presence {
            kind,
            label: label.into(),
            ..Presence::offline(key(seed).public().to_peer_id(), ts)
        };
        presence.message()
    }

    fn unsigned(message: Message) -> Accepted {
        Accepted {
            message,
            proved: false,
        }
    }

    fn signed(seed: u8, mut message: Message) -> Accepted {
        message.sign(&key(seed));
        assert_eq!(message.proof(), Proof::Proved);
        Accepted {
            message,
            proved: true,
        }
    }

    fn told(outcome: &Outcome) -> Option<bool> {
        match outcome {
            Outcome::Told { change, .. } => Some(*change),
            _ => None,
        }
    }

    #[test]
    fn a_heartbeat_is_told_but_is_no_change() {
        let (mut table, now) = (Table::new(TTL, 10), Instant::now());
        let mut say = |message| told(&table.handle(unsigned(message), HOME, now));
        assert_eq!(say(message(1, Kind::Online, "a", 1)), Some(true));
        assert_eq!(say(message(1, Kind::Update, "a", 2)), Some(false));
        assert_eq!(say(message(1, Kind::Update, "b", 3)), Some(true));
        assert_eq!(say(message(1, Kind::Offline, "b", 1)), Some(true));
        assert_eq!(say(message(1, Kind::Offline, "b", 5)), None);
    }

    #[test]
    fn silence_is_absence_and_the_last_message_counts() {
        let (mut table, start) = (Table::new(TTL, 10), Instant::now());
        table.handle(unsigned(message(1, Kind::Online, "a", 1)), HOME, start);
        table.handle(unsigned(message(2, Kind::Online, "b", 1)), HOME, start);
        table.handle(
            unsigned(message(2, Kind::Update, "b", 2)),
            HOME,
            start + TTL,
        );
        let gone = key(1).public().to_peer_id();
        assert_eq!(table.expire(start + TTL).gone, []);
        let expired = table.expire(start + TTL + Duration::from_secs(1));
        assert_eq!(
            (expired.gone, expired.left),
            (vec![gone], vec![(gone, None)])
        );
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn nothing_unsigned_and_nothing_old_touches_a_peer_that_signs() {
        let (mut table, start) = (Table::new(TTL, 10), Instant::now());
        let hello = signed(1, message(1, Kind::Online, "a", 100));
        assert_eq!(told(&table.handle(hello.clone(), HOME, start)), Some(true));
        for kind in [Kind::Online, Kind::Update, Kind::Offline] {
            let forged = unsigned(message(1, kind, "mallory", 200));
            assert_eq!(table.handle(forged, HOME, start), Outcome::Unproved);
        }
        assert_eq!(
            table.handle(hello.clone(), HOME, start),
            Outcome::Replayed { newest: 100 }
        );
        let bye = signed(1, message(1, Kind::Offline, "a", 101));
        assert_eq!(told(&table.handle(bye, HOME, start)), Some(true));
        // It left; it is still nobody else's to bring back.
        let later = start + REMEMBER;
        assert_eq!(
            table.handle(hello, HOME, later),
            Outcome::Replayed { newest: 101 }
        );
        assert_eq!(
            table.handle(
                unsigned(message(1, Kind::Online, "mallory", 999)),
                HOME,
                later
            ),
            Outcome::Unproved
        );
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn memory_is_counted_from_the_last_word() {
        let (mut table, start) = (Table::new(TTL, 10), Instant::now());
        table.handle(signed(1, message(1, Kind::Online, "a", 1)), HOME, start);
        let hour = Duration::from_secs(3600);
        table.handle(
            signed(1, message(1, Kind::Update, "a", 2)),
            HOME,
            start + hour,
        );
        let stranger = || unsigned(message(1, Kind::Online, "b", 3));
        assert_eq!(
            table.handle(stranger(), HOME, start + REMEMBER + hour),
            Outcome::Unproved
        );
        let second = Duration::from_secs(1);
        assert!(told(&table.handle(stranger(), HOME, start + REMEMBER + hour + second)).is_some());
    }

    #[test]
    fn a_peer_may_begin_to_sign() {
        let (mut table, now) = (Table::new(TTL, 10), Instant::now());
        table.handle(unsigned(message(1, Kind::Online, "a", i64::MAX)), HOME, now);
        let first = table.handle(signed(1, message(1, Kind::Update, "a", 5)), HOME, now);
        assert_eq!(told(&first), Some(true));
    }

    #[test]
    fn the_room_is_bounded() {
        let (mut table, now) = (Table::new(TTL, 2), Instant::now());
        for seed in 1..=3 {
            table.handle(unsigned(message(seed, Kind::Online, "a", 1)), HOME, now);
        }
        assert_eq!(table.len(), 2);
        let third = unsigned(message(3, Kind::Online, "a", 1));
        assert_eq!(table.handle(third, HOME, now), Outcome::Full);
        assert_eq!(
            told(&table.handle(unsigned(message(1, Kind::Update, "a", 2)), HOME, now)),
            Some(false)
        );
    }

    #[test]
    fn bytes_are_counted_as_existing_servers_count_them() {
        let (mut table, now) = (Table::new(TTL, 10), Instant::now());
        let size = message(1, Kind::Online, "a", 1).encode().len() as u64;
        table.handle(unsigned(message(1, Kind::Online, "a", 1)), HOME, now);
        table.handle(unsigned(message(2, Kind::Online, "a", 1)), HOME, now);
        table.handle(unsigned(message(1, Kind::Online, "a", 2)), HOME, now);
        let of = |seed| &table.peers[&key(seed).public().to_peer_id()];
        assert_eq!((of(1).sent, table.received(of(1))), (2 * size, 3 * size));
        assert_eq!((of(2).sent, table.received(of(2))), (size, 2 * size));
    }

    const A: Instance = Instance(1);
    const B: Instance = Instance(2);

    /// `change` and `share` of a message that stands.
    fn said(outcome: &Outcome) -> Option<(bool, bool)> {
        match outcome {
            Outcome::Told { change, share, .. } => Some((*change, *share)),
            _ => None,
        }
    }

    #[test]
    fn other_instances_hear_who_comes_what_is_new_and_at_times_the_rest() {
        let (mut table, start) = (Table::new(TTL, 10), Instant::now());
        let mut say = |label, ts, at| {
            let message = signed(1, message(1, Kind::Update, label, ts));
            said(&table.handle(message, HOME, at))
        };
        let second = Duration::from_secs(1);
        assert_eq!(say("a", 1, start), Some((true, true)));
        assert_eq!(say("a", 2, start + second), Some((false, false)));
        assert_eq!(say("b", 3, start + second), Some((true, true)));
        assert_eq!(say("b", 4, start + REFRESH), Some((false, false)));
        let later = start + REFRESH + 2 * second;
        assert_eq!(say("b", 5, later), Some((false, true)));
        let left = table.expire(later + TTL + second);
        let peer = key(1).public().to_peer_id();
        assert_eq!((left.gone, left.left), (vec![peer], vec![(peer, Some(5))]));
    }

    #[test]
    fn a_peer_is_held_by_whoever_hears_it_and_an_instance_lives_as_long_as_it_speaks() {
        let (mut table, start) = (Table::new(TTL, 10), Instant::now());
        let peer = key(1).public().to_peer_id();
        let say = |ts| signed(1, message(1, Kind::Update, "a", ts));
        let second = Duration::from_secs(1);
        table.sustain(A, start);
        assert_eq!(said(&table.hear(say(1), A, 1, start)), Some((true, false)));
        table.sustain(A, start + TTL);
        assert_eq!(table.expire(start + TTL + second), Expired::default());
        // It comes here with no more than a heartbeat, and is told to the others.
        let moved = table.handle(say(2), HOME, start + TTL);
        assert_eq!(said(&moved), Some((false, true)));
        assert!(!table.release(&peer, A, Some(1), start + TTL, 5));
        // B tells what it knows, which is older: it holds the peer all the same.
        table.sustain(B, start + TTL);
        let old = table.hear(say(1), B, 7, start + TTL);
        assert_eq!(old, Outcome::Replayed { newest: 2 });
        let left = table.expire(start + 2 * TTL);
        assert_eq!(left, Expired::default());
        table.sustain(B, start + 2 * TTL);
        let left = table.expire(start + 2 * TTL + second);
        assert_eq!((left.gone, left.left), (vec![], vec![(peer, Some(2))]));
        // With B goes the last that held it.
        let left = table.expire(start + 3 * TTL + second);
        assert_eq!((left.gone, left.left), (vec![peer], vec![]));
    }

    #[test]
    fn whom_an_instance_does_not_name_again_it_does_not_hold() {
        let (mut table, now) = (Table::new(TTL, 10), Instant::now());
        table.sustain(A, now);
        for seed in 1..=3 {
            table.hear(signed(seed, message(seed, Kind::Update, "a", 1)), A, 1, now);
        }
        table.hear(signed(1, message(1, Kind::Update, "a", 1)), A, 5, now);
        table.handle(signed(2, message(2, Kind::Update, "a", 2)), HOME, now);
        let gone = key(3).public().to_peer_id();
        assert_eq!(table.end_round(A, 5), [gone]);
        assert_eq!(table.end_round(A, 5), []);
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn what_an_instance_knew_of_one_who_left_is_a_replay_here() {
        let (mut table, now) = (Table::new(TTL, 10), Instant::now());
        let peer = key(1).public().to_peer_id();
        assert!(!table.release(&peer, A, Some(50), now, 0));
        let say = |ts| signed(1, message(1, Kind::Update, "a", ts));
        assert_eq!(
            table.handle(say(50), HOME, now),
            Outcome::Replayed { newest: 50 }
        );
        // Beyond what any clock may say it is nobody's word.
        table.release(&peer, A, Some(FRESH + 1), now, 0);
        assert_eq!(said(&table.handle(say(51), HOME, now)), Some((true, true)));
        assert_eq!(table.remembered().count(), 0);
        table.handle(signed(1, message(1, Kind::Offline, "a", 52)), HOME, now);
        assert_eq!(table.remembered().collect::<Vec<_>>(), [(peer, 52)]);
    }

    #[test]
    fn of_unsigned_words_the_nearer_count() {
        let (mut table, now) = (Table::new(TTL, 10), Instant::now());
        table.handle(unsigned(message(1, Kind::Update, "new", 10)), HOME, now);
        let old = table.hear(unsigned(message(1, Kind::Update, "old", 5)), A, 1, now);
        assert_eq!(old, Outcome::Nothing);
        let newer = table.hear(unsigned(message(1, Kind::Update, "newer", 15)), A, 1, now);
        assert_eq!(said(&newer), Some((true, false)));
    }

    #[test]
    fn existing_clients_hear_of_those_whose_heartbeats_others_hear() {
        let (mut table, start) = (Table::new(TTL, 10), Instant::now());
        table.sustain(A, start);
        for seed in 1..=4 {
            table.hear(unsigned(message(seed, Kind::Update, "a", 1)), A, 1, start);
        }
        table.handle(unsigned(message(5, Kind::Update, "a", 1)), HOME, start);
        assert_eq!(table.repeats(start).len(), 0);
        let due = start + TTL / REPEATS;
        assert_eq!(table.repeats(due).len(), 2, "not all at once");
        assert_eq!(table.repeats(due).len(), 2);
        assert_eq!(table.repeats(due).len(), 0);
    }
}
