//! What existing peers sent and answered, once more: each recorded exchange against our peer, set
//! up as theirs was, and our client against a server that plays back what theirs said. Byte for
//! byte, over real connections, with a running program on our side.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{
    fs,
    os::unix,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, io::BufReader};
use goop2_node::{Config, Event, InboundStream, Keypair, Node};
use goop2_proto::{PeerId, avatar, content, data, site};
use serde_json::{Value, json};
use support::{
    lab::inside,
    peer::{Folder, Peer},
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

/// For one exchange with a program on the same machine.
const EXCHANGE: Duration = Duration::from_secs(10);

/// A recording, and what it says about itself.
struct Recording(Value);

impl Recording {
    fn open(version: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(
            "crates/proto/tests/fixtures/streams-{version}.json"
        ));
        Self(
            serde_json::from_slice(&fs::read(path).expect("the recording is there"))
                .expect("it is JSON"),
        )
    }

    /// Documents of groups come with groups.
    fn exchanges(&self) -> impl Iterator<Item = &Value> {
        let exchanges = self.0["exchanges"].as_array().expect("a list").iter();
        exchanges.filter(|exchange| exchange["protocol"] != "/goop/docs/1.0.0")
    }

    fn id(&self, whose: &str) -> &str {
        self.0[whose].as_str().expect("a peer id")
    }
}

fn text<'a>(exchange: &'a Value, key: &str) -> &'a str {
    exchange[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {exchange}"))
}

fn response(exchange: &Value) -> Vec<u8> {
    exchange["response_hex"]
        .as_str()
        .map_or_else(|| text(exchange, "response").into(), unhex)
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| digit.to_digit(16).expect("a hex digit") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

#[test]
fn our_peer_answers_as_existing_ones_do() {
    inside("our_peer_answers_as_existing_ones_do", || {
        let recording = Recording::open("feb");
        let (folder, outside) = (
            set_up(&recording.0["setup"]),
            tempfile::NamedTempFile::new().unwrap(),
        );
        fs::write(outside.path(), "vm\n").unwrap();
        unix::fs::symlink(outside.path(), folder.path().join("site/link.txt")).unwrap();
        let peer = Peer::start(&folder, None);
        for request in recording.0["setup"]["local_requests"].as_array().unwrap() {
            let path = request[0]
                .as_str()
                .unwrap()
                .strip_prefix("POST /api/")
                .unwrap();
            let answer = peer.api(path, &request[1]);
            assert_eq!(answer.status, 200, "{request}: {}", answer.text());
        }
        runtime().block_on(async {
            let (node, _streams, _events) = caller(Vec::new()).await;
            let owner = node.add_address(peer.address("127.0.0.1").parse().unwrap()).await.unwrap();
            let (mut same, mut better) = (0, 0);
            for exchange in recording.exchanges() {
                let answered = timeout(EXCHANGE, ask(&node, owner, exchange)).await.unwrap_or_else(|_| panic!("no end: {exchange}"));
                let ids = [(owner.to_base58(), recording.id("server_peer_id")), (node.peer_id().to_base58(), recording.id("caller_peer_id"))];
                check(exchange, &normalized(&answered, &ids));
                if text(exchange, "ours") == "same" { same += 1 } else { better += 1 }
            }
            println!("{} exchanges: {same} answered byte for byte as existing peers do, {better} better, as agreed", same + better);
            assert!(same > 65 && better >= 6, "the recording is whole");
            node.shutdown().await;
        });
        peer.stop();
    });
}

/// A folder with the recorded site and profile.
fn set_up(setup: &Value) -> Folder {
    let folder = Folder::with(&json!({
        "profile": { "label": setup["label"], "email": setup["email"] },
        "viewer": { "http_addr": "127.0.0.1:0" },
    }));
    for (path, content) in setup["site"].as_object().unwrap() {
        let content = content.as_str().unwrap();
        match content.strip_prefix("hex:") {
            _ if path == "link.txt" => {}
            Some(hex) => folder.write(&format!("site/{path}"), unhex(hex)),
            None => folder.write(&format!("site/{path}"), content),
        }
    }
    folder
}

/// Sends the recorded bytes as they were sent, and reads until the peer closes.
async fn ask(node: &Node, owner: PeerId, exchange: &Value) -> Vec<u8> {
    let protocol = [
        content::PROTOCOL,
        site::PROTOCOL,
        data::PROTOCOL,
        avatar::PROTOCOL,
    ]
    .into_iter()
    .find(|protocol| exchange["protocol"] == *protocol)
    .expect("a protocol of ours");
    let mut stream = node.open(owner, protocol).await.unwrap();
    stream
        .write_all(text(exchange, "request").as_bytes())
        .await
        .unwrap();
    stream.flush().await.unwrap();
    if exchange["half_close"] == true {
        stream.close().await.unwrap();
    }
    let mut answered = Vec::new();
    stream.read_to_end(&mut answered).await.unwrap();
    answered
}

/// Holds an answer against the recorded one, or against what the recording says that ours does
/// better.
fn check(exchange: &Value, answered: &[u8]) {
    let shown = String::from_utf8_lossy(answered);
    let error = || {
        let answer: Value =
            serde_json::from_slice(answered).unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert_eq!(
            (&answer["ok"], shown.ends_with('\n')),
            (&Value::Bool(false), true),
            "{exchange}: {shown}"
        );
        answer["error"].as_str().unwrap().to_owned()
    };
    match text(exchange, "ours") {
        "same" => {
            let recorded = response(exchange);
            assert!(answered == masked(&recorded), "{exchange}\nours: {shown}");
        }
        ours if ours.starts_with("ours_response") => {
            let expected = text(exchange, "ours_response").as_bytes();
            assert!(answered == masked(expected), "{exchange}\nours: {shown}");
        }
        ours if ours.starts_with("ERR not found\n") => {
            assert_eq!(shown, "ERR not found\n", "{exchange}")
        }
        ours if ours.starts_with("an error beginning 'invalid json: '") => {
            assert!(error().starts_with("invalid json: "), "{shown}")
        }
        ours if ours.starts_with("an error naming the table") => {
            assert!(error().contains("nope"), "{shown}")
        }
        ours if ours.starts_with("an error: internal tables") => {
            assert!(!error().contains("CREATE"), "{shown}")
        }
        ours => panic!("nobody knows what “{ours}” means"),
    }
}

/// Our ids for the recorded ones, and no times of day.
fn normalized(answered: &[u8], ids: &[(String, &str)]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(answered) else {
        return answered.into();
    };
    let text = ids.iter().fold(text.to_owned(), |text, (ours, recorded)| {
        text.replace(ours, recorded)
    });
    masked(text.as_bytes())
}

/// The same with every digit of the system's time stamps as `0`; their form stays.
fn masked(bytes: &[u8]) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    for key in [&b"created_at\":\""[..], b"updated_at\":\""] {
        let starts: Vec<_> = bytes
            .windows(key.len())
            .enumerate()
            .filter(|(_, window)| *window == key)
            .map(|(at, _)| at + key.len())
            .collect();
        for start in starts {
            let value = masked[start..].iter_mut().take_while(|byte| **byte != b'"');
            value
                .filter(|byte| byte.is_ascii_digit())
                .for_each(|byte| *byte = b'0');
        }
    }
    masked
}

#[test]
fn our_client_understands_what_existing_peers_answer() {
    inside("our_client_understands_what_existing_peers_answer", || {
        for version in ["feb", "head"] {
            let recording = Recording::open(version);
            let folder = Folder::new("visitor", "goop-mdns");
            let visitor = Peer::start(&folder, None);
            let runtime = runtime();
            let playback = runtime.block_on(Playback::start(&recording));
            visitor.add_address(&playback.address);
            let (mut pages, mut operations) = (0, 0);
            for exchange in recording.exchanges() {
                match text(exchange, "protocol") {
                    site::PROTOCOL => pages += usize::from(visit(&visitor, &playback.id, exchange)),
                    data::PROTOCOL => {
                        operations += usize::from(operate(&visitor, &playback.id, exchange))
                    }
                    avatar::PROTOCOL => {
                        // They have none: one is drawn.
                        let drawn = visitor.authorised(&format!("avatar/peer/{}", playback.id));
                        assert_eq!(
                            (drawn.status, drawn.header("content-type")),
                            (200, "image/svg+xml"),
                            "{}",
                            drawn.text()
                        );
                    }
                    // Nothing of ours asks for it.
                    content::PROTOCOL => {}
                    other => panic!("{other} is not served"),
                }
            }
            println!("{version}: {pages} pages and {operations} data operations read as recorded");
            assert!(pages >= 30 && operations >= 20, "the recording is whole");
            assert_eq!(
                *playback.unknown.lock().unwrap(),
                Vec::<String>::new(),
                "asked in other words than existing clients"
            );
            runtime.block_on(playback.node.shutdown());
            visitor.stop();
        }
    });
}

/// Fetches through the viewer what the exchange asked for; false where no URL leads to that
/// request.
fn visit(visitor: &Peer, owner: &str, exchange: &Value) -> bool {
    let Some(path) = text(exchange, "request")
        .strip_prefix("GET /")
        .and_then(|path| path.strip_suffix('\n'))
    else {
        return false;
    };
    let resolved_by_the_browser =
        path.split('/').any(|part| part.is_empty() || part == "..") && !["", "a/"].contains(&path);
    if resolved_by_the_browser || path.ends_with('\r') {
        return false;
    }
    let encoded: String = path
        .bytes()
        .map(|byte| {
            if byte == b'/' {
                "/".into()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    // A dot keeps its meaning in a URL however it is written.
    let answer = visitor.visit(owner, &encoded.replace("%2E", ".")).unwrap();
    let recorded = response(exchange);
    let end = recorded
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a header line");
    match str::from_utf8(&recorded[..end])
        .unwrap()
        .rsplit_once(' ')
        .unwrap()
    {
        ("ERR not", "found") => assert_eq!(answer.status, 404, "{exchange}"),
        ("ERR", "forbidden") => assert_eq!(answer.status, 403, "{exchange}"),
        (header, _) => {
            let mime = header.strip_prefix("OK ").unwrap();
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, mime),
                "{exchange}"
            );
            assert_eq!(answer.body, &recorded[end + 1..], "{exchange}");
        }
    }
    true
}

/// Makes the request through the viewer's data API (§9.4); false where the API has no such request.
fn operate(visitor: &Peer, owner: &str, exchange: &Value) -> bool {
    let Ok(Value::Object(mut body)) = serde_json::from_str(text(exchange, "request")) else {
        return false;
    };
    let op = body.shift_remove("op").unwrap_or_default();
    let suffix = match op.as_str().unwrap_or_default() {
        "describe" => "tables/describe",
        "create-table" => "tables/create",
        "lua-list" => "lua/list",
        "lua-call" => "lua/call",
        op @ ("tables" | "query" | "insert" | "update" | "delete") => op,
        _ => return false,
    };
    if let Some(columns) = body.shift_remove("column_defs") {
        body.insert("columns".into(), columns);
    }
    let answer = visitor.as_site(owner, suffix, &body.into());
    let recorded = text(exchange, "response");
    let whole: Value = serde_json::from_str(recorded).unwrap();
    match whole["error"].as_str() {
        // Refused before it is sent.
        Some(error) if error.starts_with("invalid json: ") => {
            assert_eq!(answer.status, 400, "{exchange}")
        }
        Some(error) => assert_eq!(
            (answer.status, answer.text().trim_end()),
            (500, error),
            "{exchange}"
        ),
        None => {
            let data = recorded
                .strip_prefix("{\"ok\":true,\"data\":")
                .and_then(|rest| rest.strip_suffix("}\n"))
                .unwrap();
            assert_eq!(
                (answer.status, answer.text()),
                (200, format!("{data}\n")),
                "{exchange}"
            );
            assert_eq!(answer.header("content-type"), "application/json");
        }
    }
    true
}

/// A peer that knows the recorded requests, and answers each as the recorded one did.
struct Playback {
    id: String,
    address: String,
    node: Node,
    /// Requests that are not in the recording.
    unknown: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Playback {
    async fn start(recording: &Recording) -> Self {
        let exchanges: Vec<Value> = recording.exchanges().cloned().collect();
        let unknown = Arc::<Mutex<Vec<String>>>::default();
        let answer = {
            let unknown = Arc::clone(&unknown);
            move |protocol: &str, request: &[u8]| {
                let found = exchanges.iter().find(|exchange| {
                    exchange["protocol"] == protocol && same_request(protocol, exchange, request)
                });
                if found.is_none() {
                    unknown
                        .lock()
                        .unwrap()
                        .push(format!("{protocol} {}", String::from_utf8_lossy(request)));
                }
                found.map(response).unwrap_or_default()
            }
        };
        Self::answering(unknown, answer).await
    }

    async fn answering(
        unknown: Arc<Mutex<Vec<String>>>,
        answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let (node, mut streams, events) = caller(vec![
            content::PROTOCOL,
            site::PROTOCOL,
            data::PROTOCOL,
            avatar::PROTOCOL,
        ])
        .await;
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _events = events;
            while let Some(stream) = streams.recv().await {
                serve(stream, &answer).await;
            }
        });
        let port = node.status().borrow().port;
        let id = node.peer_id().to_base58();
        Self {
            address: format!("/ip4/127.0.0.1/tcp/{port}/p2p/{id}"),
            id,
            node,
            unknown,
            _serving: serving,
        }
    }
}

/// One request at a time is enough: so are they made.
async fn serve(inbound: InboundStream, answer: impl Fn(&str, &[u8]) -> Vec<u8>) {
    let mut stream = BufReader::new(inbound.stream);
    let mut request = Vec::new();
    if [site::PROTOCOL, data::PROTOCOL].contains(&inbound.protocol) {
        stream.read_until(b'\n', &mut request).await.unwrap();
    }
    let bytes = answer(inbound.protocol, &request);
    // The visitor may have hung up.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.close().await;
    let _ = stream.read_to_end(&mut request).await;
}

/// Data requests say the same in any order of their keys.
fn same_request(protocol: &str, exchange: &Value, request: &[u8]) -> bool {
    let recorded = text(exchange, "request").as_bytes();
    match protocol {
        data::PROTOCOL => {
            let Ok(request) = data::Request::decode(request) else {
                return false;
            };
            // They ignore it.
            let request = data::Request {
                extra: None,
                ..request
            };
            data::Request::decode(recorded) == Ok(request)
        }
        _ => recorded == request,
    }
}

#[test]
fn a_page_cut_short_is_an_error_not_a_short_page() {
    inside("a_page_cut_short_is_an_error_not_a_short_page", || {
        let folder = Folder::new("visitor", "goop-mdns");
        let visitor = Peer::start(&folder, None);
        let runtime = runtime();
        let page = |_: &str, request: &[u8]| match request {
            b"GET /header\n" => b"OK text/html; charset=utf-8 10".to_vec(),
            b"GET /body\n" => b"OK text/html; charset=utf-8 10\nabc".to_vec(),
            _ => Vec::new(),
        };
        let playback = runtime.block_on(Playback::answering(Arc::default(), page));
        visitor.add_address(&playback.address);
        let unanswered = visitor.visit(&playback.id, "nothing").unwrap();
        assert_eq!(unanswered.status, 502, "{}", unanswered.text());
        for path in ["header", "body"] {
            let cut = visitor.visit(&playback.id, path);
            let error = cut.map_or(true, |answer| answer.status >= 500);
            assert!(error, "{path}: 3 of 10 bytes must not look like a page");
        }
        let unanswered = visitor.as_site(&playback.id, "query", &json!({ "table": "t" }));
        assert_eq!(unanswered.status, 502, "{}", unanswered.text());
        runtime.block_on(playback.node.shutdown());
    });
}

/// A node of somebody else's, and what keeps its channels open.
async fn caller(
    protocols: Vec<&'static str>,
) -> (Node, mpsc::Receiver<InboundStream>, mpsc::Receiver<Event>) {
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        listen_port: 0,
        mdns_tag: None,
        topic: "goop.presence.v1".into(),
        protocols,
    };
    goop2_node::spawn(config).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
