//! What holds in any order of messages, sources and time.

use std::collections::{BTreeSet, HashSet};

use goop2_proto::{
    presence::Kind,
    roster::{Change, Source},
};
use proptest::prelude::*;

use crate::{LAN, Story, TTL, WAN, message, peer};

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
