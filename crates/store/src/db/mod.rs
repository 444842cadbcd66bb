//! The database behind a site (§5): its operations, for the owner and for strangers.
//!
//! A stranger's request carries raw SQL conditions, because existing peers send them. It meets
//! three walls, each of which should hold alone: the request is reduced to checked names and a
//! checked condition ([`condition`]); it runs on a read-only connection whose authorizer knows one
//! table and a list of harmless functions ([`sandbox`]); and steps, time, rows and bytes are
//! limited. Rows of others are out of scope by a sub-select around the table, which no condition
//! can reach behind. Writes of strangers carry no SQL at all.
//!
//! One connection writes, behind a lock; writes that wait for it are committed together ([`queue`]), and
//! what was written is merged into the database elsewhere ([`merge`]). In WAL mode with `synchronous = NORMAL` a committed row is
//! in the system's page cache: it survives the death of the process at any moment. A loss of power
//! may take the last commits, never the database; `FULL` would buy those with a disk flush for each
//! row a visitor writes.
//!
//! Refused: a connection pool for everything (SQLite has one writer anyway, and a lock is easier to
//! reason about than `SQLITE_BUSY`), and parsing SQL completely (the authorizer sees what SQLite
//! itself understood).

mod access;
mod catalog;
mod condition;
pub(crate) mod copy;
mod dates;
mod fault;
pub mod grid;
mod health;
mod known;
mod merge;
mod migrate;
mod query;
mod queue;
mod readers;
mod rows;
mod sandbox;
mod schema;
mod stop;
pub(crate) mod template;
mod undo;
mod usage;
mod values;
mod visits;
mod writes;
mod written;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::AtomicU64},
};

use goop2_proto::{
    PeerId,
    data::{Answer, Request},
};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;

use crate::error::Error;
use access::Scope;
pub use fault::Trouble;
use grid::Grid;
use health::Health;
pub use known::{Known, MAX_NOTED, MAX_SEEN};
use merge::Merging;
use queue::{Job, Queue};
use readers::Readers;
use stop::{STOPPED, Stop};
use undo::Journal;
use usage::Usage;
pub use visits::{NewVisits, Visits};
use written::Listener;
pub use written::Written;

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

/// Which rows of a table visitors read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All of them.
    All,
    /// Those they wrote.
    Own,
    /// None.
    Nothing,
}

/// A peer's database. Every method blocks, and may be called from several threads at once.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    /// The owner's own reading, so that no crowd of visitors makes the owner wait.
    own_reader: Mutex<Connection>,
    readers: Readers,
    /// Before the writer, which merges what is left when it closes.
    _merging: Merging,
    /// After those that only read: the last connection to close merges the log into the database.
    writer: Mutex<Connection>,
    queue: Queue,
    /// Locked after the writer.
    usage: Mutex<Usage>,
    /// What the owner can take back. Locked after the writer.
    journal: Mutex<Journal>,
    /// For the pages on which the owner works on tables; opened when first needed.
    grid: Mutex<Option<Grid>>,
    /// How often the owner changed something on those pages.
    changes: AtomicU64,
    owner: PeerId,
    owner_email: RwLock<String>,
    max_bytes_for_remote_writes: i64,
    stop: Stop,
    health: Health,
    written: Listener,
}

impl Database {
    pub(crate) fn open(path: &Path, owner: PeerId, owner_email: &str) -> Result<Self, Error> {
        let broken = |why: rusqlite::Error| Error::Database {
            path: path.to_owned(),
            why: fault::text(why),
        };
        let mut writer = migrate::open(path)?;
        let written = Listener::default();
        written.listen(&mut writer).map_err(broken)?;
        warn_of_restricted_tables(&writer).map_err(broken)?;
        undo::empty_bin(&writer).map_err(broken)?;
        let stop = Stop::default();
        Ok(Self {
            path: path.to_owned(),
            own_reader: Mutex::new(sandbox::open_reader(path).map_err(broken)?),
            readers: Readers::new(path, stop.clone()),
            _merging: Merging::start(path, &mut writer).map_err(broken)?,
            queue: Queue::default(),
            writer: Mutex::new(writer),
            usage: Mutex::default(),
            journal: Mutex::default(),
            grid: Mutex::default(),
            changes: AtomicU64::default(),
            owner,
            owner_email: RwLock::new(owner_email.into()),
            max_bytes_for_remote_writes: usage::MAX_BYTES,
            stop,
            health: Health::default(),
            written,
        })
    }

    /// Runs one operation of §5.2, or one of the owner's that existing peers do not have: `usage`,
    /// `remove-rows`, `compact` (protocol-v2.md, Data). `Err` is the text that goes into the answer.
    pub fn execute(&self, caller: &Caller, request: &Request) -> Answer {
        if self.stop.is_stopped() {
            return Err(STOPPED.into());
        }
        let answer = self.answer(caller, request);
        self.health.learn(&answer);
        match answer {
            // Interrupted, whatever the words.
            Err(_) if self.stop.is_stopped() => Err(STOPPED.into()),
            answer => answer,
        }
    }

    fn answer(&self, caller: &Caller, request: &Request) -> Answer {
        let local = *caller == Caller::Local;
        match request.op.as_str() {
            "tables" => self.read(caller, |conn| schema::tables(conn, caller)),
            "describe" => self.read(caller, |conn| schema::describe(conn, caller, request)),
            "query" => self.read(caller, |conn| {
                let asked = query::Asked {
                    caller,
                    owner: &self.owner_scope(caller),
                    stop: &self.stop,
                };
                query::run(conn, request, &asked)
            }),
            "insert" | "update" | "delete" => self.write(caller, request),
            "create-table" | "add-column" | "drop-column" | "rename-table" | "delete-table" => {
                if !local {
                    return Err("schema operations not allowed for remote peers".into());
                }
                self.usage().forget();
                let answer = self.interruptible(|conn| schema::change(conn, request))?;
                for table in [&request.table, &request.name] {
                    self.written.tell(table);
                }
                Ok(answer)
            }
            "usage" if local => self.read(caller, |conn| usage::show(self, conn)),
            "remove-rows" if local => self.interruptible(|conn| usage::remove(self, conn, request)),
            "compact" if local => self.interruptible(|conn| usage::compact(conn)),
            "lua-call" => Err("lua scripting not enabled".into()),
            "lua-list" => Ok(Some(json!({ "functions": [] }))),
            other => Err(format!("unknown op: {other}")),
        }
    }

    /// A row, together with those of everyone who writes at this moment.
    fn write(&self, caller: &Caller, request: &Request) -> Answer {
        self.queue.write(caller, request, |batch| {
            let mut writer = self.writer();
            let jobs = batch.take();
            let write = |conn: &mut Connection| self.write_all(conn, jobs);
            let written = self.stop.interrupts(&mut writer, write);
            written.unwrap_or_else(|error| {
                let answer = fault::answer(error);
                jobs.iter().map(|_| Err(answer.clone())).collect()
            })
        })
    }

    fn write_all(&self, conn: &mut Connection, jobs: &[Arc<Job>]) -> Vec<Answer> {
        let together = if jobs.len() > 1 {
            self.write_together(conn, jobs)
        } else {
            None
        };
        let answers = together.unwrap_or_else(|| {
            let alone = |job: &Arc<Job>| self.write_alone(conn, job);
            jobs.iter().map(alone).collect()
        });
        if answers.iter().any(Answer::is_ok) {
            self.health.wrote(usage::pressure(self, conn));
        }
        answers
    }

    fn write_alone(&self, conn: &mut Connection, job: &Job) -> Answer {
        let transaction = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault::answer)?;
        let (answer, change) = self.change_row(&transaction, job)?;
        transaction.commit().map_err(fault::answer)?;
        self.count(change);
        Ok(Some(answer))
    }

    /// All of them in one transaction; none of them, if it cannot be committed.
    fn write_together(&self, conn: &mut Connection, jobs: &[Arc<Job>]) -> Option<Vec<Answer>> {
        let mut transaction = match conn.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            // Another program has the database: nobody waits for that again.
            Err(error) => return Some(vec![Err(fault::answer(error)); jobs.len()]),
        };
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let savepoint = transaction.savepoint().ok()?;
            let written = self.change_row(&savepoint, job);
            // What is wrong with the disk undoes the whole transaction.
            if savepoint.is_autocommit() {
                break;
            }
            answers.push(match written {
                Ok((answer, change)) => {
                    savepoint.commit().ok()?;
                    self.count(change);
                    Ok(Some(answer))
                }
                Err(why) => Err(why),
            });
        }
        if answers.len() == jobs.len() && transaction.commit().is_ok() {
            return Some(answers);
        }
        self.usage().forget();
        None
    }

    /// A row and, if the write has an id, the memory of it: both or neither, when the transaction ends.
    fn change_row(&self, conn: &Connection, job: &Job) -> rows::Written {
        let Job {
            caller, request, ..
        } = job;
        let peer = self.owner_scope(caller);
        if let Some(id) = request.write_id()
            && let Some(answer) = writes::earlier(conn, &peer, id, request)?
        {
            return Ok((answer, None));
        }
        self.written.begin(match caller {
            Caller::Local => None,
            Caller::Remote { peer, .. } => Some(*peer),
        });
        let written = match request.op.as_str() {
            "insert" => rows::insert(self, conn, caller, request),
            "update" => rows::update(self, conn, caller, request),
            _ => rows::delete(self, conn, caller, request),
        };
        let written = written.and_then(|(answer, change)| {
            if let Some(id) = request.write_id() {
                writes::remember(conn, &peer, id, request, &answer).map_err(fault::answer)?;
            }
            Ok((answer, change))
        });
        self.written.end(written.is_ok());
        written
    }

    /// Takes what was written into account.
    fn count(&self, changes: impl IntoIterator<Item = (String, usage::Change)>) {
        let owner = self.owner.to_base58();
        for (table, change) in changes {
            self.usage().apply(&table, change, &owner);
        }
    }

    /// Ends every operation in progress within moments, and refuses those that come later: the peer
    /// stops, and the folder is to be closed.
    pub fn stop(&self) {
        self.stop.stop();
        self.readers.wake();
    }

    /// Calls this with what keeps the database from working, and with `None` when it works again;
    /// at most once for each change. It must not block.
    pub fn on_trouble(&self, tell: impl Fn(Option<&Trouble>) + Send + Sync + 'static) {
        self.health.tell(Box::new(tell));
    }

    /// Calls this with each table that was written, after whatever the write was. It must not block,
    /// nor ask the database.
    pub fn on_written(&self, tell: impl Fn(Written) + Send + Sync + 'static) {
        self.written.on_written(Box::new(tell));
    }

    /// Which rows of a table visitors read.
    pub fn reading(&self, table: &str) -> Reading {
        let mut reading = Reading::Nothing;
        let visitor = Caller::Remote {
            peer: self.owner,
            email: String::new(),
        };
        let _refused = self.read(&visitor, |conn| {
            reading = match catalog::table(conn, &visitor, table)?.read_scope()? {
                Scope::All => Reading::All,
                Scope::Own => Reading::Own,
            };
            Ok(None)
        });
        reading
    }

    /// Says who may insert into a table: `owner`, `email`, `open` or `public` (§5.3).
    pub fn set_policy(&self, table: &str, policy: &str) -> Result<(), String> {
        schema::set_policy(&self.writer(), table, policy)?;
        self.written.tell(table);
        Ok(())
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
            Caller::Remote { peer, .. } => self.readers.with(peer, operation),
        }
    }

    /// Something on the connection that writes, until the database stops.
    fn interruptible(&self, operation: impl FnOnce(&mut Connection) -> Answer) -> Answer {
        self.stop
            .interrupts(&mut self.writer(), operation)
            .map_err(fault::answer)?
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Says once per start which tables strangers cannot read as their policy says, and why.
fn warn_of_restricted_tables(conn: &Connection) -> rusqlite::Result<()> {
    for (table, access) in access::all(conn)? {
        if access.restricts_reading() {
            tracing::warn!(
                table,
                access = %access.shown(),
                "visitors get no rows, or only their own, from this table: the program that made it says so"
            );
        }
    }
    Ok(())
}
