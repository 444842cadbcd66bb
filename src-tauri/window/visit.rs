//! Commands about peers and their sites.

use base64::{Engine, prelude::BASE64_STANDARD};
use goop2_peer::api::{Failure, Place, Session, Snapshot};
use tauri::{AppHandle, State, Url, WebviewWindow};
use tauri_plugin_opener::OpenerExt;

use super::running::{Running, failure};

/// As the interface has it (`zoom.svelte.ts`).
const MIN_ZOOM: f64 = 0.5;
const MAX_ZOOM: f64 = 3.0;

#[tauri::command]
pub(super) fn session(running: State<'_, Running>) -> Result<Session, Failure> {
    running.online().map(|online| online.session)
}

#[tauri::command]
pub(super) fn snapshot(running: State<'_, Running>) -> Result<String, Failure> {
    running.peer().map(|peer| text(&peer.snapshot().borrow()))
}

/// As JSON text, which the page parses in a worker: with thousands of peers that takes longer than
/// a frame.
pub(super) fn text(snapshot: &Snapshot) -> String {
    serde_json::to_string(snapshot).expect("a snapshot always encodes")
}

/// The origin of a peer's site in a window that cannot resolve names under `.localhost`; for a
/// stranger, that of the user's own site as a stranger sees it.
#[tauri::command]
pub(super) async fn origin(
    peer: String,
    stranger: bool,
    running: State<'_, Running>,
) -> Result<String, Failure> {
    let online = running.online()?;
    if online.sites.ports.is_empty() {
        return Err(Failure {
            code: "names".into(),
            message: "The page didn't load. Try again, or open it in your browser.".into(),
        });
    }
    let origin = if stranger {
        online.ports.origin_for_stranger(online.peer.id()).await
    } else {
        let peer = online.peer.peer(&peer).map_err(failure)?;
        online.ports.origin(peer).await
    };
    origin.map_err(|error| error.failure())
}

#[tauri::command]
pub(super) async fn place(text: String, running: State<'_, Running>) -> Result<Place, Failure> {
    let peer = running.peer()?;
    peer.place(&text).await.map_err(failure)
}

#[tauri::command]
pub(super) async fn add_address(
    address: String,
    running: State<'_, Running>,
) -> Result<String, Failure> {
    let peer = running.peer()?;
    peer.add_address(&address)
        .await
        .map(|peer| peer.to_base58())
        .map_err(failure)
}

/// The picture as a `data:` URL, so that it is only ever drawn.
#[tauri::command]
pub(super) async fn avatar(
    peer: String,
    running: State<'_, Running>,
) -> Result<Option<String>, Failure> {
    let me = running.peer()?;
    let peer = me.peer(&peer).map_err(failure)?;
    let picture = me.avatar(peer).await.map_err(failure)?;
    Ok(picture.map(|bytes| format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes))))
}

/// Zooms all that the window shows, if its webview lays frames out again for that; the page around
/// them then shows itself smaller. The others scale a frame well enough.
#[tauri::command]
pub(super) fn zoom(factor: f64, window: WebviewWindow) -> bool {
    cfg!(target_os = "linux") && window.set_zoom(factor.clamp(MIN_ZOOM, MAX_ZOOM)).is_ok()
}

/// Opens a web page, an email address or a phone number in the program that the system has for it,
/// after the user agreed; never a file or a program.
#[tauri::command]
pub(super) fn open_external(url: Url, app: AppHandle) -> Result<(), Failure> {
    let invalid = |message: String| Failure {
        code: "invalid".into(),
        message,
    };
    if !leads_out(&url) {
        return Err(invalid(
            "Only web pages, email addresses and phone numbers can be opened.".into(),
        ));
    }
    app.opener()
        .open_url(url.as_str(), None::<&str>)
        .map_err(|error| invalid(format!("It could not be opened: {error}")))
}

pub(super) fn leads_out(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https" | "mailto" | "tel")
}
