//! What WebView2 does otherwise than the other two, where Tauri passes nothing on: it asks only
//! about the window's own document where it goes, not about the frames in it, which is where sites
//! are; and it has keys of a browser, which print, search, zoom and reload past the interface.
//!
//! Nothing that is not understood is let through, and a webview that cannot be limited is closed:
//! an empty window is better than one with a stranger's program loose in it.

#![expect(unsafe_code, reason = "WebView2 is called through COM")]

use tauri::{Url, WebviewWindow, webview::PlatformWebview};
use webview2_com::{
    Microsoft::Web::WebView2::Win32::ICoreWebView2Settings3, NavigationStartingEventHandler,
    take_pwstr,
};
use windows::core::{Interface, PWSTR, Result};

/// Limits the webview of a window that was just built, before it shows anything: settings hold for
/// the documents after them, and the first navigation starts when the event loop runs.
pub(super) fn confine(
    window: &WebviewWindow,
    admit: impl Fn(&Url) -> bool + Send + 'static,
) -> tauri::Result<()> {
    window.with_webview(move |webview| {
        if let Err(error) = limit(&webview, admit) {
            tracing::error!(%error, "the window cannot be limited, and stays empty");
            // SAFETY: on the thread of the webview, as everything here.
            let _closed = unsafe { webview.controller().Close() };
        }
    })
}

fn limit(webview: &PlatformWebview, admit: impl Fn(&Url) -> bool + 'static) -> Result<()> {
    let starting = NavigationStartingEventHandler::create(Box::new(move |_, args| {
        let Some(args) = args else { return Ok(()) };
        // SAFETY: called by WebView2 on its thread; the text is ours to free, which `take_pwstr`
        // does.
        unsafe {
            args.SetCancel(true)?;
            let mut url = PWSTR::null();
            args.Uri(&mut url)?;
            let admitted = Url::parse(&take_pwstr(url)).is_ok_and(|url| admit(&url));
            args.SetCancel(!admitted)
        }
    }));
    // SAFETY: with_webview calls on the thread of the webview. The handler lives as long as the
    // webview, so its token is not kept.
    unsafe {
        let core = webview.controller().CoreWebView2()?;
        core.add_FrameNavigationStarting(&starting, &mut 0)?;
        let settings: ICoreWebView2Settings3 = core.Settings()?.cast()?;
        settings.SetAreBrowserAcceleratorKeysEnabled(false)?;
        // Nothing of ours is lent to pages this way.
        settings.SetAreHostObjectsAllowed(false)
    }
}
