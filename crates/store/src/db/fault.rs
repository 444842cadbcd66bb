//! SQLite's errors in the words existing peers use: `<kind>: <message> (<extended code>)`. What is
//! wrong with the computer rather than with the request is said in plain words instead: a visitor
//! reads them in a form's answer, and the owner is notified ([`Trouble`]).

use rusqlite::{Error, ErrorCode, ffi};

/// How the text of a value that is longer than a limit begins.
pub(super) const TOO_BIG: &str = "string or blob too big";

/// What keeps a database from being written or read, or soon will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The disk has no room left.
    DiskFull,
    /// Another program holds the database.
    Busy,
    /// The file or its folder may not be written.
    ReadOnly,
    /// The file cannot be read, or is damaged.
    Damaged,
    /// What visitors may store is nearly or completely used up.
    NearlyFull {
        /// Bytes in use.
        used: u64,
        /// Bytes from which visitors cannot store anything.
        limit: u64,
    },
}

impl Trouble {
    /// Each with its code, and the words for the caller.
    const WORDS: [(Self, &str); 4] = [
        (
            Self::DiskFull,
            "the disk of this site's computer is full, so nothing was saved",
        ),
        (
            Self::Busy,
            "this site's database is in use by another program, try again in a moment",
        ),
        (
            Self::ReadOnly,
            "this site's database is read-only at the moment, so nothing was saved",
        ),
        (
            Self::Damaged,
            "this site's database cannot be read at the moment",
        ),
    ];

    /// The trouble that an answer's text tells of.
    pub(super) fn told_by(text: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(_, words)| text.ends_with(words))
            .map(|(trouble, _)| trouble.clone())
    }

    fn of(code: ErrorCode) -> Option<Self> {
        match code {
            ErrorCode::DiskFull => Some(Self::DiskFull),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(Self::Busy),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Some(Self::ReadOnly),
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure => Some(Self::Damaged),
            _ => None,
        }
    }
}

/// The text that goes into an answer.
pub(super) fn answer(error: Error) -> String {
    let trouble = error.sqlite_error_code().and_then(Trouble::of);
    let words = trouble.and_then(|trouble| {
        let known = Trouble::WORDS.iter().find(|(known, _)| *known == trouble);
        known.map(|(_, words)| *words)
    });
    match words {
        Some(words) => {
            tracing::warn!(error = text(error), "the database cannot be used");
            words.into()
        }
        None => text(error),
    }
}

/// The text for the owner, who starts the peer.
pub(super) fn text(error: Error) -> String {
    match error {
        Error::SqliteFailure(failure, message) => sqlite(failure, message),
        Error::SqlInputError { error, msg, .. } => sqlite(error, Some(msg)),
        Error::MultipleStatement => "only one statement is allowed".into(),
        Error::InvalidQuery => "not a query".into(),
        other => other.to_string(),
    }
}

fn sqlite(failure: ffi::Error, message: Option<String>) -> String {
    let kind = match failure.code {
        ErrorCode::Unknown => "SQL logic error",
        ErrorCode::ConstraintViolation => "constraint failed",
        ErrorCode::OperationInterrupted => return "the operation took too long".into(),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "database is locked",
        ErrorCode::DatabaseCorrupt => "database disk image is malformed",
        ErrorCode::NotADatabase => "file is not a database",
        ErrorCode::DiskFull => "database or disk is full",
        ErrorCode::CannotOpen => "unable to open database file",
        ErrorCode::TooBig => TOO_BIG,
        ErrorCode::AuthorizationForStatementDenied => "not allowed",
        ErrorCode::ReadOnly => "attempt to write a readonly database",
        ErrorCode::TypeMismatch => "datatype mismatch",
        _ => "database error",
    };
    match message.filter(|message| message != kind) {
        Some(message) => format!("{kind}: {message} ({})", failure.extended_code),
        None => format!("{kind} ({})", failure.extended_code),
    }
}
