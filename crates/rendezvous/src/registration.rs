//! Registration by e-mail (§6.8): who may be seen on a server that wants to know its people.
//!
//! Request → a link by mail → its page, with a button → the address is verified. The page stands between because programs
//! that scan mail follow every link. What counts is decided in `book`, written by `database` and sent by
//! [`crate::mail`]; this module puts them in order, and is all the server sees.

mod book;
mod database;
mod webhook;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use goop2_proto::{
    PeerId,
    presence::Message,
    registration::{Refusal as Unsigned, Request},
};
use multibase::Base;
use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::mail::{self, Mailer};
pub use book::Record;
use book::{Book, Hash, Write};
pub(crate) use database::Peer;
use database::{Contents, Database};
use webhook::Webhook;

/// Longest token that is looked up; ours have 44 characters.
const MAX_TOKEN: usize = 128;

/// What the operator decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Where registrations are kept; made with its folder if it is not there.
    pub path: PathBuf,
    /// Called with each verified address; empty = none.
    pub webhook: String,
    /// How links are sent.
    pub mail: mail::Config,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would not know who is registered; going on without would let everyone in.
    #[error("{}: {why}. Remedy: give presence.peer_db_path a path that can be written, or remove the file if nobody needs it", path.display())]
    Database {
        /// `presence.peer_db_path`
        path: PathBuf,
        /// What the system or the database says.
        why: String,
    },
    /// See [`mail::Error`].
    #[error(transparent)]
    Mail(#[from] mail::Error),
    /// Not a web address.
    #[error(
        "presence.registration_webhook is {0:?}; allowed is an http:// or https:// address, or \"\" for none"
    )]
    Webhook(String),
}

/// Why somebody is not registered, in words for him.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing was typed.
    #[error("Please enter an e-mail address.")]
    Required,
    /// See [`goop2_proto::registration::email`].
    #[error("That is not a valid e-mail address.")]
    Invalid,
    /// It is verified, and nothing would change.
    #[error("This e-mail address is already registered and verified.")]
    Already,
    /// Over a limit; a mail may be sent again after this.
    #[error("Too many mails were asked for. Please try again later.")]
    TooMany(Duration),
    /// No room for another address.
    #[error("This server takes no more registrations.")]
    Full,
    /// Not signed by that peer.
    #[error("The request is not signed by the peer it names.")]
    Forged,
    /// Signed by a clock that is wrong, or long ago.
    #[error("The request was signed more than an hour ago, or the clock of the computer is wrong.")]
    Stale,
    /// The disk or the mail server.
    #[error("The registration failed. Please try again later.")]
    Failed,
}

/// What happened with the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A mail server has it.
    Mailed,
    /// There is no mail server: the operator has to pass it on.
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
    book: Mutex<Book>,
    blocked: Vec<PeerId>,
    database: Database,
    mailer: Option<Mailer>,
    webhook: Option<Webhook>,
}

impl Registrations {
    /// Opens or creates the database. `now` is unix time in milliseconds here and everywhere below.
    pub async fn open(config: Config, now: i64) -> Result<Self, Error> {
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
        let mut book = Book::new(records, pending);
        let writes = book.expire(now);
        let registrations = Self {
            book: Mutex::new(book),
            blocked,
            database,
            mailer,
            webhook,
        };
        // What was not written is expired again at the next start.
        let _ = registrations.database.write(writes).await;
        Ok(registrations)
    }

    /// Whether the message of a registered peer, so that anyone may see it.
    pub fn admits(&self, message: &Message, proved: bool) -> bool {
        let (admitted, write) = self.book().admits(&message.email, message.peer, proved);
        if let Some(write) = write.filter(|_| admitted)
            && !self.database.write_soon(write)
        {
            tracing::warn!(
                "whom an address belongs to was not written down; the next start decides anew"
            );
        }
        admitted
    }

    /// Sends a link to the address, which begins with `base`. `peer` as proved by a signature.
    pub async fn request(
        &self,
        email: &str,
        peer: Option<PeerId>,
        client: IpAddr,
        base: &str,
        now: i64,
    ) -> Result<Sent, Refusal> {
        let token = Base::Base64UrlPad.encode(rand::random::<[u8; 32]>());
        let hash = hash(&token);
        let writes = self.book().request(email, peer, client, hash, now)?;
        let link = format!("{}/verify?token={token}", base.trim_end_matches('/'));
        let sent = match self.database.write(writes).await {
            Ok(()) => self.send(email.trim(), link).await,
            Err(_) => Err(Refusal::Failed),
        };
        if sent.is_err() {
            let writes = self.book().withdraw(&hash);
            // It expires by itself if this fails too.
            let _ = self.database.write(writes).await;
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

    /// What the link is for, if it is one and still good. Looking does not spend it.
    pub fn look(&self, token: &str, now: i64) -> Option<Link> {
        let book = self.book();
        let pending = book.look(&known_form(token)?, now)?;
        Some(Link {
            email: pending.email.clone(),
            peer: pending.peer,
        })
    }

    /// Spends the link. None when it is no link, too old or spent; an error when it could not be written down.
    pub async fn confirm(&self, token: &str, now: i64) -> Result<Option<Record>, Refusal> {
        let Some(hash) = known_form(token) else {
            return Ok(None);
        };
        let Some((record, writes)) = self.book().confirm(&hash, now) else {
            return Ok(None);
        };
        self.database
            .write(writes)
            .await
            .map_err(|_| Refusal::Failed)?;
        if let Some(webhook) = &self.webhook {
            webhook.tell(&record);
        }
        Ok(Some(record))
    }

    /// Everyone, newest first.
    pub fn list(&self) -> Vec<Record> {
        self.book().list()
    }

    /// The newest of those whose address contains the text, in lower case, and how many there are.
    pub(crate) fn find(&self, text: &str, most: usize) -> (Vec<Record>, usize) {
        self.book().find(text, most)
    }

    /// Whether there was such an address.
    pub async fn remove(&self, email: &str) -> Result<bool, Refusal> {
        let writes = self.book().remove(email);
        let found = !writes.is_empty();
        self.database
            .write(writes)
            .await
            .map_err(|_| Refusal::Failed)?;
        Ok(found)
    }

    /// Whom the operator had blocked when this was opened.
    pub(crate) fn blocked(&self) -> &[PeerId] {
        &self.blocked
    }

    /// Writes down that a peer is blocked, or is not any more.
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

    /// Writes down who is online, for whoever reads the file; see [`Peer`].
    pub(crate) fn keep_peers(&self, peers: Vec<Peer>) {
        self.database.keep_peers(peers);
    }

    /// Returns when everything is on the disk and the file is closed.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn send(&self, email: &str, link: String) -> Result<Sent, Refusal> {
        let Some(mailer) = &self.mailer else {
            return Ok(Sent::Link(link));
        };
        mailer.send_link(email, &link).await.map_err(|error| {
            tracing::error!(%error, "a verification mail was not sent");
            Refusal::Failed
        })?;
        Ok(Sent::Mailed)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is kept of a token.
fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

fn known_form(token: &str) -> Option<Hash> {
    (1..=MAX_TOKEN).contains(&token.len()).then(|| hash(token))
}

fn webhook_url(text: &str) -> Result<Option<Url>, Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        _ => Err(Error::Webhook(text.into())),
    }
}
