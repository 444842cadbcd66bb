//! A peer in its own folder, and what tests do with it.

use std::{fs, future::Future, sync::Arc, time::Duration};

use goop2_peer::{
    Error, Folder, Peer,
    api::{Group, PeerCard, Snapshot},
};
use goop2_proto::{Multiaddr, data};
use http::{
    Request, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};

/// Far longer than anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct TestPeer {
    pub(crate) dir: TempDir,
    pub(crate) peer: Peer,
}

impl TestPeer {
    pub(crate) async fn start(label: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("site/lua")).unwrap();
        fs::write(
            dir.path().join("site/index.html"),
            format!("<h1>{label}</h1>"),
        )
        .unwrap();
        fs::write(dir.path().join("site/lua/x.lua"), "-- secret").unwrap();
        // Peers find each other only by the addresses that tests give.
        let config = json!({ "profile": { "label": label }, "p2p": { "mdns": false } });
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

    /// Where it listens on this computer.
    pub(crate) fn loopback(&self) -> Multiaddr {
        let mut listening = self.peer.listening().into_iter();
        listening
            .find(|addr| addr.to_string().starts_with("/ip4/127.0.0.1/tcp/"))
            .unwrap()
    }

    pub(crate) async fn connect(&self, other: &Self) {
        let loopback = other.loopback();
        self.peer
            .add_address(&format!("{loopback}/p2p/{}", other.peer.id()))
            .await
            .unwrap();
        self.sees(other).await;
        other.sees(self).await;
    }

    pub(crate) async fn sees(&self, other: &Self) -> PeerCard {
        let snapshot = self
            .until(|snapshot| card(snapshot, other).is_some_and(|card| card.group == Group::Nearby))
            .await;
        card(&snapshot, other).unwrap().clone()
    }

    pub(crate) async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
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

    pub(crate) async fn read(&self, of: &Self, path: &str) -> Result<(String, Vec<u8>), Error> {
        let (head, body) = patient(self.peer.fetch(of.peer.id(), get(path)))
            .await?
            .into_parts();
        match head.status {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN => return Err(Error::Forbidden),
            _ => return Err(Error::NotFound),
        }
        let header = |name| head.headers[name].to_str().unwrap();
        let bytes = patient(body.collect()).await.unwrap().to_bytes();
        assert_eq!(header(CONTENT_LENGTH), bytes.len().to_string());
        Ok((header(CONTENT_TYPE).to_owned(), bytes.into()))
    }

    pub(crate) async fn data(&self, of: &Self, request: Value) -> Result<Value, Error> {
        let request = data::Request::from_value(request).unwrap();
        Ok(patient(self.peer.data(of.peer.id(), request))
            .await?
            .unwrap_or_default())
    }

    pub(crate) async fn stop(self) {
        patient(self.peer.shutdown()).await;
    }
}

pub(crate) fn get(path: &str) -> Parts {
    Request::get(path).body(()).unwrap().into_parts().0
}

pub(crate) fn card<'a>(snapshot: &'a Snapshot, of: &TestPeer) -> Option<&'a PeerCard> {
    snapshot
        .peers
        .iter()
        .find(|card| card.id == of.peer.id().to_base58())
}

pub(crate) async fn patient<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("a hang")
}
