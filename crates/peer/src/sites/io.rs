//! Reading and writing streams that strangers hold the other end of: every line has a length, every
//! wait an end.

use std::{future::Future, io, time::Duration};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// How long the other side may stay silent while a line of it is awaited (§4 weakness 2).
pub(crate) const READ_IDLE: Duration = Duration::from_secs(10);
/// How long the other side may take nothing of what is sent to it (§4 weakness 2).
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

/// Writes everything; only a reader that takes nothing at all for [`WRITE_STALL`] is given up, a
/// slow one is not.
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

/// Ends the write side properly: what is dropped without it may be lost on the way.
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
