//! What the window remembers for its user; never in `goop.json`.

use goop2_peer::api::Failure;
use serde_json::Value;
use tauri::AppHandle;
use tauri_plugin_store::StoreExt;

/// In the app's own data folder.
pub(super) const FILE: &str = "preferences.json";
/// Longest value as JSON: lists of a few addresses, not documents.
const MAX_BYTES: usize = 64 * 1024;

#[tauri::command]
pub(super) fn preference(key: &str, app: AppHandle) -> Option<Value> {
    app.store(FILE).ok()?.get(key)
}

#[tauri::command]
pub(super) fn prefer(key: String, value: Value, app: AppHandle) -> Result<(), Failure> {
    let failed = |message: String| Failure {
        code: "preferences".into(),
        message,
    };
    if value.to_string().len() > MAX_BYTES {
        return Err(failed("This is too much to remember.".into()));
    }
    let store = app
        .store(FILE)
        .map_err(|error| failed(format!("This could not be remembered: {error}")))?;
    store.set(key, value);
    Ok(())
}
