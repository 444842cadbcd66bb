//! What follows the head of an answer, read from disk while the network takes it.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use goop2_store::{Content, Encoding};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes read from disk at a time: large enough that the network is the limit, small enough for
/// hundreds of visitors. Whole frames, because a part of one costs as much.
const CHUNK: usize = 2 * goop2_node::FRAME;

/// The bytes of a file of a site, as they come. An error means that the transfer was cut.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The body that sends this content.
pub(crate) fn send(content: Content) -> Body {
    match content {
        Content::Empty => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        Content::Bytes(bytes) => Full::new(bytes)
            .map_err(|never| match never {})
            .boxed_unsync(),
        Content::File {
            file,
            offset,
            len,
            encoding,
        } => {
            let bytes = file_bytes(file, offset, len);
            match encoding {
                None => of_stream(bytes),
                Some(encoding) => of_stream(encoded(bytes, encoding)),
            }
        }
    }
}

/// A body of bytes that come one after the other.
pub(super) fn of_stream(bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(bytes.map_ok(Frame::data)).boxed_unsync()
}

/// `len` bytes of the file, each chunk read while the one before is sent. A file that shrank is an
/// error: the visitor must see a broken stream, not a short file.
fn file_bytes(
    file: File,
    offset: u64,
    len: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let part = Part {
        file,
        left: len,
        start: Some(offset),
    };
    stream::unfold(part.read(), async |reading| {
        let (part, chunk) = match reading?.await.unwrap_or_else(|error| Err(error.into())) {
            Ok(read) => read,
            Err(error) => return Some((Err(error), None)),
        };
        Some((Ok(chunk), part.read()))
    })
}

/// What is left to be read of a file.
struct Part {
    file: File,
    left: u64,
    /// Where to begin.
    start: Option<u64>,
}

type Reading = JoinHandle<io::Result<(Part, Bytes)>>;

impl Part {
    /// Begins to read the next chunk; `None` at the end.
    fn read(mut self) -> Option<Reading> {
        let size = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        (size > 0).then(|| {
            spawn_blocking(move || {
                if let Some(start) = self.start.take().filter(|start| *start > 0) {
                    self.file.seek(SeekFrom::Start(start))?;
                }
                let mut chunk = vec![0; size];
                self.file.read_exact(&mut chunk)?;
                self.left -= size as u64;
                Ok((self, chunk.into()))
            })
        })
    }
}

fn encoded(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    encoding: Encoding,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    use async_compression::{Level, tokio::bufread};
    use tokio_util::io::{ReaderStream, StreamReader};

    let plain = StreamReader::new(bytes.boxed());
    let level = Level::Precise(QUALITY);
    match encoding {
        Encoding::Brotli => {
            ReaderStream::new(bufread::BrotliEncoder::with_quality(plain, level)).boxed()
        }
        Encoding::Gzip => {
            ReaderStream::new(bufread::GzipEncoder::with_quality(plain, level)).boxed()
        }
        Encoding::Zstd => {
            ReaderStream::new(bufread::ZstdEncoder::with_quality(plain, level)).boxed()
        }
    }
}

/// Of every encoding, the level that compresses about as fast as a home connection sends.
const QUALITY: i32 = 4;
