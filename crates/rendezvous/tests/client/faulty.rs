//! Servers that refuse, fail, hang, or are none.

use std::time::Duration;

use goop2_proto::presence::{Kind, Presence};
use goop2_rendezvous::client::{Event, Link, State};
use tokio::time::Instant;

use crate::{
    LONG, client, client_at, client_that_waits, id, key, next, ours, port, script::Server, signed,
    state,
};

#[tokio::test]
async fn oversized_and_invalid_events_are_skipped() {
    let mut server = Server::start().await;
    let (_client, mut events) = client(&server);
    let mut stream = server.expect("GET /events").await.stream("").await;
    stream
        .write(&format!("data: {}\n\n", "x".repeat(1024 * 1024)))
        .await;
    stream
        .write("data: nonsense\n\ndata: {}\n\ndata: [[[[\n\nevent: other\ndata: x\n\n\u{fffd}\n\n")
        .await;
    stream
        .write(&format!("data: {}\n\n", signed(&key(0), Kind::Update, 1)))
        .await; // ourselves
    stream
        .write(&format!("data: {}\n\n", signed(&key(1), Kind::Update, 1)))
        .await;
    let Event::Presence { presence, .. } = next(&mut events).await else {
        panic!("another event");
    };
    assert_eq!(presence.peer, id(&key(1)));
}

#[tokio::test]
async fn a_silent_server_times_out_and_is_reconnected() {
    let mut server = Server::start().await;
    let (client, _events) = client_that_waits(&server.url(), Duration::from_secs(1));
    let stream = server.expect("GET /events").await.stream("").await;
    state(&client, |state| {
        matches!(state.link, Link::Connected { .. })
    })
    .await;
    state(
        &client,
        |state| matches!(&state.link, Link::Retrying { reason, .. } if reason.contains("timed out")),
    )
    .await;
    drop(stream);
    server.expect("GET /events").await.stream("").await.hold();
    state(&client, |state| {
        matches!(state.link, Link::Connected { .. })
    })
    .await;
}

#[tokio::test]
async fn refusals_have_readable_reasons() {
    let plain = "Content-Type: text/plain; charset=utf-8\r\n";
    for (status, headers, body, words) in [
        (
            "429 Too Many Requests",
            plain,
            "too many SSE connections (1024)\n",
            "this rendezvous is full",
        ),
        ("404 Not Found", "", "", "there is no rendezvous at"),
        (
            "200 OK",
            "Content-Type: text/html\r\n",
            "<p>",
            "there is no rendezvous at",
        ),
        (
            "307 Temporary Redirect",
            "Location: https://goop.example.org/events\r\n",
            "",
            "has moved to https://goop.example.org",
        ),
    ] {
        let mut server = Server::start().await;
        let (client, _events) = client(&server);
        server
            .expect("GET /events")
            .await
            .answer(status, headers, body)
            .await;
        let state = state(&client, |state| matches!(state.link, Link::Refused { .. })).await;
        let Link::Refused { reason, .. } = state.link else {
            unreachable!()
        };
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_login_page_of_the_network_is_named_as_such() {
    let moved = "Location: http://login.example/?from=here\r\n";
    for (status, headers, words) in [
        (
            "302 Found",
            moved,
            "this network asks you to log in. Open http://",
        ),
        (
            "511 Network Authentication Required",
            "",
            "this network asks you to log in. Open http://",
        ),
        (
            "200 OK",
            "Content-Type: text/html\r\n",
            "this network asks you to log in, or there is no rendezvous",
        ),
    ] {
        let mut server = Server::start().await;
        let (client, _events) = client(&server);
        let answering = async {
            loop {
                server
                    .next()
                    .await
                    .answer(status, headers, "<p>Welcome")
                    .await;
            }
        };
        let waiting = state(&client, |state| matches!(state.link, Link::Retrying { .. }));
        let state = tokio::select! {
            state = waiting => state,
            () = answering => unreachable!(),
        };
        let Link::Retrying { reason, .. } = state.link else {
            unreachable!()
        };
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_server_with_a_problem_does_not_refuse() {
    for (status, headers, body, words) in [
        (
            "500 Internal Server Error",
            "",
            "",
            "the server has a problem (500 Internal Server Error)",
        ),
        (
            "500 Internal Server Error",
            "Content-Type: text/plain\r\n",
            "disk full\n",
            "the server has a problem: disk full",
        ),
        (
            "502 Bad Gateway",
            "Content-Type: text/html\r\n",
            "<p>",
            "the server is not running right now",
        ),
    ] {
        let mut server = Server::start().await;
        let (client, _events) = client(&server);
        let request = server.expect("GET /events").await;
        request.answer(status, headers, body).await;
        let waiting = state(&client, |state| matches!(state.link, Link::Retrying { .. })).await;
        let Link::Retrying { reason, .. } = waiting.link else {
            unreachable!()
        };
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_said_to_and_still_waited_for() {
    let mut server = Server::start().await;
    let (client, _events) = client(&server);
    let request = server.expect("GET /events").await;
    let hanging = |state: &State| matches!(&state.link, Link::Retrying { reason, .. } if reason.contains("doesn't answer"));
    state(&client, hanging).await;
    request.stream("").await.hold();
    state(&client, |state| {
        matches!(state.link, Link::Connected { .. })
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_server_delays_nothing_and_is_named() {
    let server = format!("127.0.0.1:{}", port::unused());
    let (client, _events) = client_at(&format!("http://{server}"));
    client.publish(Presence::offline(ours(), 0));
    let waiting = state(&client, |state| matches!(state.link, Link::Retrying { .. })).await;
    let Link::Retrying { reason, .. } = waiting.link else {
        unreachable!()
    };
    assert_eq!(reason, format!("{server} doesn't answer"));
    let started = Instant::now();
    client.shutdown().await;
    assert!(started.elapsed() < LONG);
}
