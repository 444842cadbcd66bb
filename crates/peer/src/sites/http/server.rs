//! Answers HTTP requests of visitors. Only GET and HEAD without a body exist, so whatever could be
//! understood in two ways (RFC 9112 §11) is refused before anything is looked up, and ends the
//! stream.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use goop2_node::Stream;
use goop2_proto::{
    PeerId,
    http::{MAX_HEAD, MAX_HEADERS, WELL_KNOWN, WELL_KNOWN_ANSWER},
};
use goop2_store::{Content, Folder};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_blocking;

use super::{
    body::{self, Body},
    paced::Paced,
};
use crate::sites::room::{Room, Turn};

/// How long a stream may stay without a complete head of a request, the wait for the next one
/// included. Longer than a reader stays on a page that has loaded everything.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a stream that are held at a time.
const BUFFER: usize = 64 * 1024;

/// Who asks, and what is needed for an answer.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) folder: Arc<Folder>,
    pub(crate) room: Room,
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
        // Other clients close their side once they have asked.
        .half_close(true)
        .serve_connection(TokioIo::new(Paced::new(stream)), service)
        .await
        .map_err(io::Error::other)
}

impl Visitor {
    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let turn = self.room.turn(self.peer).await;
        let (head, body) = request.into_parts();
        if is_ambiguous(&head) || !body.is_end_stream() {
            return refusal(StatusCode::BAD_REQUEST);
        }
        if head.uri.path() == WELL_KNOWN {
            return well_known();
        }
        let peer = self.peer;
        let answered = move || {
            let answer = self.folder.site().answer(&head);
            let status = answer.status().as_u16();
            tracing::debug!(%peer, path = head.uri.path(), status, "request answered");
            answer.map(body::begin)
        };
        match spawn_blocking(answered).await {
            Ok(response) => response.map(|body| holding(turn, body)),
            Err(_panicked) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
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
