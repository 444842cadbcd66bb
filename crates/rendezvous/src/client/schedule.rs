//! When to publish what: decisions about time, with the time handed in.

use std::time::Duration;

use goop2_proto::presence::Kind;
use tokio::time::Instant;

/// `Retry-After` counts up to here: a server may ask for peace, but not send us away for the day.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The second `online` follows the first after this (§7.4).
const AGAIN: Duration = Duration::from_secs(1);
/// Addresses change in bursts; this is how fast we follow.
const GAP: Duration = Duration::from_secs(1);
/// The first messages follow each other faster: a peer that has just started learns its addresses
/// one by one, and whoever sees it wants to call it.
const FIRST: u32 = 5;
const FIRST_GAP: Duration = Duration::from_millis(200);
/// Heartbeats left out after a 429 that does not say for how long: one more would end our TTL at
/// others.
const SKIPPED: u32 = 2;

/// When to publish what.
#[derive(Debug)]
pub(super) struct Schedule {
    heartbeat: Duration,
    sent: u32,
    next: Instant,
    not_before: Instant,
}

impl Schedule {
    pub(super) fn new(heartbeat: Duration, now: Instant) -> Self {
        Self {
            heartbeat,
            sent: 0,
            next: now,
            not_before: now,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.next.max(self.not_before)
    }

    /// The first two say `online`: the first of them may come before the server knows anything of
    /// us.
    pub(super) fn kind(&self) -> Kind {
        if self.sent < 2 {
            Kind::Online
        } else {
            Kind::Update
        }
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.sent += 1;
        self.next = now
            + if self.sent == 1 {
                AGAIN
            } else {
                self.heartbeat
            };
        let gap = if self.sent < FIRST { FIRST_GAP } else { GAP };
        self.not_before = now + gap.min(self.heartbeat);
    }

    /// There is something new to say.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }

    /// The server wants less of us.
    pub(super) fn pause(&mut self, now: Instant, asked: Option<Duration>) {
        let pause = asked.unwrap_or(self.heartbeat * SKIPPED).min(LONGEST_PAUSE);
        self.not_before = now + pause;
    }
}

/// A wait that is as long as the server asks for, within reason.
pub(super) fn at_least(wait: Duration, asked: Option<Duration>) -> Duration {
    wait.max(asked.unwrap_or_default().min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_servers_wish_counts_within_reason() {
        let wait = Duration::from_millis(500);
        assert_eq!(at_least(wait, None), wait);
        assert_eq!(at_least(wait, Some(20 * SECOND)), 20 * SECOND);
        assert_eq!(at_least(wait, Some(Duration::ZERO)), wait);
        assert_eq!(at_least(wait, Some(Duration::MAX)), LONGEST_PAUSE);
    }

    #[test]
    fn online_twice_and_then_the_heartbeat() {
        let start = Instant::now();
        let mut schedule = Schedule::new(5 * SECOND, start);
        let mut said = Vec::new();
        for _ in 0..4 {
            let now = schedule.due();
            said.push(((now - start).as_secs(), schedule.kind()));
            schedule.sent(now);
        }
        let expected = [
            (0, Kind::Online),
            (1, Kind::Online),
            (6, Kind::Update),
            (11, Kind::Update),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn news_go_out_at_once_but_not_in_bursts_and_never_in_a_pause() {
        let start = Instant::now();
        let mut schedule = Schedule::new(5 * SECOND, start);
        schedule.sent(start);
        schedule.hurry(start);
        assert_eq!(schedule.due(), start + FIRST_GAP);
        for _ in 1..FIRST {
            schedule.sent(start + SECOND);
        }
        schedule.hurry(start + SECOND);
        assert_eq!(schedule.due(), start + 2 * SECOND);
        schedule.hurry(start + 4 * SECOND);
        assert_eq!(schedule.due(), start + 2 * SECOND);
        schedule.sent(start + 4 * SECOND);
        schedule.pause(start + 4 * SECOND, Some(30 * SECOND));
        schedule.hurry(start + 5 * SECOND);
        assert_eq!(schedule.due(), start + 34 * SECOND);
        schedule.sent(start + 34 * SECOND);
        schedule.pause(start + 34 * SECOND, None);
        assert_eq!(schedule.due(), start + 44 * SECOND);
    }
}
