//! SQLite's errors in the words existing peers use: `<kind>: <message> (<extended code>)`.

use rusqlite::{Error, ErrorCode, ffi};

/// The text that goes into an answer.
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
        ErrorCode::TooBig => "string or blob too big",
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
