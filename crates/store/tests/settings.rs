//! What the owner changes while the peer runs: settings, the picture, notes about others.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{copy_of, new_peer};
use goop2_proto::PeerId;
use goop2_store::{Error, Folder, Known, MAX_PICTURE, MAX_SEEN, Resting};
use serde_json::{Map, Value, json};

fn values(json: Value) -> Map<String, Value> {
    json.as_object().cloned().unwrap()
}

#[test]
fn settings_change_by_name_or_not_at_all() {
    let (dir, folder) = new_peer();
    let file = dir.path().join("goop.json");
    let changed = folder
        .set_config(&values(
            json!({ "profile.label": "Ann", "p2p.mdns_tag": "home" }),
        ))
        .unwrap();
    assert_eq!(
        (
            changed.profile.label.as_str(),
            changed.p2p.mdns_tag.as_str()
        ),
        ("Ann", "home")
    );
    let before = fs::read_to_string(&file).unwrap();
    for wrong in [
        json!({ "profile.label": "Bea", "p2p.mdns_tag": "a b" }),
        json!({ "profile.label": 1 }),
        json!({ "profile.nickname": "Bea" }),
        json!({ "paths.site_root": "." }),
    ] {
        assert!(
            folder.set_config(&values(wrong.clone())).is_err(),
            "{wrong}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
        assert_eq!(folder.config().profile.label, "Ann");
    }
}

#[test]
fn the_whole_file_is_replaced_only_by_one_that_is_right_and_was_made_from_it() {
    let (dir, folder) = new_peer();
    let before = folder.config_text().unwrap();
    let text = "{ \"profile\": { \"label\": \"Ann\" },\n\t\"ours\": [1] }";
    assert_eq!(
        folder.replace_config(&before, text).unwrap().profile.label,
        "Ann"
    );
    assert_eq!(
        fs::read_to_string(dir.path().join("goop.json")).unwrap(),
        text,
        "as the owner wrote it"
    );
    assert!(matches!(
        folder.replace_config(&before, "{}"),
        Err(Error::Changed(_))
    ));
    let problem = folder
        .replace_config(text, r#"{"viewer":{"theme":"blue"}}"#)
        .unwrap_err();
    assert!(
        problem
            .to_string()
            .contains(r#"viewer.theme is "blue", but must be "light" or "dark""#)
    );
    assert_eq!(folder.config_text().unwrap(), text);
}

#[test]
fn a_peer_that_rests_is_changed_by_the_same_rules_also_where_it_could_not_start() {
    let (dir, folder) = new_peer();
    let file = dir.path().join("goop.json");
    assert!(
        matches!(Resting::open(dir.path()), Err(Error::InUse(_))),
        "it runs"
    );
    drop(folder);
    let resting = Resting::open(dir.path()).unwrap();
    assert!(
        matches!(Folder::open(dir.path()), Err(Error::InUse(_))),
        "it starts when this is done"
    );
    resting
        .set_config(&values(json!({ "profile.label": "Ann" })))
        .unwrap();
    assert_eq!(resting.config().unwrap().profile.label, "Ann");
    let before = resting.config_text().unwrap();
    for wrong in [
        json!({ "p2p.mdns_tag": "a b" }),
        json!({ "paths.site_root": "." }),
    ] {
        assert!(resting.set_config(&values(wrong)).is_err());
        assert_eq!(resting.config_text().unwrap(), before);
    }
    fs::write(&file, "{ broken").unwrap();
    assert!(resting.config().is_err());
    assert!(resting.replace_config("{ broken", "{ still").is_err());
    assert_eq!(resting.config_text().unwrap(), "{ broken");
    resting.replace_config("{ broken", &before).unwrap();
    drop(resting);
    assert_eq!(
        Folder::open(dir.path()).unwrap().config().profile.label,
        "Ann"
    );
}

#[test]
fn a_picture_is_a_small_png() {
    let (dir, folder) = new_peer();
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 100]].concat();
    let hash = folder.set_avatar(Some(&picture)).unwrap();
    assert_eq!(folder.avatar().unwrap().unwrap().hash, hash);
    let large = [picture.as_slice(), &[7; MAX_PICTURE]].concat();
    for wrong in [b"<svg>".as_slice(), b"", &large] {
        assert!(matches!(
            folder.set_avatar(Some(wrong)),
            Err(Error::Picture)
        ));
    }
    assert_eq!(fs::read(dir.path().join("avatar.png")).unwrap(), picture);
    assert_eq!(folder.set_avatar(None).unwrap(), "");
    assert_eq!(folder.set_avatar(None).unwrap(), "", "gone already");
    assert_eq!(folder.avatar().unwrap(), None);
}

#[test]
fn peers_are_remembered_and_the_noted_ones_for_good() {
    let dir = copy_of("peer-feb");
    let noted = (
        PeerId::random(),
        Known {
            label: "Anselm".into(),
            addrs: vec![
                "/ip4/192.168.1.20/tcp/4001".into(),
                "/ip6/fd12::1/tcp/4001".into(),
            ],
            last_seen: 1,
            name: "The neighbour".into(),
            favourite: true,
            verified: true,
            ..Known::default()
        },
    );
    let seen: Vec<_> = (0..MAX_SEEN + 50)
        .map(|at| {
            let last_seen = 1000 + i64::try_from(at).unwrap();
            (
                PeerId::random(),
                Known {
                    last_seen,
                    ..Known::default()
                },
            )
        })
        .collect();
    {
        let folder = Folder::open(dir.path()).unwrap();
        folder
            .database()
            .remember_peers(std::slice::from_ref(&noted))
            .unwrap();
        folder.database().remember_peers(&seen).unwrap();
    }
    let folder = Folder::open(dir.path()).unwrap();
    let known = folder.database().known_peers().unwrap();
    assert_eq!(known.len(), MAX_SEEN + 1);
    assert!(known.contains(&noted));
    assert!(known.contains(seen.last().unwrap()), "the newest");
    assert!(!known.contains(&seen[0]), "the oldest");

    let forgotten = (
        noted.0,
        Known {
            name: String::new(),
            favourite: false,
            last_seen: 0,
            ..noted.1
        },
    );
    folder.database().remember_peers(&[forgotten]).unwrap();
    assert_eq!(folder.database().known_peers().unwrap().len(), MAX_SEEN);
}
