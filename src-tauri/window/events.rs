//! What happens while the app runs, as events of the window, signs in the tray and notifications.

use std::sync::PoisonError;

use tauri::{AppHandle, Manager};
use tauri_plugin_notification::NotificationExt;
use tokio::sync::broadcast::error::RecvError;

use super::{
    main_window::{MAIN, emit},
    running::{Online, Running},
    shell::{Refused, Stage},
    sites::Framed,
    tray::Tray,
    visit, wishes,
};

/// Forwards changes to the window and the tray until the system asks the app to stop.
pub(super) async fn forward(
    app: AppHandle,
    running: Running,
    framed: Framed,
    tray: Option<Tray>,
    stop: impl Future<Output = ()>,
) {
    let (mut shell, mut watched) = (running.shell().subscribe(), running.watch());
    shell.mark_changed();
    let mut stop = std::pin::pin!(stop);
    loop {
        let online = watched.borrow_and_update().clone();
        let attending = async {
            match online {
                Some(online) => attend(&app, &framed, online).await,
                None => std::future::pending().await,
            }
        };
        let mut attending = std::pin::pin!(attending);
        loop {
            tokio::select! {
                () = &mut stop => return app.exit(0),
                _ = watched.changed() => break,
                () = &mut attending => {}
                _ = shell.changed() => {
                    let now = shell.borrow_and_update().clone();
                    if let Some(tray) = &tray {
                        tray.say(&now.stage);
                    }
                    if let Stage::Crashed { reason } = &now.stage {
                        tell_of_failure(&app, reason);
                    }
                    emit(&app, "shell", now);
                }
            }
        }
    }
}

/// Handles what a page asked for and was refused. A link to a site opens in place, like any link in
/// the frame.
pub(super) fn wanted(app: &AppHandle, running: &Running, refused: Refused) {
    let Refused::Link { url } = &refused else {
        return emit(app, "refused", refused);
    };
    let Ok(url) = url.parse() else { return };
    match running.now().and_then(|online| online.sites.place(&url)) {
        Some(place) => emit(app, "opened", place),
        None if visit::leads_out(&url) || url.scheme() == wishes::SCHEME => {
            emit(app, "refused", refused);
        }
        // Such as `about:blank`: an empty window to write into.
        None => {}
    }
}

/// Forwards what one run of a peer shows.
async fn attend(app: &AppHandle, framed: &Framed, online: Online) {
    let document = framed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if document != Some(online.framing())
        && let Some(window) = app.get_webview_window(MAIN)
        && let Err(error) = window.reload()
    {
        tracing::warn!(%error, "the window could not be reloaded");
    }
    let (mut snapshots, mut navigated) = (online.peer.snapshot(), online.navigated.resubscribe());
    let mut denied = online.denied.resubscribe();
    snapshots.mark_changed();
    loop {
        tokio::select! {
            Ok(()) = snapshots.changed() => {
                let text = visit::text(&snapshots.borrow_and_update());
                emit(app, "snapshot", text);
            }
            event = navigated.recv() => match event {
                Ok(event) => emit(app, "navigated", event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            },
            event = denied.recv() => match event {
                Ok(event) => emit(app, "denied", event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            },
        }
    }
}

/// Notifies a user who does not see the window.
fn tell_of_failure(app: &AppHandle, reason: &str) {
    let seen = app
        .get_webview_window(MAIN)
        .is_some_and(|window| window.is_visible().unwrap_or(true));
    if !seen {
        let note = app.notification().builder();
        let _no_notifications_here = note.title("Goop2 went offline").body(reason).show();
    }
}
