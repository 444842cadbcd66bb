//! Lines for other instances, until they are sent. Bounded: when it overflows, a snapshot is sent
//! instead.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Most waiting lines: what arrives in some seconds at the busiest.
const MAX_LINES: usize = 16_384;
/// Most waiting bytes: the above with usual messages.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Lines in their order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Bytes>,
    bytes: usize,
    overflowed: bool,
}

/// What is sent next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// What happened.
    News(Vec<Bytes>),
    /// A snapshot: everyone who publishes here, and the `ts` to remember of those who left.
    Everyone(Vec<Bytes>),
}

impl Outbox {
    /// Adds a line, without its end.
    pub(crate) fn push(&self, line: Bytes) {
        let mut waiting = self.waiting();
        if waiting.overflowed {
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line);
        if waiting.lines.len() > MAX_LINES || waiting.bytes > MAX_BYTES {
            *waiting = Waiting {
                overflowed: true,
                ..Waiting::default()
            };
        }
        self.filled.notify_one();
    }

    /// Everything that waits; none if nothing does.
    pub(crate) fn take(&self) -> Option<Vec<Bytes>> {
        let mut waiting = self.waiting();
        waiting.bytes = 0;
        let lines = Vec::from(std::mem::take(&mut waiting.lines));
        (!lines.is_empty()).then_some(lines)
    }

    /// Whether lines were dropped.
    pub(crate) fn overflowed(&self) -> bool {
        self.waiting().overflowed
    }

    /// Starts over.
    pub(crate) fn clear(&self) {
        *self.waiting() = Waiting::default();
    }

    /// Returns when a line was added since the last time.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_overflow_is_noticed() {
        let outbox = Outbox::default();
        assert_eq!(outbox.take(), None);
        outbox.push(Bytes::from_static(b"a"));
        outbox.push(Bytes::from_static(b"b"));
        outbox.filled().await;
        assert_eq!(outbox.take().unwrap(), ["a", "b"]);
        for _ in 0..=MAX_LINES {
            outbox.push(Bytes::from_static(b"a"));
        }
        assert!(outbox.overflowed());
        assert_eq!(outbox.take(), None);
        outbox.push(Bytes::from_static(b"c"));
        assert_eq!(outbox.take(), None, "it would stand alone");
        outbox.clear();
        outbox.push(Bytes::from(vec![b'x'; MAX_BYTES]));
        assert!(!outbox.overflowed());
        outbox.push(Bytes::from_static(b"y"));
        assert!(outbox.overflowed());
    }
}
