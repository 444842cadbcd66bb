//! What subscribers receive.

use std::time::Duration;

use goop2_proto::presence::Kind;
use goop2_rendezvous::server::{Config, Limits};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::{Events, addr, ask, config, key, limits, message, publish, signed, start};

fn id(seed: u8) -> String {
    key(seed).public().to_peer_id().to_base58()
}

fn labels(seen: &[Value]) -> Vec<&str> {
    let mut labels: Vec<_> = seen
        .iter()
        .map(|peer| peer["content"].as_str().unwrap())
        .collect();
    labels.sort_unstable();
    labels
}

#[tokio::test]
async fn an_existing_client_gets_everyone_and_then_every_heartbeat() {
    let server = start(config()).await;
    publish(addr(&server), &message(1, Kind::Online, "a")).await;
    let mut events = Events::open(addr(&server), "/events", &[]).await;
    for header in [
        "Content-Type: text/event-stream\r\n",
        "Cache-Control: no-cache\r\n",
        "Connection: keep-alive\r\n",
        "X-Accel-Buffering: no\r\n",
    ] {
        assert!(events.head.contains(header), "{}", events.head);
    }
    assert!(!events.head.contains("Goop2-Events"));
    assert_eq!(events.block().await.unwrap(), ": ok");
    assert_eq!(events.next().await.unwrap().json()["content"], "a");
    for _ in 0..2 {
        let beat = signed(2, Kind::Update, "b", 0);
        publish(addr(&server), &beat).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let event = events.next().await.unwrap();
        assert_eq!(event.data.as_bytes(), beat.encode());
        assert_eq!((event.event.as_str(), event.id.as_str()), ("", ""));
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_asks_for_changes_gets_everyone_and_then_news() {
    let server = start(config()).await;
    publish(addr(&server), &message(1, Kind::Online, "a")).await;
    publish(addr(&server), &message(2, Kind::Online, "b")).await;
    let mut events = Events::open(addr(&server), "/events?changes=1", &[]).await;
    assert!(events.head.contains("Goop2-Events: changes\r\n"));
    assert_eq!(labels(&events.snapshot().await), ["a", "b"]);
    publish(addr(&server), &message(1, Kind::Update, "a")).await;
    publish(addr(&server), &message(2, Kind::Update, "beta")).await;
    let renamed = events.next().await.unwrap();
    assert_eq!(renamed.json()["content"], "beta");
    publish(addr(&server), &message(1, Kind::Offline, "")).await;
    let left = events.next().await.unwrap();
    assert_eq!(
        (left.json()["type"].as_str(), left.json()["peerId"].as_str()),
        (Some("offline"), Some(&*id(1)))
    );

    // A reconnect resumes, and nothing is sent twice.
    let last = format!("Last-Event-ID: {}", renamed.id);
    let mut again = Events::open(addr(&server), "/events?changes=1", &[&last]).await;
    assert_eq!(again.next().await.unwrap(), left);
    // A client with an id of another run starts over.
    let foreign = "Last-Event-ID: 0000000000000000-0";
    let mut anew = Events::open(addr(&server), "/events?changes=1", &[foreign]).await;
    // The snapshot may be a moment old; what it misses follows.
    if labels(&anew.snapshot().await) != ["beta"] {
        assert_eq!(anew.next().await.unwrap(), renamed);
        assert_eq!(anew.next().await.unwrap(), left);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn an_empty_snapshot_is_sent() {
    let server = start(config()).await;
    let mut events = Events::open(addr(&server), "/events?changes=1", &[]).await;
    let first = events.next().await.unwrap();
    assert_eq!(
        (first.event.as_str(), first.data.as_str()),
        ("snapshot", "[]")
    );
    assert_eq!(events.next().await.unwrap().event, "current");
    server.shutdown().await;
}

#[tokio::test]
async fn a_silent_peer_expires_for_both_kinds_of_clients() {
    let server = start(Config {
        limits: Limits {
            ttl: Duration::from_millis(100),
            ..limits()
        },
        ..config()
    })
    .await;
    let mut everything = Events::open(addr(&server), "/events", &[]).await;
    let mut changes = Events::open(addr(&server), "/events?changes=1", &[]).await;
    changes.snapshot().await;
    publish(addr(&server), &signed(1, Kind::Online, "a", 0)).await;
    assert_eq!(changes.next().await.unwrap().json()["peerId"], id(1));
    let gone = changes.next().await.unwrap();
    assert_eq!((gone.event.as_str(), gone.data), ("gone", id(1)));
    let told = loop {
        let event = everything.next().await.unwrap().json();
        if event["type"] == "offline" {
            break event;
        }
    };
    assert_eq!(
        (told["peerId"].as_str(), told.get("sig")),
        (Some(&*id(1)), None)
    );
    server.shutdown().await;
}

#[tokio::test]
async fn a_slow_reader_gets_a_snapshot_instead_of_missed_events() {
    let server = start(Config {
        limits: Limits {
            publish_peer: goop2_rendezvous::server::Rate {
                burst: 1_000_000,
                per: Duration::from_secs(1),
            },
            publish: goop2_rendezvous::server::Rate {
                burst: 1_000_000,
                per: Duration::from_secs(1),
            },
            ..limits()
        },
        ..config()
    })
    .await;
    let mut slow = Events::open(addr(&server), "/events?changes=1", &[]).await;
    // What the system holds for the reader is little: the server gives up a reader who takes
    // nothing for half a minute, and a busy computer is slow to send more than it holds.
    socket2::SockRef::from(&slow.socket)
        .set_recv_buffer_size(64 * 1024)
        .unwrap();
    assert!(slow.snapshot().await.is_empty());
    // Nothing is read while more is sent than the ring and any socket hold.
    let mut socket = TcpStream::connect(addr(&server)).await.unwrap();
    let mut answers = vec![0; 1024];
    // Each "<" is six bytes on the wire, so that few messages are much to read.
    let rounds = 700;
    for round in 0..rounds {
        let label = format!("{round}{}", "<".repeat(2500));
        let body = message(1, Kind::Update, &label).encode();
        let mut request = format!(
            "POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        socket.write_all(&request).await.unwrap();
        let read = socket.read(&mut answers).await.unwrap();
        assert!(answers[..read].starts_with(b"HTTP/1.1 204"));
    }
    let last = format!("\"{}\\u003c", rounds - 1);
    let mut resynchronised = false;
    loop {
        let event = slow.next().await.unwrap();
        resynchronised |= event.event == "snapshot";
        if event.data.contains(&last) {
            break;
        }
    }
    assert!(resynchronised);
    server.shutdown().await;
}

#[tokio::test]
async fn streams_are_limited_in_total_and_per_client() {
    let server = start(Config {
        limits: Limits {
            subscribers: 3,
            subscribers_each: 2,
            ..limits()
        },
        ..config()
    })
    .await;
    let from = |client: u8| format!("X-Forwarded-For: 198.51.100.{client}");
    let open = async |client| Events::open(addr(&server), "/events", &[&from(client)]).await;
    let held = [open(1).await, open(1).await];
    let refused = ask(addr(&server), "GET /events", &[&from(1)], b"").await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (429, "too many SSE connections from 198.51.100.1 (2)\n")
    );
    assert!(refused.header("retry-after").is_some());
    let _other = open(2).await;
    let refused = ask(addr(&server), "GET /events", &[&from(3)], b"").await;
    assert_eq!(refused.body, "too many SSE connections (3)\n");
    // Slots become free when clients leave.
    drop(held);
    loop {
        let again = open(1).await;
        if again.head.starts_with("HTTP/1.1 200") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.shutdown().await;
}

#[tokio::test]
async fn an_http_1_0_proxy_gets_the_plain_stream() {
    let server = start(config()).await;
    let mut socket = TcpStream::connect(addr(&server)).await.unwrap();
    socket
        .write_all(b"GET /events HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    publish(addr(&server), &message(1, Kind::Online, "a")).await;
    server.shutdown().await;
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.0 200 OK") && !head.contains("chunked"),
        "{head}"
    );
    assert!(
        body.starts_with(": ok\n\ndata: {") && body.ends_with("}\n\n: bye\n\n"),
        "{body}"
    );
}

#[tokio::test]
async fn a_stream_may_follow_other_requests_on_its_connection() {
    let server = start(config()).await;
    let mut socket = TcpStream::connect(addr(&server)).await.unwrap();
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = vec![0; 4096];
    let read = socket.read(&mut answer).await.unwrap();
    assert!(answer[..read].ends_with(b"ok"));
    socket
        .write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let read = socket.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..read]);
    assert!(
        text.starts_with("HTTP/1.1 200 OK") && text.contains(": ok\n\n"),
        "{text}"
    );
    server.shutdown().await;
}
