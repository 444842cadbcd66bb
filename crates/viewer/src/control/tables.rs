//! Requests about the tables of your own site.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, Query, State},
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::stream;
use goop2_peer::{
    Export,
    api::{Format, TablesRequest},
};
use serde::Deserialize;

use crate::{answer, app::App, body::Parsed};

/// A file to be imported is in the request, its quotes and line breaks escaped.
const MAX_BODY: usize = 2 * goop2_peer::MAX_IMPORT;

/// The limit of a request to [`change`].
pub(crate) fn body() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MAX_BODY)
}

/// One operation on the tables.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Parsed(request): Parsed<TablesRequest>,
) -> Response {
    answer::json(app.peer.tables(request).await)
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    table: String,
    format: Format,
}

/// A whole table as a file, sent while it is read.
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    Query(Wanted { table, format }): Query<Wanted>,
) -> Response {
    let (kind, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    // The name of a table has letters, digits and `_` only.
    let named = format!("attachment; filename=\"{table}.{ending}\"");
    match app.peer.export_table(table, format).await {
        Ok(export) => {
            let head = [
                (CONTENT_TYPE, kind.to_owned()),
                (CONTENT_DISPOSITION, named),
            ];
            (head, Body::from_stream(stream::unfold(export, next))).into_response()
        }
        Err(error) => answer::failed(error),
    }
}

async fn next(mut export: Export) -> Option<(Result<bytes::Bytes, goop2_peer::Error>, Export)> {
    let chunk = export.next().await?;
    Some((chunk, export))
}
