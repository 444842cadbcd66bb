//! What the window's webview lets a page do: show itself. Sites are strangers' programs, framed in
//! the same webview as the app, so what the webview grants, it grants to all of them; hence nothing
//! is granted, and nobody is asked.
//!
//! Where a site wants more than a page, the user opens it in their browser, which knows how to ask:
//! for a camera, for a place to save a file, for another window.
//!
//! Tauri passes these on to WebView2, WebKitGTK and WKWebView, which is why nothing here names a
//! system; what it does not pass on to the first is in `webview2`. What they differ in: WKWebView
//! knows permissions for camera and microphone only, and never grants the others to a page.
//! Developer tools are in debug builds only, as Tauri has it.

#[cfg(windows)]
mod webview2;

use tauri::{
    Manager, Url, WebviewWindow, WebviewWindowBuilder, Wry,
    webview::{DownloadEvent, NewWindowResponse, PermissionResponse},
};

use super::shell::Refused;

/// WebRTC opens sockets that no content security policy governs: through it, a page reaches the
/// local network and reveals the addresses of this computer. WebView2 has no setting for it, so its
/// names are taken away before any script of a page runs, in every frame. WebKitGTK has it off.
const NO_WEBRTC: &str = "delete self.RTCPeerConnection; delete self.webkitRTCPeerConnection;";

/// Opens the window, and takes from its pages whatever the frame's own policy leaves them. Its
/// document and the frames in it go only where `admit` says. `refused` gets what a person may have
/// meant.
pub(crate) fn confine<M: Manager<Wry>>(
    window: WebviewWindowBuilder<'_, Wry, M>,
    admit: impl Fn(&Url) -> bool + Clone + Send + 'static,
    refused: impl Fn(Refused) + Clone + Send + Sync + 'static,
) -> tauri::Result<WebviewWindow> {
    let (leading, opening, saving) = (refused.clone(), refused.clone(), refused);
    let admit = move |url: &Url| {
        let admitted = admit(url);
        if !admitted {
            leading(Refused::Link {
                url: url.to_string(),
            });
        }
        admitted
    };
    #[cfg(windows)]
    let in_frames = admit.clone();
    let window = window
        .initialization_script_for_all_frames(NO_WEBRTC)
        .on_navigation(admit)
        .on_permission_request(|_, kind| {
            tracing::debug!(%kind, "a page was denied a permission");
            PermissionResponse::Deny
        })
        .on_new_window(move |url, _| {
            opening(Refused::Link { url: url.into() });
            NewWindowResponse::Deny
        })
        // Without a handler, WebKitGTK saves what a page sends without asking.
        .on_download(move |_, event| {
            let requested = matches!(event, DownloadEvent::Requested { .. });
            if requested {
                saving(Refused::Download);
            }
            !requested
        })
        .general_autofill_enabled(false)
        .build()?;
    #[cfg(windows)]
    webview2::confine(&window, in_frames)?;
    Ok(window)
}
