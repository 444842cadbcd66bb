//! Commands about settings, notes on peers and the log.

use base64::{Engine, prelude::BASE64_STANDARD};
use goop2_peer::{
    Error,
    api::{Details, Failure, LogLine, Note, Settings},
};
use serde_json::{Map, Value};
use tauri::State;

use super::{
    app::App,
    running::{Running, failure},
};

#[tauri::command]
pub(super) async fn settings(running: State<'_, Running>) -> Result<Settings, Failure> {
    running.settings().await.map_err(failure)
}

#[tauri::command]
pub(super) async fn change_settings(
    values: Map<String, Value>,
    app: State<'_, App>,
) -> Result<Settings, Failure> {
    let changed = app.running.change_settings(values).await;
    app.refresh();
    changed.map_err(failure)
}

#[tauri::command]
pub(super) async fn replace_settings(
    before: String,
    text: String,
    app: State<'_, App>,
) -> Result<Settings, Failure> {
    let replaced = app.running.replace_settings(before, text).await;
    app.refresh();
    replaced.map_err(failure)
}

/// Makes another identity for the peer, which starts again with it.
#[tauri::command]
pub(super) async fn renew_identity(running: State<'_, Running>) -> Result<(), Failure> {
    running.peer()?.renew_identity().await.map_err(failure)
}

/// The picture in base64, or none.
#[tauri::command]
pub(super) async fn set_avatar(
    png: Option<String>,
    running: State<'_, Running>,
) -> Result<String, Failure> {
    let png = png.map(|png| BASE64_STANDARD.decode(png)).transpose();
    let png = png.map_err(|_| failure(Error::Invalid("This is not a picture.".into())))?;
    let set = running.peer()?.set_avatar(png.map(Into::into)).await;
    set.map_err(failure)
}

/// The next visit to this peer really tries.
#[tauri::command]
pub(super) fn try_again(peer: &str, running: State<'_, Running>) -> Result<(), Failure> {
    let me = running.peer()?;
    me.try_again(&me.peer(peer).map_err(failure)?);
    Ok(())
}

#[tauri::command]
pub(super) async fn note(
    peer: String,
    note: Note,
    running: State<'_, Running>,
) -> Result<(), Failure> {
    let peer = running.peer()?.peer(&peer).map_err(failure)?;
    running.peer()?.note(peer, note).await.map_err(failure)
}

#[tauri::command]
pub(super) fn details(peer: &str, running: State<'_, Running>) -> Result<Details, Failure> {
    let peer = running.peer()?.peer(peer).map_err(failure)?;
    Ok(running.peer()?.details(peer))
}

#[tauri::command]
pub(super) fn logs(since: u64) -> Vec<LogLine> {
    goop2_peer::log::since(since)
}
