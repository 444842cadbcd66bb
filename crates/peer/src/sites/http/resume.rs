//! Bodies that survive a broken connection: what is missing is asked for again (RFC 9110 §14.2), as
//! long as the file is the same (its `If-Range`). Connections break often without anybody going away: a
//! relay restarts, a direct connection takes over, a laptop changes networks.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use goop2_node::{ConnectionId, Node};
use goop2_proto::{PeerId, web::range};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, IF_RANGE, RANGE},
    request, response,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    select,
    time::{Instant, sleep, timeout_at},
};

use super::{
    body::{Body, STALL, of_stream},
    client::{Client, get},
    line::Line,
};
use crate::sites::io::within;

/// How long a transfer that was cut is tried to be taken up again: a relay that restarts is back
/// within this time, with the reservations there, and a laptop on another network.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a transfer may pause before the node checks whether its connection is still alive: a
/// network that is slow has sent something by then.
const DOUBT: Duration = Duration::from_millis(1500);
/// How often a transfer that pauses looks for a connection that has replaced its own.
const LOOK: Duration = Duration::from_millis(250);

/// The body of an answer.
pub(super) fn body(
    client: &Arc<Client>,
    peer: PeerId,
    request: &request::Parts,
    head: &response::Parts,
    (body, line): (Incoming, Line),
) -> Body {
    let transfer = Transfer {
        client: Arc::clone(client),
        peer,
        part: Part::of(request, head),
        source: Some((body, line)),
        cut: None,
    };
    of_stream(stream::unfold(Some(transfer), async |transfer| {
        let mut transfer = transfer?;
        match transfer.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(transfer))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Transfer {
    client: Arc<Client>,
    peer: PeerId,
    /// `None` when the rest could not be distinguished from other bytes.
    part: Option<Part>,
    source: Option<(Incoming, Line)>,
    /// When it was noticed that it was cut, until another byte has come.
    cut: Option<Instant>,
}

/// What is still missing of a file.
struct Part {
    uri: Uri,
    etag: HeaderValue,
    /// The next byte.
    next: u64,
    /// The byte after the last.
    end: u64,
    /// Bytes of the whole file.
    whole: u64,
}

impl Transfer {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.frame().await {
                Ok(Some(bytes)) => {
                    self.cut = None;
                    if let Some(part) = &mut self.part {
                        part.next += bytes.len() as u64;
                    }
                    return Ok(Some(bytes));
                }
                Ok(None) => {
                    if let Some((_, line)) = self.source.take() {
                        self.client.keep(self.peer, line);
                    }
                    return Ok(None);
                }
                Err(error) => {
                    self.source = None;
                    self.take_up(error).await?;
                }
            }
        }
    }

    async fn frame(&mut self) -> io::Result<Option<Bytes>> {
        let Some((body, line)) = &mut self.source else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let (node, peer, carrier) = (&self.client.node, self.peer, line.connection());
        let may_move = self.part.is_some();
        loop {
            let frame = async { body.frame().await.transpose().map_err(io::Error::other) };
            let frame = select! {
                biased;
                frame = within(STALL, frame) => frame?,
                () = paused(node, peer, carrier, may_move) => {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            };
            match frame {
                None => return Ok(None),
                Some(frame) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_trailers) => {}
                },
            }
        }
    }

    /// Asks for what is missing, until it comes or `error` is final.
    async fn take_up(&mut self, error: io::Error) -> io::Result<()> {
        let Some(part) = &self.part else {
            return Err(error);
        };
        tracing::debug!(peer = %self.peer, %error, at = part.next, "a transfer was cut and is taken up again");
        let (node, request) = (&self.client.node, part.request());
        let again_already = self.cut.is_some();
        let until = *self.cut.get_or_insert_with(Instant::now) + PATIENCE;
        let again = async {
            if again_already {
                sleep(PAUSE).await;
            }
            loop {
                let carrier = node.carrier(&self.peer);
                select! {
                    asked = self.client.ask_http(self.peer, &request) => {
                        if let Ok((response, line)) = asked {
                            let (head, body) = response.into_parts();
                            return part.continues(&head).then_some((body, line));
                        }
                        sleep(PAUSE).await;
                    }
                    () = replaced(node, self.peer, carrier) => {}
                }
            }
        };
        self.source = timeout_at(until, again).await.unwrap_or_default();
        self.source.as_ref().map(|_| ()).ok_or(error)
    }
}

/// Returns once another connection takes the place of the one that brings nothing, if that is of
/// use. Of a connection that died, only the silence is noticed here; the node finds out, and makes
/// another one.
async fn paused(node: &Node, peer: PeerId, carrier: ConnectionId, may_move: bool) {
    let doubted = async {
        sleep(DOUBT).await;
        node.check_connections(peer);
        std::future::pending().await
    };
    select! {
        () = doubted => {}
        () = replaced(node, peer, Some(carrier)), if may_move => {}
    }
}

/// Returns once requests take another connection than this one.
async fn replaced(node: &Node, peer: PeerId, carrier: Option<ConnectionId>) {
    let Some(carrier) = carrier else {
        return std::future::pending().await;
    };
    loop {
        sleep(LOOK).await;
        if node.carrier(&peer).is_some_and(|now| now != carrier) {
            return;
        }
    }
}

impl Part {
    fn of(request: &request::Parts, head: &response::Parts) -> Option<Self> {
        let etag = head.headers.get(ETAG)?;
        let strong = etag.as_bytes().starts_with(b"\"");
        if request.method != Method::GET || !strong || head.headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let (next, end, whole) = match head.status {
            StatusCode::OK => {
                let len = head
                    .headers
                    .get(CONTENT_LENGTH)?
                    .to_str()
                    .ok()?
                    .parse()
                    .ok()?;
                (0, len, len)
            }
            StatusCode::PARTIAL_CONTENT => range::sent(&head.headers)?,
            _ => return None,
        };
        Some(Self {
            uri: request.uri.clone(),
            etag: etag.clone(),
            next,
            end,
            whole,
        })
    }

    fn request(&self) -> request::Parts {
        let mut headers = HeaderMap::new();
        let range = format!("bytes={}-{}", self.next, self.end.saturating_sub(1));
        let range = HeaderValue::from_str(&range).expect("numbers are ASCII");
        headers.insert(RANGE, range);
        headers.insert(IF_RANGE, self.etag.clone());
        get(self.uri.clone(), headers)
    }

    /// Whether this answer is exactly the rest of the same file.
    fn continues(&self, head: &response::Parts) -> bool {
        head.status == StatusCode::PARTIAL_CONTENT
            && head.headers.get(ETAG) == Some(&self.etag)
            && range::sent(&head.headers) == Some((self.next, self.end, self.whole))
    }
}
