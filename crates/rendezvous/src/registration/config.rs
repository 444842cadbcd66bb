//! The configuration of registrations, and its errors.

use std::path::PathBuf;

use reqwest::Url;

use crate::mail;

/// What the operator decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Where registrations are stored; created with its folder if missing.
    pub path: PathBuf,
    /// Called with each verified address; empty = none.
    pub webhook: String,
    /// How links are sent.
    pub mail: mail::Config,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be opened; without it everyone would be let in.
    #[error("{}: {why}. Set presence.peer_db_path to a writable path, or delete the file if you don't need it", path.display())]
    Database {
        /// `presence.peer_db_path`
        path: PathBuf,
        /// The error of the system or the database.
        why: String,
    },
    /// See [`mail::Error`].
    #[error(transparent)]
    Mail(#[from] mail::Error),
    /// Not a web address.
    #[error(
        "presence.registration_webhook is {0:?}, but must be an http:// or https:// address, or \"\" for none"
    )]
    Webhook(String),
}

/// The address to call, if there is one.
pub(super) fn webhook_url(text: &str) -> Result<Option<Url>, Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        _ => Err(Error::Webhook(text.into())),
    }
}
