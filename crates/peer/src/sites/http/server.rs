//! Answers HTTP requests of visitors. Only GET and HEAD without a body exist, so whatever could be
//! understood in two ways (RFC 9112 §11) is refused before anything is looked up, and ends the
//! stream.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use goop2_node::Stream;
use goop2_proto::http::{MAX_HEAD, MAX_HEADERS, WELL_KNOWN, WELL_KNOWN_ANSWER};
use goop2_store::{Content, Folder};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body::Body as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use super::{
    body::{self, Body},
    paced::Paced,
};

/// How long a stream may stay without a complete head of a request, the wait for the next one
/// included. Longer than a reader stays on a page that has loaded everything.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a stream that are held at a time.
const BUFFER: usize = 64 * 1024;

/// Answers the requests of one stream until it ends; each takes a permit of `room` while it is
/// answered. With `kept`, several may follow each other.
pub(crate) async fn serve(
    folder: Arc<Folder>,
    room: Arc<Semaphore>,
    stream: Stream,
    kept: bool,
) -> io::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let (folder, room) = (Arc::clone(&folder), Arc::clone(&room));
        async move { Ok::<_, Infallible>(answer(folder, room, request).await) }
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

async fn answer(
    folder: Arc<Folder>,
    room: Arc<Semaphore>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Ok(permit) = room.acquire_owned().await else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE);
    };
    let (head, body) = request.into_parts();
    if is_ambiguous(&head) || !body.is_end_stream() {
        return refusal(StatusCode::BAD_REQUEST);
    }
    if head.uri.path() == WELL_KNOWN {
        return well_known();
    }
    let answered = spawn_blocking(move || folder.site().answer(&head)).await;
    match answered {
        Ok(response) => response.map(|content| holding(permit, body::send(content))),
        Err(_panicked) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
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
    let mut response = Response::new(body::send(Content::Empty));
    *response.status_mut() = status;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

fn well_known() -> Response<Body> {
    let json = Bytes::from_static(WELL_KNOWN_ANSWER.as_bytes());
    let mut response = Response::new(body::send(Content::Bytes(json)));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The body, which gives the permit back when it has been sent or dropped.
fn holding(permit: OwnedSemaphorePermit, body: Body) -> Body {
    use http_body_util::BodyExt;
    body.map_frame(move |frame| {
        let _held = &permit;
        frame
    })
    .boxed_unsync()
}
