//! Room for the requests of visitors, shared so that a few who take all they can get leave some to
//! everybody else.
//!
//! One may hold as much as is still free: the dynamic thresholds of Choudhury and Hahne
//! (IEEE/ACM Transactions on Networking 6.2, 1998). Alone, a visitor gets half of the room; eight
//! that want everything get a ninth each, and the ninth that is left is for the next one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use goop2_proto::PeerId;
use tokio::sync::oneshot;

/// Who holds how much, and how much is free.
#[derive(Debug)]
struct Shares {
    free: usize,
    held: HashMap<PeerId, usize>,
}

impl Shares {
    fn new(room: usize) -> Self {
        Self {
            free: room,
            held: HashMap::new(),
        }
    }

    fn held(&self, peer: &PeerId) -> usize {
        self.held.get(peer).copied().unwrap_or_default()
    }

    fn may_take(&self, peer: &PeerId) -> bool {
        self.held(peer) < self.free
    }

    /// Takes one, unless `peer` holds its share already.
    fn take(&mut self, peer: PeerId) -> bool {
        let may = self.may_take(&peer);
        if may {
            self.free -= 1;
            *self.held.entry(peer).or_default() += 1;
        }
        may
    }

    /// Gives one back.
    fn give(&mut self, peer: &PeerId) {
        let Some(held) = self.held.get_mut(peer) else {
            return;
        };
        *held -= 1;
        if *held == 0 {
            self.held.remove(peer);
        }
        self.free += 1;
    }
}

/// Room for so many things at a time.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    shares: Shares,
    /// Bounded by the streams that a peer may have.
    waiting: HashMap<PeerId, VecDeque<oneshot::Sender<Turn>>>,
}

/// Room for one, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Where it goes back to, unless it has.
    room: Option<Room>,
    peer: PeerId,
}

impl Room {
    pub(crate) fn new(size: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            shares: Shares::new(size),
            waiting: HashMap::new(),
        })))
    }

    /// Room at once, unless `peer` has its share already.
    pub(crate) fn turn_now(&self, peer: PeerId) -> Option<Turn> {
        self.state().shares.take(peer).then(|| self.of(peer))
    }

    /// Waits for room. Of those who wait, who holds least comes first.
    pub(super) async fn turn(&self, peer: PeerId) -> Turn {
        loop {
            let turn = {
                let mut state = self.state();
                if state.shares.take(peer) {
                    return self.of(peer);
                }
                let (sender, turn) = oneshot::channel();
                state.waiting.entry(peer).or_default().push_back(sender);
                turn
            };
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    fn of(&self, peer: PeerId) -> Turn {
        Turn {
            room: Some(self.clone()),
            peer,
        }
    }

    fn give(&self, peer: &PeerId) {
        let mut state = self.state();
        state.shares.give(peer);
        while let Some((peer, waiting)) = state.next() {
            state.shares.take(peer);
            if let Err(mut unwanted) = waiting.send(self.of(peer)) {
                state.shares.give(&peer);
                unwanted.room = None;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who may have room next.
    fn next(&mut self) -> Option<(PeerId, oneshot::Sender<Turn>)> {
        let shares = &self.shares;
        let peer = *self
            .waiting
            .keys()
            .filter(|peer| shares.may_take(peer))
            .min_by_key(|peer| shares.held(peer))?;
        let waiting = self.waiting.get_mut(&peer)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&peer);
        }
        Some((peer, next?))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            room.give(&self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn those_who_want_everything_leave_a_share() {
        for greedy in [1, 2, 8, 40] {
            let mut shares = Shares::new(512);
            let peers: Vec<_> = (0..greedy).map(|_| PeerId::random()).collect();
            for _ in 0..600 {
                for peer in &peers {
                    shares.take(*peer);
                }
            }
            let newcomer = PeerId::random();
            let got = (0..600).filter(|_| shares.take(newcomer)).count();
            assert!(got >= 512 / (greedy + 1) / 2, "{got} next to {greedy}");
            // All gone, all free.
            for peer in peers.iter().chain([&newcomer]) {
                while shares.held(peer) > 0 {
                    shares.give(peer);
                }
            }
            assert_eq!(shares.free, 512);
            assert!(shares.held.is_empty());
        }
    }

    #[tokio::test]
    async fn who_waits_gets_the_room_that_is_given_back() {
        let room = Room::new(4);
        let (one, other) = (PeerId::random(), PeerId::random());
        let held = [room.turn(one).await, room.turn(one).await];
        let mut third = Box::pin(room.turn(one));
        assert!(timeout(Duration::ZERO, third.as_mut()).await.is_err());
        // Somebody else is served nevertheless.
        drop(room.turn(other).await);
        let abandoned = Box::pin(room.turn(one));
        drop(abandoned);
        drop(held);
        let third = third.await;
        drop(third);
        assert_eq!(room.state().shares.free, 4);
        assert!(room.state().waiting.is_empty());
    }
}
