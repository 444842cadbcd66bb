//! Who is shown when there are more than there is room for.

use std::collections::BTreeSet;

use goop2_proto::{
    presence::Kind,
    roster::{Change, MAX_EARLIER, MAX_NEARBY, MAX_ONLINE, MAX_VISITED, Roster, Source},
};

use crate::{LAN, Story, WAN, message, peer};

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
