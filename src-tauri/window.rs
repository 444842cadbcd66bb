//! The window: a skin over [`Peer`], as thin as the one in the browser. Commands parse, call and map; events are forwarded.
//!
//! Visited sites are framed from origins of their own and never have a Tauri capability. The window's policy frames nothing but
//! this viewer's ports, so a site cannot lead its frame to another program on this machine.
//!
//! WKWebView may find no names under `.localhost`, and a window's policy is fixed when it opens: on macOS the viewer is asked for
//! its ports ([`goop2_viewer::ports`]) before that. No machine with macOS has run this; the same way is tested in browsers.

mod network;
mod preferences;
mod rendezvous;

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
use goop2_viewer::{Viewer, ports::Ports};
use tauri::{
    AppHandle, Emitter, Manager, RunEvent, State, Url, WebviewUrl, WebviewWindowBuilder,
    async_runtime::{self, JoinHandle},
    utils::config::Csp,
};
use tauri_plugin_opener::OpenerExt;
use tokio::sync::broadcast::error::RecvError;

use crate::{headless, webview};

/// What the commands work on.
struct Running {
    peer: Peer,
    session: Session,
    sites: Sites,
    ports: Ports,
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
    let mut sites = Sites {
        port: viewer.port(),
        ports: Vec::new(),
    };
    if cfg!(target_os = "macos") {
        sites.ports = runtime.block_on(viewer.ports().open())?.to_vec();
    }
    context.config_mut().app.security.csp = Some(Csp::Policy(sites.policy()));
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
            origin,
            place,
            add_address,
            avatar,
            open_external,
            network::test_network,
            network::network_report,
            network::peer_reach,
            preferences::preference,
            preferences::prefer,
            rendezvous::rendezvous_address,
            rendezvous::join_rendezvous,
            rendezvous::leave_rendezvous,
            rendezvous::host_rendezvous,
            rendezvous::admin_password,
            rendezvous::register,
            rendezvous::qr,
        ])
        .setup(move |app| {
            open(app.handle(), sites.clone())?;
            let forwarding = forward(app.handle(), &peer, &viewer, stop);
            app.manage(Running {
                peer,
                session: facts,
                sites,
                ports: viewer.ports().clone(),
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

/// Where the window finds sites.
#[derive(Clone)]
struct Sites {
    port: u16,
    /// Those at ports; none where names are found.
    ports: Vec<u16>,
}

impl Sites {
    fn policy(&self) -> String {
        let port = self.port;
        let at_ports: String = self
            .ports
            .iter()
            .map(|port| format!(" http://localhost:{port}"))
            .collect();
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
             connect-src ipc: http://ipc.localhost; \
             frame-src http://*.localhost:{port} http://127.0.0.1:{port}/p/ http://localhost:{port}/p/{at_ports}; \
             base-uri 'none'; form-action 'none'"
        )
    }

    /// A page of a site, or the address people know, which only leads there.
    fn have(&self, url: &Url) -> bool {
        let Some((host, port)) = url.host_str().zip(url.port()) else {
            return false;
        };
        let at = match host {
            "127.0.0.1" => port == self.port && url.path().starts_with("/p/"),
            "localhost" if port == self.port => url.path().starts_with("/p/"),
            "localhost" => self.ports.contains(&port),
            _ => port == self.port && host.ends_with(".localhost"),
        };
        at && url.scheme() == "http"
    }
}

fn open(app: &AppHandle, sites: Sites) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, "main", WebviewUrl::default())
        .title("Goop2")
        .inner_size(1120.0, 720.0)
        .min_inner_size(640.0, 420.0)
        .on_navigation(move |url| {
            matches!(url.scheme(), "tauri" | "about")
                || url.host_str() == Some("tauri.localhost")
                || sites.have(url)
        });
    webview::confine(window).build()?;
    Ok(())
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

/// Where a peer's site is for a window that finds no names.
#[tauri::command]
async fn origin(peer: String, running: State<'_, Running>) -> Result<String, Failure> {
    if running.sites.ports.is_empty() {
        return Err(Failure {
            code: "names".into(),
            message: "The page does not arrive. Try again, or open it in the browser.".into(),
        });
    }
    let peer = running.peer.peer(&peer).map_err(|error| error.failure())?;
    running
        .ports
        .origin(peer)
        .await
        .map_err(|error| error.failure())
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

fn failure(error: goop2_peer::Error) -> Failure {
    error.failure()
}

/// Opens a page of a site, or of a rendezvous of this peer, in the system's browser; nothing else can be asked for.
#[tauri::command]
fn open_external(url: Url, app: AppHandle, running: State<'_, Running>) -> Result<(), Failure> {
    let invalid = |message: String| Failure {
        code: "invalid".into(),
        message,
    };
    if !running.sites.have(&url) && !running.peer.is_rendezvous_page(url.as_str()) {
        return Err(invalid(
            "Only pages of a peer's site, or of a rendezvous, are opened in the browser.".into(),
        ));
    }
    app.opener()
        .open_url(url.as_str(), None::<&str>)
        .map_err(|error| invalid(format!("The browser could not be opened: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_goes_to_sites_of_this_viewer_and_nowhere_else() {
        let sites = Sites {
            port: 8080,
            ports: vec![9001],
        };
        let has = |url: &str| url.parse().is_ok_and(|url| sites.have(&url));
        for url in [
            "http://k51.localhost:8080/x",
            "http://localhost:9001/x",
            "http://127.0.0.1:8080/p/x",
            "http://localhost:8080/p/x",
        ] {
            assert!(has(url), "{url}");
        }
        for url in [
            "https://k51.localhost:8080/",
            "http://k51.localhost:9001/",
            "http://127.0.0.1:9001/p/x",
            "http://127.0.0.1:8080/",
            "http://localhost:8080/api/p/",
            "http://localhost:9002/p/x",
            "http://localhost/p/x",
            "http://example.org:8080/p/x",
        ] {
            assert!(!has(url), "{url}");
        }
        assert!(sites.policy().contains(
            "frame-src http://*.localhost:8080 http://127.0.0.1:8080/p/ http://localhost:8080/p/ http://localhost:9001;"
        ));
    }
}
