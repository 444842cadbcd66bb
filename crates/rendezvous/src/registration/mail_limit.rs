//! How many mails may be sent: to one address, for one client, and in all.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use super::refusal::Refusal;

/// The period of the limits.
pub(super) const HOUR_MILLIS: i64 = 60 * 60 * 1000;
/// Mails to one address within an hour: one, one that was lost, and one for another peer.
const MAX_MAILS_EACH: usize = 3;
/// Mails that one client may cause within an hour: a household.
const MAX_MAILS_CLIENT: usize = 10;
/// Mails within an hour in total, so that nobody can get the server listed as a source of spam.
const MAX_MAILS: usize = 600;
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
    /// Whether another mail may be sent now.
    pub(super) fn check(&mut self, key: &str, client: IpAddr, now: i64) -> Result<(), Refusal> {
        while self
            .0
            .front()
            .is_some_and(|mail| !(0..HOUR_MILLIS).contains(&(now - mail.at)))
        {
            self.0.pop_front();
        }
        let full = |max, counts: &dyn Fn(&&Mail) -> bool| {
            let mut counted: Vec<_> = self.0.iter().filter(counts).map(|mail| mail.at).collect();
            (counted.len() >= max).then(|| counted.swap_remove(0) + HOUR_MILLIS - now)
        };
        let wait = full(MAX_MAILS_EACH, &|mail| mail.key == key)
            .or_else(|| full(MAX_MAILS_CLIENT, &|mail| mail.client == client))
            .or_else(|| full(MAX_MAILS, &|_| true));
        wait.map_or(Ok(()), |millis| {
            Err(Refusal::TooMany(Duration::from_millis(
                millis.unsigned_abs(),
            )))
        })
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
