//! Streams kept open between requests, so that a request costs one round trip and nothing else, also
//! where a protocol has to be agreed on first. Some more are opened once a page has been asked for, for
//! what it will load, and one stays ready for the next click.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use goop2_node::ConnectionId;
use goop2_proto::PeerId;

use super::line::Line;

/// How long a stream is kept without a request. Less than its owner waits for one.
const IDLE: Duration = Duration::from_secs(45);
/// Idle streams to one peer, and as many are opened ahead for a page: twice what a browser opens to
/// one site.
pub(super) const MAX_IDLE: usize = 12;
/// Peers with idle streams: the sites somebody goes back and forth between.
const MAX_PEERS: usize = 32;
/// How long a stream stays ready after the last request: as long as somebody reads a page.
const READING: Duration = Duration::from_secs(10 * 60);
/// How often it is made sure that one is ready. A stream is replaced before it is [`IDLE`].
pub(super) const CHECK: Duration = Duration::from_secs(20);

/// The idle streams, by peer.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<PeerId, Lines>>);

struct Lines {
    idle: Vec<Line>,
    /// On their way.
    opening: usize,
    /// When somebody asked for something last.
    asked: Instant,
    /// Somebody looks after these.
    watched: bool,
}

impl Pool {
    /// Takes a stream on the best connection there is to the peer.
    pub(super) fn take(&self, peer: PeerId, best: Option<ConnectionId>) -> Option<Line> {
        let mut peers = self.peers();
        let lines = peers.get_mut(&peer)?;
        lines.tidy(best, IDLE);
        lines.asked = Instant::now();
        lines.idle.pop()
    }

    /// Keeps a stream that is ready for the next request.
    pub(super) fn put(&self, peer: PeerId, line: Line) {
        if let Some(lines) = self.lines(&mut self.peers(), peer)
            && lines.idle.len() < MAX_IDLE
        {
            lines.idle.push(line);
        }
    }

    /// How many streams are to be opened so that `wanted` are ready; each counts as opening until
    /// [`Pool::opened`].
    pub(super) fn missing(&self, peer: PeerId, best: ConnectionId, wanted: usize) -> usize {
        let mut peers = self.peers();
        let Some(lines) = self.lines(&mut peers, peer) else {
            return 0;
        };
        lines.tidy(Some(best), IDLE);
        let missing = wanted.saturating_sub(lines.idle.len() + lines.opening);
        lines.opening += missing;
        missing
    }

    /// An attempt to open a stream has ended.
    pub(super) fn opened(&self, peer: PeerId, line: Option<Line>) {
        if let Some(lines) = self.peers().get_mut(&peer) {
            lines.opening = lines.opening.saturating_sub(1);
        }
        if let Some(line) = line {
            self.put(peer, line);
        }
    }

    /// Whether the streams of this peer need somebody to look after them from now on.
    pub(super) fn watch(&self, peer: PeerId) -> bool {
        let mut peers = self.peers();
        let lines = self.lines(&mut peers, peer);
        lines.is_some_and(|lines| !std::mem::replace(&mut lines.watched, true))
    }

    /// Drops what is about to be too old, and says whether the peer is still read.
    pub(super) fn is_read(&self, peer: PeerId, best: Option<ConnectionId>) -> bool {
        let mut peers = self.peers();
        let Some(lines) = peers.get_mut(&peer) else {
            return false;
        };
        lines.tidy(best, IDLE.saturating_sub(CHECK));
        let read = lines.asked.elapsed() < READING;
        if !read {
            peers.remove(&peer);
        }
        read
    }

    /// `None` when there are too many peers already.
    fn lines<'a>(
        &self,
        peers: &'a mut HashMap<PeerId, Lines>,
        peer: PeerId,
    ) -> Option<&'a mut Lines> {
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            return None;
        }
        Some(peers.entry(peer).or_insert_with(|| Lines {
            idle: Vec::new(),
            opening: 0,
            asked: Instant::now(),
            watched: false,
        }))
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<PeerId, Lines>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn tidy(&mut self, best: Option<ConnectionId>, age: Duration) {
        self.idle
            .retain(|line| line.is_usable(age) && Some(line.connection()) == best);
    }
}
