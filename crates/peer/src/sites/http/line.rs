//! One stream to another peer, as hyper's client uses it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use goop2_node::{ConnectionId, Stream};
use goop2_proto::http::{MAX_HEAD, MAX_HEADERS};
use http_body_util::Empty;
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;

use super::paced::Paced;
use crate::error::Error;

/// Bytes of a stream that are held at a time.
const BUFFER: usize = 128 * 1024;

/// A body that is being read, and the stream that brings it.
pub(super) type Source = (Incoming, Line);

/// A stream that takes one request after the other.
pub(super) struct Line {
    pub(super) sender: SendRequest<Empty<Bytes>>,
    /// What carries it: a better connection may have come since.
    connection: ConnectionId,
    /// Whether the other side takes further requests.
    pub(super) kept: bool,
    pub(super) since: Instant,
    /// From the last request to the head of its answer.
    pub(super) answered_in: Duration,
    _driver: AbortOnDropHandle<()>,
    /// Held by a stream with a wide window as long as it is open.
    width: Option<OwnedSemaphorePermit>,
}

impl Line {
    pub(super) async fn open(
        stream: Stream,
        kept: bool,
        width: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, Error> {
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
            answered_in: Duration::ZERO,
            _driver: AbortOnDropHandle::new(driver),
            width,
        })
    }

    pub(super) fn is_usable(&self, age: Duration) -> bool {
        !self.sender.is_closed() && self.since.elapsed() < age
    }

    /// One answer has the whole line.
    pub(super) fn is_wide(&self) -> bool {
        self.width.is_some()
    }

    pub(super) fn connection(&self) -> ConnectionId {
        self.connection
    }
}

pub(super) fn failure(error: hyper::Error) -> Error {
    if error.is_parse() {
        Error::Protocol(error.to_string())
    } else if error.is_timeout() {
        Error::TooSlow
    } else {
        Error::Cut
    }
}
