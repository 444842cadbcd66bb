//! A saved file at a page that a visitor has open, through the relay: the owner's event comes, and the
//! page is fetched again, as a browser does that reloads it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use reqwest::{Client, Response};
use serde_json::Value;
use tokio::{runtime::Builder, time::timeout};

use super::{Pair, World, observer::Way};
use crate::{
    PATIENCE, measured,
    support::{lab::internet::Nat, median, millis, promise},
};

const SAVES: usize = 15;
/// From the save until the new page is there.
const VISIBLE: Duration = Duration::from_secs(1);

#[test]
fn a_save_is_visible_through_the_relay() {
    measured("reach::live::a_save_is_visible_through_the_relay", || {
        let world = World::new();
        let mut file = PathBuf::new();
        let pair = Pair::new(&world, Nat::Symmetric, |folder| {
            folder.write("site/index.html", page(0));
            file = folder.path().join("site/index.html");
        });
        let times = pair.sites[0].host().enter(|| follow(&pair, &file));
        assert_eq!(path(&pair), Some(Way::Relayed));
        let (typical, worst) = (median(&times), times.iter().max().unwrap());
        println!(
            "through the relay, a save is visible after {}, at most {}",
            millis(typical),
            millis(*worst)
        );
        let what = "a save, visible at a visitor’s open page through the relay, median";
        promise::time(what, typical, VISIBLE);
    });
}

/// How the visitor is connected to the owner, as it says.
fn path(pair: &Pair) -> Option<Way> {
    let owner = pair.owner.id();
    let events = pair.visitor.events();
    let is_path = |event: &&Value| event["event"] == "path" && event["peer_id"] == owner;
    Way::shown(events.iter().rev().find(is_path)?)
}

fn page(save: usize) -> String {
    format!("<!doctype html><title>Live</title><h1>Save {save}.</h1>")
}

/// How long each save takes until it is visible.
fn follow(pair: &Pair, file: &Path) -> Vec<Duration> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::builder().no_proxy().build().unwrap();
        let (viewer, owner) = (pair.visitor.viewer(), pair.owner.id());
        let host = pair.visitor.site_host(&owner);
        let listen = client.get(format!("{viewer}api/p/{owner}/changes?age=0"));
        let listen = listen
            .header("host", &host)
            .header("sec-fetch-site", "same-origin");
        let mut events = listen.send().await.unwrap();
        hear(&mut events, "data:").await;
        let mut times = vec![];
        for save in 1..=SAVES {
            let begun = Instant::now();
            fs::write(file, page(save)).unwrap();
            hear(&mut events, "\"/index.html\"").await;
            let answer = client.get(format!("{viewer}p/{owner}/")).send();
            let text = answer.await.unwrap().text().await.unwrap();
            assert_eq!(text, page(save));
            times.push(begun.elapsed());
        }
        times
    })
}

/// Waits until the stream says this.
async fn hear(events: &mut Response, wanted: &str) {
    let mut text = String::new();
    while !text.contains(wanted) {
        let part = timeout(PATIENCE, events.chunk()).await.expect("an event");
        let part = part.unwrap().expect("the stream goes on");
        text += std::str::from_utf8(&part).unwrap();
    }
}
