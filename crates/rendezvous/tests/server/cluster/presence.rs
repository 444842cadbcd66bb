//! Presence across instances, and what happens when NATS or an instance goes down.

use std::time::{Duration, Instant};

use async_nats::Client;
use futures::StreamExt;
use goop2_proto::{
    cluster::{Header, Instance, Line, MAX_FRAME, Part},
    presence::{Kind, Message},
};
use goop2_rendezvous::{cluster::Address, server::Config};
use tokio::time::{MissedTickBehavior, interval};

use super::{Nats, figure, hears, instances, is, joined, until, watch, with_ttl};
use crate::world::{BASIC, Events, addr, ask, config, get, key, message, publish, signed, start};

const SUBJECT: &str = "goop2.rendezvous.1";

fn id(seed: u8) -> String {
    key(seed).public().to_peer_id().to_base58()
}

fn text(message: &Message) -> String {
    String::from_utf8(message.encode()).unwrap()
}

#[tokio::test]
async fn subscribers_of_one_instance_receive_publishers_of_all() {
    let nats = Nats::start().await;
    let servers: [_; 3] = instances(&joined(&nats)).await;
    let [a, b, c] = servers.each_ref().map(addr);
    let (mut at_b, _) = watch(b).await;
    let (mut at_c, _) = watch(c).await;
    let hello = signed(1, Kind::Online, "Ann", 0);
    let news = signed(1, Kind::Update, "Anna", 10);
    let late_news = signed(1, Kind::Update, "Anna", 15);
    let bye = signed(1, Kind::Offline, "Anna", 20);
    let old = message(2, Kind::Online, "Go");
    assert_eq!(publish(a, &hello).await, 204);
    assert_eq!(at_b.next().await.unwrap().data, text(&hello));
    assert_eq!(at_c.next().await.unwrap().data, text(&hello));
    assert_eq!(publish(b, &old).await, 204);
    assert_eq!(at_b.next().await.unwrap().data, text(&old));
    assert_eq!(at_c.next().await.unwrap().data, text(&old));

    // A heartbeat is not news there either; news arrive as their author signed them.
    let mut beat = signed(1, Kind::Update, "Ann", 0);
    beat.ts = hello.ts + 5;
    beat.sign(&key(1));
    assert_eq!(publish(a, &beat).await, 204);
    assert_eq!(publish(a, &news).await, 204);
    assert_eq!(at_b.next().await.unwrap().data, text(&news));
    assert_eq!(at_c.next().await.unwrap().data, text(&news));

    // An instance that joins later knows at once.
    let late = start(joined(&nats)).await;
    hears(addr(&late), 3).await;
    until("the new instance knows both", async || {
        figure(addr(&late), "peers").await == 2
    })
    .await;
    let (_, mut seen) = watch(addr(&late)).await;
    seen.sort();
    let mut both = [id(1), id(2)];
    both.sort();
    assert_eq!(seen, both);

    assert_eq!(publish(a, &bye).await, 204);
    assert_eq!(at_b.next().await.unwrap().data, text(&bye));
    assert_eq!(at_c.next().await.unwrap().data, text(&bye));
    // What was signed before it is a replay at every instance.
    assert_eq!(publish(c, &late_news).await, 409);
    // Also at one that was not there then.
    assert_eq!(publish(addr(&late), &news).await, 409);

    // The administrator of one removes a peer from all of them.
    let kick = format!(r#"{{"peer":"{}"}}"#, id(2));
    let headers = [BASIC, "Goop2-Admin: 1", "Content-Type: application/json"];
    let kicked = ask(c, "POST /admin/kick", &headers, kick.as_bytes()).await;
    assert_eq!(kicked.status, 204);
    let gone = at_b.next().await.unwrap();
    assert_eq!((gone.event.as_str(), gone.data), ("gone", id(2)));
    assert_eq!(publish(b, &old).await, 204);
    assert_eq!(at_b.next().await.unwrap().data, text(&old));

    late.shutdown().await;
    for server in servers {
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_peer_is_online_while_it_publishes_anywhere() {
    let nats = Nats::start().await;
    let ttl = Duration::from_secs(6);
    let servers: [_; 2] = instances(&with_ttl(joined(&nats), ttl)).await;
    let [a, b] = servers.each_ref().map(addr);
    let (mut changes, _) = watch(b).await;
    let mut existing = Events::open(b, "/events", &[]).await;
    let start = Instant::now();
    let mut beat = interval(ttl / 6);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut later = 0;
    // At one instance, then at the other: subscribers notice neither the heartbeats nor the move.
    while start.elapsed() < ttl * 3 {
        beat.tick().await;
        later += 1;
        let here = if start.elapsed() < ttl * 3 / 2 { a } else { b };
        assert_eq!(
            publish(here, &signed(1, Kind::Update, "Ann", later)).await,
            204
        );
    }
    let silent = Instant::now();
    assert_eq!(changes.next().await.unwrap().json()["peerId"], id(1));
    let gone = changes.next().await.unwrap();
    assert_eq!((gone.event.as_str(), gone.data), ("gone", id(1)));
    let took = silent.elapsed();
    assert!(
        took > ttl / 2 && took < ttl * 2 + Duration::from_secs(3),
        "{took:?}"
    );
    // Existing clients expire peers that are not repeated, so it was repeated all the time.
    let mut heard = 0;
    loop {
        let event = existing.next().await.unwrap().json();
        assert_eq!(event["peerId"], id(1));
        if event["type"] == "offline" {
            break;
        }
        heard += 1;
    }
    assert!(heard >= 8 + 3, "{heard}");
    for server in servers {
        server.shutdown().await;
    }
}

#[tokio::test]
async fn without_nats_an_instance_continues_alone_and_reports_it() {
    let mut nats = Nats::start().await;
    let ttl = Duration::from_secs(8);
    let servers: [_; 2] = instances(&with_ttl(joined(&nats), ttl)).await;
    let [a, b] = servers.each_ref().map(addr);
    is(a, "ok").await;
    assert_eq!(publish(a, &signed(1, Kind::Online, "Ann", 0)).await, 204);
    let (mut at_b, _) = watch(b).await;
    until("B knows Ann", async || figure(b, "peers").await == 1).await;

    nats.kill().await;
    is(a, "ok, alone: NATS is away").await;
    is(b, "ok, alone: NATS is away").await;
    assert_eq!(figure(b, "cluster_connected").await, 0);
    assert_eq!(get(b, "/healthz").await.status, 200);
    // Each continues with its own peers.
    assert_eq!(publish(b, &signed(2, Kind::Online, "Bob", 0)).await, 204);
    assert_eq!(publish(a, &signed(3, Kind::Online, "Cleo", 0)).await, 204);
    until("what A held is gone from B", async || {
        figure(b, "peers").await <= 1
    })
    .await;

    nats.start_again().await;
    hears(a, 1).await;
    hears(b, 1).await;
    is(b, "ok").await;
    for (server, seed) in [(a, 4), (b, 5)] {
        assert_eq!(
            publish(server, &signed(seed, Kind::Online, "x", 0)).await,
            204
        );
    }
    // Both converge, even for peers that expired in between.
    until("both know the same", async || {
        let (_, mut of_a) = watch(a).await;
        let (_, mut of_b) = watch(b).await;
        of_a.sort();
        of_b.sort();
        of_a == of_b && of_a.contains(&id(4)) && of_a.contains(&id(5))
    })
    .await;
    let mut heard = Vec::new();
    while !heard.contains(&id(4)) {
        let event = at_b.next().await.unwrap();
        if event.event.is_empty() {
            heard.push(event.json()["peerId"].as_str().unwrap().to_owned());
        }
    }
    for server in servers {
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_server_starts_and_stops_without_nats_and_hides_its_password() {
    let nats = Nats::start_with(&["--user", "ann", "--pass", "pa@ss"]).await;
    let at = |login: &str| Config {
        cluster: Some(Address::parse(&format!("nats://{login}{}", nats.host())).unwrap()),
        ..config()
    };
    let [right, wrong, plain] = [
        start(at("ann:pa%40ss@")).await,
        start(at("ann:wrong@")).await,
        // With `tls://` it does not continue without TLS.
        start(Config {
            cluster: Some(Address::parse(&format!("tls://ann:pa%40ss@{}", nats.host())).unwrap()),
            ..config()
        })
        .await,
    ];
    is(addr(&right), "ok").await;
    for alone in [&wrong, &plain] {
        is(addr(alone), "ok, alone: NATS is away").await;
        assert_eq!(
            publish(addr(alone), &signed(1, Kind::Online, "x", 0)).await,
            204
        );
    }
    for server in [right, wrong, plain] {
        let logs = ask(addr(&server), "GET /logs.json", &[BASIC], b"").await;
        assert!(logs.body.contains("Started") && !logs.body.contains("pa@ss"));
        server.shutdown().await;
    }
}

fn frame(from: u128, number: u64, part: Part, lines: &[Vec<u8>]) -> Vec<u8> {
    let header = Header {
        from: Instance(from),
        number,
        part,
        ask: Vec::new(),
    };
    let mut frame = header.encode();
    for line in lines {
        frame.extend_from_slice(line);
        frame.push(b'\n');
    }
    frame
}

async fn say(stranger: &Client, frame: Vec<u8>) {
    stranger.publish(SUBJECT, frame.into()).await.unwrap();
    stranger.flush().await.unwrap();
}

#[tokio::test]
async fn a_missed_frame_is_requested_again() {
    let nats = Nats::start().await;
    let servers: [_; 2] = instances(&joined(&nats)).await;
    let [a, b] = servers.each_ref().map(addr);
    let stranger = nats.stranger().await;
    let mut overheard = stranger.subscribe(SUBJECT).await.unwrap();
    stranger.flush().await.unwrap();
    let (mut at_b, _) = watch(b).await;
    assert_eq!(publish(a, &signed(1, Kind::Online, "Ann", 0)).await, 204);
    at_b.next().await.unwrap();
    // Of any instance: frames between this one and the last seem to be missing.
    let frame = overheard.next().await.unwrap();
    let (mut header, _) = Header::decode(&frame.payload).unwrap();
    header.number += 1000;
    let before =
        figure(a, "cluster_resyncs_total").await + figure(b, "cluster_resyncs_total").await;
    say(&stranger, header.encode()).await;
    until("one of them asks", async || {
        figure(a, "cluster_resyncs_total").await + figure(b, "cluster_resyncs_total").await > before
    })
    .await;
    // Nothing is sent twice because of it, and later frames are received.
    let news = signed(1, Kind::Update, "Anna", 1);
    assert_eq!(publish(a, &news).await, 204);
    assert_eq!(at_b.next().await.unwrap().data, text(&news));
    for server in servers {
        server.shutdown().await;
    }
}

#[tokio::test]
async fn forged_garbled_and_oversized_frames_change_nothing() {
    let nats = Nats::start().await;
    let servers: [_; 2] = instances(&joined(&nats)).await;
    let [a, b] = servers.each_ref().map(addr);
    let (mut at_b, _) = watch(b).await;
    let ann = signed(1, Kind::Online, "Ann", 100);
    assert_eq!(publish(a, &ann).await, 204);
    assert_eq!(at_b.next().await.unwrap().data, text(&ann));
    let before = figure(b, "cluster_refused_total").await;

    let stranger = nats.stranger().await;
    let mut changed = signed(1, Kind::Update, "Ann", 200);
    changed.label = "Mallory".into();
    let stale = signed(1, Kind::Update, "Mallory", -2 * 60 * 60 * 1000);
    let mut earlier = signed(1, Kind::Offline, "Ann", 0);
    earlier.ts = ann.ts - 1;
    earlier.sign(&key(1));
    let peer = key(1).public().to_peer_id();
    let future = Some(ann.ts + 3 * 60 * 60 * 1000);
    let bad = [
        // Unsigned, signed by another, for other content, long ago, or before the newest known.
        message(1, Kind::Update, "Mallory").encode(),
        message(1, Kind::Offline, "Ann").encode(),
        changed.encode(),
        stale.encode(),
        earlier.encode(),
        // From an instance that holds nothing.
        Line::Gone { peer, newest: None }.encode(),
        Line::Gone {
            peer,
            newest: future,
        }
        .encode(),
        b"garbage".to_vec(),
        b"{}".to_vec(),
        b"[\"gone\"]".to_vec(),
        [b"{".to_vec(), vec![b' '; 60_000]].concat(),
    ];
    let whole = frame(1, 1, Part::Whole, &bad);
    say(&stranger, whole.clone()).await;
    say(&stranger, whole).await;
    // Parts out of order, and an end without a beginning.
    say(&stranger, frame(1, 9, Part::News, &bad)).await;
    say(&stranger, frame(2, 5, Part::Last, &bad)).await;
    for garbage in [
        &b""[..],
        b"x",
        b"{}\n",
        b"\xff\xfe\n\n",
        &vec![b' '; MAX_FRAME + 1],
    ] {
        say(&stranger, garbage.to_vec()).await;
    }
    // More instances than there can be.
    for n in 0..200 {
        say(&stranger, frame(1000 + n, 1, Part::News, &[])).await;
    }
    let news = signed(1, Kind::Update, "Anna", 300);
    assert_eq!(publish(a, &news).await, 204);
    assert_eq!(
        at_b.next().await.unwrap().data,
        text(&news),
        "and nothing before it"
    );
    assert!(figure(b, "cluster_refused_total").await >= before + 5);
    assert!(figure(b, "cluster_instances").await <= 64);
    assert_eq!(figure(b, "peers").await, 1);
    for server in servers {
        server.shutdown().await;
    }
}
