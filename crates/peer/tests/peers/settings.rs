//! What you change while the peer runs, and its effects.

use std::{fs, time::Duration};

use goop2_peer::{
    Error, Folder, Peer,
    api::{Group, Note},
    stopped,
};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout};

use crate::world::{PATIENCE, TestPeer, card, get, patient};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and the rest of a picture";

fn values(json: Value) -> Map<String, Value> {
    json.as_object().cloned().unwrap()
}

#[tokio::test]
async fn a_changed_profile_is_seen_by_others_within_two_seconds() {
    let (changes, sees) = (
        TestPeer::start("Changes").await,
        TestPeer::start("Sees").await,
    );
    changes.connect(&sees).await;
    let start = Instant::now();
    let settings = changes
        .peer
        .change_settings(values(
            json!({ "profile.label": "Renamed", "profile.email": "a@example.org" }),
        ))
        .await
        .unwrap();
    assert_eq!(
        (settings.label.as_str(), settings.restarting),
        ("Renamed", false)
    );
    let hash = changes.peer.set_avatar(Some(PNG.into())).await.unwrap();
    timeout(
        Duration::from_secs(2),
        sees.until(|snapshot| {
            card(snapshot, &changes).is_some_and(|card| {
                (card.label.as_str(), card.email.as_str(), &card.avatar_hash)
                    == ("Renamed", "a@example.org", &hash)
            })
        }),
    )
    .await
    .expect("name and picture arrive within two seconds");
    println!("name and picture arrived after {:?}", start.elapsed());
    let picture = patient(sees.peer.avatar(changes.peer.id())).await.unwrap();
    assert_eq!(picture.as_deref(), Some(PNG));
    changes.stop().await;
    sees.stop().await;
}

#[tokio::test]
async fn an_invalid_setting_is_refused_by_its_key_and_changes_nothing() {
    let peer = TestPeer::start("Peer").await;
    let wrong = peer
        .peer
        .change_settings(values(
            json!({ "profile.label": "x", "p2p.mdns_tag": "a.b" }),
        ))
        .await;
    assert!(matches!(
        wrong,
        Err(Error::Setting(problem)) if problem.to_string() == "p2p.mdns_tag is \"a.b\", but must be 1 to 63 letters, digits, \"-\" or \"_\", such as \"goop-mdns\""
    ));
    let settings = peer.peer.settings().await.unwrap();
    assert_eq!(settings.label, "Peer");
    let changed = peer.peer.replace_settings("{}".into(), "{}".into()).await;
    assert!(matches!(changed, Err(Error::Invalid(text)) if text.contains("has changed since")));
    let text = settings.text.replace("\"Peer\"", "\"By hand\"");
    let settings = peer
        .peer
        .replace_settings(settings.text, text)
        .await
        .unwrap();
    assert_eq!(
        (settings.label.as_str(), settings.restarting),
        ("By hand", false)
    );
    peer.until(|snapshot| snapshot.me.label == "By hand").await;
    peer.stop().await;
}

#[tokio::test]
async fn a_setting_that_needs_a_restart_asks_for_one_until_it_is_reverted() {
    let peer = TestPeer::start("Peer").await;
    let outdated = || timeout(Duration::ZERO, peer.peer.outdated());
    assert!(outdated().await.is_err());
    let set = |tag: &str| values(json!({ "p2p.mdns_tag": tag }));
    let settings = peer.peer.change_settings(set("elsewhere")).await.unwrap();
    assert!(settings.restarting);
    outdated().await.expect("a restart is requested");
    let settings = peer.peer.change_settings(set("goop-mdns")).await.unwrap();
    assert!(!settings.restarting);
    assert!(outdated().await.is_err());
    peer.stop().await;
}

#[tokio::test]
async fn a_stopped_peer_can_be_changed_and_says_why_it_cannot_start() {
    let dir = tempfile::tempdir().unwrap();
    let at = || dir.path().to_owned();
    drop(Folder::create(dir.path(), "Peer").unwrap());
    let source = json!({ "viewer.site_sources": ["http://192.168.1.20:8123"] });
    let settings = stopped::change_settings(at(), values(source))
        .await
        .unwrap();
    assert_eq!(
        (settings.label.as_str(), &*settings.site_sources),
        ("Peer", &["http://192.168.1.20:8123".to_owned()][..])
    );
    let good = settings.text;
    fs::write(
        dir.path().join("goop.json"),
        r#"{ "p2p": { "listen_port": "x" } }"#,
    )
    .unwrap();
    let broken = stopped::settings(at()).await.unwrap();
    assert_eq!(
        broken.problem.as_deref(),
        Some("p2p.listen_port is \"x\", but must be a port from 0 to 65535 (0: any free one)")
    );
    let mended = stopped::replace_settings(at(), broken.text, good)
        .await
        .unwrap();
    assert_eq!((mended.label.as_str(), mended.problem), ("Peer", None));
}

#[tokio::test]
async fn peers_seen_and_notes_about_them_survive_a_restart() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    visitor.connect(&owner).await;
    let note = Note {
        name: Some(" The neighbor ".into()),
        favourite: Some(true),
        ..Note::default()
    };
    visitor.peer.note(owner.peer.id(), note).await.unwrap();
    visitor
        .until(|snapshot| card(snapshot, &owner).is_some_and(|card| card.favourite))
        .await;
    visitor.peer.shutdown().await;
    let TestPeer { dir, peer } = visitor;
    drop(peer);

    let peer = Peer::start(Folder::open(dir.path()).unwrap())
        .await
        .unwrap();
    let visitor = TestPeer { dir, peer };
    let snapshot = visitor
        .until(|snapshot| card(snapshot, &owner).is_some())
        .await;
    let remembered = card(&snapshot, &owner).unwrap();
    assert_eq!(
        (
            remembered.label.as_str(),
            remembered.name.as_str(),
            remembered.favourite
        ),
        ("Owner", "The neighbor", true)
    );
    assert!(remembered.last_seen > 0);
    // Nobody announced the favorite in this run: its address is remembered.
    assert_eq!(
        visitor.read(&owner, "/").await.unwrap().1,
        b"<h1>Owner</h1>"
    );
    visitor.stop().await;
    owner.stop().await;
}

#[tokio::test]
async fn a_blocked_peer_is_neither_connected_nor_served_nor_shown() {
    let (owner, pest) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Pest").await,
    );
    pest.connect(&owner).await;
    let block = |blocked| Note {
        blocked: Some(blocked),
        ..Note::default()
    };
    owner.peer.note(pest.peer.id(), block(true)).await.unwrap();
    owner
        .until(|snapshot| card(snapshot, &pest).is_none())
        .await;
    assert!(matches!(
        owner.peer.fetch(pest.peer.id(), get("/")).await,
        Err(Error::Blocked)
    ));
    assert!(
        timeout(PATIENCE, pest.peer.fetch(owner.peer.id(), get("/")))
            .await
            .unwrap()
            .is_err()
    );
    pest.until(|snapshot| card(snapshot, &owner).is_some_and(|card| card.path.is_none()))
        .await;
    let blocked = owner.peer.settings().await.unwrap().blocked;
    assert_eq!(blocked.len(), 1);
    assert_eq!(
        (blocked[0].id.as_str(), blocked[0].label.as_str()),
        (pest.peer.id().to_base58().as_str(), "Pest")
    );

    owner.peer.note(pest.peer.id(), block(false)).await.unwrap();
    assert!(owner.peer.settings().await.unwrap().blocked.is_empty());
    pest.peer.try_again(&owner.peer.id());
    assert_eq!(pest.read(&owner, "/").await.unwrap().1, b"<h1>Owner</h1>");
    owner
        .until(|snapshot| card(snapshot, &pest).is_some_and(|card| card.group == Group::Nearby))
        .await;
    pest.stop().await;
    owner.stop().await;
}

#[tokio::test]
async fn names_are_bounded_and_your_own_id_has_no_notes() {
    let peer = TestPeer::start("Peer").await;
    let named = |name: String| Note {
        name: Some(name),
        ..Note::default()
    };
    let stranger = goop2_proto::PeerId::random();
    assert!(
        peer.peer
            .note(stranger, named("x".repeat(201)))
            .await
            .is_err()
    );
    assert!(
        peer.peer
            .note(peer.peer.id(), named("me".into()))
            .await
            .is_err()
    );
    peer.peer
        .note(stranger, named("Someone".into()))
        .await
        .unwrap();
    assert!(fs::metadata(peer.dir.path().join("data.db")).unwrap().len() > 0);
    let id = stranger.to_base58();
    peer.until(|snapshot| {
        snapshot
            .peers
            .iter()
            .any(|card| card.id == id && card.name == "Someone")
    })
    .await;
    peer.stop().await;
}

/// A query that would run for a minute: the next start of the folder does not wait for it.
#[tokio::test]
async fn a_restart_interrupts_what_the_database_is_doing() {
    let TestPeer { dir, peer } = TestPeer::start("Busy").await;
    let own = peer.id();
    let ask = |request: Value| {
        let request = goop2_proto::data::Request::from_value(request).unwrap();
        let peer = peer.clone();
        async move { peer.data(own, request).await }
    };
    ask(json!({ "op": "insert", "table": "guestbook", "data": { "message": "x" } }))
        .await
        .unwrap();
    let endless =
        "(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r)";
    let query = ask(json!({ "op": "query", "table": "guestbook", "where": endless }));
    // Its caller gives up, as a closed page does; the work goes on.
    let mut query = Box::pin(query);
    assert!(futures::poll!(&mut query).is_pending());
    drop(query);

    let released = peer.released();
    peer.shutdown().await;
    drop(peer);
    patient(released).await;
    let again = Peer::start(Folder::open(dir.path()).unwrap())
        .await
        .unwrap();
    again.shutdown().await;
}
