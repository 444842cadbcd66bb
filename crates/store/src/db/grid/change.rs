//! What the owner does to rows and tables. Whatever takes something away can be taken back
//! ([`crate::db::undo`]).

use std::sync::{PoisonError, atomic::Ordering};

use goop2_proto::{
    PeerId,
    data::{ColumnDef, Request},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde_json::{Map, Value as Json};

use super::{Kind, ROW_GONE, Shape, in_words};
use crate::db::{
    Caller, Database, catalog, fault, rows, schema,
    undo::{self, Journal, Registered, Step},
    usage::{self, Change},
};

/// Rows removed at once by their ids: what somebody has selected.
const MAX_IDS: usize = 1000;

/// Something was done that [`Database::undo`] takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Names it.
    pub id: String,
    /// Rows it was done to.
    pub rows: usize,
    /// Tables it was done to.
    pub tables: usize,
}

/// A column to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewColumn {
    /// Letters, digits and `_`.
    pub name: String,
    /// What is kept in it.
    pub kind: Kind,
    /// Whether it must have a value.
    pub not_null: bool,
}

/// A change in the making: what takes it back, and how much it touches.
#[derive(Default)]
pub(super) struct Making {
    pub(super) steps: Vec<Step>,
    pub(super) bytes: i64,
    pub(super) rows: usize,
    pub(super) blocked: Option<PeerId>,
    /// Counts of single rows, by table.
    pub(super) counts: Vec<(String, Change)>,
    /// Tables to be counted again.
    pub(super) recount: Vec<String>,
}

impl Database {
    /// Changes some cells of a row.
    pub fn update_row(
        &self,
        table: &str,
        id: i64,
        values: Map<String, Json>,
    ) -> Result<Done, String> {
        self.undoable(|conn, journal, making| {
            let shape = Shape::of(conn, table)?;
            shape.check_editable()?;
            let mut columns = vec![];
            for name in values.keys() {
                let at = shape.position(name).filter(|at| shape.columns[*at].stored);
                let at = at.ok_or_else(|| format!("There is no column “{name}” anymore."))?;
                columns.push(shape.columns[at].name.clone());
            }
            if shape.position("_updated_at").is_some() {
                columns.push("_updated_at".into());
            }
            let bin = journal.bin();
            making.bytes =
                undo::keep(conn, &shape, &bin, "_id = ?", [id]).map_err(fault::answer)?;
            let request = Request {
                op: "update".into(),
                table: shape.name.clone(),
                id,
                data: given(values)?,
                ..Request::default()
            };
            let (_, count) = rows::update(self, conn, &Caller::Local, &request)?;
            making.counts.push(count.ok_or(ROW_GONE)?);
            making.rows = 1;
            let table = shape.name;
            making.steps.push(Step::SetBack {
                table,
                bin,
                columns,
            });
            Ok(())
        })
    }

    /// Adds a row of the owner's; its id.
    pub fn insert_row(&self, table: &str, values: Map<String, Json>) -> Result<i64, String> {
        self.changing(|conn, _| {
            let shape = Shape::of(conn, table)?;
            shape.check_editable()?;
            let request = Request {
                op: "insert".into(),
                table: shape.name,
                data: given(values)?,
                ..Request::default()
            };
            let (answer, count) = rows::insert(self, conn, &Caller::Local, &request)?;
            let id = answer["id"].as_i64().unwrap_or_default();
            Ok((id, count.into_iter().collect::<Vec<_>>()))
        })
        .map(|(id, counts)| {
            self.count(counts);
            id
        })
    }

    /// Removes rows.
    pub fn remove_rows(&self, table: &str, ids: &[i64]) -> Result<Done, String> {
        if ids.len() > MAX_IDS {
            return Err(format!("At most {MAX_IDS} rows can be removed at once."));
        }
        self.undoable(|conn, journal, making| {
            let shape = Shape::of(conn, table)?;
            shape.check_editable()?;
            let list: Vec<String> = ids.iter().map(i64::to_string).collect();
            let condition = format!("_id IN ({})", list.join(", "));
            let bin = journal.bin();
            making.bytes = undo::keep(conn, &shape, &bin, &condition, []).map_err(fault::answer)?;
            let removed = remove_counted(conn, &shape, &condition).map_err(fault::answer)?;
            if removed.is_empty() {
                return Err(ROW_GONE.into());
            }
            making.rows = removed.len();
            let table = shape.name;
            making
                .counts
                .extend(removed.into_iter().map(|count| (table.clone(), count)));
            making.steps.push(Step::PutBack { table, bin });
            Ok(())
        })
    }

    /// Removes all that somebody wrote, in all tables; `blocked` if they were blocked with it, so
    /// that taking it back can unblock them.
    pub fn remove_author(&self, author: &str, blocked: Option<PeerId>) -> Result<Done, String> {
        self.undoable(|conn, journal, making| {
            for name in usage::registered(conn).map_err(fault::answer)? {
                let Ok(shape) = Shape::of(conn, &name) else {
                    continue;
                };
                if shape.position("_owner").is_none() {
                    continue;
                }
                let bin = journal.bin();
                let removed = remove_of(conn, &shape, &bin, author).map_err(fault::answer)?;
                if let Some((rows, bytes)) = removed {
                    making.rows += rows;
                    making.bytes += bytes;
                    making.recount.push(name.clone());
                    making.steps.push(Step::PutBack { table: name, bin });
                }
            }
            making.blocked = blocked;
            Ok(())
        })
    }

    /// Takes a change back. Says who was blocked with it.
    pub fn undo(&self, id: &str) -> Result<Option<PeerId>, String> {
        let mut writer = self.writer();
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let undone = self.stop.interrupts(&mut writer, |conn| {
            let transaction = immediate(conn)?;
            journal.take_back(transaction, id, &mut self.usage())
        });
        self.changes.fetch_add(1, Ordering::SeqCst);
        undone.map_err(fault::answer)?.map_err(in_words)
    }

    /// Makes a table.
    pub fn create_table(
        &self,
        name: &str,
        columns: &[NewColumn],
        policy: &str,
    ) -> Result<(), String> {
        self.changing(|conn, _| {
            check_name("table", name)?;
            if conn.table_exists(None, name).map_err(fault::answer)? {
                return Err(format!("There is already a table “{name}”."));
            }
            let column_defs = columns.iter().map(definition).collect::<Result<_, _>>()?;
            let request = Request {
                op: "create-table".into(),
                name: name.into(),
                column_defs,
                ..Request::default()
            };
            schema::change_within(conn, &request)?;
            schema::set_policy(conn, name, policy)
        })
    }

    /// Adds a column to a table.
    pub fn add_column(&self, table: &str, column: &NewColumn) -> Result<(), String> {
        self.changing(|conn, _| {
            let shape = Shape::of(conn, table)?;
            let mut definition = definition(column)?;
            if column.not_null && !matches!(column.kind, Kind::Text | Kind::Date) {
                // What the rows that are there get.
                definition.default = "0".into();
            }
            let request = Request {
                op: "add-column".into(),
                table: shape.name.clone(),
                column: Some(definition),
                ..Request::default()
            };
            self.usage().forget_table(&shape.name);
            schema::change_within(conn, &request).map(drop)
        })
    }

    /// Removes a table.
    pub fn drop_table(&self, table: &str) -> Result<Done, String> {
        self.undoable(|conn, journal, making| {
            let shape = Shape::of(conn, table)?;
            let bin = journal.bin();
            let count = format!("SELECT count(*) FROM {}", shape.table());
            let rows: i64 = conn
                .query_row(&count, [], |row| row.get(0))
                .map_err(fault::answer)?;
            making.rows = usize::try_from(rows).unwrap_or(0);
            making.bytes = super::about_bytes(conn, &shape, rows).map_err(fault::answer)?;
            let registered = unregister(conn, &shape, &bin).map_err(fault::answer)?;
            making.recount.push(shape.name.clone());
            let table = shape.name;
            making.steps.push(Step::Rename {
                table,
                bin,
                registered,
            });
            Ok(())
        })
    }

    /// Nothing in the table is new to the owner.
    pub fn mark_seen(&self, table: &str) -> Result<(), String> {
        self.changing(|conn, _| {
            let shape = Shape::of(conn, table)?;
            let sql = format!(
                "INSERT OR REPLACE INTO _goop2_meta (key, value) SELECT ?, coalesce(max({}), 0) FROM {}",
                shape.id,
                shape.table()
            );
            conn.execute(&sql, [seen_key(&shape.name)]).map(drop).map_err(fault::answer)
        })
    }

    /// A change that can be taken back.
    pub(super) fn undoable(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Journal, &mut Making) -> Result<(), String>,
    ) -> Result<Done, String> {
        let mut making = Making::default();
        let mut writer = self.writer();
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.stop.interrupts(&mut writer, |conn| {
            let transaction = immediate(conn)?;
            work(&transaction, &mut journal, &mut making)?;
            transaction.commit().map_err(fault::answer)?;
            let tables = making.steps.len();
            let steps = std::mem::take(&mut making.steps);
            let id = journal.add(conn, steps, making.bytes, making.blocked.take());
            Ok((id, tables))
        });
        let (id, tables) = done.map_err(fault::answer)?.map_err(in_words)?;
        self.count(making.counts);
        for table in &making.recount {
            self.usage().forget_table(table);
        }
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(Done {
            id,
            rows: making.rows,
            tables,
        })
    }

    /// A change that stays.
    pub(super) fn changing<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Journal) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut writer = self.writer();
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.stop.interrupts(&mut writer, |conn| {
            let transaction = immediate(conn)?;
            let done = work(&transaction, &mut journal)?;
            transaction.commit().map_err(fault::answer)?;
            Ok(done)
        });
        self.changes.fetch_add(1, Ordering::SeqCst);
        done.map_err(fault::answer)?.map_err(in_words)
    }
}

/// Where `_goop2_meta` keeps the last row that the owner saw.
pub(super) fn seen_key(table: &str) -> String {
    format!("seen:{}", table.to_ascii_lowercase())
}

fn immediate(conn: &mut Connection) -> Result<Transaction<'_>, String> {
    conn.transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault::answer)
}

/// Values from the UI: a marked whole number is one, and what was shown cut or counted is not a
/// value.
fn given(values: Map<String, Json>) -> Result<Map<String, Json>, String> {
    let mut given = Map::new();
    for (column, value) in values {
        let value = match value {
            Json::Object(mark) => {
                let digits = mark.get("$int").and_then(Json::as_str);
                let whole = digits.and_then(|digits| digits.parse::<i64>().ok());
                whole
                    .ok_or_else(|| format!("“{column}” can't be changed to this."))?
                    .into()
            }
            value => value,
        };
        given.insert(column, value);
    }
    Ok(given)
}

fn remove_counted(
    conn: &Connection,
    shape: &Shape,
    condition: &str,
) -> rusqlite::Result<Vec<Change>> {
    let columns = catalog::columns(conn, &shape.name).unwrap_or_default();
    let sql = format!(
        "DELETE FROM {} WHERE {condition} RETURNING {}, {}",
        shape.table(),
        usage::owner_column(&columns),
        usage::row_bytes(&columns)
    );
    conn.prepare(&sql)?
        .query_map([], |row| {
            Ok(Change {
                owner: row.get(0)?,
                bytes: -row.get::<_, i64>(1)?,
                rows: -1,
            })
        })?
        .collect()
}

/// Rows and bytes; none if the author wrote nothing here.
fn remove_of(
    conn: &Connection,
    shape: &Shape,
    bin: &str,
    author: &str,
) -> rusqlite::Result<Option<(usize, i64)>> {
    let table = shape.table();
    let any = format!("SELECT 1 FROM {table} WHERE _owner = ? LIMIT 1");
    if !conn.prepare(&any)?.exists([author])? {
        return Ok(None);
    }
    let bytes = undo::keep(conn, shape, bin, "_owner = ?", [author])?;
    let rows = conn.execute(&format!("DELETE FROM {table} WHERE _owner = ?"), [author])?;
    Ok(Some((rows, bytes)))
}

fn unregister(conn: &Connection, shape: &Shape, bin: &str) -> rusqlite::Result<Registered> {
    let registered = conn.query_row(
        "SELECT schema, insert_policy, created_at FROM _tables WHERE name = ? COLLATE NOCASE",
        [&shape.name],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    conn.execute(
        "DELETE FROM _tables WHERE name = ? COLLATE NOCASE",
        [&shape.name],
    )?;
    conn.execute(
        &format!("ALTER TABLE {} RENAME TO {bin}", shape.table()),
        [],
    )?;
    Ok(registered)
}

fn definition(column: &NewColumn) -> Result<ColumnDef, String> {
    check_name("column", &column.name)?;
    Ok(ColumnDef {
        name: column.name.clone(),
        type_: column.kind.declared().into(),
        not_null: column.not_null,
        default: String::new(),
    })
}

/// Names that begin with `_` are the program's.
fn check_name(what: &str, name: &str) -> Result<(), String> {
    if catalog::check_column_name(name).is_ok() && !catalog::is_internal(name) {
        Ok(())
    } else {
        Err(format!(
            "The name of a {what} has letters from a to z, digits and “_”, at most 64, and begins with a letter."
        ))
    }
}
