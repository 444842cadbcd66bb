//! Records with time and storage passed in.

use std::time::Duration;

use goop2_proto::Keypair;

use super::{
    super::{
        mail_limit::{HOUR_MILLIS, MailLimit},
        record::LINK_MILLIS,
    },
    *,
};

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

fn verified(records: &mut Records, email: &str, peer: Option<PeerId>) {
    records.asked(email, peer, client(1), [9; 32], NOW).unwrap();
    records.confirmed(&[9; 32], NOW).unwrap();
}

#[test]
fn a_link_works_once_within_a_day() {
    let mut records = Records::default();
    records.asked(ANN, None, client(1), [1; 32], NOW).unwrap();
    assert_eq!(records.confirmed(&[2; 32], NOW), None, "guessed");
    assert!(records.pending_link(&[1; 32], NOW + DAY - 1).is_some());
    assert_eq!(records.confirmed(&[1; 32], NOW + DAY), None, "expired");
    let (record, writes) = records.confirmed(&[1; 32], NOW + 5).unwrap();
    assert_eq!((record.created_at, record.verified_at), (NOW, NOW + 5));
    assert_eq!(writes, [Write::Record(record), Write::NoPending([1; 32])]);
    assert_eq!(records.confirmed(&[1; 32], NOW + 6), None, "reused");
}

#[test]
fn a_new_request_does_not_invalidate_anothers_link() {
    let mut records = Records::default();
    records
        .asked(ANN, Some(peer(1)), client(1), [1; 32], NOW)
        .unwrap();
    records
        .asked("Ann@Example.org", Some(peer(2)), client(2), [2; 32], NOW)
        .unwrap();
    assert_eq!(
        records.pending_link(&[2; 32], NOW).unwrap().peer,
        Some(peer(2))
    );
    let (record, _) = records.confirmed(&[1; 32], NOW).unwrap();
    assert_eq!(record.owner(), Some((peer(1), true)));
    assert_eq!(
        records.pending_link(&[2; 32], NOW),
        None,
        "the first to confirm has decided"
    );
}

#[test]
fn only_a_verified_address_is_visible_and_only_from_its_peer() {
    let mut records = Records::default();
    assert!(!records.admitted(ANN, peer(1), true).0);
    records
        .asked(ANN, Some(peer(1)), client(1), [1; 32], NOW)
        .unwrap();
    assert!(!records.admitted(ANN, peer(1), true).0, "not confirmed yet");
    records.confirmed(&[1; 32], NOW).unwrap();
    assert_eq!(
        records.admitted(" ANN@example.org", peer(1), true),
        (true, None)
    );
    assert!(
        !records.admitted(ANN, peer(1), false).0,
        "it has to be proved"
    );
    assert!(!records.admitted(ANN, peer(2), true).0, "another's address");
    assert!(!records.admitted("", peer(1), true).0);
}

#[test]
fn a_host_is_the_same_in_its_own_script_and_in_ascii() {
    let mut records = Records::default();
    verified(&mut records, "Ann@Müller.example", Some(peer(1)));
    let ascii = "ann@xn--mller-kva.example";
    assert_eq!(records.admitted(ascii, peer(1), true), (true, None));
    assert!(!records.admitted(ascii, peer(2), true).0);
}

#[test]
fn without_a_signature_the_first_peer_that_publishes_the_address_gets_it() {
    let mut records = Records::default();
    verified(&mut records, ANN, None);
    let (admitted, write) = records.admitted(ANN, peer(1), false);
    let Some(Write::Record(record)) = write else {
        panic!("written down")
    };
    assert!(admitted);
    assert_eq!(record.owner(), Some((peer(1), false)));
    assert!(!records.admitted(ANN, peer(2), true).0);
    assert_eq!(records.admitted(ANN, peer(1), false), (true, None));
    assert!(
        records.admitted(ANN, peer(1), true).1.is_some(),
        "it has proved itself now"
    );
    assert!(!records.admitted(ANN, peer(1), false).0);
}

#[test]
fn a_link_sent_before_the_address_was_verified_is_invalid_even_if_it_still_exists() {
    let mut records = Records::default();
    for (n, peer) in [(1, peer(1)), (2, peer(2))] {
        records
            .asked(ANN, Some(peer), client(n), [n; 32], NOW)
            .unwrap();
    }
    let (record, _) = records.confirm(&[1; 32], NOW + 1).unwrap();
    // Another instance has written the record, and the rest has not arrived yet.
    records.apply(&[Write::Record(record)]);
    assert_eq!(records.pending_link(&[1; 32], NOW + 2), None);
    assert_eq!(records.confirm(&[2; 32], NOW + 2), None);
}

#[test]
fn a_verified_address_changes_its_owner_only_by_a_new_link() {
    let mut records = Records::default();
    verified(&mut records, ANN, Some(peer(1)));
    // Anyone may ask without a signature, and learns nothing by it; such a link changes no owner.
    records.asked(ANN, None, client(1), [3; 32], NOW).unwrap();
    records.confirmed(&[3; 32], NOW + 1).unwrap();
    assert_eq!(records.owner(ANN), Some(peer(1)));
    assert_eq!(
        records.asked(ANN, Some(peer(1)), client(1), [2; 32], NOW),
        Err(Refusal::Already)
    );
    records
        .asked(ANN, Some(peer(2)), client(1), [2; 32], NOW + 1)
        .unwrap();
    assert!(
        records.admitted(ANN, peer(1), true).0,
        "until it is confirmed"
    );
    records.confirmed(&[2; 32], NOW + 1).unwrap();
    assert!(!records.admitted(ANN, peer(1), true).0);
    assert!(records.admitted(ANN, peer(2), true).0);
}

#[test]
fn mails_are_limited_per_address_per_client_and_in_total() {
    let mut records = Records::default();
    let mut token = 0_u64;
    let mut ask = |email: &str, client, now| {
        token += 1;
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&token.to_be_bytes());
        records.asked(email, None, client, hash, now)
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
    // All in one network; another one still gets some, one at a time.
    let same = 700_u32.to_be_bytes().into();
    assert_eq!(
        ask("d@example.org", same, later),
        Err(Refusal::TooMany(hour))
    );
    let pause = Duration::from_secs(30);
    assert_eq!(
        ask("e@example.org", client(2), later),
        Err(Refusal::TooMany(pause))
    );
    let later = later + 30_000;
    ask("e@example.org", client(2), later).unwrap();
    assert!(ask("f@example.org", client(3), later).is_err());
    let other = [198, 51, 100, 1].into();
    assert_eq!(
        ask("f@example.org", other, later),
        Err(Refusal::TooMany(pause))
    );
    ask("f@example.org", other, later + 30_000).unwrap();
}

#[test]
fn households_get_fewer_mails_the_fewer_are_left() {
    let mut limit = MailLimit::default();
    let mut sent = Vec::new();
    for household in 0..100_u32 {
        let client = household.to_be_bytes().into();
        let mut count = 0;
        while limit
            .check(&format!("{household} {count}"), client, NOW)
            .is_ok()
        {
            limit.note(format!("{household} {count}"), client, NOW);
            count += 1;
        }
        sent.push(count);
    }
    assert_eq!((sent[0], *sent.last().unwrap()), (10, 1));
    assert!(sent.is_sorted_by(|a, b| a >= b), "{sent:?}");
}

#[test]
fn unconfirmed_requests_expire_after_a_day() {
    let mut records = Records::default();
    records.asked(ANN, None, client(1), [1; 32], NOW).unwrap();
    verified(&mut records, "bob@example.org", None);
    let writes = records.expired(NOW + DAY);
    assert_eq!(
        writes,
        [
            Write::NoPending([1; 32]),
            Write::NoRecord { email: ANN.into() }
        ]
    );
    assert_eq!(records.list().len(), 1);
    assert_eq!(records.removed("BOB@example.org").len(), 1);
    assert!(!records.admitted("bob@example.org", peer(1), true).0);
}

#[test]
fn what_is_not_an_address_is_refused() {
    let mut records = Records::default();
    assert_eq!(
        records.asked("  ", None, client(1), [1; 32], NOW),
        Err(Refusal::Required)
    );
    assert_eq!(
        records.asked("ann", None, client(1), [1; 32], NOW),
        Err(Refusal::Invalid)
    );
}

/// Applies each decision at once, as a single server does.
impl Records {
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
