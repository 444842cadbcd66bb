//! A peer that is offline: whole for its owner, and not there for anyone else.

use std::net::TcpStream;

use goop2_peer::{
    Error, Folder, Peer,
    api::{Group, HostingState},
};
use serde_json::json;

use crate::{
    port,
    world::{TestPeer, card},
};

#[tokio::test]
async fn a_peer_offline_serves_its_owner_and_nobody_else() {
    let (owner, other) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Other").await,
    );
    owner.connect(&other).await;
    let port = port::unused();
    owner
        .peer
        .update_config(move |config| {
            config.presence.rendezvous_bind = "127.0.0.1".into();
            config.presence.rendezvous_port = port;
            config.presence.rendezvous_host = true;
        })
        .await
        .unwrap();
    owner
        .until(|snapshot| snapshot.rendezvous.hosting.state == HostingState::On)
        .await;
    let released = owner.peer.released();
    owner.peer.shutdown().await;
    let TestPeer { dir, peer } = owner;
    drop(peer);
    released.await;

    let folder = Folder::open(dir.path()).unwrap();
    let peer = Peer::start_offline(folder).await.unwrap();
    let owner = TestPeer { dir, peer };
    let (_, page) = owner.read(&owner, "/").await.unwrap();
    assert_eq!(page, b"<h1>Owner</h1>");
    let entry = json!({ "op": "insert", "table": "guestbook", "data": { "message": "a note" } });
    owner.data(&owner, entry).await.unwrap();
    let all = json!({ "op": "query", "table": "guestbook" });
    let rows = owner.data(&owner, all).await.unwrap();
    assert!(rows.to_string().contains("a note"), "{rows}");

    let remembered = owner
        .until(|snapshot| card(snapshot, &other).is_some())
        .await;
    assert_eq!(card(&remembered, &other).unwrap().group, Group::Earlier);
    let visit = owner.read(&other, "/").await;
    assert!(matches!(visit, Err(Error::Offline)), "{visit:?}");
    let rendezvous = TcpStream::connect(("127.0.0.1", port));
    assert!(rendezvous.is_err(), "something listens on {port}");
    let visit = other.read(&owner, "/").await;
    assert!(visit.is_err(), "{visit:?}");
    other
        .until(|snapshot| card(snapshot, &owner).is_some_and(|card| card.group == Group::Earlier))
        .await;
    owner.stop().await;
    other.stop().await;
}
