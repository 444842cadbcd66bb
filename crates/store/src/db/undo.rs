//! What the owner can take back: rows and tables that were removed or changed, kept in tables of
//! ours until the change is among the older ones, or the peer ends.
//!
//! Whatever can be large stays in the database, where it is moved within one transaction with the
//! change itself: a table that is removed is renamed, in no time and however large it is. The list
//! of changes is in memory. A process that dies leaves tables without a list; the next start
//! removes them ([`empty_bin`]).

use std::{collections::VecDeque, ops::RangeInclusive};

use goop2_proto::PeerId;
use rusqlite::{Connection, Transaction};

use super::{
    catalog::quoted,
    fault,
    grid::Shape,
    query::in_quotes,
    usage::{self, Usage},
};

/// Changes that can be taken back: more than anyone remembers.
const MAX_CHANGES: usize = 20;
/// Bytes kept for all changes but the last one, which is kept whatever its size: they take room
/// that visitors could fill.
const MAX_BYTES: i64 = 64 * 1024 * 1024;
/// How the names of the tables begin that keep rows. Names with `_` are never shown to anyone.
pub(super) const BIN: &str = "_goop2_bin_";
/// The id of a kept row.
const ID: &str = "_goop2_id";

/// The changes of this run, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal {
    changes: VecDeque<Change>,
    /// Of changes and of tables.
    numbers: u64,
}

/// What takes one change back.
#[derive(Debug)]
struct Change {
    id: String,
    steps: Vec<Step>,
    /// Bytes of what is kept.
    bytes: i64,
    /// Who was blocked with it.
    blocked: Option<PeerId>,
}

/// A step back; `bin` is the table with what was there.
#[derive(Debug)]
pub(super) enum Step {
    /// Rows were removed.
    PutBack { table: String, bin: String },
    /// Some columns of rows were changed.
    SetBack {
        table: String,
        bin: String,
        columns: Vec<String>,
    },
    /// Rows were added.
    Remove {
        table: String,
        ids: RangeInclusive<i64>,
    },
    /// The table became `bin`; what `_tables` said about it.
    Rename {
        table: String,
        bin: String,
        registered: Registered,
    },
}

/// A row of `_tables` without its name.
pub(super) type Registered = (String, Option<String>, Option<String>);

impl Journal {
    /// A name for a table that keeps something.
    pub(super) fn bin(&mut self) -> String {
        self.numbers += 1;
        format!("{BIN}{}", self.numbers)
    }

    /// Adds a change that was committed, and gives what is too old away.
    pub(super) fn add(
        &mut self,
        conn: &Connection,
        steps: Vec<Step>,
        bytes: i64,
        blocked: Option<PeerId>,
    ) -> String {
        self.numbers += 1;
        let id = self.numbers.to_string();
        self.changes.push_back(Change {
            id: id.clone(),
            steps,
            bytes,
            blocked,
        });
        while self.changes.len() > MAX_CHANGES
            || (self.changes.len() > 1 && self.older() > MAX_BYTES)
        {
            let oldest = self.changes.pop_front().expect("there are some");
            drop_bins(conn, &oldest.steps);
        }
        id
    }

    /// Bytes kept for all changes but the last.
    fn older(&self) -> i64 {
        self.changes
            .iter()
            .rev()
            .skip(1)
            .map(|change| change.bytes)
            .sum()
    }

    /// Takes a change back, and forgets it. Says who was blocked with it.
    pub(super) fn take_back(
        &mut self,
        transaction: Transaction<'_>,
        id: &str,
        usage: &mut Usage,
    ) -> Result<Option<PeerId>, String> {
        let at = self.changes.iter().position(|change| change.id == id);
        let at = at.ok_or("This can no longer be undone.")?;
        let change = &self.changes[at];
        for step in change.steps.iter().rev() {
            step.take_back(&transaction)
                .map_err(|why| format!("This can't be undone: {}", fault::answer(why)))?;
        }
        for step in &change.steps {
            usage.forget_table(step.table());
        }
        drop_bins(&transaction, &change.steps);
        transaction.commit().map_err(fault::answer)?;
        let change = self.changes.remove(at);
        Ok(change.and_then(|change| change.blocked))
    }
}

impl Step {
    fn table(&self) -> &str {
        match self {
            Self::PutBack { table, .. }
            | Self::SetBack { table, .. }
            | Self::Remove { table, .. }
            | Self::Rename { table, .. } => table,
        }
    }

    fn bin(&self) -> Option<&str> {
        match self {
            Self::PutBack { bin, .. } | Self::SetBack { bin, .. } | Self::Rename { bin, .. } => {
                Some(bin)
            }
            Self::Remove { .. } => None,
        }
    }

    fn take_back(&self, conn: &Connection) -> rusqlite::Result<()> {
        let table = quoted(self.table());
        match self {
            Self::PutBack { bin, .. } => put_back(conn, self.table(), bin),
            Self::SetBack { bin, columns, .. } => {
                let list = columns.iter().map(|name| in_quotes(name));
                let list = list.collect::<Vec<_>>().join(", ");
                let sql = format!(
                    "UPDATE {table} SET ({list}) = (SELECT {list} FROM {bin} WHERE {ID} = {table}._id) \
                     WHERE _id IN (SELECT {ID} FROM {bin})",
                );
                conn.execute(&sql, []).map(drop)
            }
            Self::Remove { ids, .. } => {
                let sql = format!("DELETE FROM {table} WHERE _id BETWEEN ? AND ?");
                conn.execute(&sql, (ids.start(), ids.end())).map(drop)
            }
            Self::Rename {
                table: name,
                bin,
                registered: (schema, policy, created_at),
            } => {
                conn.execute(&format!("ALTER TABLE {bin} RENAME TO {table}"), [])?;
                conn.execute(
                    "INSERT INTO _tables (name, schema, insert_policy, created_at) VALUES (?, ?, ?, ?)",
                    (name, schema, policy, created_at),
                )
                .map(drop)
            }
        }
    }
}

/// Columns that came since have no value to put back.
fn put_back(conn: &Connection, table: &str, bin: &str) -> rusqlite::Result<()> {
    let names = |table: &str| -> rusqlite::Result<Vec<String>> {
        conn.prepare("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0")?
            .query_map([table], |row| row.get(0))?
            .collect()
    };
    let there = names(table)?;
    let kept: Vec<String> = names(bin)?
        .into_iter()
        .filter(|name| there.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .map(|name| in_quotes(&name))
        .collect();
    let list = kept.join(", ");
    let sql = format!(
        "INSERT INTO {} ({list}) SELECT {list} FROM {bin}",
        quoted(table)
    );
    conn.execute(&sql, []).map(drop)
}

/// Copies rows of a table into a new one; says how many bytes that takes.
pub(super) fn keep(
    conn: &Connection,
    shape: &Shape,
    bin: &str,
    condition: &str,
    args: impl rusqlite::Params,
) -> rusqlite::Result<i64> {
    let before = usage::in_use(conn)?;
    let columns: Vec<String> = shape
        .stored()
        .iter()
        .map(|column| in_quotes(&column.name))
        .collect();
    // Made first: a statement that makes it cannot have arguments of a condition.
    conn.execute(
        &format!(
            "CREATE TABLE {bin} AS SELECT {} AS {ID}, {list} FROM {} WHERE 0",
            shape.id,
            quoted(&shape.name),
            list = columns.join(", "),
        ),
        [],
    )?;
    let list = columns.join(", ");
    conn.execute(
        &format!(
            "INSERT INTO {bin} ({ID}, {list}) SELECT {}, {list} FROM {} WHERE {condition}",
            shape.id,
            quoted(&shape.name),
        ),
        args,
    )?;
    Ok(usage::in_use(conn)? - before)
}

/// Removes what a run that ended kept.
pub(super) fn empty_bin(conn: &Connection) -> rusqlite::Result<()> {
    let names: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, length(?1)) = ?1")?
        .query_map([BIN], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for name in names {
        conn.execute(&format!("DROP TABLE {}", in_quotes(&name)), [])?;
    }
    Ok(())
}

/// A table that cannot be removed now goes at the next start.
fn drop_bins(conn: &Connection, steps: &[Step]) {
    for bin in steps.iter().filter_map(Step::bin) {
        let dropped = conn.execute(&format!("DROP TABLE IF EXISTS {bin}"), []);
        if let Err(error) = dropped {
            tracing::warn!(%error, "what was kept to be undone stays until the next start");
        }
    }
}
