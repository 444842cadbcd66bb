//! Why somebody is not registered.

use std::time::Duration;

use crate::mail::Failure;

/// In words for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing was typed.
    #[error("Enter an email address.")]
    Required,
    /// See [`goop2_proto::registration::email`].
    #[error("That isn’t a valid email address.")]
    Invalid,
    /// It is verified already, and belongs to the peer that asks.
    #[error("This email address is already registered and verified.")]
    Already,
    /// Over a limit; a mail can be sent again after this time.
    #[error("Too many links were requested. Try again later.")]
    TooMany(Duration),
    /// Too many addresses.
    #[error("This server is not accepting new registrations.")]
    Full,
    /// The signature is not of that peer.
    #[error("The request isn’t signed by the peer it names.")]
    Forged,
    /// Signed long ago, or with a wrong clock.
    #[error("The request was signed more than an hour ago, or your computer’s clock is wrong.")]
    Stale,
    /// The instances that share registrations cannot be reached.
    #[error(
        "This server can’t reach the servers it shares registrations with. Nothing was changed. Try again in a few minutes."
    )]
    Away,
    /// The mail was not sent.
    #[error(transparent)]
    Mail(#[from] Failure),
    /// The disk.
    #[error("Registration failed. Try again later.")]
    Failed,
}
