//! A scripted server: each request goes to the test, which writes the bytes of the answer.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// Requests that wait for the test.
const MAX_WAITING: usize = 64;

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    requests: mpsc::Receiver<Request>,
    _tasks: JoinSet<()>,
}

/// One request, and the connection to answer it on.
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    stream: BufStream<TcpStream>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::channel(MAX_WAITING);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let tell = tell.clone();
                connections.spawn(async move {
                    if let Some(request) = read(stream).await {
                        let _ = tell.send(request).await;
                    }
                });
            }
        });
        Self {
            addr,
            requests,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) async fn next(&mut self) -> Request {
        self.requests.recv().await.unwrap()
    }

    /// The next request with this beginning. Those before it get the answer of an existing server
    /// without a relay.
    pub(crate) async fn expect(&mut self, start: &str) -> Request {
        loop {
            let request = self.next().await;
            if request.line.starts_with(start) {
                return request;
            }
            match &*request.line {
                "POST /publish" => request.answer("204 No Content", "", "").await,
                line if line.starts_with("GET /events") => {
                    request.stream("").await.hold();
                }
                _ => {
                    request
                        .answer(
                            "404 Not Found",
                            "Content-Type: text/plain\r\n",
                            "404 page not found\n",
                        )
                        .await
                }
            }
        }
    }
}

impl Request {
    pub(crate) async fn answer(mut self, status: &str, headers: &str, body: &str) {
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // The client may be gone already.
        let _ = self
            .stream
            .write_all(format!("{head}{body}").as_bytes())
            .await;
        let _ = self.stream.flush().await;
    }

    /// The head of an event stream; its body ends with the connection.
    pub(crate) async fn stream(self, headers: &str) -> Stream {
        let mut stream = Stream(self.stream);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{headers}Connection: close\r\n\r\n"
        );
        stream.write(&head).await;
        stream
    }
}

/// An open event stream; dropping it ends it.
pub(crate) struct Stream(BufStream<TcpStream>);

impl Stream {
    pub(crate) async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Leaves it open until the test ends.
    pub(crate) fn hold(self) {
        std::mem::forget(self);
    }
}

async fn read(stream: TcpStream) -> Option<Request> {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        line: line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned(),
        headers,
        body: String::from_utf8(body).ok()?,
        stream,
    })
}
