//! The database behind a site (§5): its operations, for the owner and for strangers.
//!
//! A stranger's request carries raw SQL conditions, because existing peers send them. It meets
//! three walls, each of which should hold alone: the request is reduced to checked names and a
//! checked condition ([`condition`]); it runs on a read-only connection whose authorizer knows one
//! table and a list of harmless functions ([`sandbox`]); and steps, time, rows and bytes are
//! limited. Rows of others are out of scope by a sub-select around the table, which no condition
//! can reach behind. Writes of strangers carry no SQL at all.
//!
//! One connection writes, behind a lock. In WAL mode with `synchronous = NORMAL` a committed row is
//! in the system's page cache: it survives the death of the process at any moment. A loss of power
//! may take the last commits, never the database; `FULL` would buy those with a disk flush for each
//! row a visitor writes.
//!
//! Refused: a connection pool for everything (SQLite has one writer anyway, and a lock is easier to
//! reason about than `SQLITE_BUSY`), and parsing SQL completely (the authorizer sees what SQLite
//! itself understood).

mod catalog;
mod condition;
mod dates;
mod fault;
mod known;
mod migrate;
mod query;
mod rows;
mod sandbox;
mod schema;
mod values;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use goop2_proto::{
    PeerId,
    data::{Answer, Request},
};
use rusqlite::Connection;
use serde_json::json;

use crate::error::Error;
pub use known::{Known, MAX_NOTED, MAX_SEEN};
use sandbox::Readers;

/// Strangers can no longer write once the database has this size: a site's data is not to fill
/// the owner's disk.
const MAX_BYTES_FOR_REMOTE_WRITES: i64 = 1024 * 1024 * 1024;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The owner: the peer's own pages.
    Local,
    /// A visitor.
    Remote {
        /// The authenticated peer at the other end of the connection.
        peer: PeerId,
        /// The email address it announces in presence; empty = none.
        email: String,
    },
}

/// A peer's database. Every method blocks, and may be called from several threads at once.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    /// The owner's own reading, so that no crowd of visitors makes the owner wait.
    own_reader: Mutex<Connection>,
    readers: Readers,
    /// After those that only read: the last connection to close merges the log into the database.
    writer: Mutex<Connection>,
    owner: PeerId,
    owner_email: RwLock<String>,
    max_bytes_for_remote_writes: i64,
}

impl Database {
    pub(crate) fn open(path: &Path, owner: PeerId, owner_email: &str) -> Result<Self, Error> {
        let broken = |why: rusqlite::Error| Error::Database {
            path: path.to_owned(),
            why: fault::text(why),
        };
        let writer = migrate::open(path)?;
        Ok(Self {
            path: path.to_owned(),
            own_reader: Mutex::new(sandbox::open_reader(path).map_err(broken)?),
            readers: Readers::new(path),
            writer: Mutex::new(writer),
            owner,
            owner_email: RwLock::new(owner_email.into()),
            max_bytes_for_remote_writes: MAX_BYTES_FOR_REMOTE_WRITES,
        })
    }

    /// Runs one operation of §5.2. `Err` is the text that goes into the answer.
    pub fn execute(&self, caller: &Caller, request: &Request) -> Answer {
        match request.op.as_str() {
            "tables" => self.read(caller, |conn| schema::tables(conn, caller)),
            "describe" => self.read(caller, |conn| schema::describe(conn, caller, request)),
            "query" => self.read(caller, |conn| {
                query::run(conn, caller, request, &self.owner_scope(caller))
            }),
            "insert" => rows::insert(self, caller, request),
            "update" => rows::update(self, caller, request),
            "delete" => rows::delete(self, caller, request),
            "create-table" | "add-column" | "drop-column" | "rename-table" | "delete-table" => {
                match caller {
                    Caller::Local => schema::change(&mut self.writer(), request),
                    Caller::Remote { .. } => {
                        Err("schema operations not allowed for remote peers".into())
                    }
                }
            }
            "lua-call" => Err("lua scripting not enabled".into()),
            "lua-list" => Ok(Some(json!({ "functions": [] }))),
            other => Err(format!("unknown op: {other}")),
        }
    }

    /// Says who may insert into a table: `owner`, `email`, `open` or `public` (§5.3).
    pub fn set_policy(&self, table: &str, policy: &str) -> Result<(), String> {
        schema::set_policy(&self.writer(), table, policy)
    }

    /// Moves what was written since into the database file itself.
    pub fn checkpoint(&self) -> Result<(), Error> {
        self.writer()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|why| Error::Database {
                path: self.path.clone(),
                why: fault::text(why),
            })
    }

    pub(crate) fn set_owner_email(&self, email: &str) {
        *self
            .owner_email
            .write()
            .unwrap_or_else(PoisonError::into_inner) = email.into();
    }

    fn read(&self, caller: &Caller, operation: impl FnOnce(&mut Connection) -> Answer) -> Answer {
        match caller {
            Caller::Local => operation(
                &mut self
                    .own_reader
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            ),
            Caller::Remote { .. } => self.readers.with(operation),
        }
    }

    /// A panic while it was held rolled back whatever had begun: the connection is fit for use.
    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer id in `_owner` of the caller's rows.
    fn owner_scope(&self, caller: &Caller) -> String {
        match caller {
            Caller::Local => self.owner.to_base58(),
            Caller::Remote { peer, .. } => peer.to_base58(),
        }
    }

    fn email(&self, caller: &Caller) -> String {
        match caller {
            Caller::Local => self
                .owner_email
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            Caller::Remote { email, .. } => email.clone(),
        }
    }
}
