//! A stream to a stranger as hyper wants it, given up when the other side takes too little of what
//! is sent: hyper itself waits forever.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

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

pub(super) struct Paced<S = Stream> {
    stream: S,
    /// How long a window is.
    length: Duration,
    /// Since the reader first had us wait; `None` while it keeps up.
    window: Option<Pin<Box<Sleep>>>,
    /// Accepted in this window.
    accepted: usize,
}

impl<S: futures::AsyncRead + futures::AsyncWrite + Unpin> Paced<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            length: WINDOW,
            window: None,
            accepted: 0,
        }
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let (accepted, length) = (&mut self.accepted, self.length);
        let window = self.window.get_or_insert_with(|| {
            *accepted = 0;
            Box::pin(sleep(length))
        });
        ready!(window.as_mut().poll(cx));
        if self.accepted < LEAST {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.accepted = 0;
        window.as_mut().reset(Instant::now() + length);
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

impl<S: futures::AsyncRead + Unpin> AsyncRead for Paced<S> {
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

impl<S: futures::AsyncRead + futures::AsyncWrite + Unpin> AsyncWrite for Paced<S> {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

    use super::*;

    /// What is on its way at a time.
    const LINE: usize = 1024;

    fn paced(length: Duration) -> (Paced<Compat<DuplexStream>>, DuplexStream) {
        let (near, far) = duplex(LINE);
        let near = Paced {
            length,
            ..Paced::new(near.compat())
        };
        (near, far)
    }

    #[tokio::test]
    async fn who_accepts_too_little_is_given_up() {
        for accepts in [0, LEAST / 2] {
            let (mut near, mut far) = paced(Duration::from_millis(50));
            let reader = tokio::spawn(async move {
                let read = far.read_exact(&mut vec![0; accepts]).await;
                (read, far)
            });
            let written = near.write_all(&[7; 2 * LEAST]).await;
            let error = written.expect_err("it has waited long enough");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            let (read, _far) = reader.await.expect("it ends");
            read.expect("so much was sent");
        }
    }

    #[tokio::test]
    async fn who_keeps_up_gets_everything_and_owes_nothing_afterwards() {
        let (mut near, mut far) = paced(WINDOW);
        let all = 20 * LEAST;
        let reader = tokio::spawn(async move {
            let read = far.read_exact(&mut vec![0; all]).await;
            (read, far)
        });
        near.write_all(&vec![7; all]).await.expect("it is read");
        near.flush().await.expect("it is read");
        assert!(near.window.is_none(), "nobody waits");
        let (read, _far) = reader.await.expect("it ends");
        read.expect("it is whole");
    }

    #[tokio::test]
    async fn a_window_in_which_enough_was_accepted_is_followed_by_the_next() {
        let (mut near, mut far) = paced(Duration::ZERO);
        near.write_all(&[7; LINE]).await.expect("there is room");
        near.accepted = LEAST;
        let mut window = Box::pin(sleep(Duration::ZERO));
        window.as_mut().await;
        near.window = Some(window);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let waits = Pin::new(&mut near).poll_write(&mut cx, &[7]);
        assert!(waits.is_pending() && near.accepted == 0);
        let mut read = [0; LINE];
        far.read_exact(&mut read).await.expect("it was sent");
    }
}
