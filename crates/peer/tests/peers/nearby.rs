//! Two peers on one network, connected by an address.

use std::{fs, time::Duration};

use futures::{
    future::join_all,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
};
use goop2_node::{Config, Keypair, Node};
use goop2_peer::{Error, api::Group};
use goop2_proto::{data, site};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use crate::world::{PATIENCE, TestPeer, card, get};

#[tokio::test]
async fn a_peer_added_by_its_address_is_seen_and_visited() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    visitor.connect(&owner).await;
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
async fn a_changed_name_and_a_goodbye_arrive_at_once() {
    let (stays, leaves) = (
        TestPeer::start("Stays").await,
        TestPeer::start("Leaves").await,
    );
    leaves.connect(&stays).await;
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
    visitor.connect(&owner).await;
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
    visitor.connect(&owner).await;
    let mut body = visitor
        .peer
        .fetch(owner.peer.id(), get("/large.bin"))
        .await
        .unwrap()
        .into_body();
    body.frame().await.unwrap().unwrap();
    owner.peer.shutdown().await;
    // The rest is tried to be fetched for a while.
    let rest = timeout(3 * PATIENCE, body.collect()).await.unwrap();
    assert!(rest.is_err(), "a part passed as the whole");
    visitor.stop().await;
}

/// An owner that reads every request and answers none; it reports the protocol of each.
async fn cutter(cut: mpsc::Sender<&'static str>) -> Node {
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        listen_port: 0,
        mdns_tag: None,
        topic: "cutter".into(),
        protocols: vec![site::PROTOCOL, data::PROTOCOL],
    };
    let (node, mut inbound, _) = goop2_node::spawn(config).await.unwrap();
    tokio::spawn(async move {
        while let Some(mut asked) = inbound.recv().await {
            let _request = asked.stream.read(&mut [0; 1024]).await;
            cut.send(asked.protocol).await.unwrap();
        }
    });
    node
}

#[tokio::test]
async fn a_request_that_is_cut_is_retried_once_but_never_a_write() {
    let visitor = TestPeer::start("Visitor").await;
    let (cut, mut cuts) = mpsc::channel(16);
    let owner = cutter(cut).await;
    let (port, id) = (owner.status().borrow().port, owner.peer_id());
    let address = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{id}");
    visitor.peer.add_address(&address).await.unwrap();
    let mut count = || std::iter::from_fn(|| cuts.try_recv().ok()).collect::<Vec<_>>();

    let page = timeout(PATIENCE, visitor.peer.fetch(id, get("/")))
        .await
        .unwrap();
    assert!(matches!(page, Err(Error::Cut)));
    assert_eq!(count(), [site::PROTOCOL; 2]);
    for (request, times) in [
        (json!({ "op": "query", "table": "guestbook" }), 2),
        (
            json!({ "op": "insert", "table": "guestbook", "data": { "message": "hi" } }),
            1,
        ),
    ] {
        let request = data::Request::from_value(request).unwrap();
        let answer = timeout(PATIENCE, visitor.peer.data(id, request))
            .await
            .unwrap();
        assert!(matches!(answer, Err(Error::Cut)), "{answer:?}");
        assert_eq!(count(), vec![data::PROTOCOL; times]);
    }
    visitor.stop().await;
    owner.shutdown().await;
}

/// Does what the owner's peer does, but the first answer to a write never leaves: an owner that was
/// cut after it wrote.
async fn forgetful(understands: bool, seen: mpsc::Sender<data::Request>) -> Node {
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        listen_port: 0,
        mdns_tag: None,
        topic: "goop.presence.v1".into(),
        protocols: vec![data::PROTOCOL],
    };
    let (node, mut streams, mut events) = goop2_node::spawn(config).await.unwrap();
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    tokio::spawn(async move {
        let mut cut = true;
        while let Some(inbound) = streams.recv().await {
            let mut stream = BufReader::new(inbound.stream);
            let mut line = Vec::new();
            stream.read_until(b'\n', &mut line).await.unwrap();
            let request = data::Request::decode(&line).unwrap();
            let writes = request.writes_a_row();
            seen.send(request).await.unwrap();
            if writes && std::mem::take(&mut cut) {
                continue;
            }
            let answer = data::encode_reply(&Ok(Some(json!({ "id": 1 }))), understands);
            stream.get_mut().write_all(&answer).await.unwrap();
            stream.get_mut().close().await.unwrap();
        }
    });
    node
}

#[tokio::test]
async fn a_cut_write_is_retried_with_its_id_where_the_owner_remembers_ids() {
    for understands in [true, false] {
        let visitor = TestPeer::start("Visitor").await;
        let (seen, mut requests) = mpsc::channel(16);
        let owner = forgetful(understands, seen).await;
        let (port, id) = (owner.status().borrow().port, owner.peer_id());
        let address = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{id}");
        visitor.peer.add_address(&address).await.unwrap();
        let mut ask = async |op: &str| {
            let request = json!({ "op": op, "table": "guestbook", "data": { "message": "hi" } });
            let request = data::Request::from_value(request).unwrap();
            let answer = timeout(PATIENCE, visitor.peer.data(id, request))
                .await
                .unwrap();
            let sent: Vec<_> = std::iter::from_fn(|| requests.try_recv().ok()).collect();
            (answer, sent)
        };
        let (read, _) = ask("query").await;
        assert!(read.is_ok(), "{read:?}");
        let (written, sent) = ask("insert").await;
        let first = sent[0]
            .write_id()
            .expect("every write has an id")
            .to_owned();
        if understands {
            assert_eq!(written.unwrap(), Some(json!({ "id": 1 })));
            assert_eq!(sent.len(), 2);
            assert_eq!(sent[1].write_id(), Some(&*first));
        } else {
            assert!(matches!(written, Err(Error::Cut)), "{written:?}");
            assert_eq!(sent.len(), 1);
        }
        let (_, next) = ask("insert").await;
        assert_ne!(next[0].write_id(), Some(&*first), "each write has its own");
        visitor.stop().await;
        owner.shutdown().await;
    }
}

#[tokio::test]
async fn a_peer_that_nobody_knows_is_offline() {
    let peer = TestPeer::start("Alone").await;
    let stranger = goop2_proto::PeerId::random();
    assert!(matches!(
        timeout(PATIENCE, peer.peer.fetch(stranger, get("/")))
            .await
            .unwrap(),
        Err(Error::Offline)
    ));
    peer.stop().await;
}
