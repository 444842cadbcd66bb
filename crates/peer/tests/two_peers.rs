//! Two real peers on loopback: real folders, SQLite, sockets and handshakes.

use std::{fs, future::Future, sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, future::join_all};
use goop2_peer::{
    Error, Folder, Peer,
    api::{Group, PeerCard, Snapshot},
};
use goop2_proto::data::Request;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};

/// Far more than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_peer_met_by_address_is_seen_visited_and_signed() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    visitor.meet(&owner).await;
    assert_eq!(visitor.sees(&owner).await.label, "Owner");
    assert_eq!(owner.sees(&visitor).await.group, Group::Nearby);

    assert_eq!(
        visitor.read(&owner, "/").await.unwrap(),
        (
            "text/html; charset=utf-8".into(),
            b"<h1>Owner</h1>".to_vec()
        )
    );
    assert!(matches!(
        visitor.read(&owner, "/nope").await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        visitor.read(&owner, "/lua/x.lua").await,
        Err(Error::Forbidden)
    ));

    let signed = visitor
        .data(
            &owner,
            json!({ "op": "insert", "table": "guestbook", "data": { "message": "The heron!" } }),
        )
        .await
        .unwrap();
    assert_eq!(signed, json!({ "id": 1, "status": "inserted" }));
    let refused = visitor
        .data(
            &owner,
            json!({ "op": "delete-table", "table": "guestbook" }),
        )
        .await;
    assert!(
        matches!(refused, Err(Error::Data(text)) if text == "schema operations not allowed for remote peers")
    );
    let rows = owner
        .data(&owner, json!({ "op": "query", "table": "guestbook" }))
        .await
        .unwrap();
    assert_eq!(rows[0]["message"], "The heron!");
    assert_eq!(rows[0]["_owner"], visitor.peer.id().to_base58());

    assert_eq!(visitor.peer.avatar(owner.peer.id()).await.unwrap(), None);
    assert_eq!(
        owner
            .peer
            .avatar(visitor.peer.id())
            .await
            .unwrap()
            .as_deref(),
        Some(b"picture".as_slice())
    );
    visitor.stop().await;
    owner.stop().await;
}

#[tokio::test]
async fn a_changed_name_arrives_and_a_goodbye_is_heard_at_once() {
    let (stays, leaves) = (
        TestPeer::start("Stays").await,
        TestPeer::start("Leaves").await,
    );
    leaves.meet(&stays).await;
    stays.sees(&leaves).await;
    leaves
        .peer
        .update_config(|config| config.profile.label = "Renamed".into())
        .await
        .unwrap();
    stays
        .until(|snapshot| card(snapshot, &leaves).is_some_and(|card| card.label == "Renamed"))
        .await;
    leaves.peer.shutdown().await;
    timeout(
        Duration::from_secs(1),
        stays.until(|snapshot| {
            card(snapshot, &leaves).is_some_and(|card| card.group == Group::Earlier)
        }),
    )
    .await
    .expect("the goodbye left before the connections closed");
    stays.stop().await;
}

#[tokio::test]
async fn a_page_of_a_hundred_files_and_a_large_one_arrive_whole() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    let large: Vec<u8> = (0..9_000_000_u32).map(|at| (at % 251) as u8).collect();
    fs::write(owner.dir.path().join("site/large.bin"), &large).unwrap();
    for at in 0..100 {
        fs::write(
            owner.dir.path().join(format!("site/{at}.txt")),
            vec![b'x'; 10_000 + at],
        )
        .unwrap();
    }
    visitor.meet(&owner).await;
    let pages = join_all((0..100).map(|at| {
        let (visitor, owner) = (&visitor, &owner);
        async move {
            visitor
                .read(owner, &format!("/{at}.txt"))
                .await
                .unwrap()
                .1
                .len()
        }
    }));
    assert_eq!(
        pages.await,
        (0..100).map(|at| 10_000 + at).collect::<Vec<_>>()
    );
    assert!(visitor.read(&owner, "/large.bin").await.unwrap().1 == large);
    visitor.stop().await;
    owner.stop().await;
}

#[tokio::test]
async fn a_transfer_that_is_cut_is_an_error_not_a_short_file() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    fs::File::create(owner.dir.path().join("site/large.bin"))
        .unwrap()
        .set_len(200_000_000)
        .unwrap();
    visitor.meet(&owner).await;
    let mut page = visitor
        .peer
        .open(owner.peer.id(), "/large.bin")
        .await
        .unwrap();
    page.body.next().await.unwrap().unwrap();
    owner.peer.shutdown().await;
    let rest = timeout(
        PATIENCE,
        page.body
            .try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64)),
    )
    .await
    .unwrap();
    assert!(
        rest.is_err(),
        "{rest:?} of {} bytes passed as the whole",
        page.len
    );
    visitor.stop().await;
}

#[tokio::test]
async fn a_peer_nobody_knows_is_said_to_be_offline() {
    let peer = TestPeer::start("Alone").await;
    let stranger = goop2_proto::PeerId::random();
    assert!(matches!(
        timeout(PATIENCE, peer.peer.open(stranger, "/"))
            .await
            .unwrap(),
        Err(Error::Offline)
    ));
    peer.stop().await;
}

struct TestPeer {
    dir: TempDir,
    peer: Peer,
}

impl TestPeer {
    async fn start(label: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("site/lua")).unwrap();
        fs::write(
            dir.path().join("site/index.html"),
            format!("<h1>{label}</h1>"),
        )
        .unwrap();
        fs::write(dir.path().join("site/lua/x.lua"), "-- secret").unwrap();
        // A tag of its own: nothing but the address given brings these two together.
        let config = json!({ "profile": { "label": label }, "p2p": { "mdns_tag": format!("test-{}", rand::random::<u32>()) } });
        fs::write(dir.path().join("goop.json"), config.to_string()).unwrap();
        let tables = json!({ "guestbook": { "policy": "public", "columns": [{ "name": "message", "type": "TEXT", "not_null": true }] } });
        fs::write(dir.path().join("tables.json"), tables.to_string()).unwrap();
        if label == "Visitor" {
            fs::write(dir.path().join("avatar.png"), "picture").unwrap();
        }
        let peer = Peer::start(Folder::open(dir.path()).unwrap())
            .await
            .unwrap();
        Self { dir, peer }
    }

    async fn meet(&self, other: &Self) {
        let listening = other.peer.listening();
        let loopback = listening
            .iter()
            .map(ToString::to_string)
            .find(|addr| addr.starts_with("/ip4/127.0.0.1/tcp/"))
            .unwrap();
        self.peer
            .add_address(&format!("{loopback}/p2p/{}", other.peer.id()))
            .await
            .unwrap();
        self.sees(other).await;
        other.sees(self).await;
    }

    async fn sees(&self, other: &Self) -> PeerCard {
        let snapshot = self
            .until(|snapshot| card(snapshot, other).is_some_and(|card| card.group == Group::Nearby))
            .await;
        card(&snapshot, other).unwrap().clone()
    }

    async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshot: watch::Receiver<Arc<Snapshot>> = self.peer.snapshot();
        patient(async {
            Arc::clone(
                &*snapshot
                    .wait_for(|snapshot| wanted(snapshot))
                    .await
                    .unwrap(),
            )
        })
        .await
    }

    async fn read(&self, of: &Self, path: &str) -> Result<(String, Vec<u8>), Error> {
        let page = patient(self.peer.open(of.peer.id(), path)).await?;
        let bytes: Vec<_> = patient(page.body.try_collect()).await.unwrap();
        assert_eq!(
            bytes
                .iter()
                .map(|chunk: &bytes::Bytes| chunk.len() as u64)
                .sum::<u64>(),
            page.len
        );
        Ok((page.mime, bytes.concat()))
    }

    async fn data(&self, of: &Self, request: Value) -> Result<Value, Error> {
        let request = Request::from_value(request).unwrap();
        Ok(patient(self.peer.data(of.peer.id(), request))
            .await?
            .unwrap_or_default())
    }

    async fn stop(self) {
        timeout(Duration::from_secs(2), self.peer.shutdown())
            .await
            .expect("an orderly end within two seconds");
    }
}

fn card<'a>(snapshot: &'a Snapshot, of: &TestPeer) -> Option<&'a PeerCard> {
    snapshot
        .peers
        .iter()
        .find(|card| card.id == of.peer.id().to_base58())
}

async fn patient<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("a hang")
}
