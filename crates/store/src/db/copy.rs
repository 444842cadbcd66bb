//! Copies of the database for backups, and the databases that come back from them.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig, params};

use super::{fault, migrate, sandbox, stop::Stop, undo::BIN};

/// Tables of a backup: more than any site has, and few enough to be listed.
const MAX_TABLES: usize = 1000;
/// For the check of a database from a backup, which reads all of it. The rows of a gigabyte take a
/// slow disk a minute.
const MAX_TIME: Duration = Duration::from_secs(300);

/// Writes a consistent copy of the database at `from` to the new file `to`, while others read and
/// write it: the tables and their indexes, without what was removed and can be taken back.
pub(crate) fn make(from: &Path, to: &Path) -> Result<(), String> {
    copy(from, to).map_err(fault::text)
}

fn copy(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(from, flags)?;
    conn.execute("VACUUM INTO ?", params![to.to_string_lossy()])?;
    let conn = Connection::open_with_flags(to, flags)?;
    let unwanted = conn
        .prepare(
            "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view')
             OR type = 'table' AND (substr(name, 1, length(?1)) = ?1 OR sql LIKE 'create virtual%')",
        )?
        .query_map([BIN], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    for (kind, name) in &unwanted {
        conn.execute_batch(&format!(
            "DROP {kind} IF EXISTS \"{}\"",
            name.replace('"', "\"\"")
        ))?;
    }
    if !unwanted.is_empty() {
        // The bytes of dropped tables would still be in the file.
        conn.execute_batch("VACUUM")?;
    }
    Ok(())
}

/// Reads a database that a stranger may have made: sound, and nothing but tables and indexes. Brings
/// it to the format of this version. Answers its tables, and how many rows they have.
pub(crate) fn examine(path: &Path) -> Result<Vec<(String, u64)>, String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(damaged)?;
    let looked = sandbox::within_steps(&mut conn, MAX_TIME, u64::MAX, &Stop::default(), look);
    let tables = looked.map_err(damaged)??;
    drop(conn);
    let opened = migrate::open(path).map_err(|error| match error {
        crate::Error::Newer { .. } => {
            "It was made by a newer Goop2. Update Goop2 first.".to_owned()
        }
        other => other.to_string(),
    })?;
    // Closing it merges the log.
    opened.close().map_err(|(_, error)| damaged(error))?;
    Ok(tables)
}

fn look(conn: &Connection) -> Result<Vec<(String, u64)>, String> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)
        .map_err(damaged)?;
    let mut names = vec![];
    let mut schema = conn
        .prepare("SELECT type, name, sql FROM sqlite_schema")
        .map_err(damaged)?;
    let mut rows = schema.query([]).map_err(damaged)?;
    while let Some(row) = rows.next().map_err(damaged)? {
        let kind: String = row.get(0).map_err(damaged)?;
        let name: String = row.get(1).map_err(damaged)?;
        let sql: Option<String> = row.get(2).map_err(damaged)?;
        let sql = sql.unwrap_or_default().trim_start().to_lowercase();
        match kind.as_str() {
            "index" => {}
            "table" if !sql.starts_with("create virtual") => names.push(name),
            "table" => return Err("Its database has a virtual table.".into()),
            kind => return Err(format!("Its database has a {kind}, not only tables.")),
        }
        if names.len() > MAX_TABLES {
            return Err(format!("Its database has more than {MAX_TABLES} tables."));
        }
    }
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(damaged)?;
    if verdict != "ok" {
        return Err("Its database is damaged.".into());
    }
    names.retain(|name| !name.starts_with('_') && !name.starts_with("sqlite_"));
    let rows_of = |name: String| {
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows = conn.query_row(&count, [], |row| row.get::<_, i64>(0));
        Ok((name, rows.map_err(damaged)?.try_into().unwrap_or(0)))
    };
    names.into_iter().map(rows_of).collect()
}

fn damaged(error: rusqlite::Error) -> String {
    tracing::debug!(%error, "the database of a backup can't be read");
    "Its database is damaged.".into()
}

/// The time as a part of a file name, to the second.
pub(crate) fn now() -> Result<String, String> {
    Connection::open_in_memory()
        .and_then(|conn| {
            conn.query_row("SELECT strftime('%Y-%m-%d-%H%M%S', 'now')", [], |row| {
                row.get(0)
            })
        })
        .map_err(fault::text)
}
