//! A stream that can become wide.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use yamux::Stream;

use super::{Asks, is_widening};

#[derive(Debug)]
pub(crate) struct Substream {
    stream: Stream,
    /// Where one that this side opened asks for it.
    asks: Option<Asks>,
    is_wide: bool,
}

impl Substream {
    /// One that the other side opened.
    pub(in crate::transport::muxer) fn inbound(stream: Stream) -> Self {
        Self {
            stream,
            asks: None,
            is_wide: false,
        }
    }

    /// One that this side opened.
    pub(in crate::transport::muxer) fn outbound(stream: Stream, asks: Asks) -> Self {
        Self {
            stream,
            asks: Some(asks),
            is_wide: false,
        }
    }

    /// Before each write.
    fn widen(&mut self) {
        if is_widening()
            && let Some(asks) = &self.asks
        {
            asks.widen(self.stream.id().val());
            self.is_wide = true;
        }
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        if self.is_wide
            && let Some(asks) = &self.asks
        {
            asks.gone(self.stream.id().val());
        }
    }
}

impl AsyncRead for Substream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.widen();
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.widen();
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
