//! The table with messages, instances and time passed in.

use std::net::Ipv4Addr;

use goop2_proto::{
    Keypair,
    presence::{Presence, Proof},
};

use super::{super::memory::REMEMBER, *};

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
        Outcome::Stored { change, .. } => Some(*change),
        _ => None,
    }
}

#[test]
fn a_heartbeat_is_broadcast_but_not_a_change() {
    let (mut table, now) = (Table::new(TTL, 10), Instant::now());
    let mut say = |message| told(&table.handle(unsigned(message), HOME, now));
    assert_eq!(say(message(1, Kind::Online, "a", 1)), Some(true));
    assert_eq!(say(message(1, Kind::Update, "a", 2)), Some(false));
    assert_eq!(say(message(1, Kind::Update, "b", 3)), Some(true));
    assert_eq!(say(message(1, Kind::Offline, "b", 1)), Some(true));
    assert_eq!(say(message(1, Kind::Offline, "b", 5)), None);
}

#[test]
fn silent_peers_expire_and_the_last_message_counts() {
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
fn unsigned_and_old_messages_do_not_change_a_peer_that_signs() {
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

/// Each of them is a valid message, and costs nothing but a key.
#[test]
fn goodbyes_of_peers_that_were_never_here_make_nobody_forgotten() {
    let (mut table, start) = (Table::new(TTL, 10), Instant::now());
    let hello = signed(1, message(1, Kind::Online, "a", 100));
    let bye = signed(1, message(1, Kind::Offline, "a", 101));
    table.handle(hello.clone(), HOME, start);
    table.handle(bye, HOME, start);
    for number in 0..70_000_u32 {
        let message = Presence::offline(PeerId::random(), 100).message();
        let foreign = Ipv4Addr::from_bits(number).into();
        let never_here = Accepted {
            message,
            proved: true,
        };
        assert_eq!(table.handle(never_here, foreign, start), Outcome::Nothing);
    }
    assert_eq!(table.memory.here().count(), 1);
    assert_eq!(
        table.handle(hello, HOME, start),
        Outcome::Replayed { newest: 101 }
    );
}

#[test]
fn the_memory_of_a_signature_starts_with_the_last_message() {
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
fn a_peer_may_start_to_sign() {
    let (mut table, now) = (Table::new(TTL, 10), Instant::now());
    table.handle(unsigned(message(1, Kind::Online, "a", i64::MAX)), HOME, now);
    let first = table.handle(signed(1, message(1, Kind::Update, "a", 5)), HOME, now);
    assert_eq!(told(&first), Some(true));
}

#[test]
fn the_number_of_peers_is_bounded() {
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
        Outcome::Stored { change, share, .. } => Some((*change, *share)),
        _ => None,
    }
}

#[test]
fn other_instances_get_arrivals_changes_and_sometimes_the_rest() {
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
fn a_peer_is_online_while_an_instance_that_holds_it_is() {
    let (mut table, start) = (Table::new(TTL, 10), Instant::now());
    let peer = key(1).public().to_peer_id();
    let say = |ts| signed(1, message(1, Kind::Update, "a", ts));
    let second = Duration::from_secs(1);
    table.keep_alive(A, start);
    assert_eq!(
        said(&table.receive(say(1), A, 1, start)),
        Some((true, false))
    );
    table.keep_alive(A, start + TTL);
    assert_eq!(table.expire(start + TTL + second), Expired::default());
    // It comes here with no more than a heartbeat, and is sent to the others.
    let moved = table.handle(say(2), HOME, start + TTL);
    assert_eq!(said(&moved), Some((false, true)));
    assert!(!table.release(&peer, A, Some(1), start + TTL, 5));
    // B tells what it knows, which is older: it holds the peer all the same.
    table.keep_alive(B, start + TTL);
    let old = table.receive(say(1), B, 7, start + TTL);
    assert_eq!(old, Outcome::Replayed { newest: 2 });
    let left = table.expire(start + 2 * TTL);
    assert_eq!(left, Expired::default());
    table.keep_alive(B, start + 2 * TTL);
    let left = table.expire(start + 2 * TTL + second);
    assert_eq!((left.gone, left.left), (vec![], vec![(peer, Some(2))]));
    // With B goes the last that held it.
    let left = table.expire(start + 3 * TTL + second);
    assert_eq!((left.gone, left.left), (vec![peer], vec![]));
}

#[test]
fn a_snapshot_drops_the_peers_it_does_not_name() {
    let (mut table, now) = (Table::new(TTL, 10), Instant::now());
    table.keep_alive(A, now);
    for seed in 1..=3 {
        table.receive(signed(seed, message(seed, Kind::Update, "a", 1)), A, 1, now);
    }
    table.receive(signed(1, message(1, Kind::Update, "a", 1)), A, 5, now);
    table.handle(signed(2, message(2, Kind::Update, "a", 2)), HOME, now);
    let gone = key(3).public().to_peer_id();
    assert_eq!(table.end_round(A, 5), [gone]);
    assert_eq!(table.end_round(A, 5), []);
    assert_eq!(table.len(), 2);
}

#[test]
fn a_message_that_another_instance_knew_is_a_replay_here() {
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
fn unsigned_messages_received_here_win() {
    let (mut table, now) = (Table::new(TTL, 10), Instant::now());
    table.handle(unsigned(message(1, Kind::Update, "new", 10)), HOME, now);
    let old = table.receive(unsigned(message(1, Kind::Update, "old", 5)), A, 1, now);
    assert_eq!(old, Outcome::Nothing);
    let newer = table.receive(unsigned(message(1, Kind::Update, "newer", 15)), A, 1, now);
    assert_eq!(said(&newer), Some((true, false)));
}

#[test]
fn peers_of_other_instances_are_repeated_to_existing_clients() {
    let (mut table, start) = (Table::new(TTL, 10), Instant::now());
    table.keep_alive(A, start);
    for seed in 1..=4 {
        table.receive(unsigned(message(seed, Kind::Update, "a", 1)), A, 1, start);
    }
    table.handle(unsigned(message(5, Kind::Update, "a", 1)), HOME, start);
    assert_eq!(table.repeats(start).len(), 0);
    let due = start + TTL / REPEATS;
    assert_eq!(table.repeats(due).len(), 2, "not all at once");
    assert_eq!(table.repeats(due).len(), 2);
    assert_eq!(table.repeats(due).len(), 0);
}
