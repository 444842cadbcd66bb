//! Agreeing on a protocol without waiting for the answer (multistream-select). Who opens a stream
//! proposes a protocol, and could only begin once the other side has repeated it: a round trip. Where
//! the answer is almost certain, [`Optimistic`] gives it itself, so that the first request goes out
//! with the proposal, and compares when the true one comes. If that is another, the stream fails, and
//! the next one to the same peer waits as usual: a refusal costs what was saved before.
//!
//! libp2p can do that too (`Version::V1Lazy`), but for the streams of all protocols or none, and its
//! pings and the checks of ours (`stream::control`) live on waiting.

mod dialing;
mod muxing;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncWrite};

pub(crate) use dialing::Dialing;
pub(crate) use muxing::{Config, Muxer};

/// How a negotiation begins, with its length in front.
const HEADER: &[u8] = b"\x13/multistream/1.0.0\n";

/// Whether the other side has refused what was taken for granted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refused(Arc<AtomicBool>);

impl Refused {
    fn get(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// One side of a connection or stream, see the module.
#[derive(Debug)]
pub(crate) struct Optimistic<S> {
    stream: S,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So much was written; nothing was read.
    Proposing {
        written: Vec<u8>,
        granted: &'static [&'static str],
        refused: Refused,
    },
    /// The answer that is made up, and how much of it has been read.
    Granting {
        answer: Vec<u8>,
        read: usize,
        refused: Refused,
    },
    /// The rest of what the other side has to answer.
    Expecting { answer: Vec<u8>, refused: Refused },
    /// It answered otherwise.
    Failed,
    /// Whatever was to be agreed on was.
    Plain,
}

impl<S> Optimistic<S> {
    /// Takes for granted that the other side agrees to one of these protocols, unless it has refused
    /// before.
    pub(crate) fn new(stream: S, granted: &'static [&'static str], refused: Refused) -> Self {
        let state = if refused.get() {
            State::Plain
        } else {
            State::Proposing {
                written: Vec::new(),
                granted,
                refused,
            }
        };
        Self { stream, state }
    }

    /// Changes nothing.
    pub(crate) fn plain(stream: S) -> Self {
        Self {
            stream,
            state: State::Plain,
        }
    }

    fn written(&mut self, bytes: &[u8]) {
        if let State::Proposing { written, .. } = &mut self.state {
            written.extend_from_slice(bytes);
            // The lengths of both names fit in a byte each.
            if written.len() > HEADER.len() + 1 + usize::from(u8::MAX) {
                self.state = State::Plain;
            }
        }
    }

    /// Decides what the first byte to be read is.
    fn begin(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Plain) {
            State::Proposing {
                written,
                granted,
                refused,
            } if granted.iter().any(|name| proposes(&written, name)) => State::Granting {
                // The other side repeats header and protocol.
                answer: written,
                read: 0,
                refused,
            },
            State::Proposing { .. } => State::Plain,
            state => state,
        };
    }

    /// Reads what was made up; `None` once that is all.
    fn granted(&mut self, buf: &mut [u8]) -> Option<usize> {
        let State::Granting {
            answer,
            read,
            refused,
        } = &mut self.state
        else {
            return None;
        };
        let len = buf.len().min(answer.len() - *read);
        buf[..len].copy_from_slice(&answer[*read..*read + len]);
        *read += len;
        if *read == answer.len() {
            self.state = State::Expecting {
                answer: std::mem::take(answer),
                refused: refused.clone(),
            };
        }
        Some(len)
    }
}

impl<S: AsyncRead + Unpin> Optimistic<S> {
    /// Reads the true answer, which is to be the one that was made up.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let State::Expecting { answer, refused } = &mut self.state {
            let mut received = [0; HEADER.len() + 1 + u8::MAX as usize];
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut received[..answer.len()]);
            let read = match ready!(read) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) if received[..read] != answer[..read] => {
                    Err(io::Error::other("the protocol was refused"))
                }
                read => read,
            };
            match read {
                Ok(read) if read == answer.len() => self.state = State::Plain,
                Ok(read) => drop(answer.drain(..read)),
                Err(error) => {
                    refused.0.store(true, Relaxed);
                    self.state = State::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether this is the header and a proposal of this protocol, and nothing else.
fn proposes(written: &[u8], protocol: &str) -> bool {
    let Some([len, line @ ..]) = written.strip_prefix(HEADER) else {
        return false;
    };
    line.strip_suffix(b"\n") == Some(protocol.as_bytes()) && line.len() == usize::from(*len)
}

impl<S: AsyncRead + Unpin> AsyncRead for Optimistic<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match this.state {
            State::Plain => return Pin::new(&mut this.stream).poll_read(cx, buf),
            State::Failed => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            _ => {}
        }
        this.begin();
        if let Some(read) = this.granted(buf) {
            return Poll::Ready(Ok(read));
        }
        ready!(this.poll_answer(cx))?;
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if let State::Plain = self.state {
            return Pin::new(&mut self.stream).poll_read_vectored(cx, bufs);
        }
        let first = bufs.iter_mut().find(|buf| !buf.is_empty());
        let buf = first.map_or(&mut [][..], |buf| &mut **buf);
        self.poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Optimistic<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.written(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let State::Proposing { .. } = self.state {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            return self.poll_write(cx, first.map_or(&[][..], |buf| buf));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, AsyncWriteExt};
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

    use super::*;

    const PROPOSAL: &[u8] = b"\x13/multistream/1.0.0\n\x04/ab\n";

    fn pair(
        refused: &Refused,
        at_a_time: usize,
    ) -> (Optimistic<Compat<DuplexStream>>, DuplexStream) {
        let (near, far) = duplex(at_a_time);
        (
            Optimistic::new(near.compat(), &["/ab"], refused.clone()),
            far,
        )
    }

    /// The near side proposes, reads the answer and asks; what it reads then, and what the far side
    /// had received before it answered anything.
    async fn asked(refused: &Refused, answers: &[u8]) -> (io::Result<Vec<u8>>, Vec<u8>) {
        let (mut near, mut far) = pair(refused, 1024);
        near.write_all(PROPOSAL).await.expect("there is room");
        near.flush().await.expect("there is room");
        let mut agreed = vec![0; PROPOSAL.len()];
        near.read_exact(&mut agreed).await.expect("it is granted");
        assert_eq!(agreed, PROPOSAL);
        near.write_all(b"ask").await.expect("there is room");
        let mut received = vec![0; PROPOSAL.len() + 3];
        far.read_exact(&mut received).await.expect("it was sent");
        far.write_all(answers).await.expect("there is room");
        drop(far);
        let mut read = Vec::new();
        let outcome = near.read_to_end(&mut read).await.map(|_| read);
        (outcome, received)
    }

    #[tokio::test]
    async fn the_request_goes_with_the_proposal() {
        let refused = Refused::default();
        let (read, received) = asked(&refused, &[PROPOSAL, b"answer"].concat()).await;
        assert_eq!(received, [PROPOSAL, b"ask"].concat());
        assert_eq!(read.expect("it was agreed to"), b"answer");
        assert!(!refused.get());
    }

    #[tokio::test]
    async fn another_answer_fails_and_is_remembered() {
        let na = [HEADER, b"\x03na\nanswer"].concat();
        for answers in [&na[..], b"", HEADER, b"HTTP/1.1 200 OK"] {
            let refused = Refused::default();
            let (read, _) = asked(&refused, answers).await;
            assert!(read.is_err() && refused.get(), "{answers:?}");
            // From now on everything is read as it comes.
            let (mut near, mut far) = pair(&refused, 1024);
            near.write_all(PROPOSAL).await.expect("there is room");
            far.write_all(b"na").await.expect("there is room");
            let mut read = [0; 2];
            near.read_exact(&mut read).await.expect("it was sent");
            assert_eq!(&read, b"na");
        }
    }

    #[tokio::test]
    async fn other_protocols_are_waited_for() {
        for written in [
            &b"\x13/multistream/1.0.0\n\x04/ac\n"[..],
            b"\x03ls\n",
            HEADER,
        ] {
            let (mut near, mut far) = pair(&Refused::default(), 1024);
            near.write_all(written).await.expect("there is room");
            far.write_all(b"their own").await.expect("there is room");
            drop(far);
            let mut read = Vec::new();
            near.read_to_end(&mut read).await.expect("it was sent");
            assert_eq!(read, b"their own");
        }
    }

    proptest! {
        /// However the bytes are cut, and whatever a stranger answers.
        #[test]
        fn what_follows_the_answer_is_all_that_is_read(
            agrees: bool,
            answers in prop::collection::vec(any::<u8>(), 0..64),
            at_a_time in 1_usize..40,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let answers = if agrees { [PROPOSAL, &answers].concat() } else { answers };
            let read = runtime.block_on(async {
                let (mut near, far) = pair(&Refused::default(), at_a_time);
                let (mut from, mut to) = tokio::io::split(far);
                let sent = answers.clone();
                let far = async move {
                    // Who has had enough may be gone.
                    let _gone = to.write_all(&sent).await;
                    let _gone = to.shutdown().await;
                };
                let near = async move {
                    near.write_all(PROPOSAL).await?;
                    let mut agreed = vec![0; PROPOSAL.len()];
                    near.read_exact(&mut agreed).await?;
                    let mut read = Vec::new();
                    near.read_to_end(&mut read).await.map(|_| read)
                };
                let drain = async { drop(from.read_to_end(&mut Vec::new()).await) };
                futures::join!(near, far, drain).0
            });
            match read {
                Ok(read) => prop_assert_eq!([PROPOSAL, &read].concat(), answers),
                Err(_) => prop_assert!(!answers.starts_with(PROPOSAL)),
            }
        }
    }
}
