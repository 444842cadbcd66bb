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

#[cfg(target_os = "linux")]
mod webkit;
#[cfg(windows)]
mod webview2;

use tauri::{
    Manager, Url, WebviewWindow, WebviewWindowBuilder, Wry,
    webview::{DownloadEvent, NewWindowResponse, PermissionResponse},
};

use super::{shell::Refused, wishes};

/// WebRTC opens sockets that no content security policy governs: through it, a page reaches the
/// local network and reveals the addresses of this computer. WebView2 has no setting for it, so its
/// names are taken away before any script of a page runs, in every frame. WebKitGTK has it off.
const NO_WEBRTC: &str = "delete self.RTCPeerConnection; delete self.webkitRTCPeerConnection;";

/// Opens the window, and takes from its pages whatever the frame's own policy leaves them. Its
/// document goes only where `admit` says, and the frames in it there and, as far as the policies of
/// the documents around them allow it, to the https web. `refused` gets what a person may have
/// meant.
pub(crate) fn confine<M: Manager<Wry>>(
    window: WebviewWindowBuilder<'_, Wry, M>,
    admit: impl Fn(&Url) -> bool + Clone + Send + 'static,
    refused: impl Fn(Refused) + Clone + Send + Sync + 'static,
) -> tauri::Result<WebviewWindow> {
    let own = admit.clone();
    let in_frames = admitted_in_frames(admit, refused.clone());
    let (opening, saving) = (refused.clone(), refused);
    let window = window
        .initialization_script_for_all_frames(NO_WEBRTC)
        .on_navigation(if cfg!(target_os = "linux") {
            // WebKitGTK asks for every frame and does not say which.
            Box::new(in_frames.clone()) as Box<dyn Fn(&Url) -> bool + Send>
        } else {
            Box::new(own.clone())
        })
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
    #[cfg(target_os = "linux")]
    webkit::confine(&window, own)?;
    Ok(window)
}

/// A site's own frame goes to no web page, as the window's policy has it, which also tells of a link
/// that leads to one. So what is refused here without a word is in a frame within a site.
fn admitted_in_frames(
    admit: impl Fn(&Url) -> bool + Clone + Send + 'static,
    refused: impl Fn(Refused) + Clone + Send + Sync + 'static,
) -> impl Fn(&Url) -> bool + Clone + Send + 'static {
    move |url| {
        let admitted = admit(url) || is_web(url);
        if !admitted && is_clicked(url) {
            let url = url.to_string();
            refused(Refused::Link { url });
        }
        admitted
    }
}

/// What a site may frame of the web, as its own policy has it (`goop2_viewer`): https at its usual
/// port only, so nothing on this computer or its network that uses another one.
fn is_web(url: &Url) -> bool {
    url.scheme() == "https" && url.port().is_none()
}

/// Nobody frames these: they are where links lead.
fn is_clicked(url: &Url) -> bool {
    matches!(url.scheme(), wishes::SCHEME | "mailto" | "tel")
}
