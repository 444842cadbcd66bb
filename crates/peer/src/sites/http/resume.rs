//! Bodies that survive a broken connection: what is missing is asked for again (RFC 9110 §14.2), as
//! long as the file is the same (its `If-Range`). Connections break often without anybody going away: a
//! relay restarts, a direct connection takes over, a laptop changes networks.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use goop2_proto::PeerId;
use http::{request, response};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    body::{Body, STALL, of_stream},
    client::Client,
    line::Source,
    part::Part,
    pieces::{Pace, Pieces},
};
use crate::sites::{io::within, visit::answer_of};

/// How long a transfer without a byte is tried to be taken up again: a relay that restarts is back
/// well within this time, and a laptop on another network.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// What a stream may have carried and still be kept: of its window, nearly all is left.
const SMALL: usize = 32 * 1024;

/// The body of an answer.
pub(super) fn body(
    client: &Arc<Client>,
    peer: PeerId,
    request: &request::Parts,
    head: &response::Parts,
    (body, line): Source,
) -> Body {
    let part = Part::of(request, head);
    let far = line.kept && part.is_some();
    let transfer = Transfer {
        client: Arc::clone(client),
        peer,
        pace: far
            .then(|| client.round_trip(peer, &line))
            .and_then(Pace::of),
        part,
        source: Some((body, line)),
        carried: 0,
        until: None,
        pieces: None,
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
    source: Option<Source>,
    /// Bytes that came from it.
    carried: usize,
    /// Where the source is given up for the first of the pieces.
    until: Option<u64>,
    /// `None` where one stream is enough.
    pace: Option<Pace>,
    /// What is on its way on other streams.
    pieces: Option<Pieces>,
    /// When a byte came last.
    progress: Instant,
}

impl Transfer {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.frame().await {
                Ok(Some(bytes)) => return Ok(Some(self.received(bytes))),
                Ok(None) => {
                    if let Some((_, line)) = self.source.take().filter(|_| self.carried <= SMALL) {
                        self.client.keep(self.peer, line);
                    }
                    self.carried = 0;
                    let more = self.part.as_ref().is_some_and(|part| part.next < part.end);
                    if self.pieces.is_none() || !more {
                        return Ok(None);
                    }
                }
                Err(error) => {
                    self.source = None;
                    self.until = None;
                    if self.pieces.take().is_some() {
                        self.pace = None;
                    }
                    self.take_up(error).await?;
                }
            }
        }
    }

    fn received(&mut self, mut bytes: Bytes) -> Bytes {
        self.progress = Instant::now();
        self.carried += bytes.len();
        let Some(part) = &mut self.part else {
            return bytes;
        };
        if let Some(until) = self.until {
            let left = usize::try_from(until - part.next).unwrap_or(usize::MAX);
            bytes.truncate(left);
        }
        part.next += bytes.len() as u64;
        if self.until == Some(part.next) {
            (self.source, self.until) = (None, None);
        }
        if let Some(pace) = &mut self.pace {
            pace.received(bytes.len());
            if self.pieces.is_none()
                && let Some((pieces, first)) = Pieces::begin(&self.client, self.peer, part, pace)
            {
                (self.pieces, self.until) = (Some(pieces), Some(first));
            }
        }
        bytes
    }

    async fn frame(&mut self) -> io::Result<Option<Bytes>> {
        if self.source.is_none()
            && let (Some(pieces), Some(pace)) = (&mut self.pieces, &self.pace)
        {
            self.source = Some(pieces.next(pace).await?);
        }
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
