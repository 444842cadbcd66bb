//! A large file from far away that has no wide window (`width`): there are few of those, and what looks
//! small gets none. One stream carries at most its window each round trip (256 KiB at
//! first), however fast the line is: windows are what a stranger may have us hold, so they stay small.
//! So the rest of the file is asked for in pieces (`Range`, `If-Range`), several at a time on streams
//! next to each other, as many as the line is seen to hold. They are read strictly in order: what
//! has come too early waits in the windows of its streams.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use goop2_proto::PeerId;
use http_body::Body as _;
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{client::Client, line::Source, part::Part, width::FAR};
use crate::sites::visit::FIRST_ANSWER;

/// Bytes of a piece. With the head of the answer it fits in the window that a stream begins with, so
/// it is sent without waiting for anything; a stream that has carried one has less left.
pub(super) const PIECE: u64 = 248 * 1024;
/// Pieces of one file on their way at a time: 80 MB/s over 100 ms.
const MAX_PIECES: usize = 32;
/// What must have come of a file before the line is judged by it.
const SAMPLE: u64 = 64 * 1024;

/// How fast a file comes, and from how far.
pub(super) struct Pace {
    round_trip: Duration,
    since: Instant,
    received: u64,
}

impl Pace {
    /// `None` where one stream is enough.
    pub(super) fn of(round_trip: Duration) -> Option<Self> {
        (round_trip >= FAR).then(|| Self {
            round_trip,
            since: Instant::now(),
            received: 0,
        })
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// How many pieces the line holds: twice what it has carried in a round trip, because what limited
    /// it may have been the streams.
    fn holds(&self) -> usize {
        if self.received < SAMPLE {
            return 0;
        }
        let elapsed = self.since.elapsed().max(Duration::from_micros(1));
        let round_trips = elapsed.as_secs_f64() / self.round_trip.as_secs_f64();
        let pieces = 2.0 * self.received as f64 / round_trips / PIECE as f64;
        (pieces as usize).min(MAX_PIECES)
    }
}

/// The pieces of a file that have been asked for, in order.
pub(super) struct Pieces {
    client: Arc<Client>,
    peer: PeerId,
    /// What nobody has been asked for yet.
    rest: Part,
    /// As many as the line was seen to hold at its best: it has more to do than this file.
    at_a_time: usize,
    asked: VecDeque<Piece>,
}

struct Piece {
    answer: AbortOnDropHandle<Option<Source>>,
    room: OwnedSemaphorePermit,
}

impl Pieces {
    /// Asks for the pieces behind what is on its way already, and says where they begin; `None` if
    /// that is not worth it, or there is no room.
    pub(super) fn begin(
        client: &Arc<Client>,
        peer: PeerId,
        part: &Part,
        pace: &Pace,
    ) -> Option<(Self, u64)> {
        // As long as the window was not given back, no more than that is on its way.
        let on_its_way = if pace.received <= PIECE / 2 {
            PIECE - pace.received
        } else {
            PIECE
        };
        let first = part.next + on_its_way;
        if pace.holds() < 2 || first + PIECE > part.end {
            return None;
        }
        let mut pieces = Self {
            client: Arc::clone(client),
            peer,
            rest: part.from(first),
            at_a_time: 1,
            asked: VecDeque::new(),
        };
        pieces.ask(pace);
        (!pieces.asked.is_empty()).then_some((pieces, first))
    }

    /// Asks for as many as the line holds.
    fn ask(&mut self, pace: &Pace) {
        self.at_a_time = self.at_a_time.max(pace.holds());
        while self.rest.next < self.rest.end && self.asked.len() < self.at_a_time {
            let Ok(room) = Arc::clone(&self.client.pieces).try_acquire_owned() else {
                return;
            };
            let piece = self.rest.split(PIECE);
            let (client, peer) = (Arc::clone(&self.client), self.peer);
            let answer: JoinHandle<_> = tokio::spawn(async move {
                let asked = client.ask_fresh(peer, &piece.request()).await;
                let (response, line) = asked.ok()?;
                let (head, body) = response.into_parts();
                let whole = body.size_hint().exact() == Some(piece.end - piece.next);
                (whole && piece.continues(&head)).then_some((body, line))
            });
            let answer = AbortOnDropHandle::new(answer);
            self.asked.push_back(Piece { answer, room });
        }
    }

    /// The next piece, once its answer has come.
    pub(super) async fn next(&mut self, pace: &Pace) -> io::Result<Source> {
        let next = self.asked.pop_front();
        let Piece { answer, room } = next.ok_or(io::ErrorKind::UnexpectedEof)?;
        // It is read from now on, so another may wait.
        drop(room);
        self.ask(pace);
        let answer = timeout(FIRST_ANSWER, answer).await;
        let source = answer.map_err(|_| io::ErrorKind::TimedOut)?;
        let source = source.ok().flatten();
        source.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
