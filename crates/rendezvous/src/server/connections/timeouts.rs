//! How long a connection may take. A request that has begun has to end soon; an idle connection may
//! stay open for long, because proxies and peers reuse theirs, and a request sent into a closing
//! connection is lost.

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
/// A request and its answer, of which the longest is a list for the administrator.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two requests: common proxies close after one or two minutes, and should be first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(150);

/// What a connection is doing, and since when.
#[derive(Clone, Debug)]
pub(crate) struct Timeouts(Arc<Mutex<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Request,
    Answer,
    Idle,
}

impl Timeouts {
    /// Of a connection that has sent its first byte.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            phase: Phase::Request,
            since: Instant::now(),
        })))
    }

    pub(crate) fn answering(&self) {
        self.set(Phase::Answer);
    }

    pub(crate) fn answered(&self) {
        self.set(Phase::Idle);
    }

    /// Returns when the connection has taken too long.
    pub(crate) async fn expired(&self) {
        loop {
            let (end, now) = (self.state().end(), Instant::now());
            if end <= now {
                return;
            }
            // It may be in a shorter phase by then.
            sleep_until(end.min(now + HEAD_TIMEOUT)).await;
        }
    }

    fn received(&self) {
        if self.state().phase == Phase::Idle {
            self.set(Phase::Request);
        }
    }

    fn set(&self, phase: Phase) {
        let since = Instant::now();
        *self.state() = State { phase, since };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(self) -> Instant {
        self.since
            + match self.phase {
                Phase::Request => HEAD_TIMEOUT,
                Phase::Answer => ANSWER_TIMEOUT,
                Phase::Idle => IDLE_TIMEOUT,
            }
    }
}

/// A socket that reports when something was received on it.
pub(crate) struct TimedSocket {
    pub(crate) socket: TcpStream,
    pub(crate) timeouts: Timeouts,
}

impl AsyncRead for TimedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.timeouts.received();
        }
        read
    }
}

impl AsyncWrite for TimedSocket {
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

    fn left(timeouts: &Timeouts) -> Duration {
        let state = *timeouts.state();
        state.end() - state.since
    }

    #[test]
    fn each_phase_has_its_own_limit() {
        let timeouts = Timeouts::new();
        assert_eq!(left(&timeouts), HEAD_TIMEOUT);
        timeouts.answering();
        assert_eq!(left(&timeouts), ANSWER_TIMEOUT);
        // The body of the request.
        timeouts.received();
        assert_eq!(left(&timeouts), ANSWER_TIMEOUT);
        timeouts.answered();
        assert_eq!(left(&timeouts), IDLE_TIMEOUT);
        timeouts.received();
        assert_eq!(left(&timeouts), HEAD_TIMEOUT);
    }

    #[test]
    fn a_request_sent_in_small_pieces_does_not_restart_its_time() {
        let timeouts = Timeouts::new();
        timeouts.answered();
        timeouts.received();
        let since = timeouts.state().since;
        timeouts.received();
        assert_eq!(timeouts.state().since, since);
    }
}
