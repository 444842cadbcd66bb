//! What is registered and what is asked for, and what may be asked: decisions, with time, tokens and storage handed in.
//!
//! An address is *verified* when the link of a mail to it was confirmed. It *belongs* to one peer: the one that signed the
//! request, or, when nobody signed, the first that publishes it. Several links may be under way for one address, so that
//! nobody can make another's link useless by asking again; each names the peer it is for.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use goop2_proto::{PeerId, id, registration};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Refusal;

/// How long a link is good, as the mail says. In milliseconds, like all times here.
const LINK_MILLIS: i64 = 24 * 60 * 60 * 1000;
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
/// Where the owner stands in a record's `metadata`.
const PEER: &str = "peer_id";
const PROVED: &str = "peer_proved";

/// The SHA-256 of a token: all that is kept of it.
pub(super) type Hash = [u8; 32];

/// One registered address.
#[derive(Clone, Debug, PartialEq, Serialize)]
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

    /// Somebody asks for a link. `peer` signed the request; without it the address is registered as existing peers do it.
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
        let mut writes = self.expire(now);
        if self.records.len() >= MAX_RECORDS && !self.records.contains_key(&key) {
            return Err(Refusal::Full);
        }
        self.mails.push_back(Mail {
            at: now,
            key: key.clone(),
            client,
        });
        let record = self.records.entry(key).or_insert_with(|| Record {
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
        writes.push(Write::Record(record.clone()));
        writes.push(Write::Pending(token, pending.clone()));
        self.pending.insert(token, pending);
        Ok(writes)
    }

    /// The mail could not be sent.
    pub(super) fn withdraw(&mut self, token: &Hash) -> Vec<Write> {
        let gone = self.pending.remove(token);
        gone.map(|_| Write::NoPending(*token)).into_iter().collect()
    }

    /// What a link is for, as long as it is good.
    pub(super) fn look(&self, token: &Hash, now: i64) -> Option<&Pending> {
        self.pending
            .get(token)
            .filter(|pending| !is_old(pending.created_at, now))
    }

    /// The link is spent: the address is verified, and belongs to the peer that asked.
    pub(super) fn confirm(&mut self, token: &Hash, now: i64) -> Option<(Record, Vec<Write>)> {
        let Pending { email, peer, .. } = self.look(token, now)?.clone();
        let record = self.records.get_mut(&key(&email))?;
        record.verified_at = now;
        if let Some(peer) = peer {
            record.set_owner(peer, true);
        }
        let record = record.clone();
        let mut writes = vec![Write::Record(record.clone())];
        self.drop_pending(&mut writes, |pending| key(&pending.email) == key(&email));
        Some((record, writes))
    }

    /// Whether a message with this address may be seen. The first peer that publishes an address without an owner gets it;
    /// one that has proved itself later is not believed without proof again.
    pub(super) fn admits(
        &mut self,
        email: &str,
        peer: PeerId,
        proved: bool,
    ) -> (bool, Option<Write>) {
        let record = self
            .records
            .get_mut(&key(email))
            .filter(|record| record.verified_at > 0);
        let Some(record) = record else {
            return (false, None);
        };
        match record.owner() {
            Some((owner, needs_proof)) if owner != peer || (needs_proof && !proved) => {
                (false, None)
            }
            Some((_, needs_proof)) if needs_proof == proved => (true, None),
            _ => {
                record.set_owner(peer, proved);
                (true, Some(Write::Record(record.clone())))
            }
        }
    }

    pub(super) fn remove(&mut self, email: &str) -> Vec<Write> {
        let Some(record) = self.records.remove(&key(email)) else {
            return Vec::new();
        };
        let mut writes = vec![Write::NoRecord {
            email: record.email,
        }];
        self.drop_pending(&mut writes, |pending| key(&pending.email) == key(email));
        writes
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
    pub(super) fn expire(&mut self, now: i64) -> Vec<Write> {
        let mut writes = Vec::new();
        self.drop_pending(&mut writes, |pending| is_old(pending.created_at, now));
        self.records.retain(|_, record| {
            let keep = record.verified_at > 0 || !is_old(record.created_at, now);
            if !keep {
                writes.push(Write::NoRecord {
                    email: record.email.clone(),
                });
            }
            keep
        });
        writes
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

    fn drop_pending(&mut self, writes: &mut Vec<Write>, gone: impl Fn(&Pending) -> bool) {
        self.pending.retain(|token, pending| {
            let keep = !gone(pending);
            if !keep {
                writes.push(Write::NoPending(*token));
            }
            keep
        });
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
fn key(email: &str) -> String {
    email.trim().to_lowercase()
}

fn is_old(created_at: i64, now: i64) -> bool {
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
        book.request(email, peer, client(1), [9; 32], NOW).unwrap();
        book.confirm(&[9; 32], NOW).unwrap();
    }

    #[test]
    fn a_link_is_good_once_and_for_a_day() {
        let mut book = Book::default();
        book.request(ANN, None, client(1), [1; 32], NOW).unwrap();
        assert_eq!(book.confirm(&[2; 32], NOW), None, "guessed");
        assert!(book.look(&[1; 32], NOW + DAY - 1).is_some());
        assert_eq!(book.confirm(&[1; 32], NOW + DAY), None, "expired");
        let (record, writes) = book.confirm(&[1; 32], NOW + 5).unwrap();
        assert_eq!((record.created_at, record.verified_at), (NOW, NOW + 5));
        assert_eq!(writes, [Write::Record(record), Write::NoPending([1; 32])]);
        assert_eq!(book.confirm(&[1; 32], NOW + 6), None, "reused");
    }

    #[test]
    fn asking_again_does_not_take_anothers_link_away() {
        let mut book = Book::default();
        book.request(ANN, Some(peer(1)), client(1), [1; 32], NOW)
            .unwrap();
        book.request("Ann@Example.org", Some(peer(2)), client(2), [2; 32], NOW)
            .unwrap();
        assert_eq!(book.look(&[2; 32], NOW).unwrap().peer, Some(peer(2)));
        let (record, _) = book.confirm(&[1; 32], NOW).unwrap();
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
        assert!(!book.admits(ANN, peer(1), true).0);
        book.request(ANN, Some(peer(1)), client(1), [1; 32], NOW)
            .unwrap();
        assert!(!book.admits(ANN, peer(1), true).0, "not confirmed yet");
        book.confirm(&[1; 32], NOW).unwrap();
        assert_eq!(book.admits(" ANN@example.org", peer(1), true), (true, None));
        assert!(!book.admits(ANN, peer(1), false).0, "it has to be proved");
        assert!(!book.admits(ANN, peer(2), true).0, "another's address");
        assert!(!book.admits("", peer(1), true).0);
    }

    #[test]
    fn without_a_signature_the_first_peer_that_publishes_the_address_gets_it() {
        let mut book = Book::default();
        verified(&mut book, ANN, None);
        let (admitted, write) = book.admits(ANN, peer(1), false);
        let Some(Write::Record(record)) = write else {
            panic!("written down")
        };
        assert!(admitted);
        assert_eq!(record.owner(), Some((peer(1), false)));
        assert!(!book.admits(ANN, peer(2), true).0);
        assert_eq!(book.admits(ANN, peer(1), false), (true, None));
        assert!(
            book.admits(ANN, peer(1), true).1.is_some(),
            "it has proved itself now"
        );
        assert!(!book.admits(ANN, peer(1), false).0);
    }

    #[test]
    fn a_verified_address_moves_only_by_a_new_link() {
        let mut book = Book::default();
        verified(&mut book, ANN, Some(peer(1)));
        assert_eq!(
            book.request(ANN, None, client(1), [2; 32], NOW),
            Err(Refusal::Already)
        );
        assert_eq!(
            book.request(ANN, Some(peer(1)), client(1), [2; 32], NOW),
            Err(Refusal::Already)
        );
        book.request(ANN, Some(peer(2)), client(1), [2; 32], NOW)
            .unwrap();
        assert!(book.admits(ANN, peer(1), true).0, "until it is confirmed");
        book.confirm(&[2; 32], NOW).unwrap();
        assert!(!book.admits(ANN, peer(1), true).0);
        assert!(book.admits(ANN, peer(2), true).0);
    }

    #[test]
    fn mails_are_limited_for_each_address_each_client_and_all() {
        let mut book = Book::default();
        let mut token = 0_u64;
        let mut ask = |email: &str, client, now| {
            token += 1;
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&token.to_be_bytes());
            book.request(email, None, client, hash, now)
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
        book.request(ANN, None, client(1), [1; 32], NOW).unwrap();
        verified(&mut book, "bob@example.org", None);
        let writes = book.expire(NOW + DAY);
        assert_eq!(
            writes,
            [
                Write::NoPending([1; 32]),
                Write::NoRecord { email: ANN.into() }
            ]
        );
        assert_eq!(book.list().len(), 1);
        assert_eq!(book.remove("BOB@example.org").len(), 1);
        assert!(!book.admits("bob@example.org", peer(1), true).0);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let mut book = Book::default();
        assert_eq!(
            book.request("  ", None, client(1), [1; 32], NOW),
            Err(Refusal::Required)
        );
        assert_eq!(
            book.request("ann", None, client(1), [1; 32], NOW),
            Err(Refusal::Invalid)
        );
    }
}
