//! A peer that is offline: whole for its owner, and not there for anyone else.

use std::net::TcpStream;

use goop2_peer::{
    Error, Folder, Peer,
    api::{Group, HostingState},
};
use multiaddr::Protocol;
use serde_json::json;

use crate::{
    port,
    world::{TestPeer, card},
};

fn port_of(peer: &TestPeer) -> u16 {
    let tcp = |part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    };
    peer.loopback().iter().find_map(tcp).unwrap()
}

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
    let listened = port_of(&owner);
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
    for port in [port, listened] {
        let connected = TcpStream::connect(("127.0.0.1", port));
        assert!(connected.is_err(), "something listens on {port}");
    }
    other
        .until(|snapshot| card(snapshot, &owner).is_some_and(|card| card.group == Group::Earlier))
        .await;
    owner.stop().await;
    other.stop().await;
}
