//! Registration as people, peers and mail scanners use it.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

#[cfg(target_os = "linux")]
mod mail;
mod world;

use std::sync::atomic::Ordering;

use goop2_rendezvous::{
    client::{Event, Registration},
    registration,
    server::{Config, Error, Server, system_clock},
};
use tempfile::tempdir;
use tokio::time::timeout;
use world::{
    ANN, LATER, as_admin, get, id, join, key, logged_links, moved_clock, operate, post, presence,
    publish_signed, publish_unsigned, published, register, seen, signed, start, start_at, token,
    url,
};

#[tokio::test]
async fn an_unregistered_peer_is_invisible_until_its_link_is_confirmed() {
    let folder = tempdir().unwrap();
    let server = start(&folder, |_| {}).await;
    let (_watcher, mut events) = join(&server, 9);
    let (ann, _) = join(&server, 1);
    ann.publish(presence(1, ANN));
    assert!(
        register(&server, 1, "Ann@Example.org")
            .await
            .unwrap()
            .contains("administrator has your link")
    );

    let mut state = ann.state();
    let required = state.wait_for(|state| state.registration == Some(Registration::Required));
    timeout(world::LONG, required).await.unwrap().unwrap();
    let link = logged_links(&server).await.remove(0);
    assert!(
        link.starts_with(&format!("{}/verify?token=", url(&server))),
        "{link}"
    );
    let path = format!("/verify?token={}", token(&link));
    for _scanner in 0..3 {
        let page = get(&server, &path).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(&id(1).to_base58()) && page.text.contains("Ann@Example.org"));
    }
    assert_eq!(as_admin(&server, "/peers.json").await.text, "[]\n");

    let page = post(&server, "/verify", &[("token", token(&link))]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(seen(&mut events).await, (id(1), true));
    let registered = state.wait_for(|state| state.registration == Some(Registration::Registered));
    timeout(world::LONG, registered).await.unwrap().unwrap();
    // Another peer cannot use the address, signed or not, nor its own peer without a signature.
    publish_unsigned(&server, 2, ANN).await;
    publish_unsigned(&server, 1, ANN).await;
    publish_signed(&server, 3, ANN).await;
    let peers = as_admin(&server, "/peers.json").await.text;
    assert!(
        peers.contains(&id(1).to_base58())
            && !peers.contains(&id(2).to_base58())
            && !peers.contains(&id(3).to_base58())
    );

    ann.shutdown().await;
    let mut left = false;
    while !left {
        let event = timeout(world::LONG, events.recv()).await.unwrap().unwrap();
        left = matches!(event, Event::Presence { presence, .. } if presence.kind == goop2_proto::presence::Kind::Offline);
    }
}

#[tokio::test]
async fn a_token_works_once_on_its_own_server_within_a_day() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let server = start_at(&folder, |_| {}, moved_clock).await;
    let other = start(&elsewhere, |_| {}).await;
    for (path, status, text) in [
        ("/verify", 400, "missing token\n"),
        ("/verify?token=", 400, "missing token\n"),
        ("/verify?token=x", 400, "invalid or expired token\n"),
    ] {
        let answer = get(&server, path).await;
        assert_eq!((answer.status, &*answer.text), (status, text), "{path}");
    }
    assert!(
        post(&server, "/register", &[("email", ANN)])
            .await
            .text
            .contains("administrator has your link")
    );
    assert!(
        post(&other, "/register", &[("email", ANN)])
            .await
            .text
            .contains("administrator has your link")
    );
    let link = logged_links(&server).await.remove(0);
    let foreign = logged_links(&other).await.remove(0);
    let good = token(&link).to_owned();
    // The second to last character is one of sixteen.
    let guessed = format!(
        "{}{}=",
        &good[..42],
        if good.ends_with("A=") { 'E' } else { 'A' }
    );
    for bad in [
        "",
        "x",
        &guessed,
        token(&foreign),
        &good.to_lowercase(),
        &"x".repeat(5000),
    ] {
        let answer = post(&server, "/verify", &[("token", bad)]).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    LATER.store(24 * 60 * 60 * 1000, Ordering::Relaxed);
    assert_eq!(
        post(&server, "/verify", &[("token", &good)]).await.status,
        400,
        "expired"
    );
    LATER.store(0, Ordering::Relaxed);
    assert_eq!(
        post(&server, "/verify", &[("token", &good)]).await.status,
        200
    );
    let reused = post(&server, "/verify", &[("token", &good)]).await;
    assert_eq!(
        (reused.status, &*reused.text),
        (400, "invalid or expired token\n")
    );
}

#[tokio::test]
async fn the_form_shows_problems_and_mail_is_limited() {
    let folder = tempdir().unwrap();
    let server = start(&folder, |config| {
        config.external_url = "https://goop.example.org/".into()
    })
    .await;
    assert!(
        get(&server, "/register")
            .await
            .text
            .contains("action=\"register\"")
    );
    for (email, words) in [
        ("", "Enter an email"),
        ("<b>", "isn’t a valid"),
        ("a@b.c\nBcc: x@y.z", "isn’t a valid"),
    ] {
        let answer = post(&server, "/register", &[("email", email)]).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.text.contains(words) && answer.text.contains("role=\"alert\""),
            "{}",
            answer.text
        );
    }
    for _ in 0..3 {
        assert_eq!(
            post(&server, "/register", &[("email", ANN)]).await.status,
            200
        );
    }
    let much = post(&server, "/register", &[("email", ANN)]).await;
    assert_eq!((much.status, much.retry_after), (429, true));
    let links = logged_links(&server).await;
    assert!(
        links
            .iter()
            .all(|link| link.starts_with("https://goop.example.org/verify?token="))
    );
    // The first link is as valid as the last: a new request does not invalidate it.
    assert_eq!(
        post(&server, "/verify", &[("token", token(&links[2]))])
            .await
            .status,
        200
    );
    assert_eq!(
        post(&server, "/verify", &[("token", token(&links[0]))])
            .await
            .status,
        400
    );
}

/// Whether somebody is registered here is nobody's business.
#[tokio::test]
async fn a_registered_address_is_answered_like_any_other() {
    let folder = tempdir().unwrap();
    let server = start(&folder, |_| {}).await;
    register(&server, 1, ANN).await.unwrap();
    let link = logged_links(&server).await.remove(0);
    let confirmed = post(&server, "/verify", &[("token", token(&link))]).await;
    assert_eq!(confirmed.status, 200);

    let known = post(&server, "/register", &[("email", "ANN@example.org")]).await;
    let unknown = post(&server, "/register", &[("email", "bob@example.org")]).await;
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    // By an app, another peer's address; its own peer may know.
    let known = register(&server, 2, ANN).await;
    assert_eq!(known, register(&server, 2, "eve@example.org").await);
    let own = register(&server, 1, ANN).await.unwrap_err();
    assert!(own.contains("already registered"), "{own}");
    // What anyone asked for is a link like any other, and takes the address from nobody.
    let link = logged_links(&server).await.remove(3);
    let page = get(&server, &format!("/verify?token={}", token(&link))).await;
    assert!(page.text.contains(&id(1).to_base58()), "{}", page.text);
}

#[tokio::test]
async fn an_existing_peer_gets_the_address_it_publishes_first_and_keeps_it_over_a_restart() {
    let folder = tempdir().unwrap();
    let server = start(&folder, |_| {}).await;
    post(&server, "/register", &[("email", ANN)]).await;
    let link = logged_links(&server).await.remove(0);
    post(&server, "/verify", &[("token", token(&link))]).await;
    publish_unsigned(&server, 1, ANN).await;
    publish_unsigned(&server, 2, ANN).await;
    let one = as_admin(&server, "/peers.json").await.text;
    assert!(
        one.contains(&id(1).to_base58()) && !one.contains(&id(2).to_base58()),
        "{one}"
    );
    server.shutdown().await;

    let server = start(&folder, |_| {}).await;
    publish_unsigned(&server, 2, ANN).await;
    assert_eq!(as_admin(&server, "/peers.json").await.text, "[]\n");
    publish_unsigned(&server, 1, ANN).await;
    assert!(
        as_admin(&server, "/peers.json")
            .await
            .text
            .contains(&id(1).to_base58())
    );
    let listed = as_admin(&server, "/registrations.json").await.text;
    assert!(
        listed.starts_with("[{\"email\":\"ann@example.org\",\"created_at\":")
            && listed.contains("\"metadata\":\"{"),
        "{listed}"
    );

    let request = reqwest::Client::new()
        .post(format!("{}/admin/unregister", url(&server)))
        .basic_auth("admin", Some(world::PASSWORD))
        .header("Goop2-Admin", "1")
        .json(&serde_json::json!({"email": ANN}));
    assert_eq!(world::answer(request).await.status, 204);
    assert_eq!(as_admin(&server, "/registrations.json").await.text, "null");
}

#[tokio::test]
async fn a_block_survives_a_restart() {
    let folder = tempdir().unwrap();
    let open = |config: &mut Config| config.registration_required = false;
    let server = start(&folder, open).await;
    publish_signed(&server, 1, "").await;
    assert_eq!(operate(&server, "block", id(1)).await, 204);
    server.shutdown().await;

    let server = start(&folder, open).await;
    let state = as_admin(&server, "/admin/state.json").await.text;
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["blocked"], serde_json::json!([id(1).to_base58()]));
    assert_eq!(state["blocks_stay"], true);
    assert_eq!(published(&server, &signed(1, "")).await, 403);
    assert_eq!(operate(&server, "unblock", id(1)).await, 204);
    server.shutdown().await;

    let server = start(&folder, open).await;
    publish_signed(&server, 1, "").await;
}

#[tokio::test]
async fn an_app_must_sign_its_request() {
    let folder = tempdir().unwrap();
    let server = start(&folder, |_| {}).await;
    let ask = async |body: Vec<u8>| {
        let request = reqwest::Client::new().post(format!("{}/register", url(&server)));
        world::answer(
            request
                .header("Content-Type", "application/json")
                .body(body),
        )
        .await
    };
    let request = |ts| goop2_proto::registration::Request {
        email: ANN.into(),
        peer: id(1),
        ts,
    };
    let now = system_clock();
    let forged = ask(request(now).sign(&key(2))).await;
    assert_eq!(
        (
            forged.status,
            forged.text.contains("isn’t signed by the peer")
        ),
        (400, true)
    );
    assert_eq!(
        ask(request(now - 3_700_000).sign(&key(1))).await.status,
        400
    );
    assert_eq!(ask(b"{}".to_vec()).await.status, 400);
    assert_eq!(ask(request(now).sign(&key(1))).await.status, 202);
}

#[tokio::test]
async fn a_server_without_its_registrations_does_not_start() {
    let folder = tempdir().unwrap();
    let config = |path: std::path::PathBuf| Config {
        bind: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        port: 0,
        registration_required: true,
        registration: Some(registration::Config {
            path,
            ..registration::Config::default()
        }),
        ..Config::default()
    };
    let path = folder.path().join("peers.db");
    std::fs::write(&path, "something else").unwrap();
    let error = Server::bind(config(path), system_clock).await.unwrap_err();
    assert!(matches!(error, Error::Registration(_)), "{error}");
    let nowhere = Config {
        registration: None,
        ..config(folder.path().into())
    };
    assert!(matches!(
        Server::bind(nowhere, system_clock).await.unwrap_err(),
        Error::NoDatabase
    ));
}
