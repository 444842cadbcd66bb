//! What follows the head of an answer, read from disk while the network takes it.

use std::{
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom},
    pin::Pin,
    time::Duration,
};

use async_compression::{Level, tokio::bufread};
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use goop2_store::{Content, Encoding};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncReadExt},
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::io::{ReaderStream, StreamReader};

/// Bytes read from disk at a time: large enough that the network is the limit, small enough for
/// hundreds of visitors. Whole frames, because a part of one costs as much.
const CHUNK: usize = 2 * goop2_node::FRAME;
/// How long a body from another peer may stall before its connection counts as broken.
pub(super) const STALL: Duration = Duration::from_secs(30);

/// The bytes of a file of a site, as they come. An error means that the transfer was cut.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The body that sends this content. Blocks: the first chunk, which is all of a small file, is read
/// here.
pub(crate) fn begin(content: Content) -> Body {
    match content {
        Content::Empty => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        Content::Bytes(bytes) => whole(bytes),
        Content::File {
            file,
            offset,
            len,
            encoding,
        } => {
            let part = Part {
                file,
                left: len,
                start: Some(offset),
            };
            match (part.read(), encoding) {
                (Err(error), _) => of_stream(stream::iter([Err(error)])),
                (Ok((Part { left: 0, .. }, bytes)), None) => whole(bytes),
                (Ok((Part { left: 0, .. }, bytes)), Some(encoding)) => {
                    let failed = |error| of_stream(stream::iter([Err(error)]));
                    packed(bytes, encoding).map_or_else(failed, whole)
                }
                (Ok((part, bytes)), None) => of_stream(after(part, bytes)),
                (Ok((part, bytes)), Some(encoding)) => {
                    of_stream(encoded(after(part, bytes), encoding))
                }
            }
        }
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body of bytes that come one after the other.
pub(crate) fn of_stream(bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(bytes.map_ok(Frame::data)).boxed_unsync()
}

/// The chunk and the rest of the file, each chunk read while the one before is sent. A file that
/// shrank is an error: the visitor must see a broken stream, not a short file.
fn after(part: Part, chunk: Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let rest = stream::unfold(part.read_ahead(), async |reading| {
        match reading?.await.unwrap_or_else(|error| Err(error.into())) {
            Ok((part, chunk)) => Some((Ok(chunk), part.read_ahead())),
            Err(error) => Some((Err(error), None)),
        }
    });
    stream::iter([Ok(chunk)]).chain(rest)
}

/// What is left to be read of a file.
struct Part {
    file: File,
    left: u64,
    /// Where to begin.
    start: Option<u64>,
}

impl Part {
    /// Begins to read the next chunk; `None` at the end.
    fn read_ahead(self) -> Option<JoinHandle<io::Result<(Self, Bytes)>>> {
        (self.left > 0).then(|| spawn_blocking(|| self.read()))
    }

    /// Reads the next chunk. Blocks.
    fn read(mut self) -> io::Result<(Self, Bytes)> {
        if let Some(start) = self.start.take().filter(|start| *start > 0) {
            self.file.seek(SeekFrom::Start(start))?;
        }
        let mut chunk = vec![0; usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK))];
        self.file.read_exact(&mut chunk)?;
        self.left -= chunk.len() as u64;
        Ok((self, chunk.into()))
    }
}

/// All of a small file at once: it goes with its head, and its length is known.
fn packed(plain: Bytes, encoding: Encoding) -> io::Result<Bytes> {
    let mut packed = Vec::new();
    let mut packing = packing(Cursor::new(plain), encoding);
    let read = packing.read_to_end(&mut packed).now_or_never();
    read.expect("it never waits, since all is in memory")?;
    Ok(packed.into())
}

fn encoded(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    encoding: Encoding,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let plain = StreamReader::new(bytes.boxed());
    ReaderStream::with_capacity(packing(plain, encoding), PACKED)
}

fn packing(
    plain: impl AsyncBufRead + Send + 'static,
    encoding: Encoding,
) -> Pin<Box<dyn AsyncRead + Send>> {
    let level = Level::Precise(QUALITY);
    match encoding {
        Encoding::Brotli => Box::pin(bufread::BrotliEncoder::with_quality(plain, level)),
        Encoding::Gzip => Box::pin(bufread::GzipEncoder::with_quality(plain, level)),
        Encoding::Zstd => Box::pin(bufread::ZstdEncoder::with_quality(plain, level)),
    }
}

/// Of every encoding, the level that compresses about as fast as a home connection sends.
const QUALITY: i32 = 4;
/// Bytes that are sent at a time of what is compressed on its way: half a frame, so that it is seen
/// as it comes.
const PACKED: usize = 32 * 1024;
