//! Rows from a file into a table: all of them, or none and the line with the mistake.
//!
//! The file is what [`super::export`] writes, or what a spreadsheet or another program made. Every
//! row is a new one: `_id` is not taken over. Who wrote a row and when is, if the file says so: the
//! owner's own copy of a guestbook keeps its authors.

use base64::{Engine, prelude::BASE64_STANDARD};
use goop2_proto::{PeerId, exact};
use rusqlite::{Statement, Transaction, params_from_iter, types::Value as Sql};
use serde_json::{Map, Value as Json};

use super::{
    Column, Done, Shape,
    change::Making,
    csv::{self, Field},
    export::Format,
    in_words, quote,
};
use crate::db::{
    Caller, Database, fault,
    undo::Step,
    values::{self, Affinity, DATA_URL},
};

/// Bytes of a file: it is in memory as a whole, a few times.
pub const MAX_IMPORT: usize = 32 * 1024 * 1024;

/// What the file must say about a row, or the owner's own.
struct Writer {
    columns: Vec<Column>,
    owner: String,
    email: String,
}

impl Database {
    /// Adds the rows of a file.
    pub fn import(&self, table: &str, format: Format, text: &str) -> Result<Done, String> {
        if text.len() > MAX_IMPORT {
            let most = MAX_IMPORT / 1024 / 1024;
            return Err(format!(
                "This file is too large: at most {most} MiB can be imported."
            ));
        }
        self.undoable(|conn, _, making| {
            let shape = Shape::of(conn, table)?;
            shape.check_editable()?;
            let before: Option<i64> = conn
                .query_row(
                    &format!("SELECT max(_id) FROM {}", shape.table()),
                    [],
                    |row| row.get(0),
                )
                .map_err(fault::answer)?;
            match format {
                Format::Csv => self.import_csv(conn, &shape, text, making),
                Format::Json => self.import_json(conn, &shape, text, making),
            }?;
            if making.rows == 0 {
                return Err("There are no rows in this file.".into());
            }
            let last = conn.last_insert_rowid();
            let rows = i64::try_from(making.rows).unwrap_or(i64::MAX);
            let first = last - rows + 1;
            // Ids are given one after the other, after all that are there.
            if before.is_some_and(|before| first <= before) {
                return Err("This table has no ids left for new rows.".into());
            }
            making.recount.push(shape.name.clone());
            let table = shape.name;
            making.steps.push(Step::Remove {
                table,
                ids: first..=last,
            });
            Ok(())
        })
    }

    fn import_csv(
        &self,
        conn: &Transaction<'_>,
        shape: &Shape,
        text: &str,
        making: &mut Making,
    ) -> Result<(), String> {
        let mut rows = csv::Rows::new(text);
        let header = rows.next()?;
        let (_, header) = header.ok_or("Line 1: The first line must name the columns.")?;
        let names: Vec<&str> = header.iter().map(|field| field.text.trim()).collect();
        let (columns, positions) = named(shape, &names).map_err(|why| format!("Line 1: {why}"))?;
        let writer = self.writer_of(columns);
        let mut insert = writer.prepare(conn, shape)?;
        while let Some((line, fields)) = rows.next()? {
            let values = if fields.len() == names.len() {
                let fields = positions.iter().map(|at| &fields[*at]);
                fields
                    .zip(&writer.columns)
                    .map(|(field, column)| csv_value(field, column))
                    .collect()
            } else {
                Err(format!(
                    "There are {} values for {} columns.",
                    fields.len(),
                    names.len()
                ))
            };
            values
                .and_then(|values| writer.insert(&mut insert, values))
                .map_err(|why| format!("Line {line}: {why}"))?;
            making.rows += 1;
        }
        Ok(())
    }

    fn import_json(
        &self,
        conn: &Transaction<'_>,
        shape: &Shape,
        text: &str,
        making: &mut Making,
    ) -> Result<(), String> {
        if let Some(problem) = exact::problem(text.as_bytes()) {
            return Err(problem);
        }
        let rows: Vec<Map<String, Json>> = serde_json::from_str(text)
            .map_err(|error| format!("This is not a list of rows: {error}."))?;
        // Rows may have different members: one statement for each row like the one before.
        let mut last: Option<(Vec<&str>, Writer, Statement<'_>)> = None;
        for (at, row) in rows.iter().enumerate() {
            let in_row = |why: String| format!("Row {}: {why}", at + 1);
            let names: Vec<&str> = row.keys().map(String::as_str).collect();
            if last.as_ref().is_none_or(|(known, ..)| *known != names) {
                let (columns, _) = named(shape, &names).map_err(in_row)?;
                let writer = self.writer_of(columns);
                let insert = writer.prepare(conn, shape)?;
                last = Some((names, writer, insert));
            }
            let Some((_, writer, insert)) = &mut last else {
                continue;
            };
            let values: Result<Vec<Sql>, String> = writer
                .columns
                .iter()
                .map(|column| json_value(row, column))
                .collect();
            let written = values.and_then(|values| writer.insert(insert, values));
            written.map_err(in_row)?;
            making.rows += 1;
        }
        Ok(())
    }

    fn writer_of(&self, columns: Vec<Column>) -> Writer {
        Writer {
            columns,
            owner: self.owner.to_base58(),
            email: self.email(&Caller::Local),
        }
    }
}

impl Writer {
    /// Whether the file says who wrote its rows.
    fn names_owner(&self) -> bool {
        self.columns
            .iter()
            .any(|column| column.name.eq_ignore_ascii_case("_owner"))
    }

    fn prepare<'a>(
        &self,
        conn: &'a Transaction<'_>,
        shape: &Shape,
    ) -> Result<Statement<'a>, String> {
        let mut names: Vec<String> = self
            .columns
            .iter()
            .map(|column| quote(&column.name))
            .collect();
        if !self.names_owner() && shape.position("_owner").is_some() {
            names.push("_owner".into());
            if shape.position("_owner_email").is_some()
                && !names
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case("\"_owner_email\""))
            {
                names.push("_owner_email".into());
            }
        }
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({marks})",
            shape.table(),
            names.join(", ")
        );
        conn.prepare(&sql).map_err(fault::answer)
    }

    fn insert(&self, insert: &mut Statement<'_>, mut values: Vec<Sql>) -> Result<(), String> {
        for own in [&self.owner, &self.email] {
            if values.len() < insert.parameter_count() {
                values.push(Sql::Text(own.clone()));
            }
        }
        insert
            .execute(params_from_iter(values))
            .map(drop)
            .map_err(|why| in_words(fault::answer(why)))
    }
}

/// The columns that a file names and that are written, and where they are in it.
fn named(shape: &Shape, names: &[&str]) -> Result<(Vec<Column>, Vec<usize>), String> {
    let (mut columns, mut positions): (Vec<Column>, Vec<usize>) = (vec![], vec![]);
    for (at, name) in names.iter().enumerate() {
        if name.eq_ignore_ascii_case("_id") {
            continue;
        }
        let known = shape.position(name).map(|at| &shape.columns[at]);
        let column = known.ok_or_else(|| format!("There is no column “{name}” in this table."))?;
        if columns.iter().any(|known| known.name == column.name) {
            return Err(format!("There are two columns “{name}”."));
        }
        if column.stored {
            columns.push(column.clone());
            positions.push(at);
        }
    }
    if columns.is_empty() {
        return Err("There are no columns of this table in it.".into());
    }
    Ok((columns, positions))
}

fn csv_value(field: &Field, column: &Column) -> Result<Sql, String> {
    let text = &field.text;
    if text.is_empty() && !field.quoted {
        // A spreadsheet writes no quotes around an empty text.
        let is_text = column.not_null && column.affinity == Affinity::Text;
        return Ok(if is_text {
            Sql::Text(String::new())
        } else {
            Sql::Null
        });
    }
    if let Some(bytes) = text.strip_prefix(DATA_URL) {
        let bytes = BASE64_STANDARD.decode(bytes);
        return bytes
            .map(Sql::Blob)
            .map_err(|_| wrong(column, "is not in base64"));
    }
    let text = csv::unmarked(text, DATA_URL);
    let value = Json::String(text.into());
    checked(values::bound(&value, column.affinity), column)
}

fn json_value(row: &Map<String, Json>, column: &Column) -> Result<Sql, String> {
    let given = row
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&column.name));
    let value = given.map_or(&Json::Null, |(_, value)| value);
    checked(values::bound(value, column.affinity), column)
}

/// Authors are peers: a name in their place would be nobody that could be blocked.
fn checked(value: Result<Sql, String>, column: &Column) -> Result<Sql, String> {
    let value = value.map_err(|why| wrong(column, &why))?;
    let is_peer = |value: &Sql| match value {
        Sql::Text(text) => text.parse::<PeerId>().is_ok(),
        _ => false,
    };
    if column.name.eq_ignore_ascii_case("_owner") && !is_peer(&value) {
        return Err(wrong(column, "is not a peer ID"));
    }
    Ok(value)
}

fn wrong(column: &Column, why: &str) -> String {
    format!("“{}”: {why}.", column.name)
}
