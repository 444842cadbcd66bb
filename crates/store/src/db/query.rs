//! `query` (§5.2): the rows of one table under a condition.
//!
//! A stranger's statement is
//!
//! ```sql
//! SELECT columns FROM (SELECT * FROM table WHERE _owner = ?) AS table WHERE (where)
//! ```
//!
//! The sub-select, left out where everybody sees all rows, is closed before the condition begins.

use std::collections::BTreeMap;

use goop2_proto::data::{Answer, Request};
use rusqlite::{Connection, Statement, types::Value as Sql};
use serde_json::{Map, Value as Json};

use super::{Caller, catalog, condition, dates, fault, sandbox, values};

/// Most rows in one answer to a stranger (§5 weakness 5). More is an error: a part would look like
/// the whole.
const MAX_ROWS: usize = 10_000;
/// Most bytes in one answer to a stranger, as written on the wire; below what the protocol lets a
/// visitor read.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes of texts in a stranger's `args`: what one row is compared with.
const MAX_ARGS_BYTES: usize = 64 * 1024;

/// What an answer may hold.
struct Caps {
    rows: usize,
    bytes: usize,
}

/// Answers `query`. `owner` is the peer id of the caller.
pub(super) fn run(
    conn: &mut Connection,
    caller: &Caller,
    request: &Request,
    owner: &str,
) -> Answer {
    let table = catalog::table(conn, caller, &request.table)?;
    let columns = catalog::columns(conn, &table.name)?;
    if columns.is_empty() {
        return Err(catalog::no_such_table(&request.table));
    }
    let name = catalog::quoted(&table.name);
    let list = select_list(&request.columns, &columns)?;
    let args = request
        .args
        .iter()
        .map(values::bound)
        .collect::<Result<Vec<_>, _>>()?;
    let limit = limit(request);
    match caller {
        // A zero byte ends the statement for SQLite: what follows it would be lost silently.
        Caller::Local if request.where_.contains('\0') => Err("where: '\\0' is not allowed".into()),
        Caller::Local => {
            let filter = if request.where_.is_empty() {
                String::new()
            } else {
                format!(" WHERE {}", request.where_)
            };
            let sql = format!("SELECT {list} FROM {name}{filter}{limit}");
            let caps = Caps {
                rows: usize::MAX,
                bytes: usize::MAX,
            };
            sandbox::within(conn, sandbox::MAX_OWN_TIME, |conn| {
                select(conn, &sql, &[], &args, &caps)
            })
            .map_err(fault::text)?
        }
        Caller::Remote { .. } => {
            condition::check(&request.where_, &table.name, &columns)?;
            check_args(&request.args)?;
            let own = !table.policy.shows_all_rows();
            let scope = own.then(|| Sql::Text(owner.into()));
            let source = if own {
                format!("(SELECT * FROM {name} WHERE _owner = ?) AS {name}")
            } else {
                name
            };
            let filter = if request.where_.trim().is_empty() {
                String::new()
            } else {
                format!(" WHERE ({})", request.where_)
            };
            let sql = format!("SELECT {list} FROM {source}{filter}{limit}");
            let caps = Caps {
                rows: MAX_ROWS,
                bytes: MAX_BYTES,
            };
            sandbox::confined(conn, &table.name, |conn| {
                select(conn, &sql, scope.as_slice(), &args, &caps)
            })
            .map_err(fault::text)?
        }
    }
}

fn check_args(args: &[Json]) -> Result<(), String> {
    let texts = args.iter().filter_map(Json::as_str);
    if texts.map(str::len).sum::<usize>() > MAX_ARGS_BYTES {
        return Err(format!("args: at most {MAX_ARGS_BYTES} bytes are allowed"));
    }
    Ok(())
}

/// The columns asked for, each once: an answer has a key only once anyway.
fn select_list(asked: &[String], columns: &[String]) -> Result<String, String> {
    if asked.is_empty() {
        return Ok("*".into());
    }
    let mut list: Vec<String> = vec![];
    for name in asked {
        catalog::check_column_name(name)?;
        let column = columns
            .iter()
            .find(|column| column.eq_ignore_ascii_case(name));
        // In the words of the request: they become the keys of the answer.
        let item = format!(
            "{} AS {}",
            catalog::quoted(column.ok_or_else(|| catalog::no_such_column(name))?),
            catalog::quoted(name)
        );
        if !list.contains(&item) {
            list.push(item);
        }
    }
    Ok(list.join(", "))
}

fn limit(request: &Request) -> String {
    match (request.limit, request.offset) {
        (..=0, _) => String::new(),
        (limit, ..=0) => format!(" LIMIT {limit}"),
        (limit, offset) => format!(" LIMIT {limit} OFFSET {offset}"),
    }
}

fn select(conn: &Connection, sql: &str, scope: &[Sql], args: &[Sql], caps: &Caps) -> Answer {
    let mut statement = conn.prepare(sql).map_err(fault::text)?;
    let wanted = statement.parameter_count() - scope.len();
    if wanted > args.len() {
        return Err(format!("missing argument with index {}", args.len() + 1));
    }
    for (index, value) in scope.iter().chain(&args[..wanted]).enumerate() {
        statement
            .raw_bind_parameter(index + 1, value)
            .map_err(fault::text)?;
    }
    let keys = keys(&statement);
    let mut rows = statement.raw_query();
    let (mut found, mut bytes) = (vec![], 0usize);
    while let Some(row) = rows.next().map_err(fault::text)? {
        if found.len() == caps.rows {
            return Err(format!(
                "too many rows: at most {} in one answer, use limit and offset",
                caps.rows
            ));
        }
        let mut object = Map::with_capacity(keys.len());
        for (key, (index, date)) in &keys {
            let value = values::answered(row.get_ref(*index).map_err(fault::text)?, *date);
            bytes = bytes.saturating_add(values::text_bytes(key) + values::answered_bytes(&value));
            object.insert(key.clone(), value);
        }
        if bytes > caps.bytes {
            return Err(format!(
                "answer too large: at most {} bytes, use limit and columns",
                caps.bytes
            ));
        }
        found.push(Json::Object(object));
    }
    Ok(Some(or_null(found)))
}

/// The keys of a row in the order they are written, each with its column and whether that is
/// declared as one of dates.
fn keys(statement: &Statement<'_>) -> BTreeMap<String, (usize, bool)> {
    let columns = statement.columns();
    columns
        .enumerate()
        .map(|(index, column)| {
            (
                column.name().into(),
                (index, dates::is_date(column.decl_type())),
            )
        })
        .collect()
}

/// Existing peers answer `null` where there is nothing (§5.1).
pub(super) fn or_null(list: Vec<Json>) -> Json {
    if list.is_empty() {
        Json::Null
    } else {
        Json::Array(list)
    }
}
