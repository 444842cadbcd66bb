//! The window: a skin over [`Peer`], as thin as the one in the browser. Commands parse, call and map; events are forwarded.
//!
//! Visited sites are framed from origins of their own and never have a Tauri capability. The window's policy frames nothing but
//! this viewer's port, so a site cannot lead its frame to another program on this machine.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use goop2_peer::{
    Folder, Peer,
    api::{Failure, Place, Session, Snapshot},
};
use goop2_viewer::Viewer;
use tauri::{
    AppHandle, Emitter, Manager, RunEvent, State, Url, WebviewUrl, WebviewWindowBuilder,
    async_runtime::{self, JoinHandle},
    utils::config::Csp,
};
use tauri_plugin_opener::OpenerExt;
use tokio::sync::broadcast::error::RecvError;

use crate::headless;

/// What the commands work on.
struct Running {
    peer: Peer,
    session: Session,
    /// Taken at the end.
    ending: Mutex<Option<(Viewer, JoinHandle<()>)>>,
}

/// Opens the window on a peer folder, the user's own one when none is given; returns when it was closed and all has ended.
pub(crate) fn run(dir: Option<&Path>) -> anyhow::Result<()> {
    let runtime = headless::runtime()?;
    async_runtime::set(runtime.handle().clone());
    let dir = dir.map_or_else(own_folder, |dir| Ok(dir.to_owned()))?;
    let (peer, viewer) = runtime.block_on(headless::start(&dir))?;
    let stop = {
        let _within = runtime.enter();
        headless::stop_signal()?
    };
    let mut context = tauri::generate_context!();
    context.config_mut().app.security.csp = Some(Csp::Policy(policy(viewer.port())));
    let facts = Session {
        version: env!("CARGO_PKG_VERSION").into(),
        peer: peer.id().to_base58(),
        viewer_port: viewer.port(),
    };
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_opener::init())
        .plugin(tauri_plugin_store::Builder::default().build())
        .invoke_handler(tauri::generate_handler![
            session,
            snapshot,
            place,
            add_address,
            avatar,
            open_external
        ])
        .setup(move |app| {
            open(app.handle(), facts.viewer_port)?;
            let forwarding = forward(app.handle(), &peer, &viewer, stop);
            app.manage(Running {
                peer,
                session: facts,
                ending: Mutex::new(Some((viewer, forwarding))),
            });
            Ok(())
        })
        .build(context)
        .context("the window could not be opened")?;
    app.run(move |app, event| {
        if let RunEvent::Exit = event {
            end(app, &runtime);
        }
    });
    Ok(())
}

/// The user's own peer, in the platform's data directory; made at the first start.
fn own_folder() -> anyhow::Result<PathBuf> {
    let dir = dirs::data_dir()
        .context("this system names no folder for application data")?
        .join("goop2")
        .join("peers")
        .join("mine");
    if !dir.join("goop.json").exists() {
        let name = std::env::var("USER")
            .or_else(|_| std::env::var("USERNAME"))
            .unwrap_or_else(|_| "hello".into());
        Folder::create(&dir, &name)?;
    }
    Ok(dir)
}

fn policy(port: u16) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         connect-src ipc: http://ipc.localhost; frame-src http://*.localhost:{port}; base-uri 'none'; form-action 'none'"
    )
}

fn open(app: &AppHandle, port: u16) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, "main", WebviewUrl::default())
        .title("Goop2")
        .inner_size(1120.0, 720.0)
        .min_inner_size(640.0, 420.0)
        .on_navigation(move |url| {
            matches!(url.scheme(), "tauri" | "about")
                || url.host_str() == Some("tauri.localhost")
                || is_site(url, port)
        })
        .build()?;
    Ok(())
}

/// An address of a visited site, at this viewer.
fn is_site(url: &Url, port: u16) -> bool {
    url.scheme() == "http"
        && url.port() == Some(port)
        && url
            .host_str()
            .is_some_and(|host| host.ends_with(".localhost"))
}

/// Snapshots and navigations as events of the window, until the system asks the app to stop.
fn forward(
    app: &AppHandle,
    peer: &Peer,
    viewer: &Viewer,
    stop: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let (mut snapshots, mut navigated, app) = (peer.snapshot(), viewer.navigated(), app.clone());
    async_runtime::spawn(async move {
        let mut stop = std::pin::pin!(stop);
        loop {
            let emitted = tokio::select! {
                () = &mut stop => {
                    app.exit(0);
                    break;
                }
                changed = snapshots.changed() => match changed {
                    Ok(()) => app.emit("snapshot", Snapshot::clone(&snapshots.borrow_and_update())),
                    Err(_) => break,
                },
                event = navigated.recv() => match event {
                    Ok(event) => app.emit("navigated", event),
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => break,
                },
            };
            if let Err(error) = emitted {
                tracing::warn!(%error, "the window did not take an event");
            }
        }
    })
}

fn end(app: &AppHandle, runtime: &tokio::runtime::Runtime) {
    let running = app.state::<Running>();
    let ending = running
        .ending
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some((viewer, forwarding)) = ending {
        forwarding.abort();
        runtime.block_on(headless::stop_in_order(running.peer.clone(), viewer));
    }
}

#[tauri::command]
fn session(running: State<'_, Running>) -> Session {
    running.session.clone()
}

#[tauri::command]
fn snapshot(running: State<'_, Running>) -> Snapshot {
    Snapshot::clone(&running.peer.snapshot().borrow())
}

#[tauri::command]
async fn place(text: String, running: State<'_, Running>) -> Result<Place, Failure> {
    running
        .peer
        .place(&text)
        .await
        .map_err(|error| error.failure())
}

#[tauri::command]
async fn add_address(address: String, running: State<'_, Running>) -> Result<String, Failure> {
    running
        .peer
        .add_address(&address)
        .await
        .map(|peer| peer.to_base58())
        .map_err(|error| error.failure())
}

/// The picture as a `data:` URL: drawn only, whatever is in it.
#[tauri::command]
async fn avatar(peer: String, running: State<'_, Running>) -> Result<Option<String>, Failure> {
    let peer = running.peer.peer(&peer).map_err(|error| error.failure())?;
    let picture = running
        .peer
        .avatar(peer)
        .await
        .map_err(|error| error.failure())?;
    Ok(picture.map(|bytes| format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes))))
}

/// Opens a page of a site in the system's browser; nothing else can be asked for.
#[tauri::command]
fn open_external(url: Url, app: AppHandle, running: State<'_, Running>) -> Result<(), Failure> {
    let failure = |message: String| Failure {
        code: "invalid".into(),
        message,
    };
    if !is_site(&url, running.session.viewer_port) {
        return Err(failure(
            "Only pages of a peer's site are opened in the browser.".into(),
        ));
    }
    app.opener()
        .open_url(url.as_str(), None::<&str>)
        .map_err(|error| failure(format!("The browser could not be opened: {error}")))
}
