//! Commands about the tables of your own site.

use std::io::Write;

use goop2_peer::{
    Export,
    api::{Failure, Format, Saved, TablesRequest},
};
use serde_json::Value;
use tauri::State;

use super::{
    app::{failed, new_file},
    running::{Running, failure},
};

#[tauri::command]
pub(super) async fn tables(
    request: TablesRequest,
    running: State<'_, Running>,
) -> Result<Value, Failure> {
    running.peer()?.tables(request).await.map_err(failure)
}

/// Saves a table in the user's download folder.
#[tauri::command]
pub(super) async fn export_table(
    table: String,
    format: Format,
    running: State<'_, Running>,
) -> Result<Saved, Failure> {
    let ending = match format {
        Format::Csv => "csv",
        Format::Json => "json",
    };
    let peer = running.peer()?;
    let export = peer.export_table(table.clone(), format).await;
    save(export.map_err(failure)?, &table, ending).await
}

async fn save(mut export: Export, name: &str, ending: &str) -> Result<Saved, Failure> {
    let (mut file, path) = new_file(name, ending).map_err(failed("export"))?;
    while let Some(chunk) = export.next().await {
        let chunk = chunk.map_err(failure)?;
        file.write_all(&chunk).map_err(failed("export"))?;
    }
    let path = Some(path.to_string_lossy().into_owned());
    Ok(Saved { path })
}
