//! The window: a skin over [`goop2_peer::Peer`], as thin as the one in the browser. Commands parse,
//! call and map; events are forwarded.
//!
//! The app outlives its peer ([`running`]). Visited sites are framed from origins of their own and
//! never have a Tauri capability. The window's policy frames nothing but the ports of the viewer
//! that runs, so a site cannot lead its frame to another program on this machine; a document's
//! policy is fixed, so the window loads its own anew when another viewer takes over.
//!
//! WKWebView may find no names under `.localhost`: on macOS the viewer is asked for its ports
//! ([`goop2_viewer::ports`]). No machine with macOS has run this; the same way is tested in
//! browsers.

mod desk;
mod find;
mod keys;
mod menu;
mod network;
mod preferences;
mod profiles;
mod rendezvous;
mod running;
mod settings;
mod shell;
mod sites;
mod tray;
mod visit;
mod webview;
mod wishes;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use clap::Parser;
use goop2_peer::api::Failure;
use serde::Serialize;
use tauri::{
    AppHandle, CloseRequestApi, Emitter, Manager, RunEvent, Url, WebviewUrl, WebviewWindowBuilder,
    WindowEvent, async_runtime, http::header::CONTENT_SECURITY_POLICY,
};
use tauri_plugin_autostart::{MacosLauncher, ManagerExt};
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_plugin_notification::NotificationExt;
use tauri_plugin_window_state::StateFlags;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, watch},
    task::JoinSet,
};

use self::{
    desk::Desk,
    profiles::Profiles,
    running::{Online, Running},
    shell::{Closing, Refused, Shell, Stage, Wish},
    sites::{Framed, Framing, admit},
    tray::Tray,
    wishes::Wishes,
};
use crate::{
    cli::{Cli, Command},
    headless,
};

/// The window's name.
const MAIN: &str = "main";
/// What the app is started with when the user logs in.
const HIDDEN: &str = "--hidden";

/// Opens the window on a peer folder, the user's own one when none is given; returns when the app
/// was quit and all has ended.
pub(crate) fn run(dir: Option<PathBuf>, hidden: bool) -> anyhow::Result<()> {
    let runtime = headless::runtime()?;
    let handle = runtime.handle().clone();
    async_runtime::set(handle.clone());
    let _within = handle.enter();
    let stop = headless::stop_signal()?;
    let app = tauri::Builder::default()
        // First: a second start ends here, before it touches anything.
        .plugin(tauri_plugin_single_instance::init(|app, args, from| {
            started_again(app, &args, Path::new(&from));
        }))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_opener::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_store::Builder::default().build())
        .plugin(tauri_plugin_autostart::init(
            MacosLauncher::LaunchAgent,
            Some(vec![HIDDEN]),
        ))
        .plugin(
            tauri_plugin_window_state::Builder::default()
                .with_state_flags(StateFlags::all() - StateFlags::VISIBLE)
                .build(),
        )
        .invoke_handler(tauri::generate_handler![
            visit::session,
            visit::snapshot,
            visit::origin,
            visit::place,
            visit::add_address,
            visit::avatar,
            visit::open_external,
            find::find,
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
            desk::shell,
            desk::create_peer,
            desk::open_peer,
            desk::go_online,
            desk::go_offline,
            desk::answered,
            desk::open_folder,
            desk::save_log,
            desk::set_closing,
            desk::set_autostart,
            desk::close_window,
            desk::hide_window,
            desk::quit,
            desk::notify,
            settings::settings,
            settings::change_settings,
            settings::replace_settings,
            settings::set_avatar,
            settings::note,
            settings::details,
            settings::logs,
        ])
        .setup(move |app| Ok(begin(app.handle(), dir, hidden, stop)?))
        .on_window_event(|window, event| {
            if let WindowEvent::CloseRequested { api, .. } = event {
                closing(window.app_handle(), api);
            }
        })
        .build(tauri::generate_context!())
        .context("the window could not be opened")?;
    app.run(move |app, event| match event {
        RunEvent::Exit => end(app, &runtime),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => show(app),
        _ => {}
    });
    Ok(())
}

fn begin(
    app: &AppHandle,
    dir: Option<PathBuf>,
    hidden: bool,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let profiles = Profiles::open(app)?;
    let tray_shown = tray::is_shown();
    let (changes, _) = watch::channel(Shell {
        stage: Stage::First {
            name: profiles::suggested_name(),
        },
        folder: String::new(),
        profiles: profiles.list(),
        ask: None,
        closing: profiles.closing(),
        tray: tray_shown,
        autostart: app.autolaunch().is_enabled().unwrap_or(false),
    });
    let running = Running::new(changes.clone());
    // A folder of the command line is for this once; the user's own is remembered.
    if let Some(dir) = dir.map_or_else(
        || Ok(profiles.last()),
        |dir| std::path::absolute(dir).map(Some),
    )? {
        async_runtime::block_on(running.start(&dir));
    }
    let framed = Framed::default();
    // Nobody may be left with a program that cannot be seen.
    open(app, &running, &framed, !hidden || !tray_shown)?;
    menu::set(app)?;
    let (toggles, toggled) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(desk::obey(running.clone(), toggled));
    tasks.spawn(running.clone().watch_over());
    tasks.spawn(forward(
        app.clone(),
        running.clone(),
        framed,
        Tray::open(app),
        stop,
    ));
    app.manage(running.clone());
    app.manage(Desk {
        running,
        profiles,
        wishes: Wishes::new(changes),
        toggles,
        tasks: Mutex::new(tasks),
    });
    listen_for_links(app);
    Ok(())
}

/// Links reach the app as it is started with one, as a second start hands one over, or as an event
/// of the system.
fn listen_for_links(app: &AppHandle) {
    let wish = |app: &AppHandle, links: Vec<Url>| {
        for wish in links.iter().filter_map(wishes::of_link) {
            app.state::<Desk>().wishes.ask(wish);
        }
    };
    let links = app.deep_link();
    // There is a package for Linux that does; on Windows there may be no more than a folder.
    #[cfg(windows)]
    if let Err(error) = links.register_all() {
        tracing::warn!(%error, "goop:// links do not lead here");
    }
    if let Ok(Some(first)) = links.get_current() {
        wish(app, first);
    }
    let app = app.clone();
    links.on_open_url(move |event| {
        wish(&app, event.urls());
        show(&app);
    });
}

/// Another start: its window is this one. A link in it comes by the way of all links.
fn started_again(app: &AppHandle, args: &[String], from: &Path) {
    let Ok(cli) = Cli::try_parse_from(args) else {
        return show(app);
    };
    if let Some(Command::Window { dir: Some(dir) }) = cli.command {
        let desk = app.state::<Desk>();
        let wish = wishes::of_folder(&from.join(dir));
        let Wish::Switch { folder } = &wish else {
            return;
        };
        if desk.running.shell().borrow().folder != *folder {
            desk.wishes.ask(wish);
        }
    }
    if !cli.hidden {
        show(app);
    }
}

fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(MAIN) else {
        return;
    };
    let shown = window
        .show()
        .and_then(|()| window.unminimize())
        .and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window does not come to the front");
    }
}

/// Where there is no tray, a closed window is the end; where there is one, the user has said what
/// it means, or is asked.
fn closing(app: &AppHandle, api: &CloseRequestApi) {
    let desk = app.state::<Desk>();
    let tray = tray::is_shown();
    desk.running.shell().send_modify(|shell| shell.tray = tray);
    if !tray {
        return;
    }
    match desk.profiles.closing() {
        Closing::Quit => {}
        Closing::Tray => {
            api.prevent_close();
            if let Some(window) = app.get_webview_window(MAIN) {
                let _shown_still = window.hide();
            }
        }
        // Who closes a window that asks means it.
        Closing::Ask => {
            if desk.wishes.ask(Wish::Close) {
                api.prevent_close();
            }
        }
    }
}

fn open(app: &AppHandle, running: &Running, framed: &Framed, visible: bool) -> tauri::Result<()> {
    let (running, framed, telling) = (running.clone(), Arc::clone(framed), app.clone());
    let (seen, sites) = (running.clone(), running.clone());
    let refused = move |refused: Refused| wanted(&telling, &sites, refused);
    let within = move |url: &Url| {
        let own =
            matches!(url.scheme(), "tauri" | "about") || url.host_str() == Some("tauri.localhost");
        own || seen.now().is_some_and(|online| online.sites.have(url))
    };
    let window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
        .title("Goop2")
        .inner_size(1120.0, 720.0)
        .min_inner_size(640.0, 420.0)
        .visible(visible)
        .on_web_resource_request(move |_, response| {
            if let Some(policy) = response.headers_mut().get_mut(CONTENT_SECURITY_POLICY) {
                *policy = admit(policy, running.now(), &framed);
            }
        });
    let window = webview::confine(window, within, refused)?;
    let telling = app.clone();
    keys::take(&window, move |key| emit(&telling, "key", key))
}

/// What a page wanted and does not get by itself. A link to a site is followed in place, as any
/// link in the frame.
fn wanted(app: &AppHandle, running: &Running, refused: Refused) {
    let Refused::Link { url } = &refused else {
        return emit(app, "refused", refused);
    };
    let Ok(url) = url.parse() else { return };
    match running.now().and_then(|online| online.sites.place(&url)) {
        Some(place) => emit(app, "opened", place),
        None if visit::leads_out(&url) => emit(app, "refused", refused),
        // As `about:blank`: an empty window to write into.
        None => {}
    }
}

/// What happens, as events of the window and signs in the tray, until the system asks the app to
/// stop.
async fn forward(
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

/// One run of a peer: what it shows.
async fn attend(app: &AppHandle, framed: &Framed, online: Online) {
    let document = framed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if document != Some(Framing::of(&online))
        && let Some(window) = app.get_webview_window(MAIN)
        && let Err(error) = window.reload()
    {
        tracing::warn!(%error, "the window keeps the sites of an earlier run");
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

fn emit<T: Serialize + Clone>(app: &AppHandle, event: &str, value: T) {
    if let Err(error) = app.emit(event, value) {
        tracing::warn!(event, %error, "the window did not take an event");
    }
}

/// Someone who does not see the window has to know all the same.
fn tell_of_failure(app: &AppHandle, reason: &str) {
    let seen = app
        .get_webview_window(MAIN)
        .is_some_and(|window| window.is_visible().unwrap_or(true));
    if !seen {
        let note = app.notification().builder();
        let _no_notifications_here = note.title("Goop2 has gone offline").body(reason).show();
    }
}

fn end(app: &AppHandle, runtime: &tokio::runtime::Runtime) {
    // Not there when the setup failed.
    if let Some(desk) = app.try_state::<Desk>() {
        desk.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        runtime.block_on(desk.running.go_offline());
    }
}

fn failure(error: goop2_peer::Error) -> Failure {
    error.failure()
}
