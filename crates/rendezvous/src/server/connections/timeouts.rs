//! How long a connection may take for what it is doing. One that has begun a request must come to
//! its end soon; one that waits for its next may wait long, because proxies and peers keep theirs,
//! and a request sent into a closing one is lost.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until},
};

/// From the first byte of a request to the end of its head (§6.1).
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A request and its answer, of which the longest is a list for the operator.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two requests: the proxies people use give up after one or two minutes, and should be
/// first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(150);

/// What a connection is doing, seen from outside.
#[derive(Clone, Debug)]
pub(crate) struct Patience(Arc<Mutex<Doing>>);

#[derive(Clone, Copy, Debug)]
struct Doing {
    what: What,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Asking,
    Answering,
    Idling,
}

impl Patience {
    /// Of a connection that has begun to speak.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Doing {
            what: What::Asking,
            since: Instant::now(),
        })))
    }

    pub(crate) fn answering(&self) {
        self.set(What::Answering);
    }

    pub(crate) fn answered(&self) {
        self.set(What::Idling);
    }

    /// Returns when the connection has taken too long.
    pub(crate) async fn end(&self) {
        loop {
            let (end, now) = (self.doing().end(), Instant::now());
            if end <= now {
                return;
            }
            // It may have turned to something shorter by then.
            sleep_until(end.min(now + HEAD_TIMEOUT)).await;
        }
    }

    fn heard(&self) {
        if self.doing().what == What::Idling {
            self.set(What::Asking);
        }
    }

    fn set(&self, what: What) {
        let since = Instant::now();
        *self.doing() = Doing { what, since };
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doing {
    fn end(self) -> Instant {
        self.since
            + match self.what {
                What::Asking => HEAD_TIMEOUT,
                What::Answering => ANSWER_TIMEOUT,
                What::Idling => IDLE_TIMEOUT,
            }
    }
}

/// A socket that tells when something was heard on it.
pub(crate) struct Watched {
    pub(crate) socket: TcpStream,
    pub(crate) patience: Patience,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.patience.heard();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(patience: &Patience) -> Duration {
        let doing = *patience.doing();
        doing.end() - doing.since
    }

    #[test]
    fn each_thing_has_its_time() {
        let patience = Patience::new();
        assert_eq!(left(&patience), HEAD_TIMEOUT);
        patience.answering();
        assert_eq!(left(&patience), ANSWER_TIMEOUT);
        // The body of the request.
        patience.heard();
        assert_eq!(left(&patience), ANSWER_TIMEOUT);
        patience.answered();
        assert_eq!(left(&patience), IDLE_TIMEOUT);
        patience.heard();
        assert_eq!(left(&patience), HEAD_TIMEOUT);
    }

    #[test]
    fn what_comes_drop_by_drop_does_not_begin_anew() {
        let patience = Patience::new();
        patience.answered();
        patience.heard();
        let since = patience.doing().since;
        patience.heard();
        assert_eq!(patience.doing().since, since);
    }
}
