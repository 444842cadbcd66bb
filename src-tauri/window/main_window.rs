//! The one window: its name, how it comes to the front, and how its page gets events.

use serde::Serialize;
use tauri::{AppHandle, Emitter, Manager};

/// The window's name.
pub(super) const MAIN: &str = "main";

pub(super) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(MAIN) else {
        return;
    };
    #[cfg(target_os = "linux")]
    let shown = super::front::bring(&window);
    #[cfg(not(target_os = "linux"))]
    let shown = window
        .show()
        .and_then(|()| window.unminimize())
        .and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window could not be shown");
    }
}

pub(super) fn emit<T: Serialize + Clone>(app: &AppHandle, event: &str, value: T) {
    if let Err(error) = app.emit(event, value) {
        tracing::warn!(event, %error, "an event could not be sent to the window");
    }
}
