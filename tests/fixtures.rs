//! Folders that existing peers left behind when they were killed: ours starts on them as they are,
//! and leaves what is theirs alone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{fs, path::PathBuf};

use goop2_proto::data::Request;
use goop2_store::Caller;
use serde_json::{Value, json};
use support::{
    lab::inside,
    peer::{Folder, Peer},
};

/// The first eight bytes of the SHA-256 of the avatar in both folders.
const AVATAR_HASH: &str = "6b7fa434f92a8b80";
const VISITOR: &str = "12D3KooWQuX36bUushwbM8m3Jas54d3N1zadfxo1MshD6iJZPAVr";

#[test]
fn a_folder_of_the_feb_generation_starts_unchanged() {
    inside("a_folder_of_the_feb_generation_starts_unchanged", || {
        starts_unchanged("feb")
    });
}

#[test]
fn a_folder_of_the_head_generation_starts_unchanged() {
    inside("a_folder_of_the_head_generation_starts_unchanged", || {
        starts_unchanged("head")
    });
}

fn starts_unchanged(generation: &str) {
    let original = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("crates/store/tests/fixtures/peer-{generation}"));
    let id = fs::read_to_string(original.join("PEER_ID")).unwrap();
    let folder = Folder::copy(&original);
    // The second start finds what the first one left.
    for start in ["first", "second"] {
        let peer = Peer::start(&folder, None);
        assert_eq!(
            (peer.id(), peer.viewer()),
            (id.trim().into(), "http://127.0.0.1:8080/".into()),
            "{start} start"
        );
        let me = peer.read("self");
        assert_eq!(
            me,
            json!({ "avatar_hash": AVATAR_HASH, "email": "alpha@example.org", "id": id.trim(), "label": "alpha" })
        );
        assert_eq!(
            peer.authorised("avatar").body,
            fs::read(original.join("avatar.png")).unwrap()
        );
        let page = peer.visit(id.trim(), "style.css").unwrap();
        assert_eq!(
            (page.status, page.body),
            (200, fs::read(original.join("site/style.css")).unwrap())
        );
        assert_eq!(
            policies(&peer.read("data/tables")),
            [("notes", "open"), ("posts", "owner")]
        );
        check_rows(id.trim(), &|table| {
            peer.api("data/query", &json!({ "table": table })).json()
        });
        peer.stop();
    }

    // Opening looks at every page of a database of this size.
    let store = goop2_store::Folder::open(folder.path()).unwrap();
    check_rows(id.trim(), &|table| {
        let request = Request {
            op: "query".into(),
            table: table.into(),
            ..Default::default()
        };
        store
            .database()
            .execute(&Caller::Local, &request)
            .unwrap()
            .unwrap()
    });
    drop(store);
    for file in [
        "goop.json",
        "data/identity.key",
        "avatar.png",
        "site/index.html",
    ] {
        assert_eq!(
            fs::read(folder.path().join(file)).unwrap(),
            fs::read(original.join(file)).unwrap(),
            "{file} was changed"
        );
    }
    println!(
        "{generation}: same peer, 3 posts, 1 note, policies and avatar; its own files untouched"
    );
}

fn policies(tables: &Value) -> Vec<(&str, &str)> {
    let tables = tables.as_array().unwrap().iter();
    tables
        .map(|table| {
            (
                table["name"].as_str().unwrap(),
                table["insert_policy"].as_str().unwrap(),
            )
        })
        .collect()
}

fn check_rows(id: &str, query: &dyn Fn(&str) -> Value) {
    let posts = query("posts");
    let titles: Vec<_> = posts
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["title"].as_str(), row["_owner"].as_str()))
        .collect();
    assert_eq!(
        titles,
        ["Post 0 é", "Post 1 é", "Post 2 é"].map(|title| (Some(title), Some(id)))
    );
    let notes = query("notes");
    assert_eq!(notes.as_array().unwrap().len(), 1, "{notes}");
    assert_eq!(
        (&notes[0]["text"], &notes[0]["_owner"]),
        (&json!("from a visitor"), &json!(VISITOR))
    );
}
