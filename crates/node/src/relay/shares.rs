//! Who may move bytes when: a rate for each peer and one for all, shared fairly when it is short.
//! Plain state; the time goes in.
//!
//! A byte through the relay is read from one peer and written to another, and is charged to both,
//! so neither a sender nor a reader can take more than its share. While the common pool lasts,
//! everybody takes from it as it comes. When it is empty it is *short*: from then on each refill is
//! dealt out in equal parts to the peers that want something, a part that its owner cannot use goes
//! to the others, and what was dealt and not used returns with the next refill.
//!
//! A piece is charged when its size is known, after it was moved. So an account can be overdrawn by
//! one piece, and pays that back before it moves the next.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use goop2_proto::PeerId;

/// How often a refill is dealt out: a pause this short is lost in the network's own delay.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// What is moved at once, the buffer of a circuit. So many bytes of a refill wake one stream.
const PIECE: f64 = 8192.0;

/// How much of a second's bytes may come at once: the pool's, that refills are not lost on a
/// host that is late; and a peer's, that a page is not slowed down.
const POOL_BURST: f64 = 0.1;
const PEER_BURST: f64 = 0.25;

/// The part of its burst that the pool has to have again until it is short no longer: what is asked
/// for is then less than what comes in.
const ENOUGH: f64 = 0.5;

/// A burst holds some pieces at the smallest rate too.
const MIN_BURST: f64 = 4.0 * PIECE;

/// The accounts of one relay. `W` is what waits.
#[derive(Debug)]
pub(super) struct Shares<W> {
    pool: Option<Rate>,
    each: Option<u64>,
    /// The pool ran dry, and has not recovered.
    short: bool,
    accounts: HashMap<PeerId, Account<W>>,
}

#[derive(Debug)]
struct Account<W> {
    /// Its own rate.
    own: Option<Rate>,
    /// Bytes of the pool that are set aside for it.
    dealt: f64,
    /// It moved something since the last refill.
    moved: bool,
    waiting: VecDeque<W>,
}

#[derive(Debug)]
struct Rate {
    per_second: f64,
    burst: f64,
    left: f64,
    filled: Instant,
}

impl<W> Shares<W> {
    /// Bytes a second, 0 = no limit: of all, each byte counted once; of one peer, what it sends and
    /// what it is sent.
    pub(super) fn new(all: u64, each: u64, now: Instant) -> Self {
        Self {
            // Each byte is charged twice.
            pool: (all > 0).then(|| Rate::new(2.0 * all as f64, POOL_BURST, now)),
            each: (each > 0).then_some(each),
            short: false,
            accounts: HashMap::new(),
        }
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.pool.is_none() && self.each.is_none()
    }

    pub(super) fn open(&mut self, peer: PeerId, now: Instant) {
        let own = self
            .each
            .map(|each| Rate::new(each as f64, PEER_BURST, now));
        self.accounts.entry(peer).or_insert(Account {
            own,
            dealt: 0.0,
            moved: false,
            waiting: VecDeque::new(),
        });
    }

    /// Those who waited for it are gone with it.
    pub(super) fn close(&mut self, peer: &PeerId) {
        if let (Some(account), Some(pool)) = (self.accounts.remove(peer), &mut self.pool) {
            pool.left += account.dealt;
        }
    }

    /// Whether the peer may move another piece now.
    pub(super) fn may(&mut self, peer: &PeerId, now: Instant) -> bool {
        let Some(account) = self.accounts.get_mut(peer) else {
            return true;
        };
        if account.own.as_mut().is_some_and(|own| !own.has_any(now)) {
            return false;
        }
        let Some(pool) = &mut self.pool else {
            return true;
        };
        self.short |= !pool.has_any(now);
        account.dealt > 0.0 || !self.short
    }

    /// The peer moved so many bytes.
    pub(super) fn charge(&mut self, peer: &PeerId, bytes: usize) {
        let Some(account) = self.accounts.get_mut(peer) else {
            return;
        };
        let bytes = bytes as f64;
        account.moved = true;
        if let Some(own) = &mut account.own {
            own.left -= bytes;
        }
        if let Some(pool) = &mut self.pool {
            let from_dealt = bytes.min(account.dealt);
            account.dealt -= from_dealt;
            pool.left -= bytes - from_dealt;
        }
    }

    /// A refill returns `who` when it is this peer's turn.
    pub(super) fn wait(&mut self, peer: &PeerId, who: W) {
        if let Some(account) = self.accounts.get_mut(peer) {
            account.waiting.push_back(who);
        }
    }

    /// Whether there is anything to refill for.
    pub(super) fn is_idle(&self) -> bool {
        !self.short
            && self
                .accounts
                .values()
                .all(|account| account.waiting.is_empty())
    }

    /// Deals out what has come in, and returns those whose turn it is.
    pub(super) fn refill(&mut self, now: Instant) -> Vec<W> {
        let mut wanting = Vec::new();
        for account in self.accounts.values_mut() {
            if let Some(pool) = &mut self.pool {
                pool.left += std::mem::take(&mut account.dealt);
            }
            if let Some(wants) = account.wants(now) {
                wanting.push((wants, account));
            }
        }
        if let Some(pool) = &mut self.pool {
            pool.fill(now);
            self.short &= pool.left < ENOUGH * pool.burst;
            if self.short {
                deal(pool, &mut wanting);
            }
        }
        let mut turn = Vec::new();
        for (wants, account) in wanting {
            let has = if self.short { account.dealt } else { wants };
            let pieces = (has / PIECE).ceil() as usize;
            let waiting = pieces.min(account.waiting.len());
            turn.extend(account.waiting.drain(..waiting));
        }
        turn
    }
}

/// In equal parts; who can use least comes first, and leaves the rest of its part to the others.
fn deal<W>(pool: &mut Rate, wanting: &mut [(f64, &mut Account<W>)]) {
    wanting.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut others = wanting.len() as f64;
    for (wants, account) in wanting {
        account.dealt = wants.min(pool.left.max(0.0) / others);
        pool.left -= account.dealt;
        others -= 1.0;
    }
}

impl<W> Account<W> {
    /// How much it could use until the next refill, if anything.
    fn wants(&mut self, now: Instant) -> Option<f64> {
        let active = std::mem::take(&mut self.moved) || !self.waiting.is_empty();
        let most = match &mut self.own {
            None => f64::MAX,
            Some(own) => {
                own.fill(now);
                own.left
            }
        };
        (active && most > 0.0).then_some(most)
    }
}

impl Rate {
    fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        let burst = (per_second * burst).max(MIN_BURST);
        Self {
            per_second,
            burst,
            left: burst,
            filled: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.burst);
        self.filled = self.filled.max(now);
    }

    fn has_any(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Peers that move bytes through a relay, a piece at a time, by the clock of the test.
    struct World {
        shares: Shares<(usize, u32)>,
        peers: Vec<PeerId>,
        start: Instant,
        now: Instant,
        moved: Vec<f64>,
    }

    impl World {
        fn new(all: u64, each: u64, peers: usize) -> Self {
            let start = Instant::now();
            let mut shares = Shares::new(all, each, start);
            let peers: Vec<_> = (0..peers).map(|_| PeerId::random()).collect();
            for peer in &peers {
                shares.open(*peer, start);
            }
            Self {
                shares,
                moved: vec![0.0; peers.len()],
                peers,
                start,
                now: start,
            }
        }

        /// Each peer has so many streams that always want to move a piece, but not more bytes a
        /// second than `wants`.
        fn run(&mut self, seconds: u32, streams: &[u32], wants: &[f64]) {
            let end = self.now + SECOND * seconds;
            let before = self.moved.clone();
            let since = self.now;
            let mut ready: Vec<_> = (0..self.peers.len())
                .flat_map(|peer| (0..streams[peer]).map(move |stream| (peer, stream)))
                .collect();
            let mut resting = Vec::new();
            while self.now < end {
                while let Some((peer, stream)) = ready.pop() {
                    let id = self.peers[peer];
                    let passed = (self.now - since).as_secs_f64();
                    if self.moved[peer] - before[peer] > wants[peer] * passed {
                        resting.push((peer, stream));
                    } else if self.shares.may(&id, self.now) {
                        self.shares.charge(&id, PIECE as usize);
                        self.moved[peer] += PIECE;
                        ready.insert(0, (peer, stream));
                    } else {
                        self.shares.wait(&id, (peer, stream));
                    }
                }
                self.now += TICK;
                ready.append(&mut resting);
                ready.extend(self.shares.refill(self.now));
            }
        }

        fn rate(&self, peer: usize) -> f64 {
            self.moved[peer] / (self.now - self.start).as_secs_f64()
        }
    }

    const ALL_IT_CAN: f64 = 1e12;

    fn near(is: f64, should: f64) -> bool {
        (is / should - 1.0).abs() < 0.12
    }

    #[test]
    fn one_with_many_streams_gets_no_more_than_one_with_one() {
        let mut world = World::new(1_000_000, 0, 2);
        world.run(10, &[200, 1], &[ALL_IT_CAN; 2]);
        // Charged twice in a relay: the two ends of one circuit.
        assert!(
            near(world.rate(0), 1e6) && near(world.rate(1), 1e6),
            "{:?}",
            world.moved
        );
    }

    #[test]
    fn what_one_does_not_want_goes_to_the_others() {
        let mut world = World::new(1_000_000, 0, 3);
        world.run(10, &[1, 10, 1], &[200_000.0, ALL_IT_CAN, ALL_IT_CAN]);
        assert!(near(world.rate(0), 2e5), "{:?}", world.moved);
        assert!(
            near(world.rate(1), 9e5) && near(world.rate(2), 9e5),
            "{:?}",
            world.moved
        );
    }

    #[test]
    fn a_peer_alone_has_its_own_limit_and_shares_with_nobody() {
        let mut world = World::new(1_000_000, 500_000, 2);
        world.run(10, &[5, 5], &[ALL_IT_CAN, 0.0]);
        assert!(near(world.rate(0), 5e5), "{:?}", world.moved);
        assert!(!world.shares.short);
    }

    #[test]
    fn a_newcomer_has_its_share_at_once() {
        let mut world = World::new(10_000_000, 0, 2);
        world.run(5, &[100, 0], &[ALL_IT_CAN; 2]);
        assert!(near(world.rate(0), 2e7), "{:?}", world.moved);
        let before = world.moved[1];
        world.run(1, &[100, 1], &[ALL_IT_CAN; 2]);
        assert!(near(world.moved[1] - before, 1e7), "{:?}", world.moved);
    }

    #[test]
    fn without_limits_nobody_waits() {
        let now = Instant::now();
        let mut shares = Shares::<()>::new(0, 0, now);
        assert!(shares.is_unlimited());
        let peer = PeerId::random();
        shares.open(peer, now);
        shares.charge(&peer, usize::MAX);
        assert!(shares.may(&peer, now) && shares.is_idle());
    }

    #[test]
    fn the_last_refill_of_a_quiet_relay_ends() {
        let mut world = World::new(1_000_000, 0, 1);
        world.run(1, &[3], &[ALL_IT_CAN]);
        assert!(!world.shares.is_idle());
        world.shares.close(&world.peers[0].clone());
        for _ in 0..20 {
            world.now += TICK;
            world.shares.refill(world.now);
        }
        assert!(world.shares.is_idle());
    }
}
