//! What a page that is open learns, over real connections.

use std::{fs, path::Path};

use futures::StreamExt;
use goop2_peer::{Body, Error, api::SiteRequest};
use goop2_proto::PeerId;
use http_body_util::BodyDataStream;
use serde_json::{Value, json};

use crate::world::{TestPeer, get, patient};

/// An open page.
struct Page {
    stream: BodyDataStream<Body>,
    text: String,
}

impl Page {
    async fn open(visitor: &TestPeer, owner: PeerId, query: &str) -> Result<Self, Error> {
        let body = patient(visitor.peer.changes(owner, query)).await?;
        Ok(Self {
            stream: BodyDataStream::new(body),
            text: String::new(),
        })
    }

    /// Of a page that has missed nothing.
    async fn current(visitor: &TestPeer, owner: PeerId, query: &str) -> Self {
        let mut page = Self::open(visitor, owner, query).await.unwrap();
        assert_eq!(page.next().await.1, json!({}));
        page
    }

    /// The id and the data of the next event.
    async fn next(&mut self) -> (String, Value) {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                if let Some((id, data)) = event
                    .strip_prefix("id: ")
                    .and_then(|event| event.split_once("\ndata: "))
                {
                    return (id.into(), serde_json::from_str(data).unwrap());
                }
            }
            let bytes = patient(self.stream.next()).await.expect("it goes on");
            self.text += std::str::from_utf8(&bytes.unwrap()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_learns_what_changes_and_the_owner_that_it_is_read() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    visitor.connect(&owner).await;
    let mut request = get("/");
    let navigate = "navigate".parse().unwrap();
    request.headers.insert("sec-fetch-mode", navigate);
    let answer = patient(visitor.peer.fetch(owner.peer.id(), request)).await;
    assert_eq!(answer.unwrap().headers()["goop-live"], "reload");
    let mut page = Page::current(&visitor, owner.peer.id(), "age=0").await;
    let mut own = Page::current(&owner, owner.peer.id(), "age=0").await;
    let snapshot = owner.until(|snapshot| snapshot.live.readers == 1).await;
    assert_eq!(snapshot.live.pages[0].path, "/");
    owner.until(|snapshot| snapshot.live.today == 1).await;

    let site = owner.dir.path().join("site");
    fs::write(site.join(".hidden"), "x").unwrap();
    fs::write(site.join("lua/x.lua"), "-- another secret").unwrap();
    fs::write(site.join("a b.css"), "x").unwrap();
    let (id, data) = page.next().await;
    assert_eq!(data, json!({ "paths": ["/a b.css"] }));
    assert_eq!(own.next().await.1, data);

    let insert = json!({ "op": "insert", "table": "guestbook", "data": { "message": "hello" } });
    visitor.data(&owner, insert).await.unwrap();
    assert_eq!(page.next().await.1, json!({ "tables": ["guestbook"] }));
    assert_eq!(own.next().await.1, json!({ "tables": ["guestbook"] }));

    // Who comes back gets what it missed, and no more.
    drop(page);
    owner.until(|snapshot| snapshot.live.readers == 0).await;
    let mut back = Page::open(&visitor, owner.peer.id(), &format!("age=0&last={id}"))
        .await
        .unwrap();
    assert_eq!(back.next().await.1, json!({ "tables": ["guestbook"] }));
    let mut lost = Page::open(&visitor, owner.peer.id(), "last=1-1")
        .await
        .unwrap();
    assert_eq!(lost.next().await.1, json!({ "all": true, "tables": ["*"] }));
    for peer in [owner, visitor] {
        peer.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_folder_is_read_by_all_while_the_peer_runs_on() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    visitor.connect(&owner).await;
    let front = async || visitor.read(&owner, "/").await.unwrap().1;
    assert_eq!(front().await, b"<h1>Owner</h1>");
    let mut page = Page::current(&visitor, owner.peer.id(), "age=0").await;
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("index.html"), "another").unwrap();
    let choose = async |path: Option<&Path>| {
        let path = path.map(Path::to_owned);
        let chosen = owner.peer.site(SiteRequest::SetFolder { path }).await;
        assert_eq!(chosen.unwrap(), Value::Null);
    };
    choose(Some(other.path())).await;
    assert_eq!(front().await, b"another");
    // Pages that are open reload once, and what is saved now is of the new folder.
    assert_eq!(page.next().await.1, json!({ "all": true }));
    fs::write(owner.dir.path().join("site/a.css"), "x").unwrap();
    fs::write(other.path().join("b.css"), "x").unwrap();
    assert_eq!(page.next().await.1, json!({ "paths": ["/b.css"] }));
    choose(None).await;
    assert_eq!(front().await, b"<h1>Owner</h1>");
    assert_eq!(page.next().await.1, json!({ "all": true }));
    for peer in [owner, visitor] {
        peer.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_switches_reloading_off() {
    let owner = TestPeer::start("Owner").await;
    let mut page = Page::current(&owner, owner.peer.id(), "").await;
    let switch = async |on| {
        let changed = owner
            .peer
            .update_config(move |config| config.site.reload = on);
        changed.await.unwrap();
    };
    switch(false).await;
    owner.until(|snapshot| !snapshot.live.reloading).await;
    let answer = owner.peer.fetch(owner.peer.id(), get("/")).await.unwrap();
    assert!(!answer.headers().contains_key("goop-live"));
    fs::write(owner.dir.path().join("site/a.css"), "x").unwrap();
    // The table is written later and its event sent first: the file had none.
    let create =
        json!({ "op": "create-table", "name": "t", "column": { "name": "a", "type": "TEXT" } });
    owner.data(&owner, create).await.unwrap();
    assert_eq!(page.next().await.1, json!({ "tables": ["t"] }));
    switch(true).await;
    fs::write(owner.dir.path().join("site/b.css"), "x").unwrap();
    assert_eq!(page.next().await.1, json!({ "paths": ["/b.css"] }));
    owner.stop().await;
}
