//! What can go wrong, worded for the person in front of the window.

use goop2_store::publish::Fault;

use crate::api::notice::Failure;

/// Why a request to the peer failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to the other peer could be made.
    #[error(
        "This peer can't be reached. It is probably offline: a site is online only while its owner is."
    )]
    Offline,
    /// The other peer answered `not found`, or your own site has no such file.
    #[error("This site has no page at this address.")]
    NotFound,
    /// The other peer refuses this path.
    #[error("The owner of this site doesn't share this file.")]
    Forbidden,
    /// A deadline passed.
    #[error(
        "This peer took too long to answer. Its connection may be slow. Try again in a moment."
    )]
    TooSlow,
    /// The transfer ended before it was complete.
    #[error("The connection to this peer was lost. Try again in a moment.")]
    Cut,
    /// The other side breaks the protocol, or refused for a reason the protocol doesn't know.
    #[error("Goop2 can't understand this peer's answer: {0}")]
    Protocol(String),
    /// The error text of a data operation (PROTOCOL §5.4), word for word.
    #[error("{0}")]
    Data(String),
    /// Input that is not valid, with what is wrong about it.
    #[error("{0}")]
    Invalid(String),
    /// You blocked this peer.
    #[error("You blocked this person. You can unblock them in Settings.")]
    Blocked,
    /// A setting has a value that is not allowed.
    #[error("{0}")]
    Setting(goop2_store::config::Problem),
    /// Your own site could not be read or changed like that.
    #[error("{0}")]
    Publish(#[from] Fault),
    /// Your own folder could not be read or written.
    #[error("{0}")]
    Store(goop2_store::Error),
    /// The network could not be started.
    #[error("{0}")]
    Node(#[from] goop2_node::Error),
    /// The peer is shutting down.
    #[error("Goop2 is going offline.")]
    Closed,
}

impl From<goop2_store::Error> for Error {
    fn from(error: goop2_store::Error) -> Self {
        match error {
            goop2_store::Error::Config { problem, .. } => Self::Setting(problem),
            goop2_store::Error::Changed(_)
            | goop2_store::Error::Picture
            | goop2_store::Error::Unshareable { .. } => Self::Invalid(error.to_string()),
            other => Self::Store(other),
        }
    }
}

impl Error {
    /// A stable name, the same for every skin.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::NotFound => "not-found",
            Self::Forbidden => "forbidden",
            Self::TooSlow => "too-slow",
            Self::Cut => "cut",
            Self::Protocol(_) => "protocol",
            Self::Data(_) => "data",
            Self::Invalid(_) => "invalid",
            Self::Blocked => "blocked",
            Self::Setting(_) => "setting",
            Self::Publish(fault) => match fault {
                Fault::Conflict(_) => "conflict",
                Fault::Exists(_) => "exists",
                Fault::NotFound(_) => "not-found",
                Fault::Invalid(_) => "invalid",
                Fault::Full => "full",
                Fault::Canceled => "canceled",
                _ => "store",
            },
            Self::Store(_) => "store",
            Self::Node(_) => "network",
            Self::Closed => "closed",
        }
    }

    /// The error as a skin reports it.
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code().into(),
            message: self.to_string(),
        }
    }
}
