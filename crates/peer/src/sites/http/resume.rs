//! Bodies that survive a broken connection: what is missing is asked for again (RFC 9110 §14.2), as
//! long as the file is the same (its `If-Range`). Connections break often without anybody going away: a
//! relay restarts, a direct connection takes over, a laptop changes networks.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use goop2_node::{ConnectionId, Node};
use goop2_proto::PeerId;
use http::{request, response};
use http_body_util::BodyExt;
use tokio::{
    select,
    time::{Instant, sleep, timeout_at},
};

use super::{
    body::{Body, STALL, of_stream},
    client::Client,
    line::Source,
    part::Part,
    pieces::{Pace, Pieces},
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
/// How long a transfer pauses before it moves to a connection that has replaced its own.
const LOOK: Duration = Duration::from_millis(250);

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
    source: Option<Source>,
    /// Bytes that came from it.
    carried: usize,
    /// Where the source is given up for the first of the pieces.
    until: Option<u64>,
    /// `None` where one stream is enough.
    pace: Option<Pace>,
    /// What is on its way on other streams.
    pieces: Option<Pieces>,
    /// When it was noticed that it was cut, until another byte has come.
    cut: Option<Instant>,
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
        self.cut = None;
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
            let is_wide = self.source.as_ref().is_some_and(|(_, line)| line.is_wide());
            if self.pieces.is_none()
                && !is_wide
                && let Some((pieces, first)) = Pieces::begin(&self.client, self.peer, part, pace)
            {
                (self.pieces, self.until) = (Some(pieces), Some(first));
            }
        }
        bytes
    }

    async fn frame(&mut self) -> io::Result<Option<Bytes>> {
        let (node, peer, may_move) = (&self.client.node, self.peer, self.part.is_some());
        if self.source.is_none()
            && let (Some(pieces), Some(pace)) = (&mut self.pieces, &self.pace)
        {
            let carrier = node.carrier(&peer);
            let piece = unless_replaced(node, peer, carrier, may_move, pieces.next(pace));
            self.source = Some(piece.await?);
        }
        let Some((body, line)) = &mut self.source else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let carrier = Some(line.connection());
        loop {
            let frame = async { body.frame().await.transpose().map_err(io::Error::other) };
            let frame = within(STALL, frame);
            let frame = unless_replaced(node, peer, carrier, may_move, frame).await?;
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

/// What comes, unless it pauses and another connection takes its place, if that is of
/// use. Of a connection that died, only the silence is noticed here; the node finds out, and makes
/// another one.
async fn unless_replaced<T>(
    node: &Node,
    peer: PeerId,
    carrier: Option<ConnectionId>,
    may_move: bool,
    comes: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let doubted = async {
        sleep(DOUBT).await;
        node.check_connections(peer);
        std::future::pending::<io::Result<T>>().await
    };
    select! {
        biased;
        come = comes => come,
        never = doubted => never,
        () = replaced(node, peer, carrier), if may_move => {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

/// Returns once requests take another connection than this one.
async fn replaced(node: &Node, peer: PeerId, carrier: Option<ConnectionId>) {
    let Some(carrier) = carrier else {
        return std::future::pending().await;
    };
    sleep(LOOK).await;
    let mut carriers = node.carriers();
    while node.carrier(&peer).is_none_or(|now| now == carrier) {
        if carriers.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
