//! A server on a free loopback port, and HTTP by bytes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use goop2_proto::{
    Keypair,
    presence::{Kind, Message, Presence},
    relay::{Circuit, Guest, Refusal, Relay, State, Usage},
};
use goop2_rendezvous::server::{Config, Limits, Server, system_clock};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything here takes on a busy host, and twice as long as a stream of events may be
/// silent: the server then sends a comment.
const PATIENCE: Duration = Duration::from_secs(50);

pub(crate) const PASSWORD: &str = "hunter2";
/// `admin:hunter2`
pub(crate) const BASIC: &str = "Authorization: Basic YWRtaW46aHVudGVyMg==";

pub(crate) fn config() -> Config {
    Config {
        bind: Some(Ipv4Addr::LOCALHOST.into()),
        port: 0,
        admin_password: PASSWORD.into(),
        ..Config::default()
    }
}

pub(crate) fn limits() -> Limits {
    Config::default().limits
}

pub(crate) async fn start(config: Config) -> Server {
    Server::bind(config, system_clock).await.unwrap()
}

pub(crate) fn addr(server: &Server) -> SocketAddr {
    server.local_addrs()[0]
}

/// A relay with a guest and a visitor.
pub(crate) fn relay() -> State {
    let peer = "12D3KooWNY3VRDduUhUE5QJq4moH5wFdCpPJ7fuuPfKdZc6DmpVt";
    let guest = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    let (peer, guest) = (peer.parse().unwrap(), guest.parse().unwrap());
    State {
        relay: Relay {
            peer,
            addrs: vec!["/ip4/11.0.0.1/tcp/4002".parse().unwrap()],
        },
        usage: Usage {
            guests: vec![Guest {
                peer: guest,
                reservations: 1,
                sent: 2000,
                received: 48,
            }],
            circuits: vec![Circuit {
                from: peer,
                to: guest,
                seconds: 60,
            }],
            bytes: 2048,
            refused: [(Refusal::Stranger, 7)].into(),
            ..Usage::default()
        },
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// One request on its own connection. `headers`: whole lines.
pub(crate) async fn ask(addr: SocketAddr, request: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let mut head = format!("{request} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("Host: ")) {
        head += &format!("Host: {addr}\r\n");
    }
    if !request.starts_with("GET") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for header in headers {
        head += &format!("{header}\r\n");
    }
    socket
        .write_all(format!("{head}\r\n").as_bytes())
        .await
        .unwrap();
    // A server that refused may have closed the connection.
    let _answered_early = socket.write_all(body).await;
    let mut bytes = Vec::new();
    let _cut_after_the_answer = timeout(PATIENCE, socket.read_to_end(&mut bytes))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Answer {
        status: head
            .split(' ')
            .nth(1)
            .map_or(0, |status| status.parse().unwrap()),
        head: head.into(),
        body: body.into(),
    }
}

pub(crate) async fn get(addr: SocketAddr, path: &str) -> Answer {
    ask(addr, &format!("GET {path}"), &[], b"").await
}

pub(crate) async fn publish(addr: SocketAddr, message: &Message) -> u16 {
    ask(addr, "POST /publish", &[], &message.encode())
        .await
        .status
}

pub(crate) fn key(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

pub(crate) fn message(seed: u8, kind: Kind, label: &str) -> Message {
    let presence = Presence {
        kind,
        label: label.into(),
        addrs: vec!["/ip4/198.51.100.7/tcp/4001".parse().unwrap()],
        ..Presence::offline(key(seed).public().to_peer_id(), system_clock())
    };
    presence.message()
}

/// Signed, so many milliseconds from now.
pub(crate) fn signed(seed: u8, kind: Kind, label: &str, later: i64) -> Message {
    let mut message = message(seed, kind, label);
    message.ts += later;
    message.sign(&key(seed));
    message
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A subscription.
pub(crate) struct Events {
    pub(crate) socket: TcpStream,
    pub(crate) head: String,
    raw: Vec<u8>,
    text: String,
}

impl Events {
    pub(crate) async fn open(addr: SocketAddr, path: &str, headers: &[&str]) -> Self {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        socket
            .write_all(format!("{request}\r\n").as_bytes())
            .await
            .unwrap();
        let mut raw = Vec::new();
        let end = loop {
            if let Some(end) = find(&raw, b"\r\n\r\n") {
                break end;
            }
            assert!(
                read(&mut socket, &mut raw).await,
                "the stream ended in its head"
            );
        };
        let head = String::from_utf8(raw.drain(..end + 4).collect()).unwrap();
        Self {
            socket,
            head,
            raw,
            text: String::new(),
        }
    }

    /// The next block of lines, comments included; none at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            if !self.chunk().await {
                return None;
            }
        }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let mut event = Event::default();
            for line in block.lines() {
                match line.split_once(": ").unwrap_or((line, "")) {
                    ("event", name) => event.event = name.into(),
                    ("id", id) => event.id = id.into(),
                    ("data", data) => event.data += data,
                    _ => {}
                }
            }
            if !block.starts_with(':') {
                return Some(event);
            }
        }
    }

    /// Everyone in the snapshot of a stream of changes.
    pub(crate) async fn snapshot(&mut self) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let event = self.next().await.unwrap();
            match event.event.as_str() {
                "snapshot" => seen.extend(event.json().as_array().unwrap().clone()),
                "current" => return seen,
                other => panic!("{other} within a snapshot"),
            }
        }
    }

    async fn chunk(&mut self) -> bool {
        loop {
            if let Some(line) = find(&self.raw, b"\r\n") {
                let length = std::str::from_utf8(&self.raw[..line]).unwrap();
                let length = usize::from_str_radix(length, 16).unwrap();
                let whole = line + 2 + length + 2;
                if self.raw.len() >= whole {
                    let body = self
                        .raw
                        .drain(..whole)
                        .skip(line + 2)
                        .take(length)
                        .collect();
                    self.text += &String::from_utf8(body).unwrap();
                    return length > 0;
                }
            }
            if !read(&mut self.socket, &mut self.raw).await {
                return false;
            }
        }
    }
}

async fn read(socket: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    timeout(PATIENCE, socket.read_buf(into))
        .await
        .unwrap()
        .unwrap()
        > 0
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|found| found == wanted)
}
