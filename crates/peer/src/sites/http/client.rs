//! The streams on which other peers are asked for files. One of ours takes further requests, so a few
//! are kept open: on a warm connection the first byte then comes after one round trip.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use goop2_node::{ConnectionId, Node, Stream};
use goop2_proto::{
    PeerId,
    http::{MAX_HEAD, MAX_HEADERS, PROTOCOL, SITE},
    site,
    web::range::{self, Wanted},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::Empty;
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::paced::Paced;
use crate::{
    error::Error,
    sites::visit::{CONNECT, answer_of},
};

/// What a site is asked for by, the best first.
const PROTOCOLS: [&str; 3] = [SITE, PROTOCOL, site::PROTOCOL];
/// How long a stream is kept without a request. Less than its owner waits for one.
const IDLE: Duration = Duration::from_secs(45);
/// Idle streams to one peer: twice what a browser opens to one site.
const MAX_IDLE: usize = 12;
/// Peers with idle streams: the sites somebody goes back and forth between.
const MAX_PEERS: usize = 32;
/// Bytes of a stream that are held at a time.
const BUFFER: usize = 128 * 1024;

/// The requests of this peer to others, and the streams kept for them.
pub(crate) struct Client {
    pub(super) node: Node,
    idle: Mutex<HashMap<PeerId, Vec<Line>>>,
}

/// A stream that takes one request after the other.
pub(super) struct Line {
    sender: SendRequest<Empty<Bytes>>,
    /// What carries it: a better connection may have come since.
    connection: ConnectionId,
    /// Whether the other side takes further requests.
    kept: bool,
    since: Instant,
    _driver: AbortOnDropHandle<()>,
}

/// The head of an answer, its body, and the stream that brings it.
pub(super) type Asked = (Response<Incoming>, Line);

impl Client {
    pub(crate) fn new(node: Node) -> Arc<Self> {
        Arc::new(Self {
            node,
            idle: Mutex::default(),
        })
    }

    /// One request over HTTP, on whatever stream; existing peers know none.
    pub(super) async fn ask_http(&self, peer: PeerId, request: &Parts) -> Result<Asked, Error> {
        if let Some(asked) = self.ask_idle(peer, request).await {
            return Ok(asked);
        }
        match self.open(peer).await? {
            Opened::Http(line) => self.ask_on(line, peer, request).await,
            Opened::Existing(_) => Err(Error::Cut),
        }
    }

    /// Asks on an idle stream. The other side may have closed it a moment ago; then the next one
    /// is tried.
    pub(super) async fn ask_idle(&self, peer: PeerId, request: &Parts) -> Option<Asked> {
        while let Some(line) = self.take(peer) {
            if let Ok(asked) = self.ask_on(line, peer, request).await {
                return Some(asked);
            }
        }
        None
    }

    pub(super) async fn ask_on(
        &self,
        mut line: Line,
        peer: PeerId,
        request: &Parts,
    ) -> Result<Asked, Error> {
        line.sender.ready().await.map_err(failure)?;
        let sent = line.sender.send_request(of_parts(peer, request));
        let response = answer_of(&self.node, peer, sent).await.map_err(failure)?;
        check_framing(&response)?;
        check_range(request, &response)?;
        Ok((response, line))
    }

    pub(super) async fn open(&self, peer: PeerId) -> Result<Opened, Error> {
        let opened = timeout(CONNECT, self.node.open_any(peer, &PROTOCOLS)).await;
        let (stream, protocol) = opened.map_err(|_| Error::Offline)??;
        if protocol == site::PROTOCOL {
            Ok(Opened::Existing(stream))
        } else {
            Line::open(stream, protocol == SITE).await.map(Opened::Http)
        }
    }

    /// Takes an idle stream on the best connection there is to the peer.
    fn take(&self, peer: PeerId) -> Option<Line> {
        let best = self.node.carrier(&peer);
        let mut idle = self.idle();
        let lines = idle.get_mut(&peer)?;
        lines.retain(|line| line.is_usable() && Some(line.connection) == best);
        let line = lines.pop();
        if lines.is_empty() {
            idle.remove(&peer);
        }
        line
    }

    /// Keeps a stream whose answer has been read to its end.
    pub(super) fn keep(&self, peer: PeerId, mut line: Line) {
        if !line.kept {
            return;
        }
        line.since = Instant::now();
        let mut idle = self.idle();
        idle.retain(|_, lines| {
            lines.retain(Line::is_usable);
            !lines.is_empty()
        });
        if idle.len() >= MAX_PEERS && !idle.contains_key(&peer) {
            return;
        }
        let lines = idle.entry(peer).or_default();
        if lines.len() < MAX_IDLE {
            lines.push(line);
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<PeerId, Vec<Line>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) enum Opened {
    Http(Line),
    Existing(Stream),
}

impl Line {
    async fn open(stream: Stream, kept: bool) -> Result<Self, Error> {
        let connection = stream.connection();
        let (sender, driver) = Builder::new()
            .max_header_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(Paced::new(stream)))
            .await
            .map_err(failure)?;
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a stream of requests ended early");
            }
        });
        Ok(Self {
            sender,
            connection,
            kept,
            since: Instant::now(),
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    fn is_usable(&self) -> bool {
        !self.sender.is_closed() && self.since.elapsed() < IDLE
    }
}

/// The request with the one header that HTTP wants of every client.
fn of_parts(peer: PeerId, head: &Parts) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.headers_mut() = head.headers.clone();
    let host = HeaderValue::from_str(&peer.to_base58()).expect("a peer ID is ASCII");
    request.headers_mut().insert(HOST, host);
    request
}

/// A GET of this address.
pub(super) fn get(uri: http::Uri, headers: HeaderMap) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::GET;
    head.uri = uri;
    head.headers = headers;
    head
}

/// Refuses an answer that another program might end elsewhere (RFC 9112 §6.1, §6.3), and one that
/// is none: the stream would become something else than HTTP (RFC 9110 §15.2.2).
fn check_framing<B>(response: &Response<B>) -> Result<(), Error> {
    let headers = response.headers();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let clear = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(CONTENT_LENGTH)
        }
        _ => false,
    };
    if clear && !response.status().is_informational() {
        Ok(())
    } else {
        Err(Error::Protocol(
            "it doesn’t say where its answer ends".into(),
        ))
    }
}

/// Refuses a part that nobody asked for: its bytes would pass for others.
fn check_range<B>(request: &Parts, response: &Response<B>) -> Result<(), Error> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(());
    }
    let strange = || Error::Protocol("it sent another part of the file".into());
    let (first, end, whole) = range::sent(response.headers()).ok_or_else(strange)?;
    let asked = Wanted::Part {
        first,
        last: end - 1,
    };
    if range::wanted(&request.headers, whole) == asked {
        Ok(())
    } else {
        Err(strange())
    }
}

fn failure(error: hyper::Error) -> Error {
    if error.is_parse() {
        Error::Protocol(error.to_string())
    } else if error.is_timeout() {
        Error::TooSlow
    } else {
        Error::Cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status and headers of an answer, and whether its end is clear.
    type Row = (u16, &'static [(&'static str, &'static str)], bool);

    #[test]
    fn an_answer_has_one_end() {
        const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");
        let table: [Row; 9] = [
            (200, &[("content-length", "2")], true),
            (200, &[], true),
            (304, &[("content-length", "2")], true),
            (200, &[("transfer-encoding", "Chunked")], true),
            (200, &[CHUNKED, ("content-length", "2")], false),
            (200, &[CHUNKED, CHUNKED], false),
            (200, &[("transfer-encoding", "gzip, chunked")], false),
            (200, &[("transfer-encoding", "gzip, identity")], false),
            (101, &[("upgrade", "websocket")], false),
        ];
        for (status, headers, clear) in table {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            let checked = check_framing(&response.body(()).unwrap());
            assert_eq!(checked.is_ok(), clear, "{status} {headers:?}");
        }
    }
}
