//! When to publish what: decisions about time, with the time passed in.

use std::time::Duration;

use goop2_proto::presence::Kind;
use tokio::time::Instant;

/// Longest `Retry-After` that is respected: a server may slow us down, but not send us away for the
/// day.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The second `online` follows the first after this (§7.4).
const AGAIN: Duration = Duration::from_secs(1);
/// Addresses change in bursts; at most one message in this time.
const GAP: Duration = Duration::from_secs(1);
/// The first messages are sent faster: a peer that has just started learns its addresses one by
/// one, and others want to connect to it.
const FIRST: u32 = 5;
const FIRST_GAP: Duration = Duration::from_millis(200);
/// Heartbeats skipped after a 429 without `Retry-After`: after one more, our TTL would end.
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

    /// The first two are `online`: the first may be sent before the server knows us.
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

    /// There is something new to publish.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }

    /// The server limits our messages.
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
    fn news_are_sent_at_once_but_not_in_bursts_and_never_in_a_pause() {
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
