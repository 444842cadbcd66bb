//! Reads and writes streams whose other end is a stranger: every line has a maximum length, every
//! wait a deadline.

use std::{future::Future, io, time::Duration};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// How long the other side may stay silent in the middle of a line (§4 weakness 2).
pub(crate) const READ_IDLE: Duration = Duration::from_secs(10);
/// How long the other side may accept nothing of what is sent (§4 weakness 2).
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(30);

/// One line, its LF included, or what came before the end of the stream. Longer than `max` bytes is
/// [`io::ErrorKind::InvalidData`].
pub(crate) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    max: usize,
) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    within(
        READ_IDLE,
        reader.take(max as u64).read_until(b'\n', &mut line),
    )
    .await?;
    if line.len() == max && line.last() != Some(&b'\n') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("line longer than {max} bytes"),
        ));
    }
    Ok(line)
}

/// Writes everything. Times out only if the reader accepts nothing at all for [`WRITE_STALL`]; a
/// slow one is fine.
pub(crate) async fn write_all(
    writer: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        match within(WRITE_STALL, writer.write(bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// Closes the write side: without that, the last bytes may be lost.
pub(crate) async fn finish(writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    within(WRITE_STALL, writer.shutdown()).await
}

/// A deadline as an I/O error.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
