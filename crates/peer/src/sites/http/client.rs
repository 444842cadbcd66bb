//! The streams on which other peers are asked for files. One of ours takes further requests, so a few
//! are kept open (`pool`).

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use goop2_node::{Node, Stream};
use goop2_proto::{
    PeerId,
    http::{PROTOCOL, SITE},
    site,
    web::range::{self, Wanted},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::Empty;
use hyper::body::Incoming;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    line::{Line, failure},
    pool::{CHECK, MAX_IDLE, Pool},
    width::{FAR, MAX_WIDE, may_be_large},
};
use crate::{
    error::Error,
    sites::visit::{CONNECT, answer_of},
};

/// What a site is asked for by, the best first.
const PROTOCOLS: [&str; 3] = [SITE, PROTOCOL, site::PROTOCOL];
/// Pieces of all large files that are on their way at a time: when nobody reads, 16 MiB of them wait
/// here.
const MAX_PIECES: usize = 64;
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The requests of this peer to others, and the streams kept for them.
pub(crate) struct Client {
    pub(super) node: Node,
    pool: Pool,
    /// Room for the pieces of large files.
    pub(super) pieces: Arc<Semaphore>,
    /// Room for answers that come through wide windows.
    wide: Arc<Semaphore>,
    /// Those that open streams ahead, and those that look after them.
    tasks: Mutex<JoinSet<()>>,
}

/// The head of an answer, its body, and the stream that brings it.
pub(super) type Asked = (Response<Incoming>, Line);

impl Client {
    pub(crate) fn new(node: Node) -> Arc<Self> {
        Arc::new(Self {
            node,
            pool: Pool::default(),
            pieces: Arc::new(Semaphore::new(MAX_PIECES)),
            wide: Arc::new(Semaphore::new(MAX_WIDE)),
            tasks: Mutex::default(),
        })
    }

    /// One request over HTTP, on whatever stream; existing peers know none.
    pub(super) async fn ask_http(
        self: &Arc<Self>,
        peer: PeerId,
        request: &Parts,
    ) -> Result<Asked, Error> {
        if let Some(asked) = self.ask_idle(peer, request).await {
            return Ok(asked);
        }
        self.ask_fresh(peer, request).await
    }

    /// The same on a stream that has carried nothing yet.
    pub(super) async fn ask_fresh(
        self: &Arc<Self>,
        peer: PeerId,
        request: &Parts,
    ) -> Result<Asked, Error> {
        match self.open(peer, None).await? {
            Opened::Http(line) => self.ask_on(line, peer, request).await,
            Opened::Existing(_) => Err(Error::Cut),
        }
    }

    /// Asks on an idle stream. The other side may have closed it a moment ago; then the next one
    /// is tried.
    pub(super) async fn ask_idle(self: &Arc<Self>, peer: PeerId, request: &Parts) -> Option<Asked> {
        while let Some(line) = self.pool.take(peer, self.node.carrier(&peer)) {
            if let Ok(asked) = self.ask_on(line, peer, request).await {
                return Some(asked);
            }
        }
        None
    }

    pub(super) async fn ask_on(
        self: &Arc<Self>,
        mut line: Line,
        peer: PeerId,
        request: &Parts,
    ) -> Result<Asked, Error> {
        line.sender.ready().await.map_err(failure)?;
        let began = Instant::now();
        let sent = line.sender.send_request(of_parts(peer, request));
        let response = answer_of(&self.node, peer, sent).await.map_err(failure)?;
        line.answered_in = began.elapsed();
        check_framing(&response)?;
        check_range(request, &response)?;
        if line.kept && is_page(request) {
            self.expect_more(peer);
        }
        Ok((response, line))
    }

    /// At least so long it takes to ask this peer, as far as is known.
    pub(super) fn round_trip(&self, peer: PeerId, line: &Line) -> Duration {
        let measured = self.measured(peer);
        measured.map_or(line.answered_in, |measured| measured.min(line.answered_in))
    }

    fn measured(&self, peer: PeerId) -> Option<Duration> {
        let status = self.node.status();
        let status = status.borrow();
        let connections = status.connections.get(&peer).into_iter().flatten();
        connections.filter_map(|connection| connection.rtt).min()
    }

    /// Room for the answer to this request, if it may be large and comes from far away.
    pub(super) fn width(&self, peer: PeerId, request: &Parts) -> Option<OwnedSemaphorePermit> {
        let is_near = || self.measured(peer).is_some_and(|measured| measured < FAR);
        if !may_be_large(request) || is_near() {
            return None;
        }
        Arc::clone(&self.wide).try_acquire_owned().ok()
    }

    /// With `width`, the answer comes through a wide window, if the peer is one of ours: others may send
    /// frames as large as the window.
    pub(super) async fn open(
        &self,
        peer: PeerId,
        width: Option<OwnedSemaphorePermit>,
    ) -> Result<Opened, Error> {
        let opened = timeout(CONNECT, self.node.open_any(peer, &PROTOCOLS)).await;
        let (mut stream, protocol) = opened.map_err(|_| Error::Offline)??;
        if protocol == site::PROTOCOL {
            return Ok(Opened::Existing(stream));
        }
        let kept = protocol == SITE;
        let width = width.filter(|_| kept);
        if width.is_some() {
            stream.widen();
        }
        Line::open(stream, kept, width).await.map(Opened::Http)
    }

    /// Keeps a stream whose answer has been read to its end.
    pub(super) fn keep(&self, peer: PeerId, mut line: Line) {
        // A wide one is for one answer.
        if line.kept && !line.is_wide() {
            line.since = Instant::now();
            self.pool.put(peer, line);
        }
    }

    /// A person opened a page of the peer: what it will ask for finds streams that are open, and so
    /// does the next click.
    pub(super) fn expect_more(self: &Arc<Self>, peer: PeerId) {
        self.open_ahead(peer, MAX_IDLE);
        if self.pool.watch(peer) {
            self.spawn(look_after(Arc::downgrade(self), peer));
        }
    }

    /// Nothing is dialed for this.
    fn open_ahead(self: &Arc<Self>, peer: PeerId, wanted: usize) {
        let Some(best) = self.node.carrier(&peer) else {
            return;
        };
        let missing = self.pool.missing(peer, best, wanted);
        if missing == 0 {
            return;
        }
        let client = Arc::clone(self);
        self.spawn(async move {
            join_all((0..missing).map(|_| async {
                let line = match client.open(peer, None).await {
                    Ok(Opened::Http(line)) if line.kept => Some(line),
                    _ => None,
                };
                client.pool.opened(peer, line);
            }))
            .await;
        });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// Has one stream ready for as long as somebody reads the site of this peer.
async fn look_after(client: Weak<Client>, peer: PeerId) {
    loop {
        sleep(CHECK).await;
        let Some(client) = client.upgrade() else {
            return;
        };
        if !client.pool.is_read(peer, client.node.carrier(&peer)) {
            return;
        }
        client.open_ahead(peer, 1);
    }
}

pub(super) enum Opened {
    Http(Line),
    Existing(Stream),
}

/// Whether a person opens a page, which will ask for more.
fn is_page(request: &Parts) -> bool {
    let mode = request.headers.get(SEC_FETCH_MODE);
    mode.is_some_and(|mode| mode == "navigate")
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
