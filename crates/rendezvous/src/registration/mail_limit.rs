//! How many mails may be sent: to one address, for one household, and in all.
//!
//! Keys and addresses of mailboxes cost nothing, and lines little: somebody with many could use up
//! the mails of an hour, and nobody else could register. So a household gets fewer the fewer are
//! left, and some are kept for networks that have had none, one at a time.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use goop2_proto::household;

use super::refusal::Refusal;

/// The period of the limits.
pub(super) const HOUR_MILLIS: i64 = 60 * 60 * 1000;
/// Mails to one address within an hour: one, one that was lost, and one for another peer.
const MAX_MAILS_EACH: usize = 3;
/// Mails that one household may cause within an hour, while there are many.
const MAX_MAILS_CLIENT: usize = 10;
/// A household may cause one in so many of those that are left.
const PART: usize = 16;
/// Mails within an hour in total, so that nobody can get the server listed as a source of spam.
const MAX_MAILS: usize = 600;
/// Mails beyond that, for networks that have had none in this hour.
const KEPT: usize = 120;
/// The pause between two of those; together they last for the hour.
const KEPT_PAUSE_MILLIS: i64 = 30 * 1000;

/// The mails of the last hour.
#[derive(Debug, Default)]
pub(super) struct MailLimit(VecDeque<Mail>);

#[derive(Debug)]
struct Mail {
    at: i64,
    key: String,
    client: IpAddr,
}

impl MailLimit {
    /// Whether another mail may be sent now. `client`: the household that asks.
    pub(super) fn check(&mut self, key: &str, client: IpAddr, now: i64) -> Result<(), Refusal> {
        let old = |mail: &Mail| !(0..HOUR_MILLIS).contains(&(now - mail.at));
        while self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
        let left = MAX_MAILS.saturating_sub(self.0.len());
        let share = (left / PART).clamp(1, MAX_MAILS_CLIENT);
        let wait = self
            .full(MAX_MAILS_EACH, now, |mail| mail.key == key)
            .or_else(|| self.full(share, now, |mail| mail.client == client))
            .or_else(|| self.used_up(client, now).filter(|_| left == 0));
        wait.map_or(Ok(()), |millis| {
            let wait = Duration::from_millis(millis.unsigned_abs());
            Err(Refusal::TooMany(wait))
        })
    }

    /// How long until there are less than `most` of those that count, if there are not.
    fn full(&self, most: usize, now: i64, counts: impl Fn(&Mail) -> bool) -> Option<i64> {
        let counted: Vec<_> = self.0.iter().filter(|mail| counts(mail)).collect();
        let oldest = counted.len().checked_sub(most).map(|over| counted[over]);
        oldest.map(|mail| mail.at + HOUR_MILLIS - now)
    }

    /// As [`Self::full`], when only those are left that are kept for new networks.
    fn used_up(&self, client: IpAddr, now: i64) -> Option<i64> {
        let network = household::network(client);
        let known = |mail: &Mail| household::network(mail.client) == network;
        if self.0.len() >= MAX_MAILS + KEPT || self.0.iter().any(known) {
            return self.full(MAX_MAILS, now, |_| true);
        }
        let next = self
            .0
            .back()
            .map_or(now, |last| last.at + KEPT_PAUSE_MILLIS);
        (next > now).then_some(next - now)
    }

    /// Counts a mail that is sent.
    pub(super) fn note(&mut self, key: String, client: IpAddr, now: i64) {
        self.0.push_back(Mail {
            at: now,
            key,
            client,
        });
    }
}
