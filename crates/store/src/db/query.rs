//! `query` (§5.2): the rows of one table under a condition.
//!
//! A stranger's statement is
//!
//! ```sql
//! SELECT columns FROM (SELECT … FROM table WHERE _owner = ?) AS table WHERE (where)
//! ```
//!
//! The sub-select holds what this stranger may know: of rows only their own, unless everybody sees
//! all, and of email addresses only their own in any case. It is closed before the condition begins.

use std::collections::BTreeMap;

use goop2_proto::data::{Answer, Request};
use rusqlite::{Connection, Statement, types::Value as Sql};
use serde_json::{Map, Value as Json};

use super::{
    Caller,
    access::Scope,
    catalog::{self, Column, Table},
    condition, dates, fault, sandbox,
    stop::Stop,
    values,
};

/// Most rows in one answer to a stranger (§5 weakness 5). More is an error: a part would look like
/// the whole.
const MAX_ROWS: usize = 10_000;
/// Most bytes in one answer to a stranger, as written on the wire; below what the protocol lets a
/// visitor read.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes of texts in a stranger's `args`: what one row is compared with.
const MAX_ARGS_BYTES: usize = 64 * 1024;

/// The author of a row, and the email address it announced.
const OWNER: &str = "_owner";
const EMAIL: &str = "_owner_email";

/// What goes into a statement, and what its answer may hold.
struct Wanted<'a> {
    /// Parameters before those of the condition.
    scope: &'a [Sql],
    args: &'a [Sql],
    marked: bool,
    rows: usize,
    bytes: usize,
}

/// Who asks, and what stops the answer.
pub(super) struct Asked<'a> {
    pub(super) caller: &'a Caller,
    /// The peer id of the caller.
    pub(super) owner: &'a str,
    pub(super) stop: &'a Stop,
}

/// Answers `query`.
pub(super) fn run(conn: &mut Connection, request: &Request, asked: &Asked<'_>) -> Answer {
    let table = catalog::table(conn, asked.caller, &request.table)?;
    let columns = catalog::columns(conn, &table.name)?;
    if columns.is_empty() {
        return Err(catalog::no_such_table(&request.table));
    }
    let args = request
        .args
        .iter()
        .map(values::argument)
        .collect::<Result<Vec<_>, _>>()?;
    match asked.caller {
        Caller::Local => owners(conn, request, &table, &columns, &args, asked.stop),
        Caller::Remote { .. } => strangers(conn, request, &table, &columns, &args, asked),
    }
}

fn owners(
    conn: &mut Connection,
    request: &Request,
    table: &Table,
    columns: &[Column],
    args: &[Sql],
    stop: &Stop,
) -> Answer {
    // A zero byte ends the statement for SQLite: what follows it would be lost silently.
    if request.where_.contains('\0') {
        return Err("where: '\\0' is not allowed".into());
    }
    let filter = if request.where_.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", request.where_)
    };
    let (list, name) = (
        select_list(&request.columns, columns)?,
        catalog::quoted(&table.name),
    );
    let sql = format!("SELECT {list} FROM {name}{filter}{}", limit(request));
    let wanted = Wanted {
        args,
        scope: &[],
        marked: request.marks_blobs(),
        rows: usize::MAX,
        bytes: usize::MAX,
    };
    sandbox::within(conn, sandbox::MAX_OWN_TIME, stop, |conn| {
        select(conn, &sql, &wanted)
    })
    .map_err(fault::answer)?
}

fn strangers(
    conn: &mut Connection,
    request: &Request,
    table: &Table,
    columns: &[Column],
    args: &[Sql],
    asked: &Asked<'_>,
) -> Answer {
    let scope = table.read_scope()?;
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let cost = condition::check(&request.where_, &table.name, &names)?;
    check_args(&request.args)?;
    let (source, parameters) = source(table, &names, scope);
    let filter = if request.where_.trim().is_empty() {
        String::new()
    } else {
        format!(" WHERE ({})", request.where_)
    };
    let list = select_list(&request.columns, columns)?;
    let sql = format!("SELECT {list} FROM {source}{filter}{}", limit(request));
    let wanted = Wanted {
        args,
        scope: &vec![Sql::Text(asked.owner.into()); parameters],
        marked: request.marks_blobs(),
        rows: MAX_ROWS,
        bytes: MAX_BYTES,
    };
    let answer = sandbox::confined(conn, &table.name, cost, asked.stop, |conn| {
        select(conn, &sql, &wanted)
    });
    answer.map_err(fault::answer)?.map_err(|why| {
        if why.starts_with(fault::TOO_BIG) {
            "a value in this table is too long for this condition: use a simpler one".into()
        } else {
            why
        }
    })
}

/// The table as a stranger may see it, and how many times it asks who that is: email addresses of
/// others are not there, not even to be guessed by a condition.
fn source(table: &Table, columns: &[&str], scope: Scope) -> (String, usize) {
    let name = catalog::quoted(&table.name);
    let is_there = |wanted: &str| columns.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    if scope == Scope::All && !is_there(EMAIL) {
        return (name, 0);
    }
    let mut parameters = 0;
    let mut list = vec![];
    for column in columns {
        list.push(match column {
            email if !email.eq_ignore_ascii_case(EMAIL) => in_quotes(email),
            email if is_there(OWNER) => {
                parameters += 1;
                let email = in_quotes(email);
                format!("CASE WHEN {OWNER} = ? THEN {email} ELSE '' END AS {email}")
            }
            email => format!("'' AS {}", in_quotes(email)),
        });
    }
    let mut source = format!("(SELECT {} FROM {name}", list.join(", "));
    if scope == Scope::Own {
        parameters += 1;
        source += &format!(" WHERE {OWNER} = ?");
    }
    (format!("{source}) AS {name}"), parameters)
}

/// A name as it is declared, whatever it is made of.
pub(super) fn in_quotes(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn check_args(args: &[Json]) -> Result<(), String> {
    let texts = args.iter().filter_map(Json::as_str);
    if texts.map(str::len).sum::<usize>() > MAX_ARGS_BYTES {
        return Err(format!("args: at most {MAX_ARGS_BYTES} bytes are allowed"));
    }
    Ok(())
}

/// The columns asked for, each once: an answer has a key only once anyway.
fn select_list(asked: &[String], columns: &[Column]) -> Result<String, String> {
    if asked.is_empty() {
        return Ok("*".into());
    }
    let mut list: Vec<String> = vec![];
    for name in asked {
        catalog::check_column_name(name)?;
        let column = columns
            .iter()
            .map(|column| &column.name)
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

fn select(conn: &Connection, sql: &str, wanted: &Wanted<'_>) -> Answer {
    let (scope, args) = (wanted.scope, wanted.args);
    let mut statement = conn.prepare(sql).map_err(fault::answer)?;
    let marks = statement.parameter_count() - scope.len();
    if marks > args.len() {
        return Err(format!("missing argument with index {}", args.len() + 1));
    }
    for (index, value) in scope.iter().chain(&args[..marks]).enumerate() {
        statement
            .raw_bind_parameter(index + 1, value)
            .map_err(fault::answer)?;
    }
    let keys = keys(&statement);
    let mut rows = statement.raw_query();
    let (mut found, mut bytes) = (vec![], 0usize);
    while let Some(row) = rows.next().map_err(fault::answer)? {
        if found.len() == wanted.rows {
            return Err(format!(
                "too many rows: at most {} in one answer, use limit and offset",
                wanted.rows
            ));
        }
        let mut object = Map::with_capacity(keys.len());
        for (key, (index, date)) in &keys {
            let value = row.get_ref(*index).map_err(fault::answer)?;
            let value = values::answered(value, *date, wanted.marked);
            bytes = bytes.saturating_add(values::text_bytes(key) + values::line_bytes(&value));
            object.insert(key.clone(), value);
        }
        if bytes > wanted.bytes {
            return Err(format!(
                "answer too large: at most {} bytes, use limit and columns",
                wanted.bytes
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
