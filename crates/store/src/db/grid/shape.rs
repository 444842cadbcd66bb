//! What a table is made of, for statements that name all of it.

use rusqlite::Connection;

use super::quote;
use crate::db::{
    catalog::{self, quoted},
    fault,
    values::Affinity,
};

/// A table with its columns.
#[derive(Clone, Debug)]
pub(in crate::db) struct Shape {
    /// As it was registered.
    pub(in crate::db) name: String,
    pub(super) columns: Vec<Column>,
    /// What names a row, in SQL: `"_id"` or SQLite's own number.
    pub(in crate::db) id: String,
}

/// A column as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What is kept in it, by its declared type.
    pub kind: Kind,
    /// Whether it must have a value.
    pub not_null: bool,
    /// Whether this program fills it.
    pub system: bool,
    /// Whether it is kept, rather than computed from others.
    pub(super) stored: bool,
    pub(super) affinity: Affinity,
}

/// What is kept in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A number without a fraction.
    Whole,
    /// Any number.
    Number,
    /// A date, with or without a time.
    Date,
    /// Yes or no, 1 or 0.
    YesNo,
    /// A type of another program.
    Other,
}

impl Kind {
    fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let is = |names: &[&str]| names.iter().any(|name| declared.contains(name));
        if is(&["BOOL"]) {
            Self::YesNo
        } else if is(&["DATE", "TIMESTAMP"]) {
            Self::Date
        } else if is(&["INT"]) {
            Self::Whole
        } else if is(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if is(&["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"]) {
            Self::Number
        } else {
            Self::Other
        }
    }

    /// The declared type of a new column; [`Kind::Other`] has none.
    pub(super) fn declared(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Whole => "INTEGER",
            Self::Number => "REAL",
            Self::Date => "DATE",
            Self::YesNo => "BOOLEAN",
            Self::Other => "",
        }
    }
}

impl Shape {
    /// A table of the site, by its name in any case.
    pub(in crate::db) fn of(conn: &Connection, table: &str) -> Result<Self, String> {
        let gone = || format!("There is no table “{table}” anymore.");
        let names = crate::db::usage::registered(conn).map_err(fault::answer)?;
        let name = names
            .into_iter()
            .find(|name| name.eq_ignore_ascii_case(table))
            .ok_or_else(gone)?;
        let numbered: bool = conn
            .prepare_cached(
                "SELECT type = 'table' AND wr = 0 FROM pragma_table_list WHERE schema = 'main' AND name = ?",
            )
            .and_then(|mut find| find.query_row([&name], |row| row.get(0)))
            .map_err(fault::answer)?;
        if !numbered {
            return Err(format!(
                "Another program made “{table}” in a form that can't be shown here."
            ));
        }
        let (columns, id) = columns(conn, &name)?;
        Ok(Self { name, columns, id })
    }

    /// The table in SQL.
    pub(super) fn table(&self) -> String {
        quoted(&self.name)
    }

    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|known| known.name.eq_ignore_ascii_case(column))
    }

    /// All columns of one row, by its id.
    pub(super) fn select_one(&self) -> String {
        format!(
            "SELECT {} FROM {} WHERE {} = ?",
            list(&self.columns),
            self.table(),
            self.id
        )
    }

    /// Columns that a row is written with.
    pub(in crate::db) fn stored(&self) -> Vec<Column> {
        let stored = self.columns.iter().filter(|column| column.stored);
        stored.cloned().collect()
    }

    /// Whether rows can be changed: only those with an id of ours.
    pub(super) fn check_editable(&self) -> Result<(), String> {
        if self.id == quoted("_id") {
            Ok(())
        } else {
            Err(format!(
                "Another program made “{}”; its rows can't be changed here.",
                self.name
            ))
        }
    }
}

/// Columns in SQL.
pub(super) fn list(columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
    names.join(", ")
}

fn columns(conn: &Connection, table: &str) -> Result<(Vec<Column>, String), String> {
    // Of a virtual table's columns, 1 are hidden from `*` too.
    let mut all = conn
        .prepare_cached(
            "SELECT name, type, \"notnull\", hidden, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1",
        )
        .map_err(fault::answer)?;
    let columns: Vec<(Column, bool)> = all
        .query_map([table], |row| {
            let (name, declared) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
            let is_id = row.get::<_, i64>(4)? > 0 && declared.eq_ignore_ascii_case("INTEGER");
            let column = Column {
                kind: Kind::of(&declared),
                not_null: row.get(2)?,
                system: catalog::is_internal(&name),
                stored: row.get::<_, i64>(3)? == 0,
                affinity: Affinity::of(&declared),
                name,
            };
            Ok((column, is_id))
        })
        .and_then(Iterator::collect)
        .map_err(fault::answer)?;
    let own_id = columns
        .iter()
        .any(|(column, is_id)| *is_id && column.name.eq_ignore_ascii_case("_id"));
    let is_taken = |name: &str| {
        let same = |(column, _): &(Column, bool)| column.name.eq_ignore_ascii_case(name);
        columns.iter().any(same)
    };
    let id = if own_id {
        quoted("_id")
    } else {
        let free = ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|name| !is_taken(name));
        free.ok_or("Another program made this table in a form that can't be shown here.")?
            .to_owned()
    };
    Ok((columns.into_iter().map(|(column, _)| column).collect(), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_from_declared_types() {
        for (declared, kind) in [
            ("TEXT", Kind::Text),
            ("varchar(20)", Kind::Text),
            ("INTEGER", Kind::Whole),
            ("REAL", Kind::Number),
            ("DATETIME", Kind::Date),
            ("BOOLEAN", Kind::YesNo),
            ("BLOB", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(Kind::of(declared), kind, "{declared}");
        }
    }
}
