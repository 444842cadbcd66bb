//! Who may move bytes when: a rate for each peer and one for all, shared fairly when it is short.
//! Plain state; the time goes in.
//!
//! A byte through the relay is read from one peer and written to another, and is charged to both,
//! so neither a sender nor a reader can take more than its share. While the common pool lasts,
//! everybody takes from it as it comes. When it is empty it is *short*: from then on each refill is
//! dealt out in equal parts to the households that want something, and the part of each to its
//! peers: keys cost nothing, so with a part for each peer alone, the owner of many would have most.
//! A part that its owner cannot use goes to the others, and what was dealt and not used returns with
//! the next refill.
//!
//! A piece is charged when its size is known, after it was moved. So an account can be overdrawn by
//! one piece, and pays that back before it moves the next.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
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
    /// The household it shares with.
    home: IpAddr,
    /// Its own rate.
    own: Option<Rate>,
    /// Bytes of the pool that are set aside for it; negative = what it has still to pay back.
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

    /// `home`: the household of the peer; of several, the first counts.
    pub(super) fn open(&mut self, peer: PeerId, home: IpAddr, now: Instant) {
        let own = self
            .each
            .map(|each| Rate::new(each as f64, PEER_BURST, now));
        self.accounts.entry(peer).or_insert(Account {
            home,
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
        match &mut self.pool {
            Some(_) if self.short => account.dealt -= bytes,
            Some(pool) => pool.left -= bytes,
            None => {}
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
        let (mut wanting, mut debts) = (Vec::new(), 0.0);
        for account in self.accounts.values_mut() {
            if let Some(pool) = self.pool.as_mut().filter(|_| account.dealt > 0.0) {
                pool.left += std::mem::take(&mut account.dealt);
            }
            debts += account.dealt;
            if let Some(wants) = account.wants(now) {
                wanting.push((wants, account));
            }
        }
        if let Some(pool) = &mut self.pool {
            pool.fill(now);
            self.short &= pool.left + debts < ENOUGH * pool.burst;
            if self.short {
                let given = deal(pool.left.max(0.0), &wanting);
                for ((_, account), part) in wanting.iter_mut().zip(given) {
                    account.dealt += part;
                    pool.left -= part;
                }
            }
        }
        let mut turn = Vec::new();
        for (wants, account) in wanting {
            let has = if self.short { account.dealt } else { wants };
            let pieces = (has / PIECE).ceil() as usize;
            let waiting = pieces.min(account.waiting.len());
            turn.extend(account.waiting.drain(..waiting));
        }
        if !self.short {
            self.forgive();
        }
        turn
    }

    /// What is owed is taken from the pool, which has enough again.
    fn forgive(&mut self) {
        if let Some(pool) = &mut self.pool {
            let accounts = self.accounts.values_mut();
            let owed: f64 = accounts
                .map(|account| std::mem::take(&mut account.dealt))
                .sum();
            pool.left += owed;
        }
    }
}

/// The part of each: what there is in equal parts to households, and that of each to its peers.
fn deal<W>(there_is: f64, wanting: &[(f64, &mut Account<W>)]) -> Vec<f64> {
    let mut homes = HashMap::<IpAddr, Vec<usize>>::new();
    for (at, (_, account)) in wanting.iter().enumerate() {
        homes.entry(account.home).or_default().push(at);
    }
    let homes: Vec<_> = homes.into_values().collect();
    let wants = |at: &usize| wanting[*at].0;
    let sums: Vec<_> = homes
        .iter()
        .map(|home| home.iter().map(wants).sum())
        .collect();
    let mut given = vec![0.0; wanting.len()];
    for (home, part) in homes.iter().zip(equal_parts(there_is, &sums)) {
        let wants: Vec<_> = home.iter().map(wants).collect();
        for (at, part) in home.iter().zip(equal_parts(part, &wants)) {
            given[*at] = part;
        }
    }
    given
}

/// Who can use least comes first, and leaves the rest of its part to the others.
fn equal_parts(there_is: f64, wants: &[f64]) -> Vec<f64> {
    let mut order: Vec<_> = (0..wants.len()).collect();
    order.sort_by(|a, b| wants[*a].total_cmp(&wants[*b]));
    let mut parts = vec![0.0; wants.len()];
    let mut left = there_is;
    for (done, at) in order.into_iter().enumerate() {
        let others = (wants.len() - done) as f64;
        parts[at] = wants[at].min(left / others);
        left -= parts[at];
    }
    parts
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
    use proptest::prelude::*;

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
            let homes: Vec<_> = (0..peers).collect();
            Self::of_homes(all, each, &homes)
        }

        /// Each peer with the number of its household.
        fn of_homes(all: u64, each: u64, homes: &[usize]) -> Self {
            let start = Instant::now();
            let mut shares = Shares::new(all, each, start);
            let peers: Vec<_> = homes.iter().map(|_| PeerId::random()).collect();
            for (peer, home) in peers.iter().zip(homes) {
                shares.open(*peer, home_of(*home), start);
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

    fn home_of(number: usize) -> IpAddr {
        std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into()
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
    fn a_household_of_many_keys_gets_no_more_than_one_of_one() {
        let mut homes = vec![0; 100];
        homes.push(1);
        let mut world = World::of_homes(1_000_000, 0, &homes);
        world.run(10, &[1; 101], &[ALL_IT_CAN; 101]);
        let many: f64 = (0..100).map(|peer| world.rate(peer)).sum();
        assert!(
            near(many, 1e6) && near(world.rate(100), 1e6),
            "{many} {}",
            world.rate(100)
        );
        assert!(near(world.rate(0), 1e4), "{}", world.rate(0));
    }

    proptest! {
        /// The model: give a little to each that wants more, in turn, until nothing is left.
        #[test]
        fn parts_are_equal_or_all_that_is_wanted(
            wants in proptest::collection::vec(0_u16..500, 1..12),
            there_is in 0_u16..3000,
        ) {
            let wanted: Vec<_> = wants.iter().copied().map(f64::from).collect();
            let parts = equal_parts(there_is.into(), &wanted);
            let (mut model, mut left) = (vec![0; wants.len()], there_is);
            while left > 0 && model != wants {
                for (has, wants) in model.iter_mut().zip(&wants) {
                    let more = u16::from(*has < *wants && left > 0);
                    *has += more;
                    left -= more;
                }
            }
            for (part, model) in parts.iter().zip(&model) {
                // The model's last one goes to the first in turn.
                prop_assert!((part - f64::from(*model)).abs() <= 1.0, "{parts:?} {model:?}");
            }
            prop_assert!(parts.iter().sum::<f64>() <= f64::from(there_is) + 1e-6);
        }
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
        shares.open(peer, home_of(0), now);
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
