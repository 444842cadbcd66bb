//! Requests for data and pictures to other peers: one stream each, read within bounds and deadlines.
//! Files are fetched in `http::client`.
//!
//! A connection may end at any moment, often because a better one replaces it: a direct one instead
//! of a relayed one, or the other way round. A request that was cut before its answer began is
//! therefore retried once, within the same deadline, if sending it twice does no harm. While an
//! answer is missing, the node checks whether the connection is still alive.

use std::{
    io,
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use goop2_node::{Node, OpenError, Stream};
use goop2_proto::{
    PeerId, avatar,
    data::{self, Answer},
};
use tokio::{
    io::{AsyncReadExt, BufReader},
    time::timeout,
};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

use crate::{
    error::Error,
    sites::{
        io::{finish, read_line, write_all},
        owners::Owners,
    },
};

/// Time to connect and open a stream: an existing peer may need 5 s of it after connecting
/// (PROTOCOL §12.5). A peer that is silent for longer is not slow but gone, like a computer that
/// was switched off.
pub(super) const CONNECT: Duration = Duration::from_secs(7);
/// From the click to the first line of the answer, connecting included (PROTOCOL §9.2).
pub(super) const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// A whole data operation: the owner's limit is 5 s, the rest is for the network.
const DATA_ANSWER: Duration = Duration::from_secs(15);
/// How long an answer may take before the node checks whether the connection is still alive. A slow
/// owner is not disturbed by that.
const DOUBT: Duration = Duration::from_millis(2500);

type Reader = BufReader<Compat<Stream>>;

/// Runs one data operation on the owner's database. A write is retried only if the owner is known
/// to remember its id: one without an answer may have happened.
pub(crate) async fn data(
    node: &Node,
    owners: &Owners,
    peer: PeerId,
    request: data::Request,
) -> Result<Answer, Error> {
    let request = &named(request);
    let ask = || async move {
        let mut reader = begin(node.open(peer, data::PROTOCOL)).await?;
        write_all(&mut reader, &request.encode()).await?;
        finish(&mut reader).await?;
        let line = answer_of(node, peer, read_line(&mut reader, data::MAX_RESPONSE)).await?;
        match line.last() {
            Some(&b'\n') => Ok(line),
            _ => Err(Error::Cut),
        }
    };
    let twice = request.only_reads()
        || request.write_id().is_some() && owners.remember_writes(&peer, Instant::now());
    let line = answer_within(DATA_ANSWER, async {
        if twice {
            retried(ask).await
        } else {
            ask().await
        }
    })
    .await?;
    let (answer, understood) =
        data::decode_reply(&line).map_err(|invalid| Error::Protocol(invalid.to_string()))?;
    if understood {
        owners.learn(peer, Instant::now());
    } else {
        owners.forget(&peer);
    }
    Ok(answer)
}

/// With an id, if it writes a row and has none yet.
fn named(mut request: data::Request) -> data::Request {
    let writes = request.writes_a_row();
    let extra = request.extra.get_or_insert_default();
    if writes && extra.write.is_empty() {
        extra.write = format!("{:032x}", rand::random::<u128>());
    }
    request
}

/// Fetches the whole avatar: the protocol keeps it small. It is shown in lists, so nobody asked for
/// a visit.
pub(crate) async fn avatar(node: &Node, peer: PeerId) -> Result<Option<Bytes>, Error> {
    let ask = || async move {
        let mut reader = begin(node.open_unasked(peer, avatar::PROTOCOL)).await?;
        let line = answer_of(node, peer, read_line(&mut reader, avatar::MAX_HEADER)).await?;
        let Some(len) = avatar::decode_header(&line).map_err(|error| cut_or(&line, error))? else {
            return Ok(None);
        };
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        reader.read_exact(&mut bytes).await?;
        Ok(Some(bytes.into()))
    };
    answer_within(FIRST_ANSWER, retried(ask)).await
}

/// Retries once, if the first attempt was cut.
pub(super) async fn retried<T, F: Future<Output = Result<T, Error>>>(
    ask: impl Fn() -> F,
) -> Result<T, Error> {
    match ask().await {
        Err(Error::Cut) => ask().await,
        answer => answer,
    }
}

/// Waits for the answer, or for more of it; if it takes long, has the node check the connection.
pub(super) async fn answer_of<T>(node: &Node, peer: PeerId, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    match timeout(DOUBT, &mut answer).await {
        Ok(answer) => answer,
        Err(_) => {
            node.check_connections(peer);
            answer.await
        }
    }
}

async fn begin(opening: impl Future<Output = Result<Stream, OpenError>>) -> Result<Reader, Error> {
    let opened = timeout(CONNECT, opening).await;
    Ok(BufReader::new(
        opened.map_err(|_| Error::Offline)??.compat(),
    ))
}

pub(super) async fn answer_within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(limit, work).await.unwrap_or(Err(Error::TooSlow))
}

/// A header line that does not parse because the stream ended is a lost connection, not a peer that
/// breaks the protocol.
pub(super) fn cut_or(line: &[u8], error: impl ToString) -> Error {
    if line.last() == Some(&b'\n') {
        Error::Protocol(error.to_string())
    } else {
        Error::Cut
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotReachable(_) => Self::Offline,
            OpenError::TimedOut => Self::TooSlow,
            OpenError::Unsupported => Self::Protocol("it doesn't support this request".into()),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TooSlow,
            io::ErrorKind::InvalidData => Self::Protocol(error.to_string()),
            _ => Self::Cut,
        }
    }
}
