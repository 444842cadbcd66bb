//! Two peers on loopback, the viewer of one of them, and a client that sends any request.

use std::{collections::HashMap, fs, future::Future, time::Duration};

use goop2_peer::{Folder, Peer};
use goop2_proto::id;
use goop2_viewer::{Config, Viewer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Far longer than anything here takes, half a minute for a transfer that was cut included; only a
/// hang reaches it.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

/// A host, a method and path, headers, and the status of the answer.
pub(crate) type Case<'a> = (&'a str, &'a str, Headers<'a>, u16);

/// The headers of a browser that opens a page.
pub(crate) const NAVIGATION: Headers = &[
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Site", "none"),
    ("Accept", "text/html,*/*"),
];

pub(crate) struct World {
    pub(crate) viewer: Viewer,
    pub(crate) visitor: Peer,
    pub(crate) owner: Peer,
    pub(crate) owner_dir: TempDir,
    _visitor_dir: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let (owner, owner_dir) = peer("Owner").await;
        let (visitor, visitor_dir) = peer("Visitor").await;
        let listening = owner.listening();
        let loopback = listening
            .iter()
            .map(ToString::to_string)
            .find(|addr| addr.starts_with("/ip4/127.0.0.1/tcp/"))
            .unwrap();
        visitor
            .add_address(&format!("{loopback}/p2p/{}", owner.id()))
            .await
            .unwrap();
        let viewer = Viewer::bind(
            visitor.clone(),
            Config {
                http_addr: ":0".into(),
                ..Config::default()
            },
        )
        .await
        .unwrap();
        Self {
            viewer,
            visitor,
            owner,
            owner_dir,
            _visitor_dir: visitor_dir,
        }
    }

    /// Returns when the two know each other's names.
    pub(crate) async fn introduced(&self) {
        for (peer, other) in [(&self.visitor, &self.owner), (&self.owner, &self.visitor)] {
            let id = other.id().to_base58();
            let mut snapshot = peer.snapshot();
            patient(snapshot.wait_for(|snapshot| {
                snapshot
                    .peers
                    .iter()
                    .any(|card| card.id == id && !card.label.is_empty())
            }))
            .await
            .unwrap();
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.viewer.port()
    }

    pub(crate) fn control(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    pub(crate) fn site(&self, peer: &Peer) -> String {
        format!("{}.localhost:{}", id::to_label(&peer.id()), self.port())
    }

    pub(crate) fn token(&self) -> String {
        format!(
            "Bearer {}",
            self.viewer.open_url().split_once("?token=").unwrap().1
        )
    }

    pub(crate) async fn get(&self, host: &str, path: &str, headers: Headers<'_>) -> Answer {
        self.send("GET", host, path, headers, "").await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        host: &str,
        path: &str,
        headers: Headers<'_>,
        body: &str,
    ) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        self.raw(&format!("{request}\r\n{body}")).await
    }

    /// Compares each answer's status. No answer has a header that allows other origins anything,
    /// and each has a policy.
    pub(crate) async fn check(&self, table: &[Case<'_>]) {
        for (host, line, headers, status) in table {
            let (method, path) = line.split_once(' ').unwrap();
            let answer = self.send(method, host, path, headers, "").await;
            let case = format!("{line} at {host} {headers:?}: {}", answer.text());
            assert_eq!(answer.status, *status, "{case}");
            let cors = |name: &String| name.starts_with("access-control-");
            assert!(!answer.header_names().any(cors), "{case}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{case}");
            assert_ne!(answer.header("content-security-policy"), "", "{case}");
        }
    }

    /// Sends the text and reads until the viewer closes the connection.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect(request).await;
        let mut bytes = Vec::new();
        patient(stream.read_to_end(&mut bytes)).await.unwrap();
        Answer::parse(&bytes)
    }

    /// With bytes as the body, and the token.
    pub(crate) async fn put(&self, path: &str, body: &[u8]) -> Answer {
        let (host, token, len) = (self.control(), self.token(), body.len());
        let mut stream = self
            .connect(&format!(
                "PUT {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len}\r\nAuthorization: {token}\r\n\r\n"
            ))
            .await;
        stream.write_all(body).await.unwrap();
        let mut bytes = Vec::new();
        patient(stream.read_to_end(&mut bytes)).await.unwrap();
        Answer::parse(&bytes)
    }

    pub(crate) async fn connect(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port()))
            .await
            .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// With the token, JSON in and out.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self
            .send(
                method,
                &self.control(),
                path,
                &[("Authorization", &self.token())],
                &body,
            )
            .await;
        (
            answer.status,
            serde_json::from_str(&answer.text()).unwrap_or(Value::String(answer.text())),
        )
    }

    pub(crate) async fn end(self) {
        timeout(Duration::from_secs(1), self.viewer.shutdown())
            .await
            .expect("the viewer stops at once");
        self.visitor.shutdown().await;
        self.owner.shutdown().await;
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let (first, lines) = head.split_once("\r\n").unwrap();
        let headers: HashMap<_, _> = lines
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.into()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        Self {
            status: first.split(' ').nth(1).unwrap().parse().unwrap(),
            headers,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header_names(&self) -> impl Iterator<Item = &String> {
        self.headers.keys()
    }
}

pub(crate) async fn patient<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("a hang")
}

async fn peer(label: &str) -> (Peer, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("site");
    fs::create_dir_all(site.join("lua")).unwrap();
    fs::create_dir_all(site.join("a")).unwrap();
    fs::write(site.join("index.html"), format!("<h1>{label}</h1>")).unwrap();
    fs::write(site.join("a/b c.css"), "body {}").unwrap();
    fs::write(site.join("lua/x.lua"), "-- secret").unwrap();
    // Without mDNS, only the address passed to it connects one to the other.
    let config = json!({ "profile": { "label": label }, "p2p": { "mdns": false } });
    fs::write(dir.path().join("goop.json"), config.to_string()).unwrap();
    let columns = json!([{ "name": "message", "type": "TEXT", "not_null": true }]);
    let tables = json!({ "guestbook": { "policy": "public", "columns": columns }, "notices": { "policy": "owner", "columns": columns } });
    fs::write(dir.path().join("tables.json"), tables.to_string()).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    // A test must not fill anyone's bin.
    folder.publish().keep_removed();
    (Peer::start(folder).await.unwrap(), dir)
}
