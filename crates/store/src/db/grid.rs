//! The tables as their owner works on them: what there is, and rows by their position, however many
//! there are.
//!
//! A list of rows is scrolled by position, and SQLite finds a position only by walking to it. So an
//! order that costs a walk (a filter, a column, far from both ends of a table with gaps) is walked
//! once, and the ids it found are kept; each page of rows is then a few look-ups. What is kept is
//! valid until the database changes. In a database that changes all the time it is used a while
//! longer, so that a tenth of the time at most is spent on walking: see `Kept`.
//!
//! Refused: `LIMIT … OFFSET` for every page (half a second in the middle of a million rows), an
//! index for each column (it costs every visitor's write), and cursors (a scroll bar jumps).

mod change;
mod csv;
mod export;
mod import;
mod order;
mod shape;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, types::ValueRef};
use serde_json::{Number, Value as Json, json};

pub use change::{Done, NewColumn};
pub use export::Format;
pub use import::MAX_IMPORT;
use order::Order;
pub(super) use shape::Shape;
pub use shape::{Column, Kind};

use super::{
    Database, access, catalog, fault, query,
    sandbox::{self, MAX_OWN_TIME},
    usage,
};

/// Most rows in one page: more than any screen shows.
pub const MAX_PAGE: usize = 200;
/// Longest filter in bytes; what people type is shorter.
const MAX_FILTER: usize = 200;
/// Bytes of a text in a page of rows, about what a line on a screen shows.
const MAX_CELL: usize = 300;
/// Rows of others that are counted as new; more are "many".
const MAX_FRESH: i64 = 1000;
/// Rows looked at to find the new ones of others among many of the owner's.
const MAX_FRESH_LOOKS: i64 = 10_000;
/// Rows whose mean size stands for all.
const SAMPLE: i64 = 300;
/// Page cache in KiB: what a sort of a million rows uses before it writes to disk.
const CACHE_KIB: i32 = 16 * 1024;
/// What took a second to find may be this many seconds old.
const PATIENCE: u32 = 10;
/// Whole numbers that JavaScript keeps.
const SAFE: i64 = 1 << 53;

/// One table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// `_tables.insert_policy`.
    pub policy: String,
    /// Whether `_orm_schemas` lets visitors do less.
    pub restricted: bool,
    /// How many rows it has.
    pub rows: i64,
    /// About how many bytes they take.
    pub bytes: i64,
    /// The used part of the room for what visitors write, 1 = all.
    pub full: f64,
    /// Rows of others since [`Database::mark_seen`], at most 1000.
    pub fresh: i64,
    /// In their order.
    pub columns: Vec<Column>,
}

/// Rows to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsQuery {
    /// A table.
    pub table: String,
    /// The column to sort by; none for the order in which rows came.
    pub sort: Option<String>,
    /// The last first.
    pub descending: bool,
    /// A text that a cell contains; empty for all rows.
    pub filter: String,
    /// Authors whose rows match the filter too.
    pub authors: Vec<String>,
    /// Rows before the first.
    pub offset: usize,
    /// At most [`MAX_PAGE`].
    pub limit: usize,
}

/// Some rows of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// How many there are under this filter.
    pub total: usize,
    /// What names each of the rows.
    pub ids: Vec<i64>,
    /// Cells in the order of the columns.
    pub rows: Vec<Vec<Json>>,
    /// Who wrote them.
    pub authors: BTreeSet<String>,
}

/// What was found out about the database, and when.
#[derive(Debug)]
struct Kept<T> {
    value: T,
    /// SQLite's number of the state that was looked at.
    version: i64,
    /// How many changes the owner had made.
    changes: u64,
    found: Instant,
    took: Duration,
}

/// The connection for the owner's tables, and what was found on it.
#[derive(Debug)]
pub(super) struct Grid {
    conn: Connection,
    found: Found,
}

#[derive(Debug, Default)]
struct Found {
    infos: Option<Kept<Vec<TableInfo>>>,
    order: Option<(RowsQuery, Kept<Order>)>,
    /// The owner's changes to the database by now.
    changes: u64,
}

impl Database {
    /// All tables of the site.
    pub fn tables(&self) -> Result<Vec<TableInfo>, String> {
        self.on_grid(|conn, found| {
            let version = version(conn)?;
            let known = found.infos.take();
            let kept = match known.filter(|kept| kept.is_current(version, found.changes)) {
                Some(kept) => kept,
                None => Kept::find(version, found.changes, || infos(self, conn))?,
            };
            Ok(found.infos.insert(kept).value.clone())
        })
    }

    /// Rows by their position.
    pub fn rows(&self, query: &RowsQuery) -> Result<Rows, String> {
        if query.filter.len() > MAX_FILTER {
            return Err(format!("A filter has at most {MAX_FILTER} bytes."));
        }
        self.on_grid(|conn, found| {
            let shape = Shape::of(conn, &query.table)?;
            // A row of an order that is kept may be gone: then the order is found again.
            for _ in 0..2 {
                let (total, ids) = found.page(conn, &shape, query)?;
                if let Some(rows) = read(conn, &shape, &ids)? {
                    return Ok(Rows { total, ids, ..rows });
                }
                found.order = None;
            }
            Err("The rows changed while they were read. Try again.".into())
        })
    }

    /// All cells of one row, however long.
    pub fn row(&self, table: &str, id: i64) -> Result<Vec<Json>, String> {
        self.on_grid(|conn, _| {
            let shape = Shape::of(conn, table)?;
            let mut statement = conn.prepare(&shape.select_one()).map_err(fault::answer)?;
            statement
                .query_row([id], |row| cells(row, &shape, usize::MAX))
                .optional()
                .map_err(fault::answer)?
                .ok_or_else(|| ROW_GONE.into())
        })
    }

    fn on_grid<T>(
        &self,
        work: impl FnOnce(&Connection, &mut Found) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut slot = self.grid.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match slot.take() {
            Some(open) => open,
            None => Grid::open(self).map_err(fault::answer)?,
        };
        let Grid { conn, found } = slot.insert(open);
        found.changes = self.changes.load(Ordering::SeqCst);
        sandbox::within(conn, MAX_OWN_TIME, &self.stop, |conn| work(conn, found))
            .map_err(fault::answer)?
    }
}

/// What is said of a row that is not there.
const ROW_GONE: &str = "This row no longer exists.";

impl Grid {
    fn open(database: &Database) -> rusqlite::Result<Self> {
        let conn = sandbox::open_reader(&database.path)?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(Self {
            conn,
            found: Found::default(),
        })
    }
}

impl Found {
    /// How many rows there are, and the ids of those on a page.
    fn page(
        &mut self,
        conn: &Connection,
        shape: &Shape,
        query: &RowsQuery,
    ) -> Result<(usize, Vec<i64>), String> {
        let key = RowsQuery {
            offset: 0,
            limit: 0,
            ..query.clone()
        };
        let (version, changes) = (version(conn)?, self.changes);
        let known = self.order.take();
        let current =
            known.filter(|(known, kept)| *known == key && kept.is_current(version, changes));
        let mut kept = match current {
            Some((_, kept)) => kept,
            None => {
                let counted = self.counted(&shape.name, version);
                Kept::find(version, changes, || {
                    Order::find(conn, shape, query, counted)
                })?
            }
        };
        let limit = query.limit.min(MAX_PAGE);
        let ids = match kept.value.page(conn, shape, query, limit)? {
            Some(ids) => ids,
            None => {
                kept = Kept::find(version, changes, || Order::walk(conn, shape, query))?;
                let walked = kept.value.page(conn, shape, query, limit)?;
                walked.unwrap_or_default()
            }
        };
        let total = kept.value.total();
        self.order = Some((key, kept));
        Ok((total, ids))
    }

    /// How many rows a table has, if they were counted in this state of the database.
    fn counted(&self, table: &str, version: i64) -> Option<i64> {
        let infos = self.infos.as_ref()?;
        let exact = infos.version == version && infos.changes == self.changes;
        let info = infos.value.iter().find(|info| info.name == table)?;
        exact.then_some(info.rows)
    }
}

impl<T> Kept<T> {
    fn find(
        version: i64,
        changes: u64,
        find: impl FnOnce() -> Result<T, String>,
    ) -> Result<Self, String> {
        let begin = Instant::now();
        let value = find()?;
        Ok(Self {
            value,
            version,
            changes,
            found: Instant::now(),
            took: begin.elapsed(),
        })
    }

    fn is_current(&self, version: i64, changes: u64) -> bool {
        let young = || self.found.elapsed() < self.took * PATIENCE;
        self.changes == changes && (self.version == version || young())
    }
}

fn version(conn: &Connection) -> Result<i64, String> {
    conn.prepare_cached("PRAGMA data_version")
        .and_then(|mut version| version.query_row([], |row| row.get(0)))
        .map_err(fault::answer)
}

/// These rows; none if one of them is gone.
fn read(conn: &Connection, shape: &Shape, ids: &[i64]) -> Result<Option<Rows>, String> {
    let mut found = Rows::default();
    let author = shape.position("_owner");
    let mut statement = conn
        .prepare_cached(&shape.select_one())
        .map_err(fault::answer)?;
    for id in ids {
        let row = statement
            .query_row([id], |row| cells(row, shape, MAX_CELL))
            .optional()
            .map_err(fault::answer)?;
        let Some(row) = row else {
            return Ok(None);
        };
        if let Some(Json::String(author)) = author.and_then(|at| row.get(at)) {
            found.authors.insert(author.clone());
        }
        found.rows.push(row);
    }
    Ok(Some(found))
}

fn cells(row: &rusqlite::Row<'_>, shape: &Shape, longest: usize) -> rusqlite::Result<Vec<Json>> {
    (0..shape.columns.len())
        .map(|index| Ok(cell(row.get_ref(index)?, longest)))
        .collect()
}

/// A value as it is, or marked: a number that JavaScript would round, a text that is too long for a
/// page, bytes that are not text.
fn cell(value: ValueRef<'_>, longest: usize) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) if (-SAFE..=SAFE).contains(&number) => number.into(),
        ValueRef::Integer(number) => json!({ "$int": number.to_string() }),
        ValueRef::Real(number) => match Number::from_f64(number) {
            Some(finite) => Json::Number(finite),
            None => number.to_string().into(),
        },
        ValueRef::Text(bytes) => match str::from_utf8(bytes) {
            Ok(text) if text.len() > longest => {
                let end = text.floor_char_boundary(longest);
                json!({ "$cut": text[..end], "bytes": text.len() })
            }
            Ok(text) => text.into(),
            Err(_) => json!({ "$blob": bytes.len() }),
        },
        ValueRef::Blob(bytes) => json!({ "$blob": bytes.len() }),
    }
}

fn infos(database: &Database, conn: &Connection) -> Result<Vec<TableInfo>, String> {
    let policies: HashMap<String, String> = conn
        .prepare_cached("SELECT lower(name), coalesce(insert_policy, 'owner') FROM _tables")
        .and_then(|mut all| {
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(fault::answer)?;
    let noted = access::all(conn).map_err(fault::answer)?;
    let mut found = vec![];
    for name in usage::registered(conn).map_err(fault::answer)? {
        // What has no rows by number, such as a virtual table, is not shown.
        let Ok(shape) = Shape::of(conn, &name) else {
            continue;
        };
        let policy = policies.get(&name.to_ascii_lowercase());
        let policy = policy.map_or("owner", |policy| policy);
        let restricted = noted
            .iter()
            .any(|(table, access)| table.eq_ignore_ascii_case(&name) && access.restricts());
        found.push(info(database, conn, shape, policy, restricted).map_err(fault::answer)?);
    }
    Ok(found)
}

fn info(
    database: &Database,
    conn: &Connection,
    shape: Shape,
    policy: &str,
    restricted: bool,
) -> rusqlite::Result<TableInfo> {
    let sql = format!("SELECT count(*) FROM {}", shape.table());
    let rows = conn.query_row(&sql, [], |row| row.get(0))?;
    let bytes = about_bytes(conn, &shape, rows)?;
    let by_strangers = match database.usage().strangers(&shape.name) {
        Some(counted) => counted,
        None if catalog::Policy::parse(policy) == catalog::Policy::Owner => 0,
        None => bytes,
    };
    Ok(TableInfo {
        full: usage::fullness(database, conn, by_strangers)?,
        fresh: fresh(database, conn, &shape)?,
        name: shape.name,
        policy: policy.into(),
        restricted,
        rows,
        bytes,
        columns: shape.columns,
    })
}

/// The mean of some rows, times all: exact would mean to read the whole table.
fn about_bytes(conn: &Connection, shape: &Shape, rows: i64) -> rusqlite::Result<i64> {
    let columns = catalog::columns(conn, &shape.name).unwrap_or_default();
    let sql = format!(
        "SELECT coalesce(avg(bytes), 0) FROM (SELECT {} AS bytes FROM {} ORDER BY {} DESC LIMIT {SAMPLE})",
        usage::row_bytes(&columns),
        shape.table(),
        shape.id
    );
    let mean: f64 = conn.query_row(&sql, [], |row| row.get(0))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "an estimate"
    )]
    let bytes = (mean * rows as f64) as i64;
    Ok(bytes)
}

fn fresh(database: &Database, conn: &Connection, shape: &Shape) -> rusqlite::Result<i64> {
    if shape.position("_owner").is_none() {
        return Ok(0);
    }
    let seen: Option<i64> = conn
        .prepare_cached("SELECT value FROM _goop2_meta WHERE key = ?")?
        .query_row([change::seen_key(&shape.name)], |row| row.get(0))
        .optional()?;
    let sql = format!(
        "SELECT min(count(*), {MAX_FRESH}) FROM (SELECT _owner FROM {table} WHERE {id} > ? \
         ORDER BY {id} DESC LIMIT {MAX_FRESH_LOOKS}) WHERE _owner <> ?",
        table = shape.table(),
        id = shape.id
    );
    let owner = database.owner.to_base58();
    conn.query_row(&sql, (seen.unwrap_or(i64::MIN), owner), |row| row.get(0))
}

/// An SQLite error in words for the owner, where they can do something about it.
fn in_words(why: String) -> String {
    let column = |rest: &str| {
        let name = rest.split(" (").next().unwrap_or(rest);
        name.rsplit('.').next().unwrap_or(name).to_owned()
    };
    if let Some((_, rest)) = why.split_once("NOT NULL constraint failed: ") {
        format!("“{}” can't be empty.", column(rest))
    } else if let Some((_, rest)) = why.split_once("UNIQUE constraint failed: ") {
        format!("Another row has the same “{}” already.", column(rest))
    } else if let Some((_, rest)) = why.split_once("duplicate column name: ") {
        format!("There is already a column “{}”.", column(rest))
    } else {
        why
    }
}

/// Used here and for the statements of [`change`].
fn quote(name: &str) -> String {
    query::in_quotes(name)
}
