//! Registration by email (§6.8): who is visible on a server that requires it.
//!
//! Request → a link by mail → its page, with a button → the address is verified. The page is needed
//! because programs that scan mail follow every link. Decisions are made in `records`, written by
//! `database` and sent by [`crate::mail`]; this module coordinates them and is the interface for
//! the server. Several instances of a server share registrations through `sync`.

mod config;
mod database;
mod mail_limit;
mod record;
mod records;
mod refusal;
mod shared;
mod sync;
mod webhook;

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use goop2_proto::{
    PeerId,
    presence::Message,
    registration::{Refusal as Unsigned, Request},
};
use multibase::Base;

use crate::mail::{self, Mailer, Remedy};

pub use config::{Config, Error};
pub(crate) use database::Peer;
pub use record::Record;
pub use refusal::Refusal;

use config::webhook_url;
use database::{Contents, Database};
use record::{Hash, Write, hash};
use records::{Admission, Records};
use shared::{Shared, buckets::Fault};
use webhook::Webhook;

/// Longest token that is looked up; ours have 44 characters.
const MAX_TOKEN: usize = 128;
/// How often a change is decided again because another instance was faster; each time one of them
/// succeeds.
const MAX_ATTEMPTS: usize = 4;

/// What happened with the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A mail server has it.
    Mailed,
    /// There is no mail server: the administrator has to pass it on.
    Link(String),
}

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The address it verifies.
    pub email: String,
    /// The peer it will belong to; none = the first that publishes it.
    pub peer: Option<PeerId>,
}

/// All registrations of a server.
#[derive(Debug)]
pub struct Registrations {
    records: Mutex<Records>,
    blocked: Vec<PeerId>,
    /// One change at a time, so that each decision knows the one before.
    changing: tokio::sync::Mutex<()>,
    database: Database,
    /// None = this is the only instance.
    shared: Option<Shared>,
    mailer: Option<Mailer>,
    webhook: Option<Webhook>,
}

impl Registrations {
    /// Opens or creates the database. `shared`: other instances have the same registrations. `now`
    /// is unix time in milliseconds, here and below.
    pub async fn open(config: Config, shared: bool, now: i64) -> Result<Self, Error> {
        let mailer = Mailer::new(&config.mail)?;
        let webhook = webhook_url(&config.webhook)?.map(Webhook::spawn);
        let path = config.path;
        let opened = tokio::task::spawn_blocking(move || Database::open(&path)).await;
        let (database, contents) = opened.expect("opening does not panic")?;
        let Contents {
            records,
            pending,
            blocked,
        } = contents;
        let registrations = Self {
            records: Mutex::new(Records::new(records, pending)),
            blocked,
            changing: tokio::sync::Mutex::default(),
            database,
            shared: shared.then(Shared::new),
            mailer,
            webhook,
        };
        let old = registrations.records().expire(now);
        // What is not written expires again at the next start.
        let _ = registrations.save(old).await;
        Ok(registrations)
    }

    /// Whether the message is of a registered peer, and therefore visible.
    pub fn admits(&self, message: &Message, proved: bool) -> bool {
        let admission = self.records().admits(&message.email, message.peer, proved);
        let (record, first) = match admission {
            Admission::No => return false,
            Admission::Yes => return true,
            Admission::First(record) => (record, true),
            Admission::Proved(record) => (record, false),
        };
        if let Some(shared) = &self.shared {
            // Another instance may be deciding the same; only one of them can be right.
            shared.claim(&message.email, message.peer, proved);
            return !first;
        }
        let write = Write::Record(record);
        self.records().apply(std::slice::from_ref(&write));
        if !self.database.write_soon(write) {
            tracing::warn!(
                "the owner of an address was not saved; it will be decided again after the next start"
            );
        }
        true
    }

    /// As [`Self::admits`], of a message that another instance admitted; that one also saves it.
    pub(crate) fn admits_remote(&self, message: &Message, proved: bool) -> bool {
        let admission = self.records().admits(&message.email, message.peer, proved);
        matches!(admission, Admission::Yes | Admission::Proved(_))
    }

    /// Whether registrations can change: not while other instances cannot be reached.
    pub(crate) fn changeable(&self) -> bool {
        self.shared.as_ref().is_none_or(Shared::is_current)
    }

    /// What became of the mails; none without a mail server.
    pub(crate) fn mails(&self) -> Option<mail::Figures> {
        self.mailer.as_ref().map(Mailer::figures)
    }

    /// A count that grows with changes of other instances.
    pub(crate) fn changes(&self) -> u64 {
        self.shared.as_ref().map_or(0, Shared::changes)
    }

    /// Sends a link, which begins with `base`, to the address. `peer`: proved by a signature.
    pub async fn request(
        &self,
        email: &str,
        peer: Option<PeerId>,
        client: IpAddr,
        base: &str,
        now: i64,
    ) -> Result<Sent, Refusal> {
        if !self.changeable() {
            return Err(Refusal::Away);
        }
        let token = Base::Base64UrlPad.encode(rand::random::<[u8; 32]>());
        let hash = hash(&token);
        self.forget_old(now).await;
        self.change(|records| Ok((records.request(email, peer, client, hash, now)?, ())))
            .await?;
        let link = format!("{}/verify?token={token}", base.trim_end_matches('/'));
        let sent = self.send(email.trim(), link).await;
        let never_sent = |failure: &mail::Failure| failure.remedy != Remedy::Wait;
        if matches!(&sent, Err(Refusal::Mail(failure)) if never_sent(failure)) {
            // A slow mail server may still deliver it. If this fails, it expires.
            let _ = self
                .change(|records| Ok((records.withdraw(&hash), ())))
                .await;
        }
        sent
    }

    /// As [`Self::request`], from the body that the peer signed.
    pub async fn request_signed(
        &self,
        body: &[u8],
        client: IpAddr,
        base: &str,
        now: i64,
    ) -> Result<Sent, Refusal> {
        let Request { email, peer, ts } = Request::verify(body).map_err(|why| match why {
            Unsigned::Email => Refusal::Invalid,
            Unsigned::Json | Unsigned::Forged => Refusal::Forged,
        })?;
        if !goop2_proto::presence::is_fresh(ts, now) {
            return Err(Refusal::Stale);
        }
        self.request(&email, Some(peer), client, base, now).await
    }

    /// What the link is for, if it is valid. Looking does not use it up.
    pub fn pending_link(&self, token: &str, now: i64) -> Option<Link> {
        let records = self.records();
        let pending = records.pending_link(&known_form(token)?, now)?;
        Some(Link {
            email: pending.email.clone(),
            peer: pending.peer.or_else(|| records.owner(&pending.email)),
        })
    }

    /// Uses the link. None if it is invalid, too old or used; an error if the change could not be
    /// saved.
    pub async fn confirm(&self, token: &str, now: i64) -> Result<Option<Record>, Refusal> {
        let Some(hash) = known_form(token) else {
            return Ok(None);
        };
        let confirmed = self
            .change(|records| {
                let confirmed = records.confirm(&hash, now);
                Ok(confirmed.map_or((Vec::new(), None), |(record, writes)| {
                    (writes, Some(record))
                }))
            })
            .await?;
        if let (Some(record), Some(webhook)) = (&confirmed, &self.webhook) {
            webhook.notify(record);
        }
        Ok(confirmed)
    }

    /// Everyone, newest first.
    pub fn list(&self) -> Vec<Record> {
        self.records().list()
    }

    /// The newest whose address contains the text, in lower case, and how many there are.
    pub(crate) fn find(&self, text: &str, most: usize) -> (Vec<Record>, usize) {
        self.records().find(text, most)
    }

    /// Whether there was such an address.
    pub async fn remove(&self, email: &str) -> Result<bool, Refusal> {
        self.change(|records| {
            let writes = records.remove(email);
            let found = !writes.is_empty();
            Ok((writes, found))
        })
        .await
    }

    /// The peers that were blocked when this was opened.
    pub(crate) fn blocked(&self) -> &[PeerId] {
        &self.blocked
    }

    /// Saves that a peer is blocked, or no longer.
    pub(crate) async fn block(&self, peer: PeerId, blocked: bool) -> Result<(), Refusal> {
        let write = if blocked {
            Write::Block(peer)
        } else {
            Write::NoBlock(peer)
        };
        self.database
            .write(vec![write])
            .await
            .map_err(|_| Refusal::Failed)
    }

    /// Saves who is online, for other programs; see [`Peer`].
    pub(crate) fn save_peers(&self, peers: Vec<Peer>) {
        self.database.save_peers(peers);
    }

    /// Returns when everything is on disk and the file is closed.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Decides and saves a change; decides again if another instance was faster.
    async fn change<T>(
        &self,
        decide: impl Fn(&mut Records) -> Result<(Vec<Write>, T), Refusal>,
    ) -> Result<T, Refusal> {
        let _changing = self.changing.lock().await;
        for _ in 0..MAX_ATTEMPTS {
            let (writes, decided) = decide(&mut self.records())?;
            match self.commit(writes).await {
                Ok(()) => return Ok(decided),
                Err(Fault::Refused(why)) => return Err(why),
                Err(Fault::Conflict) => {}
            }
        }
        Err(Refusal::Failed)
    }

    /// Saves a change everywhere. The caller holds `changing`.
    async fn commit(&self, writes: Vec<Write>) -> Result<(), Fault> {
        let Some(shared) = &self.shared else {
            return self.save(writes).await.map_err(Fault::Refused);
        };
        let written = self.put(shared, &writes).await?;
        self.save(writes).await.map_err(Fault::Refused)?;
        for (key, revision) in written {
            shared.note(&key, revision);
        }
        Ok(())
    }

    /// Saves a change here.
    async fn save(&self, writes: Vec<Write>) -> Result<(), Refusal> {
        let kept = self.database.write(writes.clone()).await;
        kept.map_err(|_| Refusal::Failed)?;
        self.records().apply(&writes);
        Ok(())
    }

    /// Removes what has expired: links here, since their bucket forgets them too; addresses
    /// everywhere.
    async fn forget_old(&self, now: i64) {
        let _changing = self.changing.lock().await;
        let old = self.records().expire(now);
        let is_record = |write: &Write| matches!(write, Write::NoRecord { .. });
        let (records, links): (Vec<_>, Vec<_>) = old.into_iter().partition(is_record);
        // What fails now is removed the next time.
        let _ = self.save(links).await;
        for record in records {
            let _ = self.commit(vec![record]).await;
        }
    }

    async fn send(&self, email: &str, link: String) -> Result<Sent, Refusal> {
        let Some(mailer) = &self.mailer else {
            return Ok(Sent::Link(link));
        };
        mailer
            .send_link(email, &link)
            .await
            .inspect_err(|failure| {
                tracing::warn!(why = failure.why, "a verification mail was not sent")
            })?;
        Ok(Sent::Mailed)
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known_form(token: &str) -> Option<Hash> {
    (1..=MAX_TOKEN).contains(&token.len()).then(|| hash(token))
}
