//! What is registered and what is asked for, and what may be asked: decisions, with time, tokens
//! and storage handed in. A decision is a list of writes, which count when they are kept and then
//! applied.
//!
//! An address is *verified* when the link of a mail to it was confirmed. It *belongs* to one peer:
//! the one that signed the request, or, when nobody signed, the first that publishes it. Several
//! links may be under way for one address, so that nobody can make another's link useless by asking
//! again; each names the peer it is for.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use goop2_proto::{PeerId, id, registration};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Refusal;

/// How long a link is good, as the mail says. In milliseconds, like all times here.
pub(super) const LINK_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// The time that the limits count over.
const HOUR_MILLIS: i64 = 60 * 60 * 1000;
/// Mails to one address within an hour: one, one that was lost, and one for another peer.
const MAX_MAILS_EACH: usize = 3;
/// Mails that one client may cause within an hour: a household.
const MAX_MAILS_CLIENT: usize = 10;
/// Mails within an hour in all, so that nobody can have the server listed as a sender of spam.
const MAX_MAILS: usize = 600;
/// Addresses at most: some 100 MB.
const MAX_RECORDS: usize = 200_000;
/// Links under way at most, however many instances send them: several days of one server's mails.
const MAX_PENDING: usize = 65_536;
/// Where the owner stands in a record's `metadata`.
const PEER: &str = "peer_id";
const PROVED: &str = "peer_proved";

/// The SHA-256 of a token: all that is kept of it.
pub(super) type Hash = [u8; 32];

/// One registered address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// As it was written when it was registered.
    pub email: String,
    /// Unix time in milliseconds.
    pub created_at: i64,
    /// Unix time in milliseconds; 0 = not yet.
    pub verified_at: i64,
    /// Which peer it belongs to, and what other programs keep here.
    pub metadata: Map<String, Value>,
}

/// A link under way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) email: String,
    pub(super) peer: Option<PeerId>,
    pub(super) created_at: i64,
}

/// What to write down.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Write {
    Record(Record),
    NoRecord {
        email: String,
    },
    Pending(Hash, Pending),
    NoPending(Hash),
    /// The operator wants nothing of this peer.
    Block(PeerId),
    NoBlock(PeerId),
}

/// Whether a peer may be seen with an address.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Admission {
    No,
    Yes,
    /// Nobody has it yet: yes, once this is written.
    First(Record),
    /// Yes, and from now on only with proof, as this says.
    Proved(Record),
}

#[derive(Debug, Default)]
pub(super) struct Book {
    records: HashMap<String, Record>,
    pending: HashMap<Hash, Pending>,
    mails: VecDeque<Mail>,
}

#[derive(Debug)]
struct Mail {
    at: i64,
    key: String,
    client: IpAddr,
}

impl Book {
    pub(super) fn new(records: Vec<Record>, pending: Vec<(Hash, Pending)>) -> Self {
        Self {
            records: records
                .into_iter()
                .map(|record| (key(&record.email), record))
                .collect(),
            pending: pending.into_iter().collect(),
            mails: VecDeque::new(),
        }
    }

    /// Somebody asks for a link. `peer` signed the request; without it the address is registered as
    /// existing peers do it.
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
        let known = self
            .records
            .get(&key)
            .filter(|record| record.verified_at > 0);
        if known
            .is_some_and(|record| peer.is_none() || record.owner() == peer.map(|peer| (peer, true)))
        {
            return Err(Refusal::Already);
        }
        self.allow_mail(&key, client, now)?;
        let known = self.records.contains_key(&key);
        if self.records.len() >= MAX_RECORDS && !known || self.pending.len() >= MAX_PENDING {
            return Err(Refusal::Full);
        }
        self.mails.push_back(Mail {
            at: now,
            key,
            client,
        });
        let record = (!known).then(|| Record {
            email: email.clone(),
            created_at: now,
            verified_at: 0,
            metadata: Map::new(),
        });
        let pending = Pending {
            email,
            peer,
            created_at: now,
        };
        let mut writes: Vec<_> = record.map(Write::Record).into_iter().collect();
        writes.push(Write::Pending(token, pending));
        Ok(writes)
    }

    /// The mail could not be sent.
    pub(super) fn withdraw(&self, token: &Hash) -> Vec<Write> {
        let known = self.pending.contains_key(token);
        known
            .then_some(Write::NoPending(*token))
            .into_iter()
            .collect()
    }

    /// What a link is for, as long as it is good. One that was sent before the address was verified
    /// is not: whoever confirmed has decided, at whichever instance.
    pub(super) fn look(&self, token: &Hash, now: i64) -> Option<&Pending> {
        let pending = self.pending.get(token)?;
        let record = self.records.get(&key(&pending.email));
        let decided = record.is_some_and(|record| record.verified_at > pending.created_at);
        (!decided && !is_old(pending.created_at, now)).then_some(pending)
    }

    /// The link is spent: the address is verified, and belongs to the peer that asked. What decides
    /// is the record; the rest follows from it.
    pub(super) fn confirm(&self, token: &Hash, now: i64) -> Option<(Record, Vec<Write>)> {
        let Pending { email, peer, .. } = self.look(token, now)?;
        let mut record = self.records.get(&key(email))?.clone();
        record.verified_at = now;
        if let Some(peer) = peer {
            record.set_owner(*peer, true);
        }
        let mut writes = vec![Write::Record(record.clone())];
        writes.extend(self.no_pending(|pending| key(&pending.email) == key(email)));
        Some((record, writes))
    }

    /// Whether a message with this address may be seen. The first peer that publishes an address
    /// without an owner gets it; one that has proved itself later is not believed without proof
    /// again.
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

    /// Takes what was decided and kept. Beyond the bounds nothing is added, whoever decided it.
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
                // Kept for the next start, and not in here.
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

    /// Links that nobody followed go, and addresses that were never verified with them.
    pub(super) fn expire(&self, now: i64) -> Vec<Write> {
        let old = |record: &&Record| record.verified_at == 0 && is_old(record.created_at, now);
        let records = self.records.values().filter(old);
        let records = records.map(|record| Write::NoRecord {
            email: record.email.clone(),
        });
        let pending = self.no_pending(|pending| is_old(pending.created_at, now));
        pending.chain(records).collect()
    }

    fn allow_mail(&mut self, key: &str, client: IpAddr, now: i64) -> Result<(), Refusal> {
        while self
            .mails
            .front()
            .is_some_and(|mail| !(0..HOUR_MILLIS).contains(&(now - mail.at)))
        {
            self.mails.pop_front();
        }
        let full = |max, counts: &dyn Fn(&&Mail) -> bool| {
            let mut counted: Vec<_> = self
                .mails
                .iter()
                .filter(counts)
                .map(|mail| mail.at)
                .collect();
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

    fn no_pending(&self, gone: impl Fn(&Pending) -> bool) -> impl Iterator<Item = Write> {
        let gone = self
            .pending
            .iter()
            .filter(move |(_, pending)| gone(pending));
        gone.map(|(token, _)| Write::NoPending(*token))
    }
}

impl Record {
    /// The peer the address belongs to, and whether it has to prove that it is the one.
    pub fn owner(&self) -> Option<(PeerId, bool)> {
        let peer = id::parse(self.metadata.get(PEER)?.as_str()?)?;
        let proved = self
            .metadata
            .get(PROVED)
            .and_then(Value::as_bool)
            .unwrap_or(false);
        Some((peer, proved))
    }

    fn set_owner(&mut self, peer: PeerId, proved: bool) {
        self.metadata.insert(PEER.into(), peer.to_base58().into());
        self.metadata.insert(PROVED.into(), proved.into());
    }
}

/// Addresses that differ only in case are the same mailbox everywhere that matters.
pub(super) fn key(email: &str) -> String {
    email.trim().to_lowercase()
}

pub(super) fn is_old(created_at: i64, now: i64) -> bool {
    now - created_at >= LINK_MILLIS
}

#[cfg(test)]
mod tests {
    use goop2_proto::Keypair;

    use super::*;

    const ANN: &str = "ann@example.org";
    const NOW: i64 = 1_770_465_600_000;
    const DAY: i64 = LINK_MILLIS;

    fn peer(seed: u8) -> PeerId {
        Keypair::ed25519_from_bytes([seed; 32])
            .unwrap()
            .public()
            .to_peer_id()
    }

    fn client(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    fn verified(book: &mut Book, email: &str, peer: Option<PeerId>) {
        book.asked(email, peer, client(1), [9; 32], NOW).unwrap();
        book.confirmed(&[9; 32], NOW).unwrap();
    }

    #[test]
    fn a_link_is_good_once_and_for_a_day() {
        let mut book = Book::default();
        book.asked(ANN, None, client(1), [1; 32], NOW).unwrap();
        assert_eq!(book.confirmed(&[2; 32], NOW), None, "guessed");
        assert!(book.look(&[1; 32], NOW + DAY - 1).is_some());
        assert_eq!(book.confirmed(&[1; 32], NOW + DAY), None, "expired");
        let (record, writes) = book.confirmed(&[1; 32], NOW + 5).unwrap();
        assert_eq!((record.created_at, record.verified_at), (NOW, NOW + 5));
        assert_eq!(writes, [Write::Record(record), Write::NoPending([1; 32])]);
        assert_eq!(book.confirmed(&[1; 32], NOW + 6), None, "reused");
    }

    #[test]
    fn asking_again_does_not_take_anothers_link_away() {
        let mut book = Book::default();
        book.asked(ANN, Some(peer(1)), client(1), [1; 32], NOW)
            .unwrap();
        book.asked("Ann@Example.org", Some(peer(2)), client(2), [2; 32], NOW)
            .unwrap();
        assert_eq!(book.look(&[2; 32], NOW).unwrap().peer, Some(peer(2)));
        let (record, _) = book.confirmed(&[1; 32], NOW).unwrap();
        assert_eq!(record.owner(), Some((peer(1), true)));
        assert_eq!(
            book.look(&[2; 32], NOW),
            None,
            "whoever confirmed has decided"
        );
    }

    #[test]
    fn only_a_verified_address_is_seen_and_only_from_its_peer() {
        let mut book = Book::default();
        assert!(!book.admitted(ANN, peer(1), true).0);
        book.asked(ANN, Some(peer(1)), client(1), [1; 32], NOW)
            .unwrap();
        assert!(!book.admitted(ANN, peer(1), true).0, "not confirmed yet");
        book.confirmed(&[1; 32], NOW).unwrap();
        assert_eq!(
            book.admitted(" ANN@example.org", peer(1), true),
            (true, None)
        );
        assert!(!book.admitted(ANN, peer(1), false).0, "it has to be proved");
        assert!(!book.admitted(ANN, peer(2), true).0, "another's address");
        assert!(!book.admitted("", peer(1), true).0);
    }

    #[test]
    fn without_a_signature_the_first_peer_that_publishes_the_address_gets_it() {
        let mut book = Book::default();
        verified(&mut book, ANN, None);
        let (admitted, write) = book.admitted(ANN, peer(1), false);
        let Some(Write::Record(record)) = write else {
            panic!("written down")
        };
        assert!(admitted);
        assert_eq!(record.owner(), Some((peer(1), false)));
        assert!(!book.admitted(ANN, peer(2), true).0);
        assert_eq!(book.admitted(ANN, peer(1), false), (true, None));
        assert!(
            book.admitted(ANN, peer(1), true).1.is_some(),
            "it has proved itself now"
        );
        assert!(!book.admitted(ANN, peer(1), false).0);
    }

    #[test]
    fn a_link_sent_before_somebody_confirmed_is_worth_nothing_even_if_it_is_still_there() {
        let mut book = Book::default();
        for (n, peer) in [(1, peer(1)), (2, peer(2))] {
            book.asked(ANN, Some(peer), client(n), [n; 32], NOW)
                .unwrap();
        }
        let (record, _) = book.confirm(&[1; 32], NOW + 1).unwrap();
        // Another instance has written the record, and the rest is under way.
        book.apply(&[Write::Record(record)]);
        assert_eq!(book.look(&[1; 32], NOW + 2), None);
        assert_eq!(book.confirm(&[2; 32], NOW + 2), None);
    }

    #[test]
    fn a_verified_address_moves_only_by_a_new_link() {
        let mut book = Book::default();
        verified(&mut book, ANN, Some(peer(1)));
        assert_eq!(
            book.asked(ANN, None, client(1), [2; 32], NOW),
            Err(Refusal::Already)
        );
        assert_eq!(
            book.asked(ANN, Some(peer(1)), client(1), [2; 32], NOW),
            Err(Refusal::Already)
        );
        book.asked(ANN, Some(peer(2)), client(1), [2; 32], NOW)
            .unwrap();
        assert!(book.admitted(ANN, peer(1), true).0, "until it is confirmed");
        book.confirmed(&[2; 32], NOW).unwrap();
        assert!(!book.admitted(ANN, peer(1), true).0);
        assert!(book.admitted(ANN, peer(2), true).0);
    }

    #[test]
    fn mails_are_limited_for_each_address_each_client_and_all() {
        let mut book = Book::default();
        let mut token = 0_u64;
        let mut ask = |email: &str, client, now| {
            token += 1;
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&token.to_be_bytes());
            book.asked(email, None, client, hash, now)
        };
        for n in 0..3 {
            ask(ANN, client(n), NOW + 1000).unwrap();
        }
        let hour = Duration::from_secs(3600);
        assert_eq!(ask(ANN, client(9), NOW + 1000), Err(Refusal::TooMany(hour)));
        ask(ANN, client(9), NOW + 1000 + HOUR_MILLIS).unwrap();
        let later = NOW + 3 * HOUR_MILLIS;
        for n in 0..10 {
            ask(&format!("a{n}@example.org"), client(1), later).unwrap();
        }
        assert!(matches!(
            ask("b@example.org", client(1), later),
            Err(Refusal::TooMany(_))
        ));
        let later = NOW + 6 * HOUR_MILLIS;
        for n in 0..600_u32 {
            ask(&format!("c{n}@example.org"), n.to_be_bytes().into(), later).unwrap();
        }
        assert!(matches!(
            ask("d@example.org", client(2), later),
            Err(Refusal::TooMany(_))
        ));
    }

    #[test]
    fn what_nobody_confirmed_is_forgotten_after_a_day() {
        let mut book = Book::default();
        book.asked(ANN, None, client(1), [1; 32], NOW).unwrap();
        verified(&mut book, "bob@example.org", None);
        let writes = book.expired(NOW + DAY);
        assert_eq!(
            writes,
            [
                Write::NoPending([1; 32]),
                Write::NoRecord { email: ANN.into() }
            ]
        );
        assert_eq!(book.list().len(), 1);
        assert_eq!(book.removed("BOB@example.org").len(), 1);
        assert!(!book.admitted("bob@example.org", peer(1), true).0);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let mut book = Book::default();
        assert_eq!(
            book.asked("  ", None, client(1), [1; 32], NOW),
            Err(Refusal::Required)
        );
        assert_eq!(
            book.asked("ann", None, client(1), [1; 32], NOW),
            Err(Refusal::Invalid)
        );
    }

    /// Each decision applied as it is made, as a server without others does it.
    impl Book {
        fn asked(
            &mut self,
            email: &str,
            peer: Option<PeerId>,
            client: IpAddr,
            token: Hash,
            now: i64,
        ) -> Result<Vec<Write>, Refusal> {
            let old = self.expire(now);
            self.apply(&old);
            let writes = self.request(email, peer, client, token, now)?;
            self.apply(&writes);
            Ok(writes)
        }

        fn confirmed(&mut self, token: &Hash, now: i64) -> Option<(Record, Vec<Write>)> {
            let (record, writes) = self.confirm(token, now)?;
            self.apply(&writes);
            Some((record, writes))
        }

        fn admitted(&mut self, email: &str, peer: PeerId, proved: bool) -> (bool, Option<Write>) {
            match self.admits(email, peer, proved) {
                Admission::No => (false, None),
                Admission::Yes => (true, None),
                Admission::First(record) | Admission::Proved(record) => {
                    self.apply(&[Write::Record(record.clone())]);
                    (true, Some(Write::Record(record)))
                }
            }
        }

        fn removed(&mut self, email: &str) -> Vec<Write> {
            let writes = self.remove(email);
            self.apply(&writes);
            writes
        }

        fn expired(&mut self, now: i64) -> Vec<Write> {
            let writes = self.expire(now);
            self.apply(&writes);
            writes
        }
    }
}
