//! The tables of your own site: what its owner does with them.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use goop2_proto::PeerId;
use goop2_store::{
    Folder,
    grid::{self, Done, Kind},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    api::{
        people::Note,
        publish::Undo,
        tables::{
            ColumnKind, Format, NewColumn, Policy, Rows, RowsQuery, TableColumn, TableInfo,
            TablesRequest,
        },
    },
    disk::blocking,
    error::Error,
    peer::Peer,
};

/// Most authors whose rows a filter finds by their name: more than share a part of one.
const MAX_AUTHORS: usize = 100;
/// Chunks of an export that wait to be taken.
const AHEAD: usize = 4;

/// A table as a file, while it is written.
#[derive(Debug)]
pub struct Export {
    chunks: mpsc::Receiver<Bytes>,
    writing: Option<JoinHandle<Result<(), String>>>,
}

impl Export {
    /// The next bytes; none at the end. An error means that the file is not complete.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if let Some(chunk) = self.chunks.recv().await {
            return Some(Ok(chunk));
        }
        match self.writing.take()?.await {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(Err(Error::Invalid(why))),
            Err(_) => Some(Err(Error::Closed)),
        }
    }
}

impl Peer {
    /// One operation on the tables of your own site, and its answer as JSON. [`Error::Invalid`] says
    /// what is wrong with it.
    pub async fn tables(&self, request: TablesRequest) -> Result<Value, Error> {
        match request {
            TablesRequest::All => {
                let tables = self.on_tables(|tables| tables.tables()).await?;
                answer(tables.into_iter().map(TableInfo::from).collect::<Vec<_>>())
            }
            TablesRequest::Rows { query } => answer(self.rows(query).await?),
            TablesRequest::Row { table, id } => {
                answer(self.on_tables(move |tables| tables.row(&table, id)).await?)
            }
            TablesRequest::Insert { table, values } => {
                let insert = move |tables: &Database| tables.insert_row(&table, values);
                answer(self.on_tables(insert).await?)
            }
            TablesRequest::Undo { id } => self.undo_tables(id).await,
            TablesRequest::RemoveAuthor { peer, block } => self.remove_author(peer, block).await,
            TablesRequest::Update { .. }
            | TablesRequest::Remove { .. }
            | TablesRequest::Drop { .. }
            | TablesRequest::Import { .. } => self.change_rows(request).await,
            TablesRequest::Create { .. }
            | TablesRequest::AddColumn { .. }
            | TablesRequest::SetPolicy { .. }
            | TablesRequest::Seen { .. } => {
                self.on_tables(move |tables| change_table(tables, request))
                    .await?;
                Ok(Value::Null)
            }
        }
    }

    /// A whole table as a file, read while it is taken.
    pub async fn export_table(&self, table: String, format: Format) -> Result<Export, Error> {
        let name = table.clone();
        self.on_tables(move |tables| tables.table_name(&name))
            .await?;
        let (sender, chunks) = mpsc::channel(AHEAD);
        let folder = self.0.folder.clone();
        let writing = spawn_blocking(move || {
            let write = |chunk: Vec<u8>| sender.blocking_send(chunk.into()).is_ok();
            folder.database().export(&table, format.into(), write)
        });
        Ok(Export {
            chunks,
            writing: Some(writing),
        })
    }

    async fn rows(&self, query: RowsQuery) -> Result<Rows, Error> {
        let query = grid::RowsQuery {
            authors: self.named(&query.filter),
            table: query.table,
            sort: query.sort,
            descending: query.descending,
            filter: query.filter,
            offset: query.offset,
            limit: query.limit,
        };
        let found = self.on_tables(move |tables| tables.rows(&query)).await?;
        let names = found.authors.into_iter().filter_map(|author| {
            let name = self.name_of(&author)?;
            Some((author, name))
        });
        Ok(Rows {
            authors: names.collect::<BTreeMap<_, _>>(),
            total: found.total,
            ids: found.ids,
            rows: found.rows,
        })
    }

    async fn change_rows(&self, request: TablesRequest) -> Result<Value, Error> {
        let (done, message) = self
            .on_tables(move |tables| change_rows(tables, request))
            .await?;
        undo(done, message)
    }

    async fn remove_author(&self, author: String, block: bool) -> Result<Value, Error> {
        let peer = self.peer(&author)?;
        let name = self.name_of(&author).unwrap_or_else(|| author.clone());
        let blocks = block && !self.0.known.is_blocked(&peer);
        if blocks {
            self.set_blocked(peer, true).await?;
        }
        let blocked = blocks.then_some(peer);
        let done = self
            .on_tables(move |tables| tables.remove_author(&author, blocked))
            .await?;
        let (rows, tables) = (counted(done.rows, "row"), counted(done.tables, "table"));
        let removed = format!("{rows} by {name} removed from {tables}");
        let message = if block {
            format!("{name} is blocked, and {removed}.")
        } else {
            format!("{removed}.")
        };
        undo(done, message)
    }

    async fn undo_tables(&self, id: String) -> Result<Value, Error> {
        if let Some(blocked) = self.on_tables(move |tables| tables.undo(&id)).await? {
            self.set_blocked(blocked, false).await?;
        }
        Ok(Value::Null)
    }

    async fn set_blocked(&self, peer: PeerId, blocked: bool) -> Result<(), Error> {
        let note = Note {
            blocked: Some(blocked),
            ..Note::default()
        };
        self.note(peer, note).await
    }

    /// Who wrote a row, by name: your name for them, else their own.
    fn name_of(&self, author: &str) -> Option<String> {
        let peer: PeerId = author.parse().ok()?;
        if peer == self.id() {
            return Some(self.config().profile.label);
        }
        let known = self.0.known.get(&peer);
        let seen = || {
            self.0
                .roster
                .lock()
                .get(&peer)
                .map(|record| record.presence.label.clone())
        };
        [Some(known.name), seen(), Some(known.label)]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
    }

    /// Those whose name contains a text.
    fn named(&self, text: &str) -> Vec<String> {
        if text.is_empty() {
            return vec![];
        }
        let text = text.to_lowercase();
        let known = self
            .0
            .known
            .known()
            .borrow()
            .keys()
            .copied()
            .collect::<Vec<_>>();
        let all = known
            .into_iter()
            .chain([self.id()])
            .map(|peer| peer.to_base58());
        let is_named = |id: &String| {
            let name = self.name_of(id).unwrap_or_default();
            name.to_lowercase().contains(&text)
        };
        all.filter(is_named).take(MAX_AUTHORS).collect()
    }

    async fn on_tables<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Error> {
        let work = move |folder: &Folder| work(folder.database());
        blocking(&self.0.folder, work)
            .await?
            .map_err(Error::Invalid)
    }
}

type Database = goop2_store::Database;

/// A change that can be taken back, and what was done.
fn change_rows(tables: &Database, request: TablesRequest) -> Result<(Done, String), String> {
    match request {
        TablesRequest::Update { table, id, values } => {
            let done = tables.update_row(&table, id, values)?;
            Ok((done, "Row changed.".into()))
        }
        TablesRequest::Remove { table, ids } => {
            let done = tables.remove_rows(&table, &ids)?;
            let message = format!("{} removed.", counted(done.rows, "row"));
            Ok((done, message))
        }
        TablesRequest::Drop { table } => {
            let done = tables.drop_table(&table)?;
            let message = format!("“{table}” and its {} removed.", counted(done.rows, "row"));
            Ok((done, message))
        }
        TablesRequest::Import {
            table,
            format,
            text,
        } => {
            let done = tables.import(&table, format.into(), &text)?;
            let message = format!("{} added to “{table}”.", counted(done.rows, "row"));
            Ok((done, message))
        }
        other => Err(format!("{other:?} changes no rows")),
    }
}

fn change_table(tables: &Database, request: TablesRequest) -> Result<(), String> {
    match request {
        TablesRequest::Create {
            name,
            columns,
            policy,
        } => {
            let columns: Vec<_> = columns.into_iter().map(Into::into).collect();
            tables.create_table(&name, &columns, &policy.to_string())
        }
        TablesRequest::AddColumn { table, column } => tables.add_column(&table, &column.into()),
        TablesRequest::SetPolicy { table, policy } => {
            tables.set_policy(&table, &policy.to_string())
        }
        TablesRequest::Seen { table } => tables.mark_seen(&table),
        other => Err(format!("{other:?} changes no table")),
    }
}

fn answer(value: impl Serialize) -> Result<Value, Error> {
    Ok(json!(value))
}

fn undo(done: Done, message: String) -> Result<Value, Error> {
    answer(Undo {
        id: done.id,
        message,
    })
}

/// "1 row", "12 rows".
fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

impl From<grid::TableInfo> for TableInfo {
    fn from(info: grid::TableInfo) -> Self {
        let column = |column: grid::Column| TableColumn {
            name: column.name,
            kind: kind(column.kind).into(),
            not_null: column.not_null,
            system: column.system,
        };
        Self {
            name: info.name,
            policy: info.policy,
            restricted: info.restricted,
            rows: info.rows,
            bytes: info.bytes,
            full: info.full,
            fresh: info.fresh,
            columns: info.columns.into_iter().map(column).collect(),
        }
    }
}

/// As [`ColumnKind`] is written.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Whole => "whole",
        Kind::Number => "number",
        Kind::Date => "date",
        Kind::YesNo => "yes_no",
        Kind::Other => "other",
    }
}

impl From<NewColumn> for grid::NewColumn {
    fn from(column: NewColumn) -> Self {
        Self {
            name: column.name,
            kind: match column.kind {
                ColumnKind::Text => Kind::Text,
                ColumnKind::Whole => Kind::Whole,
                ColumnKind::Number => Kind::Number,
                ColumnKind::Date => Kind::Date,
                ColumnKind::YesNo => Kind::YesNo,
            },
            not_null: column.not_null,
        }
    }
}

impl From<Format> for grid::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Json => Self::Json,
        }
    }
}

/// As `_tables` keeps it.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "owner",
            Self::Public => "public",
            Self::Open => "open",
            Self::Email => "email",
        })
    }
}
