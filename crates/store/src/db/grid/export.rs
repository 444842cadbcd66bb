//! A table as a file, written while it is read: CSV for spreadsheets, or JSON, which loses nothing.
//!
//! In CSV, an empty value is none (NULL) and `""` an empty text; bytes that are not text are a
//! `data:` URL; texts that a spreadsheet would run are marked ([`csv`]). JSON is a list of objects,
//! one per line, with bytes as `{"$blob":"<base64>"}`.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::{Connection, Row, types::ValueRef};
use serde_json::{Map, Value as Json};

use super::{Shape, csv, shape};
use crate::db::{
    Database, fault, sandbox,
    values::{self, DATA_URL},
};

/// Bytes collected before they are passed on.
const CHUNK: usize = 64 * 1024;
/// For all of it, as fast as it is taken: an export that nobody takes must not hold the database's
/// log forever.
const MAX_TIME: Duration = Duration::from_secs(20 * 60);

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line per row.
    Csv,
    /// A list of objects.
    Json,
}

impl Database {
    /// The name of a table as it is registered, if there is one.
    pub fn table_name(&self, table: &str) -> Result<String, String> {
        self.on_grid(|conn, _| Ok(Shape::of(conn, table)?.name))
    }

    /// Writes a whole table, as it is at one moment. `write` answers whether more is wanted.
    pub fn export(
        &self,
        table: &str,
        format: Format,
        mut write: impl FnMut(Vec<u8>) -> bool,
    ) -> Result<(), String> {
        let mut conn = sandbox::open_reader(&self.path).map_err(fault::answer)?;
        let work = |conn: &Connection| {
            let shape = Shape::of(conn, table)?;
            rows(conn, &shape, format, &mut write).map_err(fault::answer)
        };
        sandbox::within_steps(&mut conn, MAX_TIME, u64::MAX, &self.stop, work)
            .map_err(fault::answer)?
    }
}

fn rows(
    conn: &Connection,
    shape: &Shape,
    format: Format,
    write: &mut impl FnMut(Vec<u8>) -> bool,
) -> rusqlite::Result<()> {
    let names: Vec<&str> = shape.columns.iter().map(|column| &*column.name).collect();
    let sql = format!(
        "SELECT {} FROM {} ORDER BY {}",
        shape::list(&shape.columns),
        shape.table(),
        shape.id
    );
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut out = String::new();
    match format {
        Format::Csv => csv_line(&mut out, names.len(), |out, at| {
            csv::text(out, names[at], DATA_URL)
        }),
        Format::Json => out.push('['),
    }
    let mut first = true;
    while let Some(row) = rows.next()? {
        match format {
            Format::Csv => csv_row(&mut out, row, names.len())?,
            Format::Json => {
                out.push_str(if first { "\n" } else { ",\n" });
                out.push_str(&Json::Object(object(row, &names)?).to_string());
            }
        }
        first = false;
        if out.len() >= CHUNK && !write(std::mem::take(&mut out).into_bytes()) {
            return Ok(());
        }
    }
    if format == Format::Json {
        out.push_str("\n]\n");
    }
    write(out.into_bytes());
    Ok(())
}

fn csv_row(out: &mut String, row: &Row<'_>, columns: usize) -> rusqlite::Result<()> {
    let values: Vec<ValueRef<'_>> = (0..columns)
        .map(|at| row.get_ref(at))
        .collect::<rusqlite::Result<_>>()?;
    csv_line(out, columns, |out, at| csv_value(out, values[at]));
    Ok(())
}

fn csv_line(out: &mut String, columns: usize, mut value: impl FnMut(&mut String, usize)) {
    for at in 0..columns {
        if at > 0 {
            out.push(',');
        }
        value(out, at);
    }
    out.push_str("\r\n");
}

fn csv_value(out: &mut String, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => {}
        ValueRef::Integer(number) => out.push_str(&number.to_string()),
        // What SQLite reads as infinite.
        ValueRef::Real(number) if number.is_infinite() => {
            out.push_str(if number > 0.0 { "9e999" } else { "-9e999" });
        }
        ValueRef::Real(number) => out.push_str(&format!("{number:?}")),
        ValueRef::Text(bytes) => match str::from_utf8(bytes) {
            Ok(text) => csv::text(out, text, DATA_URL),
            Err(_) => csv_bytes(out, bytes),
        },
        ValueRef::Blob(bytes) => csv_bytes(out, bytes),
    }
}

fn csv_bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    out.push_str(DATA_URL);
    out.push_str(&BASE64_STANDARD.encode(bytes));
    out.push('"');
}

fn object(row: &Row<'_>, names: &[&str]) -> rusqlite::Result<Map<String, Json>> {
    let mut object = Map::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        object.insert((*name).into(), values::stored(row.get_ref(at)?));
    }
    Ok(object)
}
