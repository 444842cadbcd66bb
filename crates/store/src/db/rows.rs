//! `insert`, `update`, `delete` (§5.2): one row at a time, with no SQL from the caller in them.

use goop2_proto::data::Request;
use rusqlite::{Connection, OptionalExtension, types::Value as Sql};
use serde_json::{Map, Value as Json, json};

use super::{
    Caller, Database,
    catalog::{self, Column, Table},
    dates, fault,
    usage::{self, Change},
    values,
};

/// Most bytes a stranger writes into one row. A picture that fits here is larger than an avatar may
/// be; the work of a LIKE on such a row still takes well under a second.
const MAX_ROW_BYTES: usize = 256 * 1024;
const SYSTEM: char = '_';

/// A write that has happened, unless its transaction fails: the answer, and what it changed where.
pub(super) type Written = Result<(Json, Option<(String, Change)>), String>;

/// Columns and their values.
type Values<'a> = Vec<(&'a str, Sql)>;

pub(super) fn insert(
    database: &Database,
    conn: &Connection,
    caller: &Caller,
    request: &Request,
) -> Written {
    let table = catalog::table(conn, caller, &request.table)?;
    let email = database.email(caller);
    if let Caller::Remote { .. } = caller {
        table.check_insert(&email)?;
    }
    let columns = catalog::columns(conn, &table.name)?;
    let owner = database.owner_scope(caller);
    let mut values: Values<'_> = vec![
        ("_owner", Sql::Text(owner.clone())),
        ("_owner_email", Sql::Text(email)),
    ];
    // Who wrote a row is never the writer's to say.
    let given = user_values(caller, &request.data, &columns)?;
    values.extend(
        given
            .into_iter()
            .filter(|(column, _)| !is_any(column, &["_owner", "_owner_email"])),
    );
    let names: Vec<String> = values
        .iter()
        .map(|(column, _)| catalog::quoted(column))
        .collect();
    let marks = vec!["?"; values.len()].join(", ");
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({marks}) RETURNING {}",
        catalog::quoted(&table.name),
        names.join(", "),
        usage::row_bytes(&columns)
    );
    let values = values.into_iter().map(|(_, value)| value);
    let bytes = run(conn, &sql, values)?.unwrap_or_default();
    let rows = 1;
    let change = Change { owner, bytes, rows };
    check_room(database, conn, caller, &table.name, &change)?;
    let answer = json!({ "id": conn.last_insert_rowid(), "status": "inserted" });
    Ok((answer, Some((table.name, change))))
}

pub(super) fn update(
    database: &Database,
    conn: &Connection,
    caller: &Caller,
    request: &Request,
) -> Written {
    let target = target(database, conn, caller, request)?;
    let columns = catalog::columns(conn, &target.table.name)?;
    let mut given = user_values(caller, &request.data, &columns)?;
    let sets_time = given
        .iter()
        .any(|(column, _)| is_any(column, &["_updated_at"]));
    let Some(before) = Before::read(conn, &target, &columns, &given, request)? else {
        return done(caller, 0, "updated", None);
    };
    given.retain(|(column, _)| !before.unchanged.contains(column));
    let mut assignments = vec![];
    if !sets_time {
        assignments.push("_updated_at = CURRENT_TIMESTAMP".to_owned());
    }
    let names = given.iter().map(|(column, _)| catalog::quoted(column));
    assignments.extend(names.map(|name| format!("{name} = ?")));
    if assignments.is_empty() {
        return done(caller, 1, "updated", None);
    }
    let sql = format!(
        "UPDATE {} SET {} WHERE {} RETURNING {}",
        catalog::quoted(&target.table.name),
        assignments.join(", "),
        target.condition,
        usage::row_bytes(&columns)
    );
    let values = given.into_iter().map(|(_, value)| value);
    let Some(after) = run(conn, &sql, values.chain(target.args))? else {
        return done(caller, 0, "updated", None);
    };
    let change = Change {
        owner: before.owner,
        bytes: after - before.bytes,
        rows: 0,
    };
    check_room(database, conn, caller, &target.table.name, &change)?;
    done(caller, 1, "updated", Some((target.table.name, change)))
}

pub(super) fn delete(
    database: &Database,
    conn: &Connection,
    caller: &Caller,
    request: &Request,
) -> Written {
    let target = target(database, conn, caller, request)?;
    let columns = catalog::columns(conn, &target.table.name)?;
    let table = catalog::quoted(&target.table.name);
    let sql = format!(
        "DELETE FROM {table} WHERE {} RETURNING {}, {}",
        target.condition,
        usage::owner_column(&columns),
        usage::row_bytes(&columns)
    );
    let mut statement = conn.prepare_cached(&sql).map_err(fault::answer)?;
    let mut rows = statement
        .query(rusqlite::params_from_iter(target.args))
        .map_err(fault::answer)?;
    let mut deleted = None;
    while let Some(row) = rows.next().map_err(fault::answer)? {
        let change = Change {
            owner: row.get(0).map_err(fault::answer)?,
            bytes: -row.get::<_, i64>(1).map_err(fault::answer)?,
            rows: -1,
        };
        deleted = Some((target.table.name.clone(), change));
    }
    done(caller, usize::from(deleted.is_some()), "deleted", deleted)
}

/// The row a request names, among those the caller may change.
struct Target {
    table: Table,
    condition: &'static str,
    args: Vec<Sql>,
}

fn target(
    database: &Database,
    conn: &Connection,
    caller: &Caller,
    request: &Request,
) -> Result<Target, String> {
    if !request.table.is_empty() && request.id <= 0 {
        return Err("valid row id required".into());
    }
    let table = catalog::table(conn, caller, &request.table)?;
    let id = Sql::Integer(request.id);
    Ok(match caller {
        Caller::Local => Target {
            table,
            condition: "_id = ?",
            args: vec![id],
        },
        Caller::Remote { .. } => {
            table.check_change(&request.op)?;
            let owner = Sql::Text(database.owner_scope(caller));
            Target {
                table,
                condition: "_id = ? AND _owner = ?",
                args: vec![id, owner],
            }
        }
    })
}

/// What a row was before an update.
struct Before<'a> {
    owner: String,
    bytes: i64,
    /// Columns whose new value is what the caller has read of the old one: a page that sends back a
    /// whole row keeps BLOBs, dates and numbers that it was shown in another form.
    unchanged: Vec<&'a str>,
}

impl<'a> Before<'a> {
    fn read(
        conn: &Connection,
        target: &Target,
        columns: &[Column],
        given: &Values<'a>,
        request: &Request,
    ) -> Result<Option<Self>, String> {
        let there = existing(given, columns);
        let names = there
            .iter()
            .map(|name| format!(", {}", catalog::quoted(name)));
        let sql = format!(
            "SELECT {}, {}{} FROM {} WHERE {}",
            usage::owner_column(columns),
            usage::row_bytes(columns),
            names.collect::<String>(),
            catalog::quoted(&target.table.name),
            target.condition
        );
        let mut statement = conn.prepare_cached(&sql).map_err(fault::answer)?;
        let dates: Vec<bool> = statement
            .columns()
            .map(|column| dates::is_date(column.decl_type()))
            .collect();
        let mut rows = statement
            .query(rusqlite::params_from_iter(&target.args))
            .map_err(fault::answer)?;
        let Some(row) = rows.next().map_err(fault::answer)? else {
            return Ok(None);
        };
        let mut before = Self {
            owner: row.get(0).map_err(fault::answer)?,
            bytes: row.get(1).map_err(fault::answer)?,
            unchanged: vec![],
        };
        for (name, (index, date)) in there.into_iter().zip(dates.into_iter().enumerate().skip(2)) {
            let value = row.get_ref(index).map_err(fault::answer)?;
            let shown = [true, false].map(|marked| values::answered(value, date, marked));
            let given = request.data.get(name).filter(|given| !given.is_null());
            if given.is_some_and(|given| shown.contains(given)) {
                before.unchanged.push(name);
            }
        }
        Ok(Some(before))
    }
}

/// Those of the given columns that the table has: SQLite takes another name in quotes for a text.
fn existing<'a>(given: &Values<'a>, columns: &[Column]) -> Vec<&'a str> {
    let is_there = |name: &&str| {
        let same = |known: &Column| known.name.eq_ignore_ascii_case(name);
        columns.iter().any(same)
    };
    given
        .iter()
        .map(|(column, _)| *column)
        .filter(is_there)
        .collect()
}

/// After the write, within its transaction: what it takes is what it took.
fn check_room(
    database: &Database,
    conn: &Connection,
    caller: &Caller,
    table: &str,
    change: &Change,
) -> Result<(), String> {
    match caller {
        Caller::Local => Ok(()),
        Caller::Remote { .. } => usage::check_room(database, conn, table, change),
    }
}

/// The values a caller may write. A stranger's system columns are dropped silently: existing
/// pages send back whole rows they have read (§5 weakness 3).
fn user_values<'a>(
    caller: &Caller,
    data: &'a Map<String, Json>,
    columns: &[Column],
) -> Result<Values<'a>, String> {
    let is_remote = matches!(caller, Caller::Remote { .. });
    let (mut values, mut bytes): (Values<'_>, usize) = (vec![], 0);
    for (column, value) in data
        .iter()
        .filter(|(column, _)| !(is_remote && column.starts_with(SYSTEM)))
    {
        catalog::check_column_name(column)?;
        let value = values::bound(value, catalog::affinity(columns, column))
            .map_err(|why| format!("{column}: {why}"))?;
        bytes += column.len() + values::size(&value);
        if !values.iter().any(|(other, _)| is_any(other, &[column])) {
            values.push((column, value));
        }
    }
    if is_remote && bytes > MAX_ROW_BYTES {
        return Err(format!(
            "row too large: at most {MAX_ROW_BYTES} bytes are allowed"
        ));
    }
    Ok(values)
}

/// Runs a statement that returns the bytes of the row it wrote, if it wrote one.
fn run(
    conn: &Connection,
    sql: &str,
    values: impl IntoIterator<Item = Sql>,
) -> Result<Option<i64>, String> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| {
            statement
                .query_row(rusqlite::params_from_iter(values), |row| row.get(0))
                .optional()
        })
        .map_err(fault::answer)
}

/// The owner gets `updated` even if there was no row, as existing pages expect.
fn done(
    caller: &Caller,
    changed: usize,
    status: &str,
    change: Option<(String, Change)>,
) -> Written {
    if changed == 0 && *caller != Caller::Local {
        return Err("row not found or not owned by caller".into());
    }
    Ok((json!({ "status": status }), change))
}

fn is_any(column: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(column))
}
