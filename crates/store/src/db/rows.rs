//! `insert`, `update`, `delete` (§5.2): one row at a time, with no SQL from the caller in them.

use goop2_proto::data::{Answer, Request};
use rusqlite::{Connection, types::Value as Sql};
use serde_json::{Map, Value as Json, json};

use super::{Caller, Database, catalog, fault, values};

/// Most bytes a stranger writes into one row. A picture that fits here is larger than an avatar may
/// be; the work of a LIKE on such a row still takes well under a second.
const MAX_ROW_BYTES: usize = 256 * 1024;
const SYSTEM: char = '_';

/// Columns and their values.
type Values<'a> = Vec<(&'a str, Sql)>;

pub(super) fn insert(database: &Database, caller: &Caller, request: &Request) -> Answer {
    let conn = database.writer();
    let table = catalog::table(&conn, caller, &request.table)?;
    let email = database.email(caller);
    if let Caller::Remote { .. } = caller {
        table.policy.check_insert(&email)?;
    }
    let mut values: Values<'_> = vec![
        ("_owner", Sql::Text(database.owner_scope(caller))),
        ("_owner_email", Sql::Text(email)),
    ];
    // Who wrote a row is never the writer's to say.
    let given = user_values(caller, &request.data)?;
    values.extend(
        given
            .into_iter()
            .filter(|(column, _)| !is_any(column, &["_owner", "_owner_email"])),
    );
    check_room(database, &conn, caller)?;

    let columns: Vec<String> = values
        .iter()
        .map(|(column, _)| catalog::quoted(column))
        .collect();
    let marks = vec!["?"; values.len()].join(", ");
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({marks})",
        catalog::quoted(&table.name),
        columns.join(", ")
    );
    run(&conn, &sql, values.into_iter().map(|(_, value)| value))?;
    Ok(Some(
        json!({ "id": conn.last_insert_rowid(), "status": "inserted" }),
    ))
}

pub(super) fn update(database: &Database, caller: &Caller, request: &Request) -> Answer {
    let conn = database.writer();
    let target = target(database, &conn, caller, request)?;
    let given = user_values(caller, &request.data)?;
    check_room(database, &conn, caller)?;

    let mut assignments = vec![];
    if !given
        .iter()
        .any(|(column, _)| is_any(column, &["_updated_at"]))
    {
        assignments.push("_updated_at = CURRENT_TIMESTAMP".to_owned());
    }
    assignments.extend(
        given
            .iter()
            .map(|(column, _)| format!("{} = ?", catalog::quoted(column))),
    );
    let sql = format!(
        "UPDATE {} SET {} WHERE {}",
        target.table,
        assignments.join(", "),
        target.condition
    );
    let changed = run(
        &conn,
        &sql,
        given.into_iter().map(|(_, value)| value).chain(target.args),
    )?;
    done(caller, changed, "updated")
}

pub(super) fn delete(database: &Database, caller: &Caller, request: &Request) -> Answer {
    let conn = database.writer();
    let target = target(database, &conn, caller, request)?;
    let changed = run(
        &conn,
        &format!("DELETE FROM {} WHERE {}", target.table, target.condition),
        target.args,
    )?;
    done(caller, changed, "deleted")
}

/// The row a request names, among those the caller may change.
struct Target {
    table: String,
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
    let table = catalog::quoted(&catalog::table(conn, caller, &request.table)?.name);
    let id = Sql::Integer(request.id);
    Ok(match caller {
        Caller::Local => Target {
            table,
            condition: "_id = ?",
            args: vec![id],
        },
        Caller::Remote { .. } => {
            let owner = Sql::Text(database.owner_scope(caller));
            Target {
                table,
                condition: "_id = ? AND _owner = ?",
                args: vec![id, owner],
            }
        }
    })
}

/// The values a caller may write. A stranger's system columns are dropped silently: existing
/// pages send back whole rows they have read (§5 weakness 3).
fn user_values<'a>(caller: &Caller, data: &'a Map<String, Json>) -> Result<Values<'a>, String> {
    let is_remote = matches!(caller, Caller::Remote { .. });
    let (mut values, mut bytes): (Values<'_>, usize) = (vec![], 0);
    for (column, value) in data
        .iter()
        .filter(|(column, _)| !(is_remote && column.starts_with(SYSTEM)))
    {
        catalog::check_column_name(column)?;
        bytes += column.len() + value.as_str().map_or(0, str::len);
        if !values.iter().any(|(other, _)| is_any(other, &[column])) {
            values.push((
                column,
                values::bound(value).map_err(|why| format!("{column}: {why}"))?,
            ));
        }
    }
    if is_remote && bytes > MAX_ROW_BYTES {
        return Err(format!(
            "row too large: at most {MAX_ROW_BYTES} bytes are allowed"
        ));
    }
    Ok(values)
}

fn check_room(database: &Database, conn: &Connection, caller: &Caller) -> Result<(), String> {
    if *caller == Caller::Local {
        return Ok(());
    }
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = conn
        .prepare_cached(size)
        .and_then(|mut size| size.query_row([], |row| row.get(0)))
        .map_err(fault::text)?;
    if bytes < database.max_bytes_for_remote_writes {
        Ok(())
    } else {
        Err("not allowed: the database of this site is full".into())
    }
}

fn run(
    conn: &Connection,
    sql: &str,
    values: impl IntoIterator<Item = Sql>,
) -> Result<usize, String> {
    let mut statement = conn.prepare_cached(sql).map_err(fault::text)?;
    statement
        .execute(rusqlite::params_from_iter(values))
        .map_err(fault::text)
}

/// The owner gets `updated` even if there was no row, as existing pages expect.
fn done(caller: &Caller, changed: usize, status: &str) -> Answer {
    if changed == 0 && *caller != Caller::Local {
        return Err("row not found or not owned by caller".into());
    }
    Ok(Some(json!({ "status": status })))
}

fn is_any(column: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(column))
}

#[cfg(test)]
mod tests {
    use goop2_proto::PeerId;

    use super::*;

    fn request(text: &str) -> Request {
        Request::decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn strangers_cannot_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut database =
            Database::open(&dir.path().join("data.db"), PeerId::random(), "").unwrap();
        let create =
            request(r#"{"op":"create-table","name":"t","column":{"name":"a","type":"TEXT"}}"#);
        database.execute(&Caller::Local, &create).unwrap();
        database.set_policy("t", "open").unwrap();
        let caller = Caller::Remote {
            peer: PeerId::random(),
            email: String::new(),
        };
        let insert = Request {
            op: "insert".into(),
            table: "t".into(),
            data: [("a".to_owned(), json!("x".repeat(MAX_ROW_BYTES - 1)))]
                .into_iter()
                .collect(),
            ..Request::default()
        };
        database.max_bytes_for_remote_writes = 1024 * 1024;
        let refused = (0..10).find_map(|_| database.execute(&caller, &insert).err());
        assert_eq!(
            refused.as_deref(),
            Some("not allowed: the database of this site is full")
        );
        let update = request(r#"{"op":"update","table":"t","id":1,"data":{"a":"y"}}"#);
        assert!(database.execute(&caller, &update).is_err());
        assert!(
            database
                .execute(&caller, &request(r#"{"op":"delete","table":"t","id":1}"#))
                .is_ok()
        );
        assert!(
            database.execute(&Caller::Local, &insert).is_ok(),
            "the owner decides alone"
        );
    }
}
