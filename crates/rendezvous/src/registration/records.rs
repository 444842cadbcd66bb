//! Registered addresses and pending links, and what may change: decisions, with time, tokens and
//! storage passed in. A decision is a list of writes, which count when they are saved and then
//! applied.
//!
//! An address is *verified* when the link of a mail to it was confirmed. It *belongs* to one peer:
//! the one that signed the request, or, when nobody signed, the first that publishes it. Several
//! links may be pending for one address, so that nobody can invalidate another's link by requesting
//! a new one; each names the peer it is for.

use std::{collections::HashMap, net::IpAddr};

use goop2_proto::{PeerId, registration};

use super::{
    mail_limit::MailLimit,
    record::{Hash, Pending, Record, Write, is_old, key},
    refusal::Refusal,
};

/// Most addresses: some 100 MB.
const MAX_RECORDS: usize = 200_000;
/// Most pending links, whichever instances sent them: several days of one server's mails.
const MAX_PENDING: usize = 65_536;

/// Whether a peer with an address is visible.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Admission {
    No,
    Yes,
    /// Nobody owns it yet: yes, once this is saved.
    First(Record),
    /// Yes, and from now on only with proof, as this says.
    Proved(Record),
}

#[derive(Debug, Default)]
pub(super) struct Records {
    records: HashMap<String, Record>,
    pending: HashMap<Hash, Pending>,
    mails: MailLimit,
}

impl Records {
    pub(super) fn new(records: Vec<Record>, pending: Vec<(Hash, Pending)>) -> Self {
        Self {
            records: records
                .into_iter()
                .map(|record| (key(&record.email), record))
                .collect(),
            pending: pending.into_iter().collect(),
            mails: MailLimit::default(),
        }
    }

    /// Requests a link. `peer` signed the request; without it the address is registered as by
    /// existing peers.
    pub(super) fn request(
        &mut self,
        email: &str,
        peer: Option<PeerId>,
        client: IpAddr,
        token: Hash,
        now: i64,
    ) -> Result<Vec<Write>, Refusal> {
        if email.trim().is_empty() {
            return Err(Refusal::Required);
        }
        let email = registration::email(email)
            .ok_or(Refusal::Invalid)?
            .to_owned();
        let key = key(&email);
        let owns = |record: &&Record| {
            record.verified_at > 0 && record.owner() == peer.map(|peer| (peer, true))
        };
        // Only its owner learns that an address is registered; anyone else could ask for any.
        if peer.is_some() && self.records.get(&key).filter(owns).is_some() {
            return Err(Refusal::Already);
        }
        self.mails.check(&key, client, now)?;
        let mut writes = self.make_room()?;
        let known = self.records.contains_key(&key);
        self.mails.note(key, client, now);
        let record = (!known).then(|| Record::new(email.clone(), now));
        let pending = Pending {
            email,
            peer,
            created_at: now,
        };
        writes.extend(record.map(Write::Record));
        writes.push(Write::Pending(token, pending));
        Ok(writes)
    }

    /// Room for one more address and link, whether the address is known or not: the oldest that was
    /// never confirmed gives way.
    fn make_room(&self) -> Result<Vec<Write>, Refusal> {
        let mut writes = Vec::new();
        if self.records.len() >= MAX_RECORDS {
            let unverified = self
                .records
                .values()
                .filter(|record| record.verified_at == 0);
            let oldest = unverified.min_by_key(|record| record.created_at);
            let email = oldest.ok_or(Refusal::Full)?.email.clone();
            writes.push(Write::NoRecord { email });
        }
        if self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.iter().min_by_key(|(_, link)| link.created_at);
            writes.extend(oldest.map(|(token, _)| Write::NoPending(*token)));
        }
        Ok(writes)
    }

    /// The peer that the address belongs to, if it is verified.
    pub(super) fn owner(&self, email: &str) -> Option<PeerId> {
        let record = self.records.get(&key(email))?;
        let (owner, _) = record.owner()?;
        (record.verified_at > 0).then_some(owner)
    }

    /// The mail could not be sent.
    pub(super) fn withdraw(&self, token: &Hash) -> Vec<Write> {
        let known = self.pending.contains_key(token);
        known
            .then_some(Write::NoPending(*token))
            .into_iter()
            .collect()
    }

    /// What a link is for, while it is valid. One sent before the address was verified is not: the
    /// first to confirm has decided, at whichever instance.
    pub(super) fn pending_link(&self, token: &Hash, now: i64) -> Option<&Pending> {
        let pending = self.pending.get(token)?;
        let record = self.records.get(&key(&pending.email));
        let decided = record.is_some_and(|record| record.verified_at > pending.created_at);
        (!decided && !is_old(pending.created_at, now)).then_some(pending)
    }

    /// Uses the link: the address is verified, and belongs to the peer that asked. The record is
    /// what counts; the rest follows from it.
    pub(super) fn confirm(&self, token: &Hash, now: i64) -> Option<(Record, Vec<Write>)> {
        let Pending { email, peer, .. } = self.pending_link(token, now)?;
        let mut record = self.records.get(&key(email))?.clone();
        record.verified_at = now;
        if let Some(peer) = peer {
            record.set_owner(*peer, true);
        }
        let mut writes = vec![Write::Record(record.clone())];
        writes.extend(self.no_pending(|pending| key(&pending.email) == key(email)));
        Some((record, writes))
    }

    /// Whether a message with this address is visible. The first peer that publishes an address
    /// without an owner gets it. Once an owner has signed, unsigned messages are rejected.
    pub(super) fn admits(&self, email: &str, peer: PeerId, proved: bool) -> Admission {
        let record = self
            .records
            .get(&key(email))
            .filter(|record| record.verified_at > 0);
        let Some(record) = record else {
            return Admission::No;
        };
        let mut owned = record.clone();
        owned.set_owner(peer, proved);
        match record.owner() {
            Some((owner, needs_proof)) if owner != peer || (needs_proof && !proved) => {
                Admission::No
            }
            Some((_, needs_proof)) if needs_proof == proved => Admission::Yes,
            Some(_) => Admission::Proved(owned),
            None => Admission::First(owned),
        }
    }

    pub(super) fn remove(&self, email: &str) -> Vec<Write> {
        let Some(record) = self.records.get(&key(email)) else {
            return Vec::new();
        };
        let mut writes = vec![Write::NoRecord {
            email: record.email.clone(),
        }];
        writes.extend(self.no_pending(|pending| key(&pending.email) == key(email)));
        writes
    }

    /// Applies what was decided and saved. Beyond the bounds nothing is added.
    pub(super) fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Record(record) => {
                    let key = key(&record.email);
                    if self.records.len() < MAX_RECORDS || self.records.contains_key(&key) {
                        self.records.insert(key, record.clone());
                    }
                }
                Write::NoRecord { email } => {
                    self.records.remove(&key(email));
                }
                Write::Pending(token, pending) => {
                    if self.pending.len() < MAX_PENDING {
                        self.pending.insert(*token, pending.clone());
                    }
                }
                Write::NoPending(token) => {
                    self.pending.remove(token);
                }
                // Saved for the next start, not kept here.
                Write::Block(_) | Write::NoBlock(_) => {}
            }
        }
    }

    /// Everything, as it would be written.
    pub(super) fn contents(&self) -> impl Iterator<Item = Write> {
        let records = self.records.values().cloned().map(Write::Record);
        let pending = self.pending.iter();
        records.chain(pending.map(|(token, pending)| Write::Pending(*token, pending.clone())))
    }

    /// Newest first.
    pub(super) fn list(&self) -> Vec<Record> {
        self.find("", usize::MAX).0
    }

    /// The newest of those whose address contains the text, in lower case, and how many there are.
    pub(super) fn find(&self, text: &str, most: usize) -> (Vec<Record>, usize) {
        let mut found: Vec<_> = self
            .records
            .iter()
            .filter(|(key, _)| key.contains(text))
            .map(|(_, record)| record)
            .collect();
        found.sort_by(|a, b| (b.created_at, &a.email).cmp(&(a.created_at, &b.email)));
        let newest = found.iter().take(most).map(|record| (*record).clone());
        (newest.collect(), found.len())
    }

    /// Removes links that nobody followed, and addresses that were never verified.
    pub(super) fn expire(&self, now: i64) -> Vec<Write> {
        let old = |record: &&Record| record.verified_at == 0 && is_old(record.created_at, now);
        let records = self.records.values().filter(old);
        let records = records.map(|record| Write::NoRecord {
            email: record.email.clone(),
        });
        let pending = self.no_pending(|pending| is_old(pending.created_at, now));
        pending.chain(records).collect()
    }

    fn no_pending(&self, gone: impl Fn(&Pending) -> bool) -> impl Iterator<Item = Write> {
        let gone = self
            .pending
            .iter()
            .filter(move |(_, pending)| gone(pending));
        gone.map(|(token, _)| Write::NoPending(*token))
    }
}

#[cfg(test)]
mod tests;
