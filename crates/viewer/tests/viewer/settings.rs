//! What the user changes in a browser, and requests that a site's page was denied.

use goop2_peer::{api::LogLevel, log};
use serde_json::{Value, json};

use crate::world::{World, patient};

#[tokio::test]
async fn settings_are_read_changed_and_rejected_with_the_reason() {
    let world = World::start().await;
    let (status, settings) = world.ask("GET", "/api/settings", Value::Null).await;
    assert_eq!((status, &settings["label"]), (200, &json!("Visitor")));
    let (status, settings) = world
        .ask(
            "POST",
            "/api/settings",
            json!({ "profile.label": "Renamed" }),
        )
        .await;
    assert_eq!(
        (status, &settings["label"], &settings["restarting"]),
        (200, &json!("Renamed"), &json!(false))
    );
    let refused = world
        .ask("POST", "/api/settings", json!({ "p2p.listen_port": "x" }))
        .await;
    let message = "p2p.listen_port is \"x\", but must be a port from 0 to 65535 (0: any free one)";
    assert_eq!(
        refused,
        (400, json!({ "code": "setting", "message": message }))
    );

    let text = settings["text"].as_str().unwrap();
    let wrong = json!({ "before": "{}", "text": "{}" });
    assert_eq!(world.ask("PUT", "/api/settings", wrong).await.0, 400);
    let right = json!({ "before": text, "text": text.replace("Renamed", "By hand") });
    let (status, settings) = world.ask("PUT", "/api/settings", right).await;
    assert_eq!((status, &settings["label"]), (200, &json!("By hand")));
    let without_token = world.get(&world.control(), "/api/settings", &[]).await;
    assert_eq!(without_token.status, 401);
    world.end().await;
}

#[tokio::test]
async fn a_picture_is_set_shown_and_removed() {
    let world = World::start().await;
    let token = world.token();
    let headers = [("Authorization", token.as_str())];
    let drawing = world
        .send("PUT", &world.control(), "/api/avatar", &headers, "<svg>")
        .await;
    assert_eq!(drawing.status, 400);
    let hash = patient(
        world
            .visitor
            .set_avatar(Some(b"\x89PNG\r\n\x1a\n...".as_slice().into())),
    )
    .await
    .unwrap();
    assert_eq!(hash.len(), 16);
    let shown = world.get(&world.control(), "/api/avatar", &headers).await;
    assert_eq!(shown.header("content-type"), "image/png");
    let gone = world
        .send("DELETE", &world.control(), "/api/avatar", &headers, "")
        .await;
    assert_eq!((gone.status, gone.text().as_str()), (200, "\"\""));
    let drawn = world.get(&world.control(), "/api/avatar", &headers).await;
    assert_eq!(drawn.header("content-type"), "image/svg+xml");
    world.end().await;
}

#[tokio::test]
async fn the_user_notes_something_about_a_peer() {
    let world = World::start().await;
    world.introduced().await;
    let owner = world.owner.id().to_base58();
    let note = |note: Value| json!({ "peer": owner, "note": note });
    let allow = note(json!({ "sees_peers": true, "name": "Next door", "favourite": true }));
    assert_eq!(
        world.ask("POST", "/api/peer/note", allow).await,
        (200, Value::Null)
    );
    let (_, details) = world
        .ask("POST", "/api/peer/details", json!({ "peer": owner }))
        .await;
    assert_eq!(
        (&details["sees_peers"], &details["link"]),
        (&json!(true), &json!(format!("goop://{owner}/")))
    );
    let mut snapshot = world.visitor.snapshot();
    let noted =
        patient(snapshot.wait_for(|snapshot| snapshot.peers.iter().any(|card| card.favourite)))
            .await;
    assert_eq!(noted.unwrap().peers[0].name, "Next door");

    for wrong in [
        json!({ "peer": "x", "note": {} }),
        json!({ "peer": owner, "note": { "rating": 5 } }),
        note(json!({ "name": "x".repeat(300) })),
    ] {
        assert_eq!(world.ask("POST", "/api/peer/note", wrong).await.0, 400);
    }
    world.end().await;
}

#[tokio::test]
async fn a_site_sees_who_is_online_once_its_visitor_allows_it() {
    let world = World::start().await;
    world.introduced().await;
    let (owner, visitor) = (world.owner.id().to_base58(), world.visitor.id().to_base58());
    let stranger = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    // A site of someone else sees only the visitor; once allowed, the owner too.
    let site = format!(
        "{}.localhost:{}",
        goop2_proto::id::to_label(&stranger.parse().unwrap()),
        world.port()
    );
    let seen = async || {
        let peers: Value =
            serde_json::from_str(&world.get(&site, "/api/peers", &[]).await.text()).unwrap();
        let ids = peers.as_array().unwrap().iter();
        ids.map(|peer| peer["ID"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(seen().await, [visitor.as_str()]);
    let allow = json!({ "peer": stranger, "note": { "sees_peers": true } });
    assert_eq!(world.ask("POST", "/api/peer/note", allow).await.0, 200);
    assert_eq!(seen().await, [owner.as_str(), visitor.as_str()]);
    world.end().await;
}

#[tokio::test]
async fn denied_requests_of_a_page_are_reported_to_the_window() {
    let world = World::start().await;
    let site = world.site(&world.owner);
    let mut denied = world.viewer.denied();
    let page = world
        .get(&site, &format!("/p/{}/", world.owner.id()), &[])
        .await;
    assert!(
        page.header("content-security-policy")
            .ends_with("report-uri /api/denied")
    );
    let report = json!({ "csp-report": {
        "document-uri": "http://x/", "effective-directive": "img-src", "violated-directive": "img-src",
        "blocked-uri": "http://192.168.1.1/secret?x",
    } });
    let own = format!("http://{site}");
    let headers = [
        ("Origin", own.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
        ("Content-Type", "application/csp-report"),
    ];
    let answer = world
        .send("POST", &site, "/api/denied", &headers, &report.to_string())
        .await;
    assert_eq!(answer.status, 204);
    let denial = patient(denied.recv()).await.unwrap();
    assert_eq!(
        (denial.peer, denial.kind.as_str(), denial.target.as_str()),
        (
            world.owner.id().to_base58(),
            "img-src",
            "http://192.168.1.1"
        )
    );
    world.end().await;
}

#[tokio::test]
async fn only_pages_of_a_site_report_denied_requests() {
    let world = World::start().await;
    let site = world.site(&world.owner);
    let report = json!({ "csp-report": {
        "document-uri": "http://x/", "effective-directive": "img-src", "violated-directive": "img-src",
        "blocked-uri": "http://192.168.1.1/secret?x",
    } });
    let own = format!("http://{site}");
    let headers = [
        ("Origin", own.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
        ("Content-Type", "application/csp-report"),
    ];
    let nonsense = world
        .send("POST", &site, "/api/denied", &headers, "{}")
        .await;
    assert_eq!(nonsense.status, 400);
    let foreign = [("Origin", "http://evil.example")];
    let answer = world
        .send("POST", &site, "/api/denied", &foreign, &report.to_string())
        .await;
    assert_eq!(answer.status, 403);
    let control = world
        .send(
            "POST",
            &world.control(),
            "/api/denied",
            &[],
            &report.to_string(),
        )
        .await;
    assert_eq!(control.status, 401, "only sites have it");
    world.end().await;
}

#[tokio::test]
async fn the_log_is_read_from_a_line_on() {
    let world = World::start().await;
    log::add(LogLevel::Warn, "goop2_test", "the first".into());
    let (_, lines) = world.ask("GET", "/api/logs", Value::Null).await;
    let line = lines
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["text"] == "the first")
        .unwrap()
        .clone();
    assert_eq!(
        (&line["level"], &line["target"]),
        (&json!("warn"), &json!("goop2_test"))
    );
    log::add(LogLevel::Info, "goop2_test", "the second".into());
    let next = line["seq"].as_u64().unwrap() + 1;
    let (_, lines) = world
        .ask("GET", &format!("/api/logs?since={next}"), Value::Null)
        .await;
    assert_eq!(lines[0]["text"], "the second");
    let wrong = world.ask("GET", "/api/logs?since=x", Value::Null).await;
    assert_eq!(wrong.0, 400);
    world.end().await;
}
