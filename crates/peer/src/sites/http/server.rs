//! Answers HTTP requests of visitors. Only GET and HEAD without a body exist, so whatever could be
//! understood in two ways (RFC 9112 §11) is refused before anything is looked up, and ends the
//! stream.

use std::{
    convert::Infallible,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use goop2_node::Stream;
use goop2_proto::{
    PeerId,
    http::{CHANGES, KEPT, MAX_HEAD, MAX_HEADERS, WELL_KNOWN, WELL_KNOWN_ANSWER},
};
use goop2_store::{Content, Folder};
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HOST, RANGE, TRANSFER_ENCODING},
    request::Parts,
};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use tokio::task::spawn_blocking;

use super::{
    body::{self, Body},
    kept,
    paced::Paced,
};
use crate::{
    live::{Live, is_html, stream},
    sites::room::{Room, Turn},
};

/// How long a stream may stay without a complete head of a request, the wait for the next one
/// included. Longer than a reader stays on a page that has loaded everything.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a stream that are held at a time.
const BUFFER: usize = 64 * 1024;
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Who asks, and what is needed for an answer.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) folder: Arc<Folder>,
    pub(crate) room: Room,
    pub(crate) live: Live,
    pub(crate) peer: PeerId,
}

/// Answers the requests of one stream until it ends; each takes its turn. With `kept`, several may
/// follow each other.
pub(crate) async fn serve(visitor: Visitor, stream: Stream, kept: bool) -> io::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let visitor = visitor.clone();
        async move { Ok::<_, Infallible>(visitor.answer(request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        .keep_alive(kept)
        // Other clients close their side once they have asked. Ours does not, so a stream that ends is
        // noticed at once, by an answer that waits for something to say, too.
        .half_close(!kept)
        .serve_connection(TokioIo::new(Paced::new(stream)), service)
        .await
        .map_err(io::Error::other)
}

impl Visitor {
    /// What changes on the site from now on.
    fn changes(&self, head: &Parts) -> Response<Body> {
        let since = stream::since(head.uri.query().unwrap_or_default());
        match self.live.changes.subscribe(self.peer, since) {
            Some(subscriber) => {
                let listening = self.live.readers.listening(self.peer, Instant::now());
                stream::answer(subscriber, listening)
            }
            None => refusal(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        if is_ambiguous(&head) || !body.is_end_stream() {
            return refusal(StatusCode::BAD_REQUEST);
        }
        // An open page waits for most of its time: it takes no turn from those who want something.
        if head.uri.path() == CHANGES && head.method == Method::GET {
            return self.changes(&head);
        }
        let turn = self.room.turn(self.peer).await;
        if head.uri.path() == WELL_KNOWN {
            return well_known();
        }
        match spawn_blocking(move || self.look_up(&head)).await {
            Ok(response) => response.map(|body| holding(turn, body)),
            Err(_panicked) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Blocks (disk).
    fn look_up(&self, head: &Parts) -> Response<Body> {
        if head.uri.path() == KEPT && head.method == Method::GET {
            let statuses = kept::requests(head).map(|file| self.kept(file));
            return kept::answer(statuses).map(body::begin);
        }
        let response = self.live.answer(&self.folder, head);
        self.log(head, response.status());
        if is_opened(head, &response) {
            let path = percent_decode_str(head.uri.path()).decode_utf8_lossy();
            self.live.readers.opened(self.peer, &path, Instant::now());
        }
        response.map(body::begin)
    }

    /// A file that has changed is asked for next, and answered then.
    fn kept(&self, file: Option<Parts>) -> StatusCode {
        let Some(head) = file else {
            return StatusCode::NOT_FOUND;
        };
        let status = self.live.answer(&self.folder, &head).status();
        if status == StatusCode::NOT_MODIFIED {
            self.log(&head, status);
        }
        status
    }

    fn log(&self, head: &Parts, status: StatusCode) {
        let (peer, path, range) = (self.peer, head.uri.path(), head.headers.get(RANGE));
        let status = status.as_u16();
        tracing::debug!(%peer, path, status, ?range, "request answered");
    }
}

/// Whether a person opened a page of the site, or looked again at one they have.
fn is_opened<B>(request: &Parts, response: &Response<B>) -> bool {
    let is_navigation = request.headers.get(SEC_FETCH_MODE);
    let is_navigation = is_navigation.is_some_and(|mode| mode == "navigate");
    let is_page = match response.status() {
        StatusCode::OK => is_html(response.headers()),
        status => status == StatusCode::NOT_MODIFIED,
    };
    request.method == Method::GET && is_navigation && is_page
}

/// Whether another program might read another request from the same bytes, or none at all.
fn is_ambiguous(head: &Parts) -> bool {
    head.headers.contains_key(TRANSFER_ENCODING)
        || head.headers.get_all(HOST).iter().count() > 1
        || head.uri.authority().is_some()
        || !head.uri.path().starts_with('/')
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::begin(Content::Empty));
    *response.status_mut() = status;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

fn well_known() -> Response<Body> {
    let json = Bytes::from_static(WELL_KNOWN_ANSWER.as_bytes());
    let mut response = Response::new(body::begin(Content::Bytes(json)));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The body, whose turn ends when it has been sent or dropped.
fn holding(turn: Turn, body: Body) -> Body {
    body.map_frame(move |frame| {
        let _held = &turn;
        frame
    })
    .boxed_unsync()
}
