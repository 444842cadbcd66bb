//! Bodies that survive a broken connection: what is missing is asked for again (RFC 9110 §14.2), as
//! long as the file is the same (its `If-Range`). Connections break often without anybody going away: a
//! relay restarts, a direct connection takes over, a laptop changes networks.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use goop2_proto::{PeerId, web::range};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, IF_RANGE, RANGE},
    request, response,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    body::{Body, STALL, of_stream},
    client::{Client, get},
    line::Line,
};
use crate::sites::{io::within, visit::answer_of};

/// How long a transfer without a byte is tried to be taken up again: a relay that restarts is back
/// well within this time, and a laptop on another network.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
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
        progress: Instant::now(),
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
    /// When a byte came last.
    progress: Instant,
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
                    self.progress = Instant::now();
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
        let Some((body, _)) = &mut self.source else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        loop {
            let frame = async { body.frame().await.transpose().map_err(io::Error::other) };
            // Of a connection that died, only that is noticed here: the node finds out, and ends it.
            let frame = answer_of(&self.client.node, self.peer, within(STALL, frame));
            match frame.await? {
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
        let request = part.request();
        let again = async {
            loop {
                if let Ok((response, line)) = self.client.ask_http(self.peer, &request).await {
                    let (head, body) = response.into_parts();
                    return part.continues(&head).then_some((body, line));
                }
                sleep(PAUSE).await;
            }
        };
        self.source = timeout_at(self.progress + PATIENCE, again)
            .await
            .unwrap_or_default();
        self.source.as_ref().map(|_| ()).ok_or(error)
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
