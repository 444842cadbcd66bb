//! The API of the UI in a browser, and what a site may know.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpStream,
};

use crate::world::{World, patient};

#[tokio::test]
async fn the_ui_gets_its_session_and_the_state() {
    let world = World::start().await;
    let visitor = world.visitor.id().to_base58();
    let (_, session) = world.ask("GET", "/api/session", Value::Null).await;
    assert_eq!(
        (&session["peer"], &session["viewer_port"]),
        (&json!(visitor), &json!(world.port()))
    );
    let (_, snapshot) = world.ask("GET", "/api/snapshot", Value::Null).await;
    assert_eq!(
        (&snapshot["me"]["id"], &snapshot["me"]["label"]),
        (&json!(visitor), &json!("Visitor"))
    );
    world.end().await;
}

#[tokio::test]
async fn addresses_are_looked_up_and_remembered() {
    let world = World::start().await;
    let owner = world.owner.id().to_base58();
    let place = world
        .ask(
            "POST",
            "/api/place",
            json!({ "text": format!("goop://{owner}/a?b#c") }),
        )
        .await;
    assert_eq!(place, (200, json!({ "peer": owner, "path": "/a?b#c" })));
    let (status, failure) = world
        .ask("POST", "/api/place", json!({ "text": "nonsense" }))
        .await;
    assert_eq!((status, &failure["code"]), (400, &json!("invalid")));
    assert!(
        failure["message"]
            .as_str()
            .is_some_and(|text| text.contains("goop://"))
    );
    let (status, failure) = world.ask("POST", "/api/place", json!({ "words": 1 })).await;
    assert_eq!((status, &failure["code"]), (400, &json!("invalid")));
    let address = format!("/ip4/127.0.0.1/tcp/1/p2p/{owner}");
    assert_eq!(
        world
            .ask("POST", "/api/address", json!({ "address": address }))
            .await,
        (200, json!({ "peer": owner }))
    );
    assert_eq!(
        world
            .ask("POST", "/api/address", json!({ "address": "x" }))
            .await
            .0,
        400
    );
    world.end().await;
}

#[tokio::test]
async fn rendezvous_requests_are_json() {
    let world = World::start().await;
    let wan = || world.visitor.config().presence.rendezvous_wan;
    let url = rendezvous();
    let pasted = format!("  {url}/register/ ");
    for path in ["/api/rendezvous/check", "/api/rendezvous/join"] {
        let text = json!({ "text": pasted });
        assert_eq!(
            world.ask("POST", path, text).await,
            (200, json!({ "url": url }))
        );
        let (status, failure) = world.ask("POST", path, json!({ "text": "ftp://x" })).await;
        assert_eq!((status, &failure["code"]), (400, &json!("invalid")));
    }
    assert_eq!(wan(), url);
    let left = world
        .ask("POST", "/api/rendezvous/leave", json!({ "url": url }))
        .await;
    assert_eq!((left, wan()), ((200, Value::Null), String::new()));
    let email = json!({ "url": url, "email": "ann" });
    let (status, failure) = world.ask("POST", "/api/rendezvous/register", email).await;
    assert_eq!(
        (status, &failure["message"]),
        (400, &json!("That isn't an email address."))
    );
    let host = |port| json!({ "on": true, "port": port, "bind": "127.0.0.1", "relay_port": 0 });
    for port in [json!(0), json!("8787"), json!(70_000)] {
        let (status, _) = world.ask("POST", "/api/rendezvous/host", host(port)).await;
        assert_eq!(status, 400);
    }
    let none = json!({ "password": "" });
    assert_eq!(
        world
            .ask("GET", "/api/rendezvous/password", Value::Null)
            .await,
        (200, none)
    );
    world.end().await;
}

/// As much of a rendezvous as joining one needs, until the process ends: its URL.
fn rendezvous() -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let _read = stream.read(&mut [0; 4096]);
            let _written = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
            );
        }
    });
    url
}

#[tokio::test]
async fn a_text_becomes_a_qr_code() {
    let world = World::start().await;
    let (_, qr) = world
        .ask("POST", "/api/qr", json!({ "text": "http://127.0.0.1:1" }))
        .await;
    assert_eq!(qr["size"], json!(33));
    world.end().await;
}

#[tokio::test]
async fn network_requests_are_json() {
    let world = World::start().await;
    let (_, report) = world
        .ask("POST", "/api/network/report", json!({ "redacted": true }))
        .await;
    assert!(
        report["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("Goop2 ")),
        "{report}"
    );
    let tested = world.ask("POST", "/api/network/test", json!({})).await;
    assert_eq!(tested, (200, Value::Null));
    let owner = world.owner.id().to_base58();
    let (_, reach) = world
        .ask("POST", "/api/network/reach", json!({ "peer": owner }))
        .await;
    assert_eq!(reach["id"], json!(owner));
    let nobody = world
        .ask("POST", "/api/network/reach", json!({ "peer": "x" }))
        .await;
    assert_eq!(nobody.0, 400);
    world.end().await;
}

#[tokio::test]
async fn a_site_knows_its_owner_and_its_visitor() {
    let world = World::start().await;
    world.introduced().await;
    let (site, owner, visitor) = (
        world.site(&world.owner),
        world.owner.id().to_base58(),
        world.visitor.id().to_base58(),
    );
    let me = world.get(&site, "/api/self", &[]).await;
    assert_eq!(
        me.text(),
        format!(r#"{{"avatar_hash":"","email":"","id":"{visitor}","label":"Visitor"}}"#)
    );
    let peers: Value =
        serde_json::from_str(&world.get(&site, "/api/peers", &[]).await.text()).unwrap();
    let known: Vec<_> = peers
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| (&peer["ID"], &peer["Content"], &peer["VideoDisabled"]))
        .collect();
    assert_eq!(
        known,
        [
            (&json!(owner), &json!("Owner"), &json!(false)),
            (&json!(visitor), &json!("Visitor"), &json!(false))
        ]
    );
    assert!(
        peers[0]["LastSeen"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z') && at.contains('T'))
    );
    world.end().await;
}

#[tokio::test]
async fn a_site_sends_lines_for_the_log() {
    let world = World::start().await;
    let site = world.site(&world.owner);
    let log = world
        .send(
            "POST",
            &site,
            "/api/logs/client",
            &[],
            r#"{"level":"info","source":"x","message":"y"}"#,
        )
        .await;
    assert_eq!(log.status, 204);
    world.end().await;
}

#[tokio::test]
async fn a_site_sees_the_pictures_of_its_owner_and_its_visitor() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let nobody = goop2_proto::PeerId::random();
    for (path, status) in [
        (format!("/api/avatar/peer/{owner}"), 200),
        ("/api/avatar".into(), 200),
        (format!("/api/avatar/peer/{nobody}"), 404),
    ] {
        let answer = world.get(&site, &path, &[]).await;
        assert_eq!(answer.status, status, "{path}");
        if status == 200 {
            assert_eq!(
                (
                    answer.header("content-type"),
                    answer.text().starts_with("<svg")
                ),
                ("image/svg+xml", true)
            );
            assert_eq!(
                answer.header("content-security-policy"),
                "default-src 'none'; sandbox"
            );
        }
    }
    world.end().await;
}

#[tokio::test]
async fn event_streams_begin_with_the_whole_state_and_continue_with_changes() {
    let world = World::start().await;
    world.introduced().await;
    let owner = world.owner.id().to_base58();
    let mut events = Events::open(&world, "/api/events").await;
    let snapshot = events.next("snapshot").await;
    assert_eq!(snapshot["me"]["label"], "Visitor");
    let frame = &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")];
    world
        .get(&world.site(&world.owner), &format!("/p/{owner}/"), frame)
        .await;
    assert_eq!(
        events.next("navigated").await,
        json!({ "place": { "peer": owner, "path": "/" }, "status": null, "title": null })
    );
    assert_eq!(events.next("navigated").await["status"], 200);
    world.end().await;
}

#[tokio::test]
async fn the_stream_of_peers_begins_with_all_and_continues_with_changes() {
    let world = World::start().await;
    world.introduced().await;
    let owner = world.owner.id().to_base58();
    let mut peers = Events::open(&world, "/api/peers/events").await;
    let snapshot = peers.next("snapshot").await;
    assert_eq!(
        (&snapshot["type"], &snapshot["peers"][0]["ID"]),
        (&json!("snapshot"), &json!(owner))
    );
    world
        .owner
        .update_config(|config| config.profile.label = "Renamed".into())
        .await
        .unwrap();
    let update = loop {
        let update = peers.next("update").await;
        if update["peer"]["Content"] == "Renamed" {
            break update;
        }
    };
    assert_eq!(
        (&update["type"], &update["peer_id"], &update["peer"]["ID"]),
        (&json!("update"), &json!(owner), &Value::Null)
    );
    world.owner.shutdown().await;
    assert_eq!(
        peers.next("remove").await,
        json!({ "type": "remove", "peer_id": owner })
    );
    world.end().await;
}

struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    async fn open(world: &World, path: &str) -> Self {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n",
            world.control(),
            world.token()
        );
        Self(BufReader::new(world.connect(&request).await).lines())
    }

    /// The data of the next event with this name.
    async fn next(&mut self, name: &str) -> Value {
        let mut named = false;
        loop {
            let line = patient(self.0.next_line())
                .await
                .unwrap()
                .expect("the stream continues");
            match line.strip_prefix("data: ") {
                Some(data) if named => return serde_json::from_str(data).unwrap(),
                _ => {
                    named = line
                        .strip_prefix("event: ")
                        .map_or(named, |event| event == name)
                }
            }
        }
    }
}
