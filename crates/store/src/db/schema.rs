//! Tables: listing and describing them, and the owner's changes to them (§5.2).
//!
//! The statements are those existing peers would write, so that either program can go on where the
//! other stopped. Each change and its registration happen together or not at all.

use goop2_proto::data::{Answer, ColumnDef, Request};
use rusqlite::{Connection, Transaction};
use serde_json::json;

use super::{
    Caller, access,
    catalog::{self, check_column_name, quoted},
    dates, fault,
    query::or_null,
};

/// What `set-policy` accepts. Existing peers take `public` only from a template; here a site's
/// owner may choose it too.
const POLICIES: [&str; 4] = ["owner", "email", "open", "public"];

pub(super) fn tables(conn: &Connection, caller: &Caller) -> Answer {
    let all = *caller == Caller::Local;
    let mut list = conn
        .prepare_cached("SELECT name, coalesce(insert_policy, 'owner'), coalesce(created_at, '') FROM _tables ORDER BY name")
        .map_err(fault::answer)?;
    let tables = list
        .query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(fault::answer)?;
    let noted = access::all(conn).map_err(fault::answer)?;
    let mut shown = vec![];
    for (name, policy, created_at) in tables {
        let access = noted
            .iter()
            .find(|(table, _)| table.eq_ignore_ascii_case(&name))
            .map(|(_, access)| access);
        let hidden = catalog::is_internal(&name) || access.is_some_and(|a| a.check_read().is_err());
        if hidden && !all {
            continue;
        }
        let created_at = dates::rfc3339(&created_at).unwrap_or(created_at);
        let mut table = json!({ "name": name, "insert_policy": policy, "created_at": created_at });
        if let Some(access) = access.filter(|_| all) {
            table["access"] = access.shown();
        }
        shown.push(table);
    }
    Ok(Some(or_null(shown)))
}

pub(super) fn describe(conn: &Connection, caller: &Caller, request: &Request) -> Answer {
    let table = catalog::table(conn, caller, either(&request.table, &request.name))?;
    if let Caller::Remote { .. } = caller {
        table.read_scope()?;
    }
    let mut list = conn
        .prepare_cached(
            "SELECT cid, name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?)",
        )
        .map_err(fault::answer)?;
    let columns = list.query_map([&table.name], |row| {
        Ok(json!({
            "cid": row.get::<_, i64>(0)?,
            "name": row.get::<_, String>(1)?,
            "type": row.get::<_, String>(2)?,
            "not_null": row.get::<_, bool>(3)?,
            "default": row.get::<_, Option<String>>(4)?,
            "pk": row.get::<_, i64>(5)? > 0,
        }))
    });
    let columns = columns
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(fault::answer)?;
    Ok(Some(or_null(columns)))
}

/// Runs one of the owner's operations on tables.
pub(super) fn change(conn: &mut Connection, request: &Request) -> Answer {
    let transaction = conn.transaction().map_err(fault::answer)?;
    let answer = change_within(&transaction, request)?;
    transaction.commit().map_err(fault::answer)?;
    Ok(answer)
}

/// As [`change`], as part of a larger one.
pub(super) fn change_within(transaction: &Transaction<'_>, request: &Request) -> Answer {
    match request.op.as_str() {
        "create-table" => create(transaction, request),
        "add-column" => add_column(transaction, request),
        "drop-column" => drop_column(transaction, request),
        "rename-table" => rename(transaction, request),
        _ => delete(transaction, request),
    }
}

pub(super) fn set_policy(conn: &Connection, table: &str, policy: &str) -> Result<(), String> {
    catalog::check_table_name(table)?;
    if !POLICIES.contains(&policy) {
        return Err("policy must be owner, email, open or public".into());
    }
    let changed = conn
        .execute(
            "UPDATE _tables SET insert_policy = ? WHERE name = ? COLLATE NOCASE",
            [policy, table],
        )
        .map_err(fault::answer)?;
    if changed == 0 {
        Err(catalog::no_such_table(table))
    } else {
        Ok(())
    }
}

fn create(conn: &Transaction<'_>, request: &Request) -> Answer {
    let name = own_table(either(&request.name, &request.table))?;
    let single = request.column.iter();
    let definitions: Vec<&ColumnDef> = if request.column_defs.is_empty() {
        single.collect()
    } else {
        request.column_defs.iter().collect()
    };
    if definitions.is_empty() {
        return Err("at least one column required".into());
    }
    let columns = definitions
        .into_iter()
        .map(definition)
        .collect::<Result<Vec<_>, _>>()?
        .join(", ");
    // Kept in `_tables` as it is: byte for byte what an existing peer would keep.
    let schema = format!(
        "\n\t\tCREATE TABLE IF NOT EXISTS {name} (\n\t\t\t_id INTEGER PRIMARY KEY AUTOINCREMENT,\n\t\t\t\
         _owner TEXT NOT NULL,\n\t\t\t_owner_email TEXT DEFAULT '',\n\t\t\t\
         _created_at DATETIME DEFAULT CURRENT_TIMESTAMP,\n\t\t\t\
         _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,\n\t\t\t{columns}\n\t\t)\n\t"
    );
    run(conn, &schema).map_err(wrap("create table"))?;
    // A table that is there keeps its policy: it may hold what visitors wrote under it (§5 weakness
    // 8).
    conn.execute(
        "INSERT INTO _tables (name, schema) SELECT ?1, ?2 WHERE NOT EXISTS \
         (SELECT 1 FROM _tables WHERE name = ?1 COLLATE NOCASE)",
        [name, &schema],
    )
    .map_err(|why| wrap("register table")(fault::answer(why)))?;
    Ok(Some(json!({ "status": "created", "table": name })))
}

fn add_column(conn: &Transaction<'_>, request: &Request) -> Answer {
    let table = own_table(&request.table)?;
    let mut column = request.column.clone().ok_or("column definition required")?;
    if column.not_null && column.default.is_empty() {
        column.default = "''".into();
    }
    run(
        conn,
        &format!(
            "ALTER TABLE {} ADD COLUMN {}",
            quoted(table),
            definition(&column)?
        ),
    )?;
    Ok(Some(json!({ "status": "added" })))
}

fn drop_column(conn: &Transaction<'_>, request: &Request) -> Answer {
    let table = own_table(&request.table)?;
    let column = either(
        request.column.as_ref().map_or("", |column| &column.name),
        &request.name,
    );
    if column.is_empty() {
        return Err("column name required".into());
    }
    check_column_name(column)?;
    run(
        conn,
        &format!(
            "ALTER TABLE {} DROP COLUMN {}",
            quoted(table),
            quoted(column)
        ),
    )?;
    Ok(Some(json!({ "status": "dropped" })))
}

fn rename(conn: &Transaction<'_>, request: &Request) -> Answer {
    if request.old_name.is_empty() || request.new_name.is_empty() {
        return Err("old and new name required".into());
    }
    let (old, new) = (own_table(&request.old_name)?, own_table(&request.new_name)?);
    run(
        conn,
        &format!("ALTER TABLE {} RENAME TO {}", quoted(old), quoted(new)),
    )
    .map_err(wrap("rename table"))?;
    conn.execute(
        "UPDATE _tables SET name = ? WHERE name = ? COLLATE NOCASE",
        [new, old],
    )
    .map_err(|why| wrap("update registry")(fault::answer(why)))?;
    Ok(Some(json!({ "new_name": new, "status": "renamed" })))
}

fn delete(conn: &Transaction<'_>, request: &Request) -> Answer {
    let table = own_table(either(&request.table, &request.name))?;
    // A table that another program has dropped can still be removed from the list.
    let registered = conn
        .execute("DELETE FROM _tables WHERE name = ? COLLATE NOCASE", [table])
        .map_err(|why| wrap("unregister table")(fault::answer(why)))?;
    let exists = if registered > 0 { "IF EXISTS " } else { "" };
    run(conn, &format!("DROP TABLE {exists}{}", quoted(table))).map_err(wrap("drop table"))?;
    Ok(Some(json!({ "status": "deleted", "table": table })))
}

/// `name type [NOT NULL] [DEFAULT …]`, where type and default are the owner's SQL.
fn definition(column: &ColumnDef) -> Result<String, String> {
    if column.name.is_empty() {
        return Err("column name required".into());
    }
    check_column_name(&column.name)?;
    let mut text = format!("{} {}", column.name, column.type_);
    if column.not_null {
        text.push_str(" NOT NULL");
    }
    if !column.default.is_empty() {
        text.push_str(" DEFAULT ");
        text.push_str(&column.default);
    }
    Ok(text)
}

/// Not even the owner's pages change the program's own tables.
fn own_table(name: &str) -> Result<&str, String> {
    catalog::check_table_name(name)?;
    if catalog::is_internal(name) {
        Err(format!("invalid table name: {name}"))
    } else {
        Ok(name)
    }
}

/// One statement, whatever stands in types and defaults.
fn run(conn: &Transaction<'_>, sql: &str) -> Result<usize, String> {
    conn.prepare(sql)
        .and_then(|mut statement| statement.execute([]))
        .map_err(fault::answer)
}

fn wrap(what: &'static str) -> impl Fn(String) -> String {
    move |why| format!("{what}: {why}")
}

fn either<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}
