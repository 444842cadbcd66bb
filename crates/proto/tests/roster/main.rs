//! Who counts as online, told as stories; in `crowd` the bounds, and in `any_order` what holds whatever
//! happens.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

mod any_order;
mod crowd;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use goop2_proto::{
    PeerId,
    presence::{Kind, Presence},
    roster::{Change, REPLAY_MEMORY, REPLAY_SLACK, Roster, Source},
};

const TTL: Duration = Duration::from_secs(20);
const LAN: Source = Source::Lan;
const WAN: Source = Source::Wan(0);

/// Seconds pass, messages come; the sender's clock runs with ours.
struct Story {
    roster: Roster,
    start: Instant,
    seconds: u64,
}

impl Story {
    fn new() -> Self {
        Self {
            roster: Roster::new(peer(0), TTL),
            start: Instant::now(),
            seconds: 0,
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.seconds)
    }

    fn wait(&mut self, seconds: u64) -> Vec<Change> {
        self.seconds += seconds;
        self.roster.poll(self.now())
    }

    fn hear(&mut self, kind: Kind, source: Source) -> Option<Change> {
        self.hear_late(kind, source, 0)
    }

    /// A message sent so many milliseconds ago.
    fn hear_late(&mut self, kind: Kind, source: Source, age: i64) -> Option<Change> {
        self.hear_from(kind, source, false, age)
    }

    /// With its author proved.
    fn hear_proved(&mut self, kind: Kind, source: Source, age: i64) -> Option<Change> {
        self.hear_from(kind, source, true, age)
    }

    fn hear_from(&mut self, kind: Kind, source: Source, proved: bool, age: i64) -> Option<Change> {
        let ts = self.clock() - age;
        self.roster
            .handle(message(1, kind, ts), source, proved, self.now())
    }

    fn clock(&self) -> i64 {
        1_795_423_273_770 + i64::try_from(self.seconds).unwrap() * 1000
    }

    fn online(&self) -> bool {
        self.roster
            .get(&peer(1))
            .is_some_and(|record| record.online)
    }
}

fn peer(number: u32) -> PeerId {
    // An Ed25519 key that nobody has, in its protobuf form.
    let mut id = [0; 38];
    id[..6].copy_from_slice(&[0, 36, 8, 1, 18, 32]);
    id[6..10].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(&id).unwrap()
}

fn message(number: u32, kind: Kind, ts: i64) -> Presence {
    let label = if kind == Kind::Offline {
        String::new()
    } else {
        "alpha".into()
    };
    Presence {
        kind,
        label,
        ..Presence::offline(peer(number), ts)
    }
}

fn updated() -> Option<Change> {
    Some(Change::Updated(peer(1)))
}

fn gone() -> Option<Change> {
    Some(Change::Gone(peer(1)))
}

#[test]
fn a_peer_appears_with_its_first_message_and_heartbeats_change_nothing() {
    let mut story = Story::new();
    assert_eq!(story.hear(Kind::Update, LAN), updated());
    assert!(story.online());
    assert_eq!(story.wait(5), []);
    assert_eq!(story.hear(Kind::Update, LAN), None);
    assert_eq!(story.roster.get(&peer(1)).unwrap().last_seen, story.now());
}

#[test]
fn own_messages_are_ignored() {
    let mut story = Story::new();
    let own = message(0, Kind::Online, 1);
    assert_eq!(story.roster.handle(own, LAN, false, story.now()), None);
    assert_eq!(story.roster.records().count(), 0);
}

#[test]
fn a_new_label_is_a_change() {
    let mut story = Story::new();
    story.hear(Kind::Online, LAN);
    let renamed = Presence {
        label: "beta".into(),
        ..message(1, Kind::Update, story.clock())
    };
    assert_eq!(
        story.roster.handle(renamed, LAN, false, story.now()),
        updated()
    );
    assert_eq!(story.roster.get(&peer(1)).unwrap().presence.label, "beta");
}

#[test]
fn silence_for_the_ttl_is_absence() {
    let mut story = Story::new();
    story.hear(Kind::Update, LAN);
    assert_eq!(story.roster.poll_timeout(), Some(story.now() + TTL));
    assert_eq!(story.wait(19), []);
    assert_eq!(story.wait(1), [Change::Gone(peer(1))]);
    assert_eq!(story.roster.poll_timeout(), None);
    assert_eq!(story.hear(Kind::Update, LAN), updated());
}

#[test]
fn who_left_is_seen_earlier_with_the_last_label() {
    let mut story = Story::new();
    story.hear(Kind::Update, LAN);
    assert_eq!(story.hear(Kind::Offline, LAN), gone());
    let record = story.roster.get(&peer(1)).unwrap();
    assert!(!record.online && record.sources.is_empty());
    assert_eq!(record.presence.label, "alpha");
    assert_eq!(story.hear(Kind::Offline, LAN), None);
}

#[test]
fn an_offline_of_a_stranger_is_nothing() {
    let mut story = Story::new();
    assert_eq!(story.hear(Kind::Offline, LAN), None);
    assert_eq!(story.roster.records().count(), 0);
}

#[test]
fn offline_counts_only_where_it_was_heard() {
    let mut story = Story::new();
    story.hear(Kind::Update, LAN);
    assert_eq!(story.hear(Kind::Update, WAN), updated());
    assert_eq!(story.roster.get(&peer(1)).unwrap().sources, [LAN, WAN]);
    assert_eq!(story.hear(Kind::Offline, WAN), updated());
    assert_eq!(story.roster.get(&peer(1)).unwrap().sources, [LAN]);
    assert_eq!(story.hear(Kind::Offline, Source::Wan(1)), None);
    assert!(story.online());
    assert_eq!(story.hear(Kind::Offline, LAN), gone());
}

#[test]
fn each_source_has_its_own_ttl() {
    let mut story = Story::new();
    story.hear(Kind::Update, LAN);
    story.wait(10);
    story.hear(Kind::Update, WAN);
    assert_eq!(story.wait(10), [Change::Updated(peer(1))]);
    assert_eq!(story.roster.get(&peer(1)).unwrap().sources, [WAN]);
    assert_eq!(story.wait(10), [Change::Gone(peer(1))]);
}

#[test]
fn leaving_a_rendezvous_forgets_what_it_said() {
    let mut story = Story::new();
    story.hear(Kind::Update, WAN);
    assert_eq!(story.roster.forget(LAN), []);
    assert_eq!(story.roster.forget(WAN), [Change::Gone(peer(1))]);
    assert_eq!(story.roster.forget(WAN), []);
    // Its clock is forgotten too.
    assert_eq!(story.hear_late(Kind::Update, WAN, 1_000_000), updated());
}

#[test]
fn a_replayed_message_is_ignored_and_a_late_one_is_not() {
    let mut story = Story::new();
    story.hear(Kind::Update, LAN);
    story.wait(15);
    story.hear(Kind::Update, LAN);
    story.wait(15);
    // Within the slack it counts as a heartbeat; beyond it, it does not keep the peer online.
    assert_eq!(
        story.hear_late(Kind::Update, LAN, REPLAY_SLACK + 15_001),
        None
    );
    assert_eq!(
        story.roster.poll_timeout(),
        Some(story.now() + Duration::from_secs(5))
    );
    assert_eq!(
        story.hear_late(Kind::Update, LAN, REPLAY_SLACK + 15_000),
        None
    );
    assert_eq!(story.wait(5), []);
    assert_eq!(
        story.roster.poll_timeout(),
        Some(story.now() + TTL - Duration::from_secs(5))
    );
}

#[test]
fn a_late_heartbeat_does_not_bring_back_who_left() {
    let mut story = Story::new();
    story.hear(Kind::Update, LAN);
    story.hear(Kind::Offline, LAN);
    assert_eq!(story.hear_late(Kind::Update, LAN, 1), None);
    assert!(!story.online());
    assert_eq!(story.hear(Kind::Online, LAN), updated());
}

#[test]
fn a_late_offline_does_not_send_away_who_came_back() {
    let mut story = Story::new();
    story.hear(Kind::Online, LAN);
    assert_eq!(story.hear_late(Kind::Offline, LAN, 1), None);
    assert!(story.online());
}

#[test]
fn a_clock_set_back_hides_its_peer_for_a_while_only() {
    let mut story = Story::new();
    story.hear_late(Kind::Update, LAN, -86_400_000);
    story.wait(20);
    assert_eq!(story.hear(Kind::Update, LAN), None);
    story.wait(REPLAY_MEMORY.as_secs() - 20);
    assert_eq!(story.hear(Kind::Update, LAN), None);
    story.wait(1);
    assert_eq!(story.hear(Kind::Update, LAN), updated());
    assert_eq!(story.hear(Kind::Offline, LAN), gone());
}

#[test]
fn nobody_speaks_for_a_peer_that_signs() {
    let mut story = Story::new();
    assert_eq!(story.hear_proved(Kind::Online, WAN, 0), updated());
    assert!(story.roster.get(&peer(1)).unwrap().proved);
    let renamed = Presence {
        label: "mallory".into(),
        ..message(1, Kind::Update, story.clock() + 1000)
    };
    for source in [WAN, Source::Wan(1)] {
        assert_eq!(
            story
                .roster
                .handle(renamed.clone(), source, false, story.now()),
            None
        );
        assert_eq!(story.hear_late(Kind::Offline, source, -1000), None);
    }
    assert_eq!(story.roster.get(&peer(1)).unwrap().presence.label, "alpha");
    // Nor when it is gone.
    assert_eq!(story.hear_proved(Kind::Offline, WAN, -1), gone());
    assert_eq!(story.hear_late(Kind::Online, Source::Wan(1), -5000), None);
    assert!(!story.online());
}

#[test]
fn what_was_signed_cannot_be_repeated() {
    let mut story = Story::new();
    story.hear_proved(Kind::Online, WAN, 0);
    story.wait(19);
    assert_eq!(story.hear_proved(Kind::Online, WAN, 19_000), None);
    assert_eq!(story.wait(1), [Change::Gone(peer(1))]);
    assert_eq!(story.hear_proved(Kind::Update, WAN, 20_000), None);
    assert!(!story.online());
    // Another server may be a little behind, but not bring back who left.
    assert_eq!(
        story.hear_proved(Kind::Update, Source::Wan(1), 20_001),
        updated()
    );
    assert_eq!(story.hear_proved(Kind::Offline, WAN, 0), None);
    assert_eq!(story.hear_proved(Kind::Offline, Source::Wan(1), 0), gone());
    assert_eq!(story.hear_proved(Kind::Update, Source::Wan(2), 0), None);
    assert_eq!(
        story.hear_proved(Kind::Update, Source::Wan(2), REPLAY_SLACK),
        None
    );
    assert_eq!(
        story.hear_proved(Kind::Update, Source::Wan(2), -1),
        updated()
    );
}

#[test]
fn a_stranger_who_was_first_does_not_keep_the_peer_out() {
    let mut story = Story::new();
    let forged = Presence {
        label: "mallory".into(),
        ..message(1, Kind::Online, i64::MAX)
    };
    story.roster.handle(forged, WAN, false, story.now());
    assert_eq!(story.hear_proved(Kind::Update, WAN, 0), updated());
    let record = story.roster.get(&peer(1)).unwrap();
    assert_eq!(
        (record.presence.label.as_str(), record.proved),
        ("alpha", true)
    );
    story.wait(5);
    assert_eq!(story.hear_proved(Kind::Offline, WAN, 0), gone());
}

#[test]
fn the_last_signed_word_stands_wherever_it_was_heard() {
    let mut story = Story::new();
    let named = |label: &str, ts| Presence {
        label: label.into(),
        ..message(1, Kind::Update, ts)
    };
    let (now, ts) = (story.now(), story.clock());
    story.roster.handle(named("new", ts), WAN, true, now);
    assert_eq!(
        story
            .roster
            .handle(named("old", ts - 1), Source::Wan(1), true, now),
        updated()
    );
    let record = story.roster.get(&peer(1)).unwrap();
    assert_eq!(record.presence.label, "new");
    assert_eq!(record.sources, [WAN, Source::Wan(1)]);
}

#[test]
fn an_unproved_word_waits_while_a_proved_one_stands() {
    let mut story = Story::new();
    story.hear_proved(Kind::Update, LAN, 0);
    story.wait(10);
    let other = Presence {
        label: "elsewhere".into(),
        ..message(1, Kind::Update, story.clock())
    };
    assert_eq!(story.roster.handle(other, WAN, false, story.now()), None);
    assert_eq!(story.roster.get(&peer(1)).unwrap().sources, [LAN]);
    // It never signed at a rendezvous: an existing peer that goes away from home.
    assert_eq!(story.wait(10), [Change::Updated(peer(1))]);
    let record = story.roster.get(&peer(1)).unwrap();
    assert_eq!(
        (record.presence.label.as_str(), record.proved),
        ("elsewhere", false)
    );
    assert_eq!(story.wait(10), [Change::Gone(peer(1))]);
}

#[test]
fn a_source_may_lose_sight_of_a_peer_but_only_for_itself() {
    let mut story = Story::new();
    story.hear_proved(Kind::Update, WAN, 0);
    story.hear_proved(Kind::Update, Source::Wan(1), 0);
    assert_eq!(story.roster.lose(WAN, &peer(1)), updated());
    assert_eq!(story.roster.lose(WAN, &peer(1)), None);
    assert_eq!(story.roster.lose(LAN, &peer(1)), None);
    assert!(story.online());
    assert_eq!(story.hear_proved(Kind::Update, WAN, -1), updated());
}

#[test]
fn a_source_that_tells_only_changes_keeps_alive_what_it_told() {
    let mut story = Story::new();
    story.hear_proved(Kind::Update, WAN, 0);
    for _ in 0..5 {
        story.wait(15);
        story.roster.sustain(WAN, story.now());
    }
    assert!(story.online());
    assert_eq!(story.roster.retain(WAN, &HashSet::from([peer(1)])), []);
    assert_eq!(story.roster.retain(LAN, &HashSet::new()), []);
    assert_eq!(
        story.roster.retain(WAN, &HashSet::new()),
        [Change::Gone(peer(1))]
    );
    story.roster.sustain(WAN, story.now());
    assert!(!story.online());
}
