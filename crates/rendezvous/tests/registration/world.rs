//! A server, a clock, peers and plain HTTP requests.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use goop2_proto::{
    Keypair, PeerId,
    presence::{Kind, Message, Presence},
    roster::Source,
};
use goop2_rendezvous::{
    client::{self, Address, Client, Event, Http},
    registration,
    server::{Config, Server, system_clock},
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

pub(crate) const ANN: &str = "ann@example.org";
pub(crate) const PASSWORD: &str = "admin password";
/// Much longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A server that shows registered peers only.
pub(crate) async fn start(folder: &TempDir, change: impl FnOnce(&mut Config)) -> Server {
    start_at(folder, change, system_clock).await
}

pub(crate) async fn start_at(
    folder: &TempDir,
    change: impl FnOnce(&mut Config),
    clock: fn() -> i64,
) -> Server {
    let mut config = Config {
        bind: Some(Ipv4Addr::LOCALHOST.into()),
        port: 0,
        admin_password: PASSWORD.into(),
        registration_required: true,
        registration: Some(registration::Config {
            path: folder.path().join("data/peers.db"),
            ..registration::Config::default()
        }),
        ..Config::default()
    };
    change(&mut config);
    Server::bind(config, clock).await.unwrap()
}

pub(crate) fn url(server: &Server) -> String {
    format!("http://{}", server.local_addrs()[0])
}

/// A clock that is ahead by so many milliseconds.
pub(crate) static LATER: AtomicI64 = AtomicI64::new(0);

pub(crate) fn moved_clock() -> i64 {
    system_clock() + LATER.load(Ordering::Relaxed)
}

/// Asks as the app of a peer does.
pub(crate) async fn register(server: &Server, seed: u8, email: &str) -> Result<String, String> {
    let address = Address::parse(&url(server)).unwrap();
    client::register(&Http::new(), &address, &key(seed), email, system_clock()).await
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: bool,
    pub(crate) text: String,
}

pub(crate) async fn get(server: &Server, path: &str) -> Answer {
    answer(reqwest::Client::new().get(format!("{}{path}", url(server)))).await
}

pub(crate) async fn post(server: &Server, path: &str, form: &[(&str, &str)]) -> Answer {
    answer(
        reqwest::Client::new()
            .post(format!("{}{path}", url(server)))
            .form(form),
    )
    .await
}

pub(crate) async fn as_admin(server: &Server, path: &str) -> Answer {
    let request = reqwest::Client::new().get(format!("{}{path}", url(server)));
    answer(request.basic_auth("admin", Some(PASSWORD))).await
}

/// Presses a button of the administration; the status.
pub(crate) async fn operate(server: &Server, button: &str, peer: PeerId) -> u16 {
    let request = reqwest::Client::new().post(format!("{}/admin/{button}", url(server)));
    let request = request.basic_auth("admin", Some(PASSWORD));
    let body = serde_json::json!({ "peer": peer.to_base58() }).to_string();
    let request = request.header("goop2-admin", "1").body(body);
    answer(request.header("content-type", "application/json"))
        .await
        .status
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        retry_after: response.headers().contains_key("retry-after"),
        text: response.text().await.unwrap(),
    }
}

/// The links in the administrator's log, newest first.
pub(crate) async fn logged_links(server: &Server) -> Vec<String> {
    let lines: Vec<String> =
        serde_json::from_str(&as_admin(server, "/logs.json").await.text).unwrap();
    let links = lines
        .iter()
        .rev()
        .filter_map(|line| line.split_once("pass on this verification link: "));
    links.map(|(_, link)| link.to_owned()).collect()
}

pub(crate) fn token(link: &str) -> &str {
    link.split_once("/verify?token=").unwrap().1
}

pub(crate) fn key(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

pub(crate) fn id(seed: u8) -> PeerId {
    key(seed).public().to_peer_id()
}

pub(crate) fn presence(seed: u8, email: &str) -> Presence {
    Presence {
        kind: Kind::Update,
        email: email.into(),
        ..Presence::offline(id(seed), system_clock())
    }
}

/// As an existing peer publishes.
pub(crate) async fn publish_unsigned(server: &Server, seed: u8, email: &str) {
    let message = presence(seed, email).message();
    assert_eq!(published(server, &message).await, 204);
}

pub(crate) async fn publish_signed(server: &Server, seed: u8, email: &str) {
    assert_eq!(published(server, &signed(seed, email)).await, 204);
}

pub(crate) fn signed(seed: u8, email: &str) -> Message {
    let mut message = presence(seed, email).message();
    message.sign(&key(seed));
    message
}

/// Publishes; the status.
pub(crate) async fn published(server: &Server, message: &Message) -> u16 {
    let request = reqwest::Client::new().post(format!("{}/publish", url(server)));
    answer(request.body(message.encode())).await.status
}

/// One of our peers, connected.
pub(crate) fn join(server: &Server, seed: u8) -> (Client, mpsc::Receiver<Event>) {
    let (tell, events) = mpsc::channel(64);
    let config = client::Config {
        address: Address::parse(&url(server)).unwrap(),
        source: Source::Wan(0),
        key: key(seed),
        heartbeat: Duration::from_millis(500),
        silence: Duration::from_secs(60),
        http: Http::new(),
    };
    (Client::spawn(config, tell), events)
}

/// The peer of the next event.
pub(crate) async fn seen(events: &mut mpsc::Receiver<Event>) -> (PeerId, bool) {
    loop {
        if let Event::Presence {
            presence, proved, ..
        } = timeout(LONG, events.recv()).await.unwrap().unwrap()
        {
            return (presence.peer, proved);
        }
    }
}
