//! Why somebody is not registered.

use std::time::Duration;

/// In words for the person who asked.
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
    /// Instances that share their registrations cannot agree on a new one.
    #[error(
        "This server cannot reach the other servers it shares registrations with. Nothing was changed. Please try again in a few minutes."
    )]
    Away,
    /// The disk or the mail server.
    #[error("The registration failed. Please try again later.")]
    Failed,
}
