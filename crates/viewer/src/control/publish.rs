//! Requests of the My site page.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Query, Request, State},
    http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use goop2_peer::{
    Error, MAX_ARCHIVE, MadeBackup, Source, Upload,
    api::{Clash, SiteRequest},
};
use serde::Deserialize;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use crate::{
    answer,
    app::App,
    body::{Input, Parsed},
};

/// Bytes of a request: the longest text that is edited, each of its characters escaped in JSON.
pub(crate) const MAX_REQUEST: usize = 6 * goop2_peer::MAX_TEXT + 64 * 1024;

/// Bytes of a template.
pub(crate) const MAX_TEMPLATE: usize = MAX_ARCHIVE as usize;

/// Anything but files.
pub(crate) async fn site(
    State(app): State<Arc<App>>,
    Parsed(request): Parsed<SiteRequest>,
) -> Response {
    answer::json(app.peer.site(request).await)
}

#[derive(Deserialize)]
pub(crate) struct To {
    path: String,
    clash: Clash,
    batch: Option<String>,
}

/// A file, as the body: of any size, as far as the disk has room.
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Query(To { path, clash, batch }): Query<To>,
    request: Request,
) -> Response {
    let len = request.headers().get(CONTENT_LENGTH);
    let len = len.and_then(|len| len.to_str().ok()?.parse().ok());
    let file = Upload {
        path,
        clash,
        batch,
        len,
    };
    let body = request.into_body().into_data_stream();
    answer::json(app.peer.upload(file, body).await)
}

/// Reads a template, an archive as the body.
pub(crate) async fn import(State(app): State<Arc<App>>, Input(archive): Input) -> Response {
    answer::json(app.peer.import_template(Source::Archive(archive)).await)
}

/// The site as a template, to be saved.
pub(crate) async fn export(State(app): State<Arc<App>>) -> Response {
    let archive = app.peer.export_template().await.map_err(answer::failed);
    let headers = [
        (CONTENT_TYPE, "application/zip"),
        (CONTENT_DISPOSITION, "attachment; filename=\"site.zip\""),
    ];
    archive.map(|archive| (headers, archive)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupWith {
    passphrase: Option<String>,
}

/// Makes a backup, to be saved.
pub(crate) async fn backup(
    State(app): State<Arc<App>>,
    Parsed(BackupWith { passphrase }): Parsed<BackupWith>,
) -> Response {
    match app.peer.backup(passphrase).await {
        Ok(made) => sent(made).await.unwrap_or_else(answer::failed),
        Err(error) => answer::failed(error),
    }
}

/// The file, which is removed when all of it is sent, or nobody takes it.
async fn sent(made: MadeBackup) -> Result<Response, Error> {
    let unread = |error: std::io::Error| {
        tracing::warn!(%error, "the backup can't be read");
        Error::Closed
    };
    let file = File::open(made.path()).await.map_err(unread)?;
    let len = file.metadata().await.map_err(unread)?.len();
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, len.to_string()),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"site.goop2-backup\"".to_owned(),
        ),
    ];
    let pieces = ReaderStream::new(file).map(move |piece| {
        let _kept_until_sent = &made;
        piece
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Receives a backup, as the body.
pub(crate) async fn receive_backup(State(app): State<Arc<App>>, request: Request) -> Response {
    let body = request.into_body().into_data_stream();
    answer::json(app.peer.receive_backup(body).await)
}
