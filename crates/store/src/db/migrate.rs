//! Opening `data.db`: looked at before anything is written, then brought up to date.
//!
//! The file may come from an existing peer and go back to it, whose own mark (`user_version`) is
//! always 0. So the number of our last migration is in a table of ours, `_goop2_meta`, which
//! existing peers keep and never show; a database without it is simply at number 0. Every table we
//! add begins with `_` for the same reason.

use std::{io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, config::DbConfig};

use super::fault;
use crate::{atomic, error::Error};

/// As existing peers wait for another program that holds the database.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// Up to this size every page is looked at on start (some 30 ms); a larger database is believed
/// until a page fails.
const FULLY_CHECKED_BYTES: u64 = 32 * 1024 * 1024;
/// Size to which the write-ahead log is cut after it was merged.
const WAL_BYTES_KEPT: u32 = 16 * 1024 * 1024;

/// Only ever appended to. The first is the layout of existing peers (§5.5), for a folder that none
/// of them has used.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE IF NOT EXISTS _meta (
        key   TEXT PRIMARY KEY,
        value TEXT
    );
    CREATE TABLE IF NOT EXISTS _tables (
        name          TEXT PRIMARY KEY,
        schema        TEXT NOT NULL,
        insert_policy TEXT DEFAULT 'owner',
        created_at    DATETIME DEFAULT CURRENT_TIMESTAMP
    );
    CREATE TABLE IF NOT EXISTS _groups (
        id          TEXT PRIMARY KEY,
        name        TEXT NOT NULL,
        app_type    TEXT DEFAULT '',
        max_members INTEGER DEFAULT 0,
        created_at  DATETIME DEFAULT CURRENT_TIMESTAMP,
        host_joined INTEGER DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS _group_subscriptions (
        host_peer_id  TEXT NOT NULL,
        group_id      TEXT NOT NULL,
        group_name    TEXT DEFAULT '',
        app_type      TEXT DEFAULT '',
        role          TEXT DEFAULT 'member',
        subscribed_at DATETIME DEFAULT CURRENT_TIMESTAMP,
        PRIMARY KEY (host_peer_id, group_id)
    );
",
    "
    CREATE TABLE _goop2_peers (
        peer        TEXT NOT NULL PRIMARY KEY,
        label       TEXT NOT NULL DEFAULT '',
        email       TEXT NOT NULL DEFAULT '',
        avatar_hash TEXT NOT NULL DEFAULT '',
        verified    INTEGER NOT NULL DEFAULT 0,
        addrs       TEXT NOT NULL DEFAULT '',
        last_seen   INTEGER NOT NULL DEFAULT 0,
        name        TEXT NOT NULL DEFAULT '',
        favourite   INTEGER NOT NULL DEFAULT 0,
        blocked     INTEGER NOT NULL DEFAULT 0,
        sees_peers  INTEGER NOT NULL DEFAULT 0
    ) STRICT;
",
    "
    CREATE TABLE _goop2_writes (
        number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        peer    TEXT NOT NULL DEFAULT '',
        id      TEXT NOT NULL DEFAULT '',
        request BLOB NOT NULL DEFAULT x'',
        answer  TEXT NOT NULL DEFAULT '',
        at      INTEGER NOT NULL DEFAULT 0,
        UNIQUE (peer, id)
    ) STRICT;
    CREATE INDEX _goop2_writes_at ON _goop2_writes (at);
",
    "
    CREATE TABLE _goop2_visits (
        period TEXT NOT NULL DEFAULT '',
        page   TEXT NOT NULL DEFAULT '',
        visits INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (period, page)
    ) STRICT;
",
];

/// The one connection that writes.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    match atomic::private().create_new(true).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("create", path)(error)),
    }
    let broken = |why: rusqlite::Error| Error::Database {
        path: path.to_owned(),
        why: fault::text(why),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(broken)?;
    conn.busy_timeout(BUSY).map_err(broken)?;

    // Until it is known to be sound and ours, closing it must not merge the log into it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(broken)?;
    let damage = examine(&conn, path).map_err(broken)?;
    if let Some(why) = damage {
        return Err(Error::Database {
            path: path.to_owned(),
            why,
        });
    }
    let found = version(&conn).map_err(broken)?;
    if found > known() {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            known: known(),
        });
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(broken)?;

    set_up(&conn).map_err(broken)?;
    migrate(&mut conn).map_err(broken)?;
    Ok(conn)
}

fn examine(conn: &Connection, path: &Path) -> rusqlite::Result<Option<String>> {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if bytes > FULLY_CHECKED_BYTES {
        return conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(None));
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Some(verdict).filter(|verdict| verdict != "ok"))
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    if !conn.table_exists(Some("main"), "_goop2_meta")? {
        return Ok(0);
    }
    let version = conn
        .query_row(
            "SELECT value FROM _goop2_meta WHERE key = 'migration'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(version.unwrap_or(0))
}

fn set_up(conn: &Connection) -> rusqlite::Result<()> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            mode,
            "this file system does not let SQLite keep a write-ahead log: reading waits for writing"
        );
    }
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.query_row(
        &format!("PRAGMA journal_size_limit = {WAL_BYTES_KEPT}"),
        [],
        |_| Ok(()),
    )
}

fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    if version(conn)? == known() {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS _goop2_meta (key TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL DEFAULT 0) STRICT",
    )?;
    let done = usize::try_from(version(&transaction)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.execute(
        "INSERT OR REPLACE INTO _goop2_meta (key, value) VALUES ('migration', ?)",
        [known()],
    )?;
    transaction.commit()
}

fn known() -> i64 {
    MIGRATIONS.len().try_into().expect("migrations are few")
}
