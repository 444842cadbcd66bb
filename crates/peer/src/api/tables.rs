//! The tables of your own site as their owner works on them.
//!
//! A cell is what is stored, exactly, as JSON: null, a number or a text. What JSON or a page of rows
//! has no room for is an object: `{"$int":"9223372036854775807"}` for a whole number that a browser
//! would round, `{"$cut":"the beginning","bytes":9000}` for a long text in a list of rows, and
//! `{"$blob":9000}` for so many bytes that are not text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ts_rs::TS;

/// What the owner wants to do with the tables.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum TablesRequest {
    /// Answers a list of [`TableInfo`].
    All,
    /// Answers [`Rows`].
    Rows {
        /// Which rows.
        query: RowsQuery,
    },
    /// All of one row; answers its cells, texts complete.
    Row {
        /// A table.
        table: String,
        /// The row.
        id: i64,
    },
    /// Changes some cells of a row; answers [`Undo`](super::Undo).
    Update {
        /// A table.
        table: String,
        /// The row.
        id: i64,
        /// New values by column.
        values: Map<String, Value>,
    },
    /// Adds a row of your own; answers its id.
    Insert {
        /// A table.
        table: String,
        /// Values by column.
        values: Map<String, Value>,
    },
    /// Removes rows; answers [`Undo`](super::Undo).
    Remove {
        /// A table.
        table: String,
        /// The rows.
        ids: Vec<i64>,
    },
    /// Takes one change back; answers null.
    Undo {
        /// [`Undo::id`](super::Undo).
        id: String,
    },
    /// Removes all that somebody wrote, in all tables; answers [`Undo`](super::Undo).
    RemoveAuthor {
        /// Peer id, base58.
        peer: String,
        /// Whether to block this peer too.
        block: bool,
    },
    /// Makes a table; answers null.
    Create {
        /// Its name.
        name: String,
        /// At least one.
        columns: Vec<NewColumn>,
        /// Who may do what.
        policy: Policy,
    },
    /// Answers null.
    AddColumn {
        /// A table.
        table: String,
        /// The new column.
        column: NewColumn,
    },
    /// Answers null.
    SetPolicy {
        /// A table.
        table: String,
        /// Who may do what.
        policy: Policy,
    },
    /// Removes a table; answers [`Undo`](super::Undo).
    Drop {
        /// A table.
        table: String,
    },
    /// Adds rows from a file, all or none; answers [`Undo`](super::Undo).
    Import {
        /// A table.
        table: String,
        /// What `text` is.
        format: Format,
        /// The whole file.
        text: String,
    },
    /// The owner has looked at the table: nothing in it is new. Answers null.
    Seen {
        /// A table.
        table: String,
    },
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// Who may do what: a [`Policy`], or a word of another version, with which visitors may only
    /// read their own rows.
    pub policy: String,
    /// Whether the program that made it lets visitors do less than the policy says.
    pub restricted: bool,
    /// How many rows it has.
    #[ts(type = "number")]
    pub rows: i64,
    /// About how many bytes they take.
    #[ts(type = "number")]
    pub bytes: i64,
    /// How much of the room for what visitors write is used, from 0 to 1; from 1 on, they cannot
    /// add anything.
    pub full: f64,
    /// Rows of others since the owner last looked; at most 1000 are counted.
    #[ts(type = "number")]
    pub fresh: i64,
    /// In their order.
    pub columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// A [`ColumnKind`], or `other`.
    pub kind: String,
    /// Whether it must have a value.
    pub not_null: bool,
    /// Whether Goop2 fills it: who wrote a row, and when.
    pub system: bool,
}

/// Rows to show.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(export)]
pub struct RowsQuery {
    /// A table.
    pub table: String,
    /// The column they are sorted by; null for the order in which they came.
    pub sort: Option<String>,
    /// The last first.
    pub descending: bool,
    /// What one of the cells, or the author's name, must contain; empty for all rows.
    pub filter: String,
    /// Rows before the first that is wanted.
    #[ts(type = "number")]
    pub offset: usize,
    /// At most 200.
    #[ts(type = "number")]
    pub limit: usize,
}

/// Some rows of a table.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Rows {
    /// How many there are under this filter.
    #[ts(type = "number")]
    pub total: usize,
    /// What names each of the rows below.
    #[ts(type = "number[]")]
    pub ids: Vec<i64>,
    /// Cells in the order of the columns.
    #[ts(type = "unknown[][]")]
    pub rows: Vec<Vec<Value>>,
    /// Names of those who wrote them, as far as they are known, by peer id.
    pub authors: BTreeMap<String, String>,
}

/// A column to be made.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(export)]
pub struct NewColumn {
    /// Letters, digits and `_`, at most 64.
    pub name: String,
    /// What is kept in it.
    pub kind: ColumnKind,
    /// Whether it must have a value.
    pub not_null: bool,
}

/// What is kept in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ColumnKind {
    /// Any text.
    Text,
    /// A number without a fraction.
    Whole,
    /// Any number.
    Number,
    /// A date, with or without a time.
    Date,
    /// Yes or no.
    YesNo,
}

/// Who may do what with a table. The owner may do everything, and visitors change and remove what
/// they added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Policy {
    /// Everybody reads; only the owner writes.
    Owner,
    /// Everybody reads and adds.
    Public,
    /// Everybody adds, and reads their own.
    Open,
    /// As `open`, for visitors with an email address.
    Email,
}

/// The form of an exported or imported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Format {
    /// One line per row, for spreadsheets.
    Csv,
    /// A list of objects.
    Json,
}
