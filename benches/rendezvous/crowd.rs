//! Subscribers: event streams, all read by one thread, which counts events.

use std::{
    cell::RefCell,
    io::ErrorKind,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    runtime::Builder,
    sync::{Semaphore, oneshot},
    task::LocalSet,
};

use crate::{
    publish::stamped,
    server::{Server, connect},
};

/// Streams from one client address; a server takes 1,000.
const EACH: usize = 900;
/// Connections opened at a time.
const JOINING: usize = 128;
/// Longest wait for an expected event.
const PATIENCE: Duration = Duration::from_secs(180);
/// Bytes read at a time from one stream.
const BUFFER: usize = 256 * 1024;
/// The buckets of the delay histogram; the last has all longer ones.
const STEP: Duration = Duration::from_micros(100);
const STEPS: usize = 100_000;

/// Which stream is requested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// As existing clients do: every heartbeat.
    Everything,
    /// As ours do: a snapshot, then changes.
    Changes,
}

pub(crate) struct Crowd {
    len: usize,
    ears: Arc<Ears>,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Ears {
    heard: Mutex<Heard>,
    more: Condvar,
}

/// What all of them received together.
#[derive(Clone)]
pub(crate) struct Heard {
    /// Streams that have started; with the snapshot, where it has an end.
    listening: usize,
    /// Presence messages, one each.
    pub(crate) events: u64,
    /// Everything the server wrote.
    pub(crate) bytes: u64,
    /// Messages that carry the time they should have been published, by their delay.
    late: Vec<u32>,
    from: Instant,
    to: Instant,
}

impl Crowd {
    /// Returns when all of them listen.
    pub(crate) fn join(server: &Server, len: usize, stream: Stream) -> Self {
        let (ears, address) = (Arc::<Ears>::default(), server.address());
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn({
            let ears = Arc::clone(&ears);
            move || {
                let runtime = Builder::new_current_thread().enable_all().build();
                let everybody = listen(address, len, stream, ears, stopped);
                LocalSet::new().block_on(&runtime.expect("a runtime"), everybody);
            }
        });
        let crowd = Self {
            len,
            ears,
            stop: Some(stop),
            thread: Some(thread),
        };
        crowd.wait("streams", |heard| (heard.listening as u64, len as u64));
        crowd
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Resets the counts; the time in messages is relative to this moment.
    pub(crate) fn forget(&self) {
        *self.ears.lock() = Heard::default();
    }

    /// Waits until so many messages came since [`Self::forget`].
    pub(crate) fn heard(&self, events: u64) -> Heard {
        self.wait("messages", |heard| (heard.events, events))
    }

    fn wait(&self, what: &str, figures: impl Fn(&Heard) -> (u64, u64)) -> Heard {
        let missing = |heard: &mut Heard| {
            let (have, wanted) = figures(heard);
            have < wanted
        };
        let ears = &self.ears;
        let waited = ears.more.wait_timeout_while(ears.lock(), PATIENCE, missing);
        let (heard, waited) = waited.expect(READS_ON);
        let (have, wanted) = figures(&heard);
        assert!(!waited.timed_out(), "{have} of {wanted} {what} came");
        heard.clone()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has printed why, and those who waited for it have ended.
            let _panicked = thread.join();
        }
    }
}

impl Heard {
    /// From [`Crowd::forget`] to the last message.
    pub(crate) fn time(&self) -> Duration {
        self.to - self.from
    }

    /// The percentile of the delay.
    pub(crate) fn late(&self, share: f64) -> Duration {
        let all: u64 = self.late.iter().map(|&count| u64::from(count)).sum();
        let (wanted, mut seen) = ((all as f64 * share).ceil() as u64, 0);
        let steps = self.late.iter().take_while(|&&count| {
            seen += u64::from(count);
            seen < wanted
        });
        STEP * (steps.count() as u32 + 1)
    }

    fn note(&mut self, line: &[u8], stream: Stream, since: Duration) {
        if line.starts_with(b"data: {") {
            self.events += 1;
            if let Some(sent) = stamped(line) {
                let late = since.saturating_sub(sent).div_duration_f64(STEP) as usize;
                self.late[late.min(STEPS - 1)] += 1;
            }
        } else {
            self.listening += usize::from(match stream {
                Stream::Everything => line == b": ok",
                Stream::Changes => line == b"event: current",
            });
        }
    }
}

impl Default for Heard {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            listening: 0,
            events: 0,
            bytes: 0,
            late: vec![0; STEPS],
            from: now,
            to: now,
        }
    }
}

impl Ears {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect(READS_ON)
    }
}

const READS_ON: &str = "the reader did not panic";

async fn listen(
    address: SocketAddr,
    len: usize,
    stream: Stream,
    ears: Arc<Ears>,
    stopped: oneshot::Receiver<()>,
) {
    let buffer = Rc::new(RefCell::new(vec![0; BUFFER]));
    let joining = Rc::new(Semaphore::new(JOINING));
    for index in 0..len {
        let (buffer, joining, ears) = (Rc::clone(&buffer), Rc::clone(&joining), Arc::clone(&ears));
        tokio::task::spawn_local(async move {
            let permit = joining.acquire().await.expect("it is never closed");
            let socket = open(address, index, stream).await;
            drop(permit);
            let mut lines = Lines {
                stream,
                carry: Vec::new(),
            };
            while socket.readable().await.is_ok() {
                let mut buffer = buffer.borrow_mut();
                match socket.try_read(&mut buffer) {
                    Ok(0) => return,
                    Ok(len) => lines.take(&buffer[..len], &ears),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        });
    }
    let _dropped = stopped.await;
}

async fn open(address: SocketAddr, index: usize, stream: Stream) -> TcpStream {
    let host = u8::try_from(1 + index / EACH).expect("not that many");
    let mut socket = connect(address, [1, host]).await;
    let query = match stream {
        Stream::Everything => "",
        Stream::Changes => "?changes=1",
    };
    let request = format!("GET /events{query} HTTP/1.1\r\nHost: bench\r\n\r\n");
    socket
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    socket
}

/// One reader, line by line.
struct Lines {
    stream: Stream,
    /// The beginning of an incomplete line.
    carry: Vec<u8>,
}

impl Lines {
    fn take(&mut self, mut bytes: &[u8], ears: &Ears) {
        let now = Instant::now();
        let mut heard = ears.lock();
        let since = now.saturating_duration_since(heard.from);
        heard.bytes += bytes.len() as u64;
        let before = (heard.events, heard.listening);
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            if self.carry.is_empty() {
                heard.note(&bytes[..end], self.stream, since);
            } else {
                self.carry.extend_from_slice(&bytes[..end]);
                heard.note(&self.carry, self.stream, since);
                self.carry.clear();
            }
            bytes = &bytes[end + 1..];
        }
        self.carry.extend_from_slice(bytes);
        if before != (heard.events, heard.listening) {
            heard.to = now;
            ears.more.notify_one();
        }
    }
}
