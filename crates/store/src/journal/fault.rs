//! Why the owner's work on the site failed.

use std::io::{Error, ErrorKind};

/// Each message can be shown to the owner as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file is not what the change was made from.
    #[error("{0} has changed since you opened it. Nothing was saved.")]
    Conflict(String),
    /// Names that are taken, one on each line.
    #[error("{}", .0.join("\n"))]
    Exists(Vec<String>),
    /// There is no such file or folder.
    #[error("{0} is no longer there.")]
    NotFound(String),
    /// What was asked for cannot be done, and why.
    #[error("{0}")]
    Invalid(String),
    /// There is not enough room on the disk.
    #[error("There isn’t enough free space on the disk.")]
    Full,
    /// The owner stopped it; nothing was changed.
    #[error("Canceled. Nothing was added.")]
    Canceled,
    /// What the system said.
    #[error("Goop2 can’t {action} {path}: {source}.")]
    Io {
        /// What was tried: "read", "write", …
        action: &'static str,
        /// With what.
        path: String,
        /// What the system said.
        source: Error,
    },
}

/// For `map_err`: a fault that says what was tried with what.
pub(crate) fn io(action: &'static str, path: &str) -> impl FnOnce(Error) -> Fault {
    let path = path.to_owned();
    move |source| match source.kind() {
        ErrorKind::NotFound => Fault::NotFound(path),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::Full,
        _ => Fault::Io {
            action,
            path,
            source,
        },
    }
}
