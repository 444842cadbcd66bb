//! Streams between real nodes: both ways, cut short, in a burst, beyond the limits.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{ECHO, PATIENCE, ask, config, echo, start, start_with};
use futures::{AsyncReadExt, AsyncWriteExt};
use goop2_node::{OpenError, Transport, stream};
use goop2_proto::http;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

#[tokio::test]
async fn streams_go_both_ways_over_tcp_and_over_quic() {
    for quic in [false, true] {
        let (a, b) = (start().await, start().await);
        let (a_id, b_id) = (a.id(), b.id());
        a.node
            .add_address(if quic { b.quic() } else { b.tcp() })
            .await
            .unwrap();
        let (a_node, b_node) = (a.node.clone(), b.node.clone());
        let mut servers = JoinSet::new();
        servers.spawn(echo(a.inbound));
        servers.spawn(echo(b.inbound));
        ask(&a_node, b_id, b"to b").await.unwrap();
        ask(&b_node, a_id, &vec![7; 3 << 20]).await.unwrap();

        let mut status = a_node.status();
        let seen = status
            .wait_for(|s| s.connections.contains_key(&b_id))
            .await
            .unwrap()
            .clone();
        let connection = &seen.connections[&b_id][0];
        assert_eq!(
            connection.transport,
            if quic {
                Transport::Quic
            } else {
                Transport::Tcp
            }
        );
        assert!(connection.lan && !connection.relayed());
        a_node.shutdown().await;
        b_node.shutdown().await;
    }
}

#[tokio::test]
async fn a_cut_stream_is_noticed_by_the_length() {
    let (a, mut b) = (start().await, start().await);
    a.node.add_address(b.tcp()).await.unwrap();
    let mut stream = a.node.open(b.id(), ECHO).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.flush().await.unwrap();
    let mut served = timeout(PATIENCE, b.inbound.recv()).await.unwrap().unwrap();
    assert_eq!(
        (served.peer, served.protocol, served.relayed),
        (a.id(), ECHO, false)
    );
    served.stream.write_all(&[1; 1000]).await.unwrap();
    served.stream.flush().await.unwrap();
    let mut half = [0; 1000];
    stream.read_exact(&mut half).await.unwrap();
    drop(served);
    let error = timeout(PATIENCE, stream.read_exact(&mut half))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

/// A peer that has not named its protocols yet is asked for a site of ours at once.
#[tokio::test]
async fn what_was_taken_for_granted_and_is_refused_is_then_agreed_on() {
    for quic in [false, true] {
        let (a, b) = (start().await, start().await);
        let b_id = b.id();
        let address = if quic { b.quic() } else { b.tcp() };
        a.node.add_address(address).await.unwrap();
        let mut servers = JoinSet::new();
        servers.spawn(echo(b.inbound));
        let ask = async || {
            let opened = a.node.open_any(b_id, &[http::SITE, ECHO]).await;
            let (mut stream, protocol) = opened.unwrap();
            stream.write_all(b"\0\0\0\x04to b").await.unwrap();
            stream.flush().await.unwrap();
            let mut answer = [0; 8];
            let read = stream.read_exact(&mut answer).await;
            (protocol, read.map(|()| answer))
        };
        let (protocol, answer) = timeout(PATIENCE, ask()).await.unwrap();
        if protocol == http::SITE {
            assert!(answer.is_err());
        }
        let (protocol, answer) = timeout(PATIENCE, ask()).await.unwrap();
        assert_eq!((protocol, answer.unwrap()), (ECHO, *b"\0\0\0\x04to b"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_lose_none() {
    const REQUESTS: usize = 10_000;
    for quic in [false, true] {
        let (a, b) = (start().await, start().await);
        let b_id = b.id();
        a.node
            .add_address(if quic { b.quic() } else { b.tcp() })
            .await
            .unwrap();
        a.node.connect(b_id).await.unwrap();
        let mut servers = JoinSet::new();
        servers.spawn(echo(b.inbound));
        for in_flight in [1, 16, 200] {
            let requests = if in_flight == 1 {
                REQUESTS / 10
            } else {
                REQUESTS
            };
            let started = std::time::Instant::now();
            let slots = Arc::new(Semaphore::new(in_flight));
            let mut tasks = JoinSet::new();
            for _ in 0..requests {
                let slot = slots.clone().acquire_owned().await.unwrap();
                let node = a.node.clone();
                tasks.spawn(async move {
                    let outcome = ask(&node, b_id, &[9; 1024]).await;
                    drop(slot);
                    outcome
                });
            }
            let failures: Vec<_> = tasks
                .join_all()
                .await
                .into_iter()
                .filter_map(Result::err)
                .collect();
            let rate = requests as f64 / started.elapsed().as_secs_f64();
            println!("quic {quic}: {in_flight} in flight, {rate:.0} requests a second");
            assert!(
                failures.is_empty(),
                "quic {quic}, {in_flight} in flight: {} failed: {:?}",
                failures.len(),
                failures[0]
            );
        }
    }
}

#[tokio::test]
async fn a_protocol_nobody_serves_has_its_own_error() {
    let (a, b) = (start().await, start().await);
    a.node.add_address(b.tcp()).await.unwrap();
    assert_eq!(
        a.node.open(b.id(), "/test/unknown").await.unwrap_err(),
        OpenError::Unsupported
    );
}

#[tokio::test]
async fn a_peer_without_an_address_is_not_reachable_and_says_why() {
    let a = start().await;
    let stranger = start().await.id();
    let Err(OpenError::NotReachable(why)) = a.node.open(stranger, ECHO).await else {
        panic!("it was reached")
    };
    assert!(why.contains("no address"), "{why}");
    assert!(matches!(
        a.node.open(a.id(), ECHO).await,
        Err(OpenError::NotReachable(_))
    ));
    // An address where nobody listens: the answer comes at once, not at the end of a deadline.
    let nobody = start_with(config()).await;
    let addr = nobody.tcp();
    let id = nobody.id();
    nobody.node.shutdown().await;
    a.node.add_address(addr).await.unwrap();
    let answer = timeout(Duration::from_secs(5), a.node.open(id, ECHO))
        .await
        .expect("at once");
    assert!(
        matches!(answer, Err(OpenError::NotReachable(_))),
        "{answer:?}"
    );
}

/// A peer that opens and never uses streams is held to its share; one that behaves is still
/// served.
#[tokio::test]
async fn a_hoarder_is_bounded_and_others_are_served() {
    let (hoarder, polite, mut server) = (start().await, start().await, start().await);
    hoarder.node.add_address(server.tcp()).await.unwrap();
    polite.node.add_address(server.tcp()).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..stream::MAX_OPEN_PER_PEER {
        held.push(
            timeout(PATIENCE, hoarder.node.open(server.id(), ECHO))
                .await
                .unwrap()
                .unwrap(),
        );
    }
    // Our own client waits rather than open more than its share.
    let more = timeout(
        Duration::from_millis(200),
        hoarder.node.open(server.id(), ECHO),
    )
    .await;
    assert!(more.is_err(), "the client opened more than its share");
    let mut arrived = Vec::new();
    while arrived.len() < held.len() {
        arrived.push(
            timeout(PATIENCE, server.inbound.recv())
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let server_id = server.id();
    let mut servers = JoinSet::new();
    servers.spawn(echo(server.inbound));
    timeout(PATIENCE, ask(&polite.node, server_id, b"hello"))
        .await
        .unwrap()
        .unwrap();
    // Giving streams back gives the share back.
    held.clear();
    drop(arrived);
    timeout(PATIENCE, ask(&hoarder.node, server_id, b"again"))
        .await
        .unwrap()
        .unwrap();
}
