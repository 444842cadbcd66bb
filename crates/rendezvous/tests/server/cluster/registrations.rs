//! Registrations that all instances share.

use std::{net::SocketAddr, path::Path, time::Duration};

use goop2_proto::presence::{Kind, Message};
use goop2_rendezvous::{
    registration,
    server::{Config, Server, system_clock},
};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::time::sleep;

use super::{Nats, figure, hears, is, joined, until};
use crate::world::{Answer, BASIC, addr, ask, get, key, message, publish, signed, start};

const ANN: &str = "ann@example.org";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const JSON: &str = "Content-Type: application/json";

/// An instance that shows only registered peers, with its own copy in the folder.
async fn instance(nats: &Nats, folder: &Path) -> Server {
    start(Config {
        registration_required: true,
        registration: Some(registration::Config {
            path: folder.join("peers.db"),
            ..registration::Config::default()
        }),
        ..joined(nats)
    })
    .await
}

async fn three(nats: &Nats) -> ([TempDir; 3], [Server; 3]) {
    let folders = [tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap()];
    let servers = [
        instance(nats, folders[0].path()).await,
        instance(nats, folders[1].path()).await,
        instance(nats, folders[2].path()).await,
    ];
    for server in &servers {
        hears(addr(server), 2).await;
        is(addr(server), "ok").await;
    }
    (folders, servers)
}

fn by(seed: u8, mut message: Message, email: &str) -> Message {
    message.email = email.into();
    if message.sig.is_some() {
        message.sign(&key(seed));
    }
    message
}

/// The peer signs that the address is its own.
async fn register(server: SocketAddr, seed: u8, email: &str) -> Answer {
    let request = goop2_proto::registration::Request {
        email: email.into(),
        peer: key(seed).public().to_peer_id(),
        ts: system_clock(),
    };
    ask(server, "POST /register", &[JSON], &request.sign(&key(seed))).await
}

async fn confirm(server: SocketAddr, token: &str) -> Answer {
    let body = format!("token={}", token.replace('=', "%3D"));
    ask(server, "POST /verify", &[FORM], body.as_bytes()).await
}

/// The tokens in the administrator's log, oldest first.
async fn tokens(server: SocketAddr) -> Vec<String> {
    let logs = ask(server, "GET /logs.json", &[BASIC], b"").await;
    let (_, body) = logs.body.split_once('[').unwrap();
    let links = body.split("/verify?token=").skip(1);
    links
        .map(|link| link[..44].replace("\\u003d", "="))
        .collect()
}

async fn owner(server: SocketAddr, email: &str) -> Option<(String, i64)> {
    let list = ask(server, "GET /registrations.json", &[BASIC], b"")
        .await
        .body;
    let list = &list[list.find(['[', 'n']).unwrap()..=list.rfind([']', 'l']).unwrap()];
    let list: Value = serde_json::from_str(list).unwrap();
    let found = list
        .as_array()?
        .iter()
        .find(|r| r["email"] == email)?
        .clone();
    let metadata: Value = serde_json::from_str(found["metadata"].as_str()?).unwrap();
    let peer = metadata["peer_id"].as_str().unwrap_or_default();
    Some((peer.to_owned(), found["verified_at"].as_i64()?))
}

fn id(seed: u8) -> String {
    key(seed).public().to_peer_id().to_base58()
}

/// Publishes until it is seen there.
async fn is_seen(publisher: SocketAddr, at: SocketAddr, seed: u8, email: &str) {
    until("the peer is seen", async || {
        let beat = by(seed, signed(seed, Kind::Update, "x", 0), email);
        assert_eq!(publish(publisher, &beat).await, 204);
        let seen = figure(at, "peers").await == 1;
        if !seen {
            // One publishes sixty times a minute at most.
            sleep(Duration::from_secs(1)).await;
        }
        seen
    })
    .await;
}

#[tokio::test]
async fn a_registration_at_one_counts_at_all_even_without_nats() {
    let mut nats = Nats::start().await;
    let (folders, servers) = three(&nats).await;
    let [a, b, c] = servers.each_ref().map(addr);
    assert_eq!(register(a, 1, ANN).await.status, 202);
    let token = tokens(a).await.remove(0);
    // The link works at any of them, and its token is stored nowhere.
    let path = format!("/verify?token={}", token.replace('=', "%3D"));
    until("B knows the link", async || {
        get(b, &path).await.status == 200
    })
    .await;
    assert_eq!(confirm(b, &token).await.status, 200);
    until("C knows the owner", async || {
        owner(c, ANN)
            .await
            .is_some_and(|(peer, at)| peer == id(1) && at > 0)
    })
    .await;
    for used in [a, b, c] {
        until("the link is spent", async || {
            confirm(used, &token).await.status == 400
        })
        .await;
    }
    assert_eq!(register(c, 1, ANN).await.status, 409, "it is verified");
    is_seen(c, a, 1, ANN).await;
    // Nobody else has it, anywhere.
    publish(a, &by(2, signed(2, Kind::Update, "x", 0), ANN)).await;
    publish(b, &by(1, message(1, Kind::Update, "x"), ANN)).await;
    assert_eq!(figure(a, "peers").await, 1);

    nats.kill().await;
    for (server, path) in [(a, "POST /register"), (b, "POST /register")] {
        is(server, "ok, alone: NATS is away").await;
        let asked = ask(server, path, &[FORM], b"email=bob@example.org").await;
        assert_eq!(asked.status, 503);
        assert!(asked.body.contains("Nothing was changed"), "{}", asked.body);
    }
    let asked = register(c, 3, "cleo@example.org").await;
    assert_eq!(asked.status, 503);
    assert!(asked.body.contains(r#""ok":false"#));
    let [first, second, third] = servers;
    for server in [first, second, third] {
        server.shutdown().await;
    }
    // Restarted without NATS, it still knows its registrations.
    let alone = instance(&nats, folders[2].path()).await;
    is_seen(addr(&alone), addr(&alone), 1, ANN).await;
    assert_eq!(figure(addr(&alone), "registrations_changeable").await, 0);

    // And shares it again with one that lost everything.
    nats.start_again().await;
    let empty = tempdir().unwrap();
    let new = instance(&nats, empty.path()).await;
    is(addr(&alone), "ok").await;
    until("the new one knows the owner", async || {
        owner(addr(&new), ANN)
            .await
            .is_some_and(|(peer, _)| peer == id(1))
    })
    .await;
    let removed = format!(r#"{{"email":"{ANN}"}}"#);
    let headers = [BASIC, "Goop2-Admin: 1", JSON];
    let removed = ask(
        addr(&new),
        "POST /admin/unregister",
        &headers,
        removed.as_bytes(),
    )
    .await;
    assert_eq!(removed.status, 204);
    until("removed everywhere", async || {
        owner(addr(&alone), ANN).await.is_none()
    })
    .await;
    alone.shutdown().await;
    new.shutdown().await;
    // What was removed while an instance was down is removed there too.
    let back = instance(&nats, folders[0].path()).await;
    is(addr(&back), "ok").await;
    assert_eq!(owner(addr(&back), ANN).await, None);
    back.shutdown().await;
}

#[tokio::test]
async fn two_concurrent_instances_give_an_address_to_one_peer() {
    let nats = Nats::start().await;
    let (_folders, servers) = three(&nats).await;
    let [a, b, c] = servers.each_ref().map(addr);
    for round in 0..5_u8 {
        let email = format!("round{round}@example.org");
        let (one, two) = (10 + round, 20 + round);
        let (asked, too) = tokio::join!(register(a, one, &email), register(b, two, &email));
        assert_eq!((asked.status, too.status), (202, 202));
        let (of_one, of_two) = (tokens(a).await, tokens(b).await);
        let (of_one, of_two) = (of_one.last().unwrap(), of_two.last().unwrap());
        let (first, second) = tokio::join!(confirm(a, of_one), confirm(b, of_two));
        let won = [first.status, second.status].map(|status| status == 200);
        assert_ne!(won[0], won[1], "{} {}", first.status, second.status);
        let winner = if won[0] { id(one) } else { id(two) };
        for server in [a, b, c] {
            until("all agree", async || {
                owner(server, &email)
                    .await
                    .is_some_and(|(peer, at)| peer == winner && at > 0)
            })
            .await;
        }
    }
    // Without a signature the first peer that publishes gets it, and only one is first.
    assert_eq!(
        ask(a, "POST /register", &[FORM], b"email=old@example.org")
            .await
            .status,
        200
    );
    let token = tokens(a).await.pop().unwrap();
    assert_eq!(confirm(a, &token).await.status, 200);
    let old = "old@example.org";
    for server in [a, b, c] {
        until("all know it", async || {
            owner(server, old).await.is_some_and(|(_, at)| at > 0)
        })
        .await;
    }
    let claims = [(a, 31), (b, 32), (c, 33)].map(|(server, seed)| async move {
        let claim = by(seed, message(seed, Kind::Update, "x"), old);
        publish(server, &claim).await
    });
    futures::future::join_all(claims).await;
    until("somebody has it", async || {
        owner(b, old)
            .await
            .is_some_and(|(peer, _)| !peer.is_empty())
    })
    .await;
    let (winner, _) = owner(b, old).await.unwrap();
    for server in [a, c] {
        until("all agree", async || {
            owner(server, old)
                .await
                .is_some_and(|(peer, _)| peer == winner)
        })
        .await;
    }
    for server in servers {
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_joining_instance_adds_its_registrations_and_ignores_foreign_values() {
    let nats = Nats::start().await;
    let folder = tempdir().unwrap();
    // Alone for a while, as a server without others.
    let alone = start(Config {
        cluster: None,
        registration_required: true,
        registration: Some(registration::Config {
            path: folder.path().join("peers.db"),
            ..registration::Config::default()
        }),
        ..joined(&nats)
    })
    .await;
    assert_eq!(register(addr(&alone), 1, ANN).await.status, 202);
    let token = tokens(addr(&alone)).await.remove(0);
    assert_eq!(confirm(addr(&alone), &token).await.status, 200);
    assert_eq!(
        register(addr(&alone), 2, "bob@example.org").await.status,
        202
    );
    let under_way = tokens(addr(&alone)).await.remove(1);
    alone.shutdown().await;

    let old = instance(&nats, folder.path()).await;
    is(addr(&old), "ok").await;
    let stranger = async_nats::jetstream::new(nats.stranger().await);
    let bucket = stranger.get_key_value("goop2-registrations").await.unwrap();
    for (key, value) in [
        ("garbage", "garbage"),
        (
            "mfxg4",
            r#"{"email":"eve@example.org","created_at":1,"verified_at":1,"metadata":{}}"#,
        ),
        ("..", ""),
        ("me", "{}"),
    ] {
        let _not_every_key_is_one = bucket.put(key, value.into()).await;
    }
    let other = tempdir().unwrap();
    let new = instance(&nats, other.path()).await;
    is(addr(&new), "ok").await;
    assert_eq!(owner(addr(&new), ANN).await.unwrap().0, id(1));
    assert_eq!(owner(addr(&new), "eve@example.org").await, None);
    assert_eq!(confirm(addr(&new), &under_way).await.status, 200);
    assert_eq!(owner(addr(&new), "bob@example.org").await.unwrap().0, id(2));
    old.shutdown().await;
    new.shutdown().await;
}
