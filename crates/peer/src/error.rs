//! What can go wrong, and how it is said to the person in front of the window.

use crate::api::notice::Failure;

/// Why something asked of the peer was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No way to the other peer was found.
    #[error(
        "This peer cannot be reached. It is probably offline: a site is there only while its owner is."
    )]
    Offline,
    /// The other peer answered `not found`, or the own site has no such file.
    #[error("There is no such page on this site.")]
    NotFound,
    /// The other peer refuses this path.
    #[error("The owner of this site does not share that file.")]
    Forbidden,
    /// A deadline passed.
    #[error(
        "This peer took too long to answer. Its connection may be slow: try again in a moment."
    )]
    TooSlow,
    /// The transfer ended before it was complete.
    #[error("The connection to this peer was lost half way. Try again in a moment.")]
    Cut,
    /// The other side does not keep to the protocol, or refused for a reason of its own.
    #[error("This peer gave an answer that Goop2 does not understand: {0}")]
    Protocol(String),
    /// A data operation's own error text (PROTOCOL §5.4), word for word.
    #[error("{0}")]
    Data(String),
    /// What the user typed means nothing here.
    #[error("{0}")]
    Invalid(String),
    /// The owner does not want to have to do with this peer.
    #[error("You blocked this peer. Settings list whom you blocked, to be let in again.")]
    Blocked,
    /// A setting has a value that it cannot have.
    #[error("{0}")]
    Setting(goop2_store::config::Problem),
    /// The own folder could not be read or written.
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
            goop2_store::Error::Changed(_) | goop2_store::Error::Picture => {
                Self::Invalid(error.to_string())
            }
            other => Self::Store(other),
        }
    }
}

impl Error {
    /// Stable name, the same for every skin.
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
            Self::Store(_) => "store",
            Self::Node(_) => "network",
            Self::Closed => "closed",
        }
    }

    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code().into(),
            message: self.to_string(),
        }
    }
}
