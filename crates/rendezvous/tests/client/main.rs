//! The client with existing servers (from recorded answers), with ours, and in `faulty` with others.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

mod faulty;
#[path = "../../../../tests/support/port.rs"]
mod port;
mod script;

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use goop2_proto::{
    Keypair, PeerId,
    presence::{Kind, Message, Presence, Proof},
    roster::Source,
};
use goop2_rendezvous::client::{self, Address, Client, Config, Event, Http, Link, State};
use script::Server;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

const SOURCE: Source = Source::Wan(3);
/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_recorded_stream_is_read_line_by_line() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/rendezvous-feb.json")).unwrap();
    let lines: Vec<_> = fixture["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    let mut server = Server::start().await;
    let (client, mut events) = client(&server);
    let request = server.expect("GET /events").await;
    assert_eq!(request.headers["accept"], "text/event-stream");
    let mut stream = request
        .stream("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n")
        .await;
    stream.write(&format!("{}\n", lines.join("\n"))).await;

    let ann = "12D3KooWQuX36bUushwbM8m3Jas54d3N1zadfxo1MshD6iJZPAVr";
    let mut heard = Vec::new();
    for _ in 0..5 {
        let Event::Presence {
            source: SOURCE,
            presence,
            proved: false,
        } = next(&mut events).await
        else {
            panic!("another event");
        };
        assert_eq!(presence.peer.to_base58(), ann);
        heard.push((presence.kind, presence.label, presence.ts));
    }
    // The message of `not-a-peer-id` is skipped.
    assert_eq!(
        heard[0],
        (Kind::Online, "Ann <b>".into(), 1_770_465_600_123)
    );
    assert_eq!(heard[2], (Kind::Offline, "Ann".into(), 1));
    let state = state(&client, |state| {
        matches!(state.link, Link::Connected { .. }) && state.peers == 1
    })
    .await;
    assert!(matches!(state.link, Link::Connected { changes: false, .. }));
}

#[tokio::test]
async fn presence_is_signed_for_this_server_and_sent_twice_before_the_heartbeat() {
    let mut server = Server::start().await;
    let (client, _events) = client(&server);
    let own = ours();
    let mut presence = Presence::offline(own, 0);
    presence.label = "Ann".into();
    presence.email = "ann@example.org".into();
    presence.addrs = ["/ip4/203.0.113.7/tcp/1", "/ip4/127.0.0.1/tcp/1"]
        .map(|addr| addr.parse().unwrap())
        .into();
    client.publish(presence);
    let started = Instant::now();
    let mut messages = Vec::new();
    for _ in 0..3 {
        let request = server.expect("POST /publish").await;
        assert_eq!(request.headers["content-type"], "application/json");
        let message = Message::decode(request.body.as_bytes()).unwrap();
        request.answer("204 No Content", "", "").await;
        assert_eq!(message.proof(), Proof::Proved);
        assert_eq!(message.addrs, ["/ip4/203.0.113.7/tcp/1"]);
        messages.push((message.kind, message.ts));
    }
    // The second would come after a second, but the first answer shows where the server is, which
    // is published at once.
    assert!(started.elapsed() >= 2 * Duration::from_millis(200));
    assert_eq!(messages[0].0, Kind::Online);
    assert_eq!(messages[1].0, Kind::Online);
    assert_eq!(messages[2].0, Kind::Update);
    assert!(messages.is_sorted_by(|a, b| a.1 < b.1));

    let goodbye = tokio::spawn(client.shutdown());
    let message = loop {
        let request = server.expect("POST /publish").await;
        let message = Message::decode(request.body.as_bytes()).unwrap();
        request.answer("204 No Content", "", "").await;
        if message.kind == Kind::Offline {
            break message;
        }
    };
    assert_eq!(
        (message.email.as_str(), message.proof()),
        ("ann@example.org", Proof::Proved)
    );
    goodbye.await.unwrap();
}

#[tokio::test]
async fn private_addresses_are_sent_to_a_server_on_this_network() {
    let mut server = Server::start().await;
    let (client, _events) = client(&server);
    // This server answers from 127.0.0.1; before that, private addresses are left out.
    let mut presence = Presence::offline(ours(), 0);
    presence.addrs = vec!["/ip4/192.168.1.20/tcp/1".parse().unwrap()];
    client.publish(presence);
    loop {
        let request = server.expect("POST /publish").await;
        let message = Message::decode(request.body.as_bytes()).unwrap();
        request.answer("204 No Content", "", "").await;
        if !message.addrs.is_empty() {
            break;
        }
    }
}

#[tokio::test]
async fn our_server_sends_changes_and_a_reconnect_resumes() {
    let mut server = Server::start().await;
    let (client, mut events) = client(&server);
    let (ann, bob, eve) = (key(1), key(2), key(3));
    let request = server.expect("GET /events").await;
    assert_eq!(request.line, "GET /events?changes=1");
    assert!(!request.headers.contains_key("last-event-id"));
    let mut stream = request.stream("Goop2-Events: changes\r\n").await;
    let (a, b) = (signed(&ann, Kind::Update, 5), signed(&bob, Kind::Update, 5));
    stream
        .write(&format!(
            "event: snapshot\ndata: [{a}]\n\nevent: snapshot\ndata: [{b},{}]\n\n",
            forged(&eve)
        ))
        .await;
    stream.write("event: current\nid: e-1\ndata: \n\n").await;
    for key in [&ann, &bob] {
        let Event::Presence {
            presence,
            proved: true,
            ..
        } = heard(&mut events).await
        else {
            panic!("another event");
        };
        assert_eq!(presence.peer, id(key));
    }
    let seen = HashSet::from([id(&ann), id(&bob)]);
    assert_eq!(
        heard(&mut events).await,
        Event::Current {
            source: SOURCE,
            seen
        }
    );
    stream
        .write(&format!(
            "event: gone\nid: e-2\ndata: {}\n\nid: e-3\n",
            id(&bob)
        ))
        .await;
    assert_eq!(
        heard(&mut events).await,
        Event::Lost {
            source: SOURCE,
            peer: id(&bob)
        }
    );
    state(&client, |state| state.peers == 1).await;
    drop(stream);

    let request = server.expect("GET /events").await;
    assert_eq!(request.headers["last-event-id"], "e-2");
    let mut stream = request.stream("Goop2-Events: changes\r\n").await;
    stream
        .write(&format!(
            "id: e-3\ndata: {}\n\n",
            signed(&ann, Kind::Offline, 6)
        ))
        .await;
    let Event::Presence {
        presence,
        proved: true,
        ..
    } = heard(&mut events).await
    else {
        panic!("another event");
    };
    assert_eq!((presence.peer, presence.kind), (id(&ann), Kind::Offline));
    state(&client, |state| state.peers == 0).await;
    while next(&mut events).await != (Event::Alive { source: SOURCE }) {}
}

#[tokio::test]
async fn only_a_rendezvous_that_answers_is_found() {
    let mut server = Server::start().await;
    let http = Http::new();
    // Without a scheme it is also asked with TLS, which this server does not understand.
    let text = server.addr.to_string();
    let answering = async {
        loop {
            let request = server.next().await;
            if request.line.starts_with("GET /events") {
                request.stream("").await.hold();
            }
        }
    };
    let found = tokio::select! {
        found = client::find(&http, &text) => found,
        () = answering => unreachable!(),
    };
    assert_eq!(found.unwrap().to_string(), server.url());
    for (text, words) in [
        ("no-such-name.invalid", "no-such-name.invalid was not found"),
        ("two words", "not a web address"),
        (
            &*format!("http://127.0.0.1:{}", port::unused()),
            "doesn't answer",
        ),
    ] {
        let reason = client::find(&http, text).await.unwrap_err();
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_429_pauses_and_a_409_continues_from_the_newest_time() {
    let mut server = Server::start().await;
    let (client, _events) = client(&server);
    client.publish(Presence::offline(ours(), 0));
    let request = server.expect("POST /publish").await;
    let first = Message::decode(request.body.as_bytes()).unwrap().ts;
    let newest = first + 60_000;
    request
        .answer(
            "409 Conflict",
            &format!("Goop2-Newest-Ts: {newest}\r\n"),
            "",
        )
        .await;
    let request = server.expect("POST /publish").await;
    assert_eq!(
        Message::decode(request.body.as_bytes()).unwrap().ts,
        newest + 1
    );
    request
        .answer(
            "429 Too Many Requests",
            "Retry-After: 3\r\n",
            "rate limit exceeded\n",
        )
        .await;
    let asked = Instant::now();
    state(&client, |state| state.refusal.is_some()).await;
    server
        .expect("POST /publish")
        .await
        .answer("204 No Content", "", "")
        .await;
    assert!(asked.elapsed() > Duration::from_millis(2900));
    state(&client, |state| state.refusal.is_none()).await;
}

/// The clock of a server that is right, while that of this computer is wrong, and then corrected.
#[tokio::test]
async fn a_wrong_clock_is_named_and_its_correction_noticed() {
    let mut server = Server::start().await;
    let (client, _events) = client(&server);
    client.publish(Presence::offline(ours(), 0));
    let date = |ahead| {
        let date = httpdate::fmt_http_date(SystemTime::now() + ahead);
        format!("Content-Type: text/plain\r\nDate: {date}\r\n")
    };
    let stale = "bad message: ts is more than 60 minutes from the server's clock\n";
    let request = server.expect("POST /publish").await;
    let first = Message::decode(request.body.as_bytes()).unwrap().ts;
    let two_hours = Duration::from_secs(2 * 60 * 60);
    request
        .answer("400 Bad Request", &date(two_hours), stale)
        .await;
    let wrong = state(&client, |state| state.refusal.is_some()).await;
    let words = "this computer's clock is 2 hours slow (by the server's)";
    assert_eq!(wrong.refusal.as_deref(), Some(words));
    assert_eq!(wrong.clock_problem().as_deref(), Some(words));

    let request = server.expect("POST /publish").await;
    assert!(Message::decode(request.body.as_bytes()).unwrap().ts >= first);
    request
        .answer("204 No Content", &date(Duration::ZERO), "")
        .await;
    let right = state(&client, |state| state.refusal.is_none()).await;
    assert_eq!(right.clock_problem(), None);
}

#[tokio::test]
async fn the_relay_is_found_and_lost_again() {
    let mut server = Server::start().await;
    let (client, _events) = client_that_waits(&server.url(), Duration::from_secs(1));
    let relay = id(&key(7));
    let body = format!(
        r#"{{"peer_id":"{relay}","addrs":["/ip4/203.0.113.9/tcp/4002/p2p/{relay}","/ip4/127.0.0.1/tcp/4002"]}}"#
    );
    server
        .expect("GET /relay")
        .await
        .answer("200 OK", "Content-Type: application/json\r\n", &body)
        .await;
    let found = state(&client, |state| state.relay.is_some())
        .await
        .relay
        .unwrap();
    assert_eq!((found.peer, found.addrs.len()), (relay, 2));
    // A new stream may be of a restarted server.
    server
        .expect("GET /relay")
        .await
        .answer("404 Not Found", "", "")
        .await;
    state(&client, |state| state.relay.is_none()).await;
}

#[tokio::test]
async fn a_peer_registers_with_its_signature() {
    let mut server = Server::start().await;
    let (http, address, key) = (Http::new(), Address::parse(&server.url()).unwrap(), key(0));
    let register = |email| client::register(&http, &address, &key, email, 5);
    let registered = register(" ann@example.org ");
    let answered = async {
        let request = server.expect("POST /register").await;
        let asked = goop2_proto::registration::Request::verify(request.body.as_bytes()).unwrap();
        assert_eq!(
            (asked.email.as_str(), asked.peer, asked.ts),
            ("ann@example.org", ours(), 5)
        );
        request
            .answer(
                "202 Accepted",
                "",
                r#"{"ok":true,"message":"a link is on its way"}"#,
            )
            .await;
    };
    assert_eq!(
        tokio::join!(registered, answered).0,
        Ok("a link is on its way".into())
    );
    assert!(
        register("ann")
            .await
            .unwrap_err()
            .contains("isn't an email")
    );
    let existing = register("ann@example.org");
    let answered = async {
        server
            .expect("POST /register")
            .await
            .answer("200 OK", "Content-Type: text/html\r\n", "<p>")
            .await;
    };
    assert!(tokio::join!(existing, answered).0.is_err());
}

fn key(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

fn id(key: &Keypair) -> PeerId {
    key.public().to_peer_id()
}

fn ours() -> PeerId {
    id(&key(0))
}

fn signed(key: &Keypair, kind: Kind, ts: i64) -> String {
    let mut message = Presence {
        kind,
        ..Presence::offline(id(key), ts)
    }
    .message();
    message.sign(key);
    String::from_utf8(message.encode()).unwrap()
}

fn forged(victim: &Keypair) -> String {
    let mut message = Presence::offline(id(victim), 1).message();
    message.sign(&key(66));
    String::from_utf8(message.encode()).unwrap()
}

fn client(server: &Server) -> (Client, mpsc::Receiver<Event>) {
    client_at(&server.url())
}

fn client_at(url: &str) -> (Client, mpsc::Receiver<Event>) {
    client_that_waits(url, LONG * 3)
}

/// After this silence the client takes the server for dead.
fn client_that_waits(url: &str, silence: Duration) -> (Client, mpsc::Receiver<Event>) {
    let (tell, events) = mpsc::channel(64);
    let config = Config {
        address: Address::parse(url).unwrap(),
        source: SOURCE,
        key: key(0),
        heartbeat: Duration::from_millis(500),
        silence,
        http: Http::new(),
    };
    (Client::spawn(config, tell), events)
}

async fn next(events: &mut mpsc::Receiver<Event>) -> Event {
    timeout(LONG, events.recv()).await.unwrap().unwrap()
}

/// The next event that is not sent by time alone.
async fn heard(events: &mut mpsc::Receiver<Event>) -> Event {
    loop {
        let event = next(events).await;
        if event != (Event::Alive { source: SOURCE }) {
            return event;
        }
    }
}

async fn state(client: &Client, wanted: impl FnMut(&State) -> bool) -> State {
    timeout(LONG, client.state().wait_for(wanted))
        .await
        .unwrap()
        .unwrap()
        .clone()
}
