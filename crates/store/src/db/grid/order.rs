//! Rows in an order, found by their position.

use rusqlite::{Connection, params_from_iter, types::Value as Sql};

use super::{RowsQuery, quote, shape::Shape};
use crate::db::{catalog, fault};

/// As near to an end of the table, rows are walked to each time: a few milliseconds.
const NEAR: usize = 5_000;
/// Most rows in an order that is kept: 8 bytes each.
const MAX_KEPT: usize = 5_000_000;

/// Where each row is.
#[derive(Debug)]
pub(super) enum Order {
    /// Ids without a gap, from this one on.
    Dense { first: i64, total: usize },
    /// In the order of their ids, with gaps.
    Counted { total: usize },
    /// In any order, all of them.
    Listed(Vec<i64>),
}

impl Order {
    /// As much as is found without a walk, if it is no special order.
    pub(super) fn find(
        conn: &Connection,
        shape: &Shape,
        query: &RowsQuery,
    ) -> Result<Self, String> {
        if query.sort.is_some() || !query.filter.is_empty() {
            return Self::walk(conn, shape, query);
        }
        let sql = |what: &str| format!("SELECT {what} FROM {}", shape.table());
        let one = |what: &str| {
            conn.query_row(&sql(what), [], |row| row.get::<_, Option<i64>>(0))
                .map_err(fault::answer)
        };
        let total = one("count(*)")?.unwrap_or(0);
        let first = one(&format!("min({})", shape.id))?.unwrap_or(0);
        let last = one(&format!("max({})", shape.id))?.unwrap_or(0);
        let dense = last
            .checked_sub(first)
            .is_some_and(|span| span + 1 == total);
        let total = usize::try_from(total).unwrap_or(0);
        Ok(if dense {
            Self::Dense { first, total }
        } else {
            Self::Counted { total }
        })
    }

    /// Every row, in order.
    pub(super) fn walk(
        conn: &Connection,
        shape: &Shape,
        query: &RowsQuery,
    ) -> Result<Self, String> {
        let (condition, args) = condition(shape, query);
        let direction = if query.descending { " DESC" } else { "" };
        let by = match &query.sort {
            None => String::new(),
            Some(column) => {
                let at = shape.position(column);
                let column = at.map(|at| &shape.columns[at].name);
                let column = column.ok_or_else(|| catalog::no_such_column("sort"))?;
                format!("{} COLLATE NOCASE{direction}, ", quote(column))
            }
        };
        let sql = format!(
            "SELECT {id} FROM {table}{condition} ORDER BY {by}{id}{direction} LIMIT {}",
            MAX_KEPT + 1,
            id = shape.id,
            table = shape.table(),
        );
        let mut statement = conn.prepare(&sql).map_err(fault::answer)?;
        let mut ids = vec![];
        let mut rows = statement
            .query(params_from_iter(args))
            .map_err(fault::answer)?;
        while let Some(row) = rows.next().map_err(fault::answer)? {
            ids.push(row.get(0).map_err(fault::answer)?);
        }
        if ids.len() > MAX_KEPT {
            return Err(format!(
                "There are more than {MAX_KEPT} rows, too many to sort. Filter them first."
            ));
        }
        ids.shrink_to_fit();
        Ok(Self::Listed(ids))
    }

    pub(super) fn total(&self) -> usize {
        match self {
            Self::Dense { total, .. } | Self::Counted { total } => *total,
            Self::Listed(ids) => ids.len(),
        }
    }

    /// The ids of a page; none if they are only found by a walk.
    pub(super) fn page(
        &self,
        conn: &Connection,
        shape: &Shape,
        query: &RowsQuery,
        limit: usize,
    ) -> Result<Option<Vec<i64>>, String> {
        let begin = query.offset.min(self.total());
        let end = begin.saturating_add(limit).min(self.total());
        match self {
            Self::Listed(ids) => Ok(Some(ids[begin..end].to_vec())),
            Self::Dense { first, total } => {
                let id = |at: usize| {
                    let at = if query.descending { total - 1 - at } else { at };
                    first + i64::try_from(at).unwrap_or(i64::MAX)
                };
                Ok(Some((begin..end).map(id).collect()))
            }
            Self::Counted { total } => {
                let from_end = total - end;
                if begin.min(from_end) > NEAR {
                    return Ok(None);
                }
                let backwards = from_end < begin;
                let skipped = begin.min(from_end);
                let mut ids = walk_to(
                    conn,
                    shape,
                    query.descending != backwards,
                    skipped,
                    end - begin,
                )?;
                if backwards {
                    ids.reverse();
                }
                Ok(Some(ids))
            }
        }
    }
}

fn walk_to(
    conn: &Connection,
    shape: &Shape,
    descending: bool,
    skipped: usize,
    count: usize,
) -> Result<Vec<i64>, String> {
    let direction = if descending { " DESC" } else { "" };
    let sql = format!(
        "SELECT {id} FROM {table} ORDER BY {id}{direction} LIMIT {count} OFFSET {skipped}",
        id = shape.id,
        table = shape.table(),
    );
    conn.prepare(&sql)
        .and_then(|mut all| all.query_map([], |row| row.get(0))?.collect())
        .map_err(fault::answer)
}

/// A cell contains the text, in any case of its letters, or the author is one of those. What cannot
/// be compared letter by letter without its case, beyond ASCII, is looked for as it is, in small
/// and in capital letters.
fn condition(shape: &Shape, query: &RowsQuery) -> (String, Vec<Sql>) {
    if query.filter.is_empty() {
        return (String::new(), vec![]);
    }
    let mut texts = vec![query.filter.clone()];
    if !query.filter.is_ascii() {
        texts.extend([query.filter.to_lowercase(), query.filter.to_uppercase()]);
        texts.dedup();
    }
    let mut parts = vec![];
    let mut args = vec![];
    for text in texts {
        args.push(Sql::Text(format!("%{}%", escaped(&text))));
        let mark = args.len();
        let columns = shape.columns.iter().filter(|column| !column.system);
        parts.extend(
            columns.map(|column| format!("{} LIKE ?{mark} ESCAPE '\\'", quote(&column.name))),
        );
    }
    if shape.position("_owner").is_some() && !query.authors.is_empty() {
        let marks: Vec<String> = query
            .authors
            .iter()
            .map(|author| {
                args.push(Sql::Text(author.clone()));
                format!("?{}", args.len())
            })
            .collect();
        parts.push(format!("_owner IN ({})", marks.join(", ")));
    }
    let any = if parts.is_empty() {
        "?1 IS NULL".into()
    } else {
        parts.join(" OR ")
    };
    (format!(" WHERE {any}"), args)
}

/// A text in a pattern of LIKE.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
