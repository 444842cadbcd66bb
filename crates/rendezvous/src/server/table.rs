//! Who is online at this rendezvous (§6.5): a state machine. Messages and time go in; what subscribers have to hear comes out.
//!
//! A proved message is worth more than any number of unproved ones: while one is remembered, nothing unsigned in that
//! peer's name is taken, and no `ts` is taken twice. What is remembered outlives the peer's visit, because a message that
//! was signed stays fresh for [`FRESH`](goop2_proto::presence::FRESH) on either side of now.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use goop2_proto::{
    PeerId,
    presence::{Kind, Message},
    rendezvous::Accepted,
};

/// How long the newest `ts` of a peer that signs is remembered after its last message: a signed message is fresh from an
/// hour before its `ts` to an hour after it.
const REMEMBER: Duration = Duration::from_secs(2 * 60 * 60);
/// Most peers remembered like this; at 100 bytes each, some megabytes. The longest silent give way.
const MAX_REMEMBERED: usize = 65_536;

/// Everyone who is here, and what they last signed.
#[derive(Debug)]
pub(crate) struct Table {
    ttl: Duration,
    most: usize,
    peers: HashMap<PeerId, Entry>,
    signed: HashMap<PeerId, Signed>,
    /// Peers by the time of their last signed message, some of them outdated by a later one.
    silence: VecDeque<(Instant, PeerId)>,
    broadcast_bytes: u64,
}

/// One peer that is here.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    /// The message as it is passed on.
    pub(crate) line: Bytes,
    pub(crate) proved: bool,
    /// The client that published it.
    pub(crate) from: IpAddr,
    pub(crate) since: Instant,
    pub(crate) seen: Instant,
    /// Bytes it published.
    pub(crate) sent: u64,
    /// What had been broadcast when it came.
    broadcast_before: u64,
}

#[derive(Clone, Copy, Debug)]
struct Signed {
    newest: i64,
    at: Instant,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands. `change`: it says something new.
    Told { line: Bytes, change: bool },
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
            broadcast_bytes: 0,
        }
    }

    pub(crate) fn handle(&mut self, accepted: Accepted, from: IpAddr, now: Instant) -> Outcome {
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
            self.remember(message.peer, message.ts, now);
        }
        if message.kind == Kind::Offline {
            self.leave(&message)
        } else {
            self.arrive(message, proved, from, now)
        }
    }

    /// Those who fell silent; they are gone.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<PeerId> {
        let ttl = self.ttl;
        let silent: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, entry)| now.saturating_duration_since(entry.seen) > ttl)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in &silent {
            self.peers.remove(peer);
        }
        silent
    }

    /// Takes a peer out; whether it was here.
    pub(crate) fn remove(&mut self, peer: &PeerId) -> bool {
        self.peers.remove(peer).is_some()
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

    fn arrive(&mut self, message: Message, proved: bool, from: IpAddr, now: Instant) -> Outcome {
        let line = Bytes::from(message.encode());
        let before = self.broadcast_bytes;
        let size = line.len() as u64;
        self.broadcast_bytes += size;
        let known = self.peers.remove(&message.peer);
        let change = known
            .as_ref()
            .is_none_or(|known| known.proved != proved || !known.message.says_the_same(&message));
        let (since, sent, broadcast_before) = known.map_or((now, 0, before), |known| {
            (known.since, known.sent, known.broadcast_before)
        });
        let entry = Entry {
            line: line.clone(),
            proved,
            from,
            since,
            seen: now,
            sent: sent + size,
            broadcast_before,
            message,
        };
        self.peers.insert(entry.message.peer, entry);
        Outcome::Told { line, change }
    }

    fn leave(&mut self, message: &Message) -> Outcome {
        if self.peers.remove(&message.peer).is_none() {
            return Outcome::Nothing;
        }
        let line = Bytes::from(message.encode());
        self.broadcast_bytes += line.len() as u64;
        Outcome::Told { line, change: true }
    }

    fn remember(&mut self, peer: PeerId, newest: i64, now: Instant) {
        let again = self.signed.insert(peer, Signed { newest, at: now });
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
        assert_eq!(table.expire(start + TTL), []);
        assert_eq!(table.expire(start + TTL + Duration::from_secs(1)), [gone]);
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
}
