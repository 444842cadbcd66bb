//! A stream to a stranger as hyper wants it, given up when the other side takes too little of what
//! is sent: hyper itself waits forever.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncRead as _, AsyncWrite as _};
use goop2_node::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// How long a reader may take to accept [`LEAST`].
const WINDOW: Duration = Duration::from_secs(30);
/// What a reader accepts at least in a [`WINDOW`], unless less is left: 1 KiB a second, a quarter of
/// what the slowest phone line of today carries.
const LEAST: usize = 30 * 1024;

pub(super) struct Paced {
    stream: Stream,
    /// Since the reader first had us wait; `None` while it keeps up.
    window: Option<Pin<Box<Sleep>>>,
    /// Accepted in this window.
    accepted: usize,
}

impl Paced {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            window: None,
            accepted: 0,
        }
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let accepted = &mut self.accepted;
        let window = self.window.get_or_insert_with(|| {
            *accepted = 0;
            Box::pin(sleep(WINDOW))
        });
        ready!(window.as_mut().poll(cx));
        if self.accepted < LEAST {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.accepted = 0;
        window.as_mut().reset(Instant::now() + WINDOW);
        // Polled for its waker.
        let _ = window.as_mut().poll(cx);
        Poll::Pending
    }

    fn written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.wait(cx),
            Poll::Ready(Ok(bytes)) => {
                self.accepted += bytes;
                Poll::Ready(Ok(bytes))
            }
            failed => failed,
        }
    }

    fn flushed(
        &mut self,
        cx: &mut Context<'_>,
        flushed: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if flushed.is_pending() {
            return self.wait(cx);
        }
        self.window = None;
        flushed
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.written(cx, written)
    }

    /// A long body is sent as it is read, without a copy.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.flushed(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_close(cx);
        self.flushed(cx, closed)
    }
}
