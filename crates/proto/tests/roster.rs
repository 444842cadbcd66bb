//! Who counts as online, told as stories; then the invariants under any interleaving.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use goop2_proto::{
    PeerId,
    presence::{Kind, Presence},
    roster::{
        Change, MAX_EARLIER, MAX_NEARBY, MAX_ONLINE, MAX_VISITED, REPLAY_MEMORY, REPLAY_SLACK,
        Roster, Source,
    },
};
use proptest::prelude::*;

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

#[test]
fn the_crowd_is_bounded_and_newcomers_wait() {
    let mut story = Story::new();
    let most = u32::try_from(MAX_NEARBY).unwrap();
    for number in 1..=most {
        assert!(
            story
                .roster
                .handle(message(number, Kind::Update, 0), LAN, false, story.now())
                .is_some()
        );
    }
    assert_eq!(
        story
            .roster
            .handle(message(most + 1, Kind::Update, 0), LAN, false, story.now()),
        None
    );
    assert_eq!(story.roster.records().count(), MAX_NEARBY);

    // Those who leave make room; of them only the latest are kept.
    story.seconds = 1;
    for number in 1..=most {
        story.seconds += 1;
        assert!(
            story
                .roster
                .handle(message(number, Kind::Offline, 1), LAN, false, story.now())
                .is_some()
        );
    }
    assert_eq!(story.roster.records().count(), MAX_EARLIER);
    let kept: BTreeSet<_> = story.roster.records().map(|(peer, _)| *peer).collect();
    assert_eq!(
        kept,
        (most - u32::try_from(MAX_EARLIER).unwrap() + 1..=most)
            .map(peer)
            .collect()
    );
    assert!(
        story
            .roster
            .handle(message(most + 1, Kind::Update, 0), LAN, false, story.now())
            .is_some()
    );
}

/// Strangers at a server take all the room there is, and want more.
fn crowded(story: &mut Story) -> u32 {
    let most = u32::try_from(MAX_ONLINE).unwrap() + 500;
    for number in 1..=most {
        let message = message(number, Kind::Online, 0);
        story.roster.handle(message, WAN, false, story.now());
    }
    most
}

fn is_online(roster: &Roster, number: u32) -> bool {
    roster
        .get(&peer(number))
        .is_some_and(|record| record.online)
}

#[test]
fn strangers_at_a_server_hide_no_neighbor() {
    let mut story = Story::new();
    let most = crowded(&mut story);
    let newcomer = most + 1;
    let change = story
        .roster
        .handle(message(newcomer, Kind::Online, 0), LAN, true, story.now());
    assert!(
        matches!(change, Some(Change::Instead { peer: new, .. }) if new == peer(newcomer)),
        "{change:?}"
    );
    let online = story.roster.records().filter(|(_, record)| record.online);
    assert_eq!(online.count(), MAX_ONLINE);
    // Nor does anybody else at the server take its place.
    crowded(&mut story);
    assert!(is_online(&story.roster, newcomer));
}

#[test]
fn strangers_at_a_server_hide_nobody_who_is_proved_or_at_another_server() {
    let mut story = Story::new();
    let most = crowded(&mut story);
    let newcomers = [
        (most + 1, WAN, true),
        (most + 2, Source::Wan(1), false),
        (most + 3, Source::Wan(1), true),
    ];
    for (number, source, proved) in newcomers {
        let message = message(number, Kind::Online, 0);
        story.roster.handle(message, source, proved, story.now());
    }
    assert!(
        newcomers
            .iter()
            .all(|(number, ..)| is_online(&story.roster, *number))
    );
}

#[test]
fn the_favorites_and_the_visited_are_always_in() {
    let mut story = Story::new();
    let most = crowded(&mut story);
    let (favorite, visited, other) = (most + 1, most + 2, most + 3);
    story.roster.set_favorites([peer(favorite)].into());
    story.roster.visit(peer(visited));
    for number in [favorite, visited, other] {
        let message = message(number, Kind::Online, 0);
        story.roster.handle(message, WAN, false, story.now());
    }
    assert!(is_online(&story.roster, favorite) && is_online(&story.roster, visited));
    assert!(!is_online(&story.roster, other));
    // They do not give way to neighbors either, although they came last.
    for number in other..other + 50 {
        let message = message(number, Kind::Online, 0);
        story.roster.handle(message, LAN, true, story.now());
    }
    assert!(is_online(&story.roster, favorite) && is_online(&story.roster, visited));
    for number in 0..u32::try_from(MAX_VISITED).unwrap() {
        story.roster.visit(peer(number));
    }
    assert!(!story.roster.is_chosen(&peer(visited)));
}

#[derive(Clone, Debug)]
enum Step {
    Hear {
        number: u32,
        kind: Kind,
        source: Source,
        proved: bool,
        age: i64,
    },
    Retain(Source, u32),
    Sustain(Source),
    Forget(Source),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop_oneof![Just(Kind::Online), Just(Kind::Update), Just(Kind::Offline)];
    let source = prop_oneof![Just(LAN), Just(WAN), Just(Source::Wan(1))];
    let hear = (
        0..5_u32,
        kind,
        source.clone(),
        any::<bool>(),
        -40_000..40_000_i64,
    )
        .prop_map(|(number, kind, source, proved, age)| Step::Hear {
            number,
            kind,
            source,
            proved,
            age,
        });
    let retain =
        (source.clone(), 0..5_u32).prop_map(|(source, number)| Step::Retain(source, number));
    let step = prop_oneof![8 => hear, 1 => retain, 1 => source.clone().prop_map(Step::Sustain), 1 => source.prop_map(Step::Forget), 3 => (0..30_u64).prop_map(Step::Wait)];
    proptest::collection::vec(step, 0..120)
}

proptest! {
    /// What the changes tell is what the records say; online means a source that spoke within the
    /// TTL; time is never left unannounced.
    #[test]
    fn whatever_happens_the_roster_is_consistent(steps in steps()) {
        let mut story = Story::new();
        let mut told_online = BTreeSet::new();
        for step in steps {
            let changes = match step {
                Step::Hear { number, kind, source, proved, age } => {
                    let ts = story.clock() - age;
                    story.roster.handle(message(number, kind, ts), source, proved, story.now()).into_iter().collect()
                }
                Step::Forget(source) => story.roster.forget(source),
                Step::Retain(source, number) => story.roster.retain(source, &HashSet::from([peer(number)])),
                Step::Sustain(source) => {
                    story.roster.sustain(source, story.now());
                    Vec::new()
                }
                Step::Wait(seconds) => story.wait(seconds),
            };
            for change in changes {
                match change {
                    Change::Updated(peer) => told_online.insert(peer),
                    Change::Gone(peer) => told_online.remove(&peer),
                    Change::Instead { peer, forgotten } => {
                        told_online.insert(peer);
                        told_online.remove(&forgotten)
                    }
                };
            }
            let online: BTreeSet<_> = story.roster.records().filter(|(_, r)| r.online).map(|(p, _)| *p).collect();
            prop_assert_eq!(&online, &told_online);
            prop_assert!(!online.contains(&peer(0)));
            for (peer, record) in story.roster.records() {
                prop_assert_eq!(record.online, !record.sources.is_empty());
                prop_assert_eq!(record.presence.peer, *peer);
                prop_assert_ne!(record.presence.kind, Kind::Offline);
            }
            match story.roster.poll_timeout() {
                Some(next) => prop_assert!(next > story.now() && next <= story.now() + TTL),
                None => prop_assert!(online.is_empty()),
            }
        }
        story.wait(TTL.as_secs());
        prop_assert!(story.roster.records().all(|(_, record)| !record.online));
    }
}
