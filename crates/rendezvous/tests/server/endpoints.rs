//! Every route, with valid and invalid requests.

use std::time::Duration;

use goop2_proto::presence::Kind;
use goop2_rendezvous::{
    registration,
    server::{Config, Limits, Rate},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use crate::world::{BASIC, addr, ask, config, get, limits, message, publish, signed, start};

#[tokio::test]
async fn every_route_answers_as_documented() {
    let server = start(config()).await;
    let addr = addr(&server);
    let text = "text/plain; charset=utf-8";
    let html = "text/html; charset=utf-8";
    let table = [
        ("GET /", 200, html, "Rendezvous"),
        ("GET /healthz", 200, text, "ok"),
        ("POST /healthz", 200, text, "ok"),
        ("GET /relay", 404, text, "404 page not found\n"),
        (
            "GET /api/templates",
            200,
            "application/json; charset=utf-8",
            "[]\n",
        ),
        (
            "GET /api/templates/chess/manifest.json",
            404,
            text,
            "404 page not found\n",
        ),
        ("GET /api/capabilities", 404, text, "404 page not found\n"),
        ("GET /ws", 404, text, "404 page not found\n"),
        ("GET /ws?probe=1", 404, text, "404 page not found\n"),
        (
            "GET /register",
            503,
            text,
            "registration requires database\n",
        ),
        ("GET /verify", 503, text, "verification requires database\n"),
        ("GET /docs", 302, "", ""),
        ("GET /docs/", 302, "", ""),
        ("GET /docs/join", 200, html, "Connect"),
        ("GET /docs/nope", 404, text, "404 page not found\n"),
        (
            "GET /assets/style.css",
            200,
            "text/css; charset=utf-8",
            "--accent",
        ),
        (
            "GET /assets/docs.css",
            200,
            "text/css; charset=utf-8",
            "docs",
        ),
        (
            "GET /assets/..%2f..%2fCargo.toml",
            404,
            text,
            "404 page not found\n",
        ),
        ("GET /favicon.ico", 200, "image/vnd.microsoft.icon", ""),
        ("GET /assets/goop2-splash.jpg", 200, "image/jpeg", ""),
        (
            "GET /metrics",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "goop2_rendezvous_peers 0\n",
        ),
        ("GET /nope", 404, text, "404 page not found\n"),
        ("GET //", 404, text, "404 page not found\n"),
        ("POST /", 405, text, "method not allowed\n"),
        ("GET /publish", 405, text, "method not allowed\n"),
        ("PUT /publish", 405, text, "method not allowed\n"),
        ("POST /events", 405, text, "method not allowed\n"),
        ("HEAD /events", 405, text, ""),
        ("DELETE /relay", 405, text, "method not allowed\n"),
        ("POST /peers.json", 405, text, "method not allowed\n"),
    ];
    for (request, status, content_type, body) in table {
        let answer = ask(addr, request, &[], b"").await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(
            answer.header("content-type").unwrap_or_default(),
            content_type,
            "{request}"
        );
        assert!(answer.body.contains(body), "{request}: {}", answer.body);
        if status >= 400 {
            assert_eq!(
                answer.header("x-content-type-options"),
                Some("nosniff"),
                "{request}"
            );
        }
    }
    let docs = get(addr, "/docs").await;
    assert_eq!(docs.header("location"), Some("docs/join"));
    for kept in ["/favicon.ico", "/assets/goop2-splash.jpg"] {
        let answer = get(addr, kept).await;
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=86400")
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn the_public_page_shows_the_url_and_runs_no_inline_script() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(Config {
        external_url: "https://meet.example/a\"<b>&c/".into(),
        download_url: "https://goop2.example/get?a=1&b=\"2\"".into(),
        registration: Some(registration::Config {
            path: folder.path().join("peers.db"),
            ..registration::Config::default()
        }),
        ..config()
    })
    .await;
    publish(
        addr(&server),
        &message(1, Kind::Online, "<script>alert(1)</script>"),
    )
    .await;
    let page = get(addr(&server), "/").await;
    for part in [
        "https://meet.example/a&quot;&lt;b&gt;&amp;c</code>",
        "goop://connect?url=https%3A%2F%2Fmeet.example%2Fa%22%3Cb%3E%26c\"",
        "<svg class=\"qr\"",
        ">1 peer online<",
        "Goop2 is an app that turns a folder on your computer into a website",
        "href=\"https://goop2.example/get?a=1&amp;b=&quot;2&quot;\">Get Goop2</a>",
    ] {
        assert!(page.body.contains(part), "{part}\n{}", page.body);
    }
    assert!(
        !page.body.contains("alert")
            && !page.body.contains("style=")
            && !page.body.contains("April")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));

    let local = start(config()).await;
    let page = get(addr(&local), "/").await;
    assert!(local.connect_urls().is_empty());
    assert!(page.body.contains("Only this computer can reach") && !page.body.contains("goop://"));
    assert!(
        page.body
            .contains("Ask the person who sent you this address where to get it.")
    );
}

#[tokio::test]
async fn the_relay_is_published_while_there_is_one() {
    let (relay, watched) = watch::channel(None);
    let server = start(Config {
        relay: Some(watched),
        ..config()
    })
    .await;
    assert_eq!(get(addr(&server), "/relay").await.status, 404);
    relay.send_replace(Some(crate::world::relay()));
    let answer = get(addr(&server), "/relay").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(
        answer.body,
        concat!(
            r#"{"peer_id":"12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt","#,
            r#""addrs":["/ip4/11.0.0.1/tcp/4002/p2p/12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt"]}"#,
            "\n"
        )
    );
    let metrics = get(addr(&server), "/metrics").await.body;
    for line in [
        "goop2_relay_reservations 1",
        "goop2_relay_circuits 1",
        "goop2_relay_bytes_total 2048",
        "goop2_relay_refused_total{reason=\"stranger\"} 7",
        "goop2_relay_refused_total{reason=\"full\"} 0",
    ] {
        assert!(
            metrics.lines().any(|other| other == line),
            "{line}\n{metrics}"
        );
    }
    let state = ask(addr(&server), "GET /admin/state.json", &[BASIC], b"").await;
    let refused = r#""refused":[["peers that aren’t connected to this rendezvous",7]]"#;
    assert!(state.body.contains(refused), "{}", state.body);
    relay.send_replace(None);
    assert_eq!(get(addr(&server), "/relay").await.status, 404);
    assert!(
        !get(addr(&server), "/metrics")
            .await
            .body
            .contains("goop2_relay")
    );
}

#[tokio::test]
async fn long_and_slow_bodies_are_cut_off() {
    let server = start(config()).await;
    let long = ask(
        addr(&server),
        "POST /publish",
        &[],
        &vec![b' '; 16 * 1024 * 1024],
    )
    .await;
    // The answer may be lost while the body was still being sent.
    assert!([0, 413].contains(&long.status), "{}", long.head);
    let barely = ask(
        addr(&server),
        "POST /publish",
        &[],
        &vec![b' '; 16 * 1024 + 1],
    )
    .await;
    assert_eq!(
        (barely.status, barely.body.as_str()),
        (413, "body too large\n")
    );
    let fits = ask(addr(&server), "POST /publish", &[], &vec![b' '; 16 * 1024]).await;
    assert_eq!((fits.status, fits.body.as_str()), (400, "bad json\n"));
    let headers = format!("X: {}", "x".repeat(64 * 1024));
    let head = ask(addr(&server), "GET /", &[&headers], b"").await;
    assert!([0, 431].contains(&head.status), "{}", head.head);

    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(addr(&server)).await.unwrap();
        socket
            .write_all(b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
            .await
            .unwrap();
        slow.push(socket);
    }
    assert_eq!(
        publish(addr(&server), &message(1, Kind::Online, "a")).await,
        204
    );
}

#[tokio::test]
async fn limits_count_real_clients_and_say_when_to_retry() {
    let server = start(Config {
        limits: Limits {
            publish: Rate {
                burst: 3,
                per: Duration::from_secs(90),
            },
            ..limits()
        },
        ..config()
    })
    .await;
    let body = message(1, Kind::Update, "a").encode();
    let from = async |client: &str| {
        let header = format!("X-Forwarded-For: 203.0.113.77, {client}");
        ask(addr(&server), "POST /publish", &[&header], &body).await
    };
    for client in ["198.51.100.1", "2001:db8::1"] {
        for _ in 0..3 {
            assert_eq!(from(client).await.status, 204);
        }
    }
    let refused = from("198.51.100.1").await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (429, "rate limit exceeded\n")
    );
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    // Another address of the same /64.
    assert_eq!(from("2001:db8::2").await.status, 429);
    assert_eq!(from("198.51.100.2").await.status, 204);

    // Clients that connect directly cannot choose an address.
    let direct = start(Config {
        trusted_proxies: Vec::new(),
        limits: Limits {
            publish: Rate {
                burst: 1,
                per: Duration::from_secs(90),
            },
            ..limits()
        },
        ..config()
    })
    .await;
    let from = async |client: &str| {
        let header = format!("X-Forwarded-For: {client}");
        ask(addr(&direct), "POST /publish", &[&header], &body)
            .await
            .status
    };
    assert_eq!(
        (from("198.51.100.1").await, from("198.51.100.2").await),
        (204, 429)
    );
}

#[tokio::test]
async fn a_peer_is_limited_across_addresses_but_not_by_others() {
    let server = start(Config {
        limits: Limits {
            publish_peer: Rate {
                burst: 2,
                per: Duration::from_secs(60),
            },
            ..limits()
        },
        ..config()
    })
    .await;
    for _ in 0..2 {
        assert_eq!(
            publish(addr(&server), &message(1, Kind::Update, "stranger")).await,
            204
        );
    }
    assert_eq!(
        publish(addr(&server), &message(1, Kind::Update, "stranger")).await,
        429
    );
    assert_eq!(
        publish(addr(&server), &signed(1, Kind::Update, "itself", 1)).await,
        204
    );
    assert_eq!(
        publish(addr(&server), &signed(1, Kind::Update, "itself", 2)).await,
        204
    );
    assert_eq!(
        publish(addr(&server), &signed(1, Kind::Update, "itself", 3)).await,
        429
    );
}

#[tokio::test]
async fn one_client_cannot_use_all_connections() {
    let server = start(Config {
        trusted_proxies: Vec::new(),
        limits: Limits {
            connections_each: 2,
            ..limits()
        },
        ..config()
    })
    .await;
    let connect = async || TcpStream::connect(addr(&server)).await.unwrap();
    let held = [connect().await, connect().await];
    let mut third = connect().await;
    assert_eq!(third.read(&mut [0; 8]).await.unwrap_or(0), 0);
    drop(held);
    while get(addr(&server), "/healthz").await.status != 200 {}
}

#[tokio::test]
async fn a_connection_is_kept_between_heartbeats() {
    let server = start(config()).await;
    let mut socket = TcpStream::connect(addr(&server)).await.unwrap();
    let mut answer = [0; 1024];
    for _ in 0..2 {
        socket
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let read = socket.read(&mut answer).await.unwrap();
        assert!(answer[..read].ends_with(b"ok"));
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    server.shutdown().await;
}
