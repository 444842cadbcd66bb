//! What peers last signed: so that no message counts twice, also after its peer has left.
//!
//! Everyone who was here is remembered for [`REMEMBER`], as far as there is room. The room is shared
//! by households: one with many keys only forgets its own, and cannot make this server forget the
//! peers of others, whose recorded messages would then count again.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use goop2_proto::PeerId;

/// How long the newest `ts` of a peer that signs is remembered after its last message: a signed
/// message is fresh from an hour before its `ts` to an hour after.
pub(super) const REMEMBER: Duration = Duration::from_secs(2 * 60 * 60);
/// Most peers remembered; some megabytes at 150 bytes each. The longest silent are dropped first.
const MAX_REMEMBERED: usize = 65_536;
/// Those of one household, online ones apart: many times those of a company behind one address.
const MAX_OF_HOUSEHOLD: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Memory {
    signed: HashMap<PeerId, Signed>,
    /// Peers by the time of their last signed message, some of them outdated by a later one, or
    /// forgotten.
    silence: VecDeque<(Instant, PeerId)>,
    /// The peers of each household, the oldest first.
    homes: HashMap<IpAddr, VecDeque<PeerId>>,
}

#[derive(Clone, Copy, Debug)]
struct Signed {
    newest: i64,
    at: Instant,
    /// Its time in the queue.
    queued: Instant,
    /// Where it was first heard; none = from another instance.
    home: Option<IpAddr>,
    /// Received here, not from another instance.
    here: bool,
}

impl Memory {
    /// The newest `ts` that the peer signed; none = nothing, or long ago.
    pub(super) fn newest(&self, peer: &PeerId) -> Option<i64> {
        self.signed.get(peer).map(|signed| signed.newest)
    }

    /// Peers that signed here, with the newest `ts` of each.
    pub(super) fn here(&self) -> impl Iterator<Item = (PeerId, i64)> {
        let here = self.signed.iter().filter(|(_, signed)| signed.here);
        here.map(|(peer, signed)| (*peer, signed.newest))
    }

    /// `home`: the household that sent it; none = another instance did. Those that `online` names
    /// are not forgotten for it.
    pub(super) fn remember(
        &mut self,
        peer: PeerId,
        newest: i64,
        home: Option<IpAddr>,
        now: Instant,
        online: impl Fn(&PeerId) -> bool,
    ) {
        if let Some(signed) = self.signed.get_mut(&peer) {
            (signed.newest, signed.at, signed.here) = (newest, now, home.is_some());
            return;
        }
        if let Some(home) = home {
            self.make_room(home, online);
            self.homes.entry(home).or_default().push_back(peer);
        }
        let signed = Signed {
            newest,
            at: now,
            queued: now,
            home,
            here: home.is_some(),
        };
        self.signed.insert(peer, signed);
        self.silence.push_back((now, peer));
    }

    /// Forgets the oldest of a household that has too many.
    fn make_room(&mut self, home: IpAddr, online: impl Fn(&PeerId) -> bool) {
        let Some(peers) = self.homes.get(&home) else {
            return;
        };
        if peers.len() < MAX_OF_HOUSEHOLD {
            return;
        }
        // If all of them are online, they are bounded by the limits for those.
        let oldest = peers.iter().find(|peer| !online(peer)).copied();
        if let Some(oldest) = oldest {
            self.drop_peer(&oldest);
        }
    }

    /// Forgets peers that have been silent for long, and the longest silent if there are too many.
    pub(super) fn forget(&mut self, now: Instant) {
        if self.silence.len() >= 2 * MAX_REMEMBERED {
            let signed = &self.signed;
            let valid = |(queued, peer): &(Instant, PeerId)| {
                signed.get(peer).is_some_and(|s| s.queued == *queued)
            };
            self.silence.retain(valid);
        }
        while let Some(&(queued, peer)) = self.silence.front() {
            let overdue = now.saturating_duration_since(queued) > REMEMBER;
            if !overdue && self.signed.len() < MAX_REMEMBERED {
                break;
            }
            self.silence.pop_front();
            let Some(signed) = self.signed.get_mut(&peer) else {
                continue;
            };
            if signed.queued != queued {
                continue;
            }
            if signed.at > queued {
                signed.queued = signed.at;
                self.silence.push_back((signed.at, peer));
            } else {
                self.drop_peer(&peer);
            }
        }
    }

    fn drop_peer(&mut self, peer: &PeerId) {
        let home = self.signed.remove(peer).and_then(|signed| signed.home);
        let Some(home) = home else { return };
        if let Some(peers) = self.homes.get_mut(&home) {
            // Near the front, usually.
            if let Some(at) = peers.iter().position(|known| known == peer) {
                peers.remove(at);
            }
            if peers.is_empty() {
                self.homes.remove(&home);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(number: u8) -> Option<IpAddr> {
        Some([11, 0, 0, number].into())
    }

    fn nobody(_: &PeerId) -> bool {
        false
    }

    #[test]
    fn a_household_with_many_keys_makes_nobody_else_forgotten() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        let victim = PeerId::random();
        memory.remember(victim, 7, home(1), start, nobody);
        let own = PeerId::random();
        memory.remember(own, 7, home(2), start, nobody);
        for number in 0..3 * MAX_REMEMBERED {
            let now = start + Duration::from_millis(number.try_into().unwrap());
            memory.forget(now);
            memory.remember(PeerId::random(), 1, home(2), now, nobody);
        }
        assert_eq!(
            (memory.newest(&victim), memory.newest(&own)),
            (Some(7), None)
        );
        assert_eq!(memory.signed.len(), MAX_OF_HOUSEHOLD + 1);
        assert!(memory.silence.len() <= 2 * MAX_REMEMBERED);
    }

    #[test]
    fn who_is_online_is_not_forgotten_for_its_household() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let online = PeerId::random();
        for number in 0..2 * MAX_OF_HOUSEHOLD {
            let peer = if number == 0 {
                online
            } else {
                PeerId::random()
            };
            memory.remember(peer, 1, home(1), now, |peer| *peer == online);
        }
        assert!(memory.newest(&online).is_some());
        assert_eq!(memory.homes[&home(1).unwrap()].len(), MAX_OF_HOUSEHOLD);
    }

    #[test]
    fn the_longest_silent_are_forgotten_first_and_all_after_a_while() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        let peers: Vec<_> = (0..MAX_REMEMBERED).map(|_| PeerId::random()).collect();
        for peer in &peers {
            memory.remember(*peer, 1, None, start, nobody);
        }
        let later = start + Duration::from_secs(1);
        memory.remember(peers[0], 2, None, later, nobody);
        memory.forget(later);
        assert_eq!(memory.newest(&peers[0]), Some(2));
        assert_eq!(memory.newest(&peers[1]), None);
        memory.forget(later + REMEMBER);
        assert_eq!(memory.signed.len(), 1);
        memory.forget(later + REMEMBER + Duration::from_secs(1));
        assert!(memory.signed.is_empty() && memory.silence.is_empty() && memory.homes.is_empty());
    }
}
