//! The window: a thin skin over [`goop2_peer::Peer`], like the one in the browser. Commands parse,
//! call and map; events are forwarded.
//!
//! The app outlives its peer ([`running`]). Visited sites are framed, each from its own origin, and
//! never have a Tauri capability. The window's policy frames only the ports of the running viewer,
//! so a site cannot lead its frame to another program on this computer. A document's policy cannot
//! change, so the window reloads its document when another viewer takes over.
//!
//! WKWebView may not resolve names under `.localhost`: on macOS the viewer serves sites at ports
//! ([`goop2_viewer::ports`]). This has not been run on macOS; the same code is tested in browsers.

mod app;
#[cfg(target_os = "linux")]
mod drawing;
mod events;
mod find;
#[cfg(target_os = "linux")]
mod front;
mod keys;
mod links;
mod main_window;
mod menu;
mod network;
mod preferences;
mod profiles;
mod publish;
mod rendezvous;
mod running;
mod settings;
mod shell;
mod sites;
mod tables;
mod tray;
mod visit;
mod webview;
mod wishes;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use tauri::{
    AppHandle, CloseRequestApi, DragDropEvent, Manager, RunEvent, Url, WebviewUrl,
    WebviewWindowBuilder, WindowEvent, async_runtime, http::header::CONTENT_SECURITY_POLICY,
};
use tauri_plugin_autostart::{MacosLauncher, ManagerExt};
use tauri_plugin_window_state::StateFlags;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use self::{
    app::{Again, App, Start},
    events::{forward, wanted},
    main_window::{MAIN, emit},
    profiles::Profiles,
    publish::Adding,
    running::Running,
    shell::{Closing, Refused, Shell, Stage, Wish},
    sites::{Framed, admit},
    tray::Tray,
    wishes::Wishes,
};
use crate::lifecycle;

/// The argument of a start at login.
const HIDDEN: &str = "--hidden";

/// Opens the window with a peer folder, or with the one used last; returns after the app has quit
/// and everything has stopped.
pub(crate) fn run(dir: Option<PathBuf>, hidden: bool) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    drawing::choose();
    let runtime = lifecycle::runtime()?;
    let handle = runtime.handle().clone();
    async_runtime::set(handle.clone());
    let _within = handle.enter();
    let stop = lifecycle::stop_signal()?;
    #[cfg(target_os = "linux")]
    front::hand_over();
    let app = tauri::Builder::default()
        // First: a second start ends here, before it touches anything.
        .plugin(tauri_plugin_single_instance::init(|app, args, from| {
            links::started_again(app, &args, Path::new(&from));
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
            visit::zoom,
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
            app::shell,
            app::create_peer,
            app::open_peer,
            app::go_online,
            app::go_offline,
            app::answered,
            app::open_folder,
            app::save_log,
            app::set_closing,
            app::set_autostart,
            app::close_window,
            app::hide_window,
            app::quit,
            app::notify,
            publish::site,
            publish::add_files,
            publish::upload_file,
            publish::cancel_add,
            publish::pick_folder,
            publish::pick_files,
            publish::import_template,
            publish::export_template,
            publish::save_backup,
            publish::open_backup,
            publish::open_file,
            publish::show_file,
            settings::settings,
            settings::change_settings,
            settings::replace_settings,
            settings::set_avatar,
            settings::renew_identity,
            settings::note,
            settings::details,
            settings::try_again,
            settings::logs,
            tables::tables,
            tables::export_table,
        ])
        .setup(move |app| Ok(begin(app.handle(), dir, hidden, stop)?))
        .on_window_event(|window, event| match event {
            WindowEvent::CloseRequested { api, .. } => closing(window.app_handle(), api),
            WindowEvent::DragDrop(DragDropEvent::Drop { paths, .. }) => {
                emit(window.app_handle(), "dropped", paths.clone());
            }
            _ => {}
        })
        .build(tauri::generate_context!())
        .context("the window could not be opened")?;
    app.run(move |app, event| match event {
        // From here on there is no window to show to another start.
        RunEvent::ExitRequested { .. } => {
            if let Some(state) = app.try_state::<App>() {
                state.again.begin();
            }
        }
        RunEvent::Exit => end(app, &runtime),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => main_window::show(app),
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
    // A folder from the command line is not remembered.
    if let Some(dir) = dir.map_or_else(
        || Ok(profiles.last()),
        |dir| std::path::absolute(dir).map(Some),
    )? {
        let first = profiles.is_choosing(&dir);
        async_runtime::block_on(running.open(&dir, first));
    }
    let framed = Framed::default();
    // Without a tray, a hidden window could not be reached.
    open(app, &running, &framed, !hidden || !tray_shown)?;
    menu::set(app)?;
    let (toggles, toggled) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(app::follow_tray(running.clone(), toggled));
    tasks.spawn(running.clone().watch_over());
    tasks.spawn(forward(
        app.clone(),
        running.clone(),
        framed,
        Tray::open(app),
        stop,
    ));
    app.manage(running.clone());
    app.manage(Adding::default());
    #[cfg(target_os = "linux")]
    app.manage(front::Front::listen());
    app.manage(App {
        running,
        profiles,
        wishes: Wishes::new(changes),
        toggles,
        tasks: Mutex::new(tasks),
        again: Again::default(),
    });
    links::listen(app);
    Ok(())
}

/// Without a tray, closing the window quits. With one, the user has chosen what it does, or is
/// asked.
fn closing(app: &AppHandle, api: &CloseRequestApi) {
    let state = app.state::<App>();
    let tray = tray::is_shown();
    state.running.shell().send_modify(|shell| shell.tray = tray);
    if !tray {
        return;
    }
    match state.profiles.closing() {
        Closing::Quit => {}
        Closing::Tray => {
            api.prevent_close();
            if let Some(window) = app.get_webview_window(MAIN) {
                let _shown_still = window.hide();
            }
        }
        // Closing the window while the question is shown quits.
        Closing::Ask => {
            if state.wishes.ask(Wish::Close) {
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
                *policy = admit(
                    policy,
                    running.now().map(|online| online.framing()),
                    &framed,
                );
            }
        });
    let window = webview::confine(window, within, refused)?;
    let telling = app.clone();
    keys::take(&window, move |key| emit(&telling, "key", key))
}

fn end(app: &AppHandle, runtime: &tokio::runtime::Runtime) {
    // Not there when the setup failed.
    if let Some(state) = app.try_state::<App>() {
        state
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        runtime.block_on(state.running.end());
        // From here on another start is on its own.
        tauri_plugin_single_instance::destroy(app);
        if let Some(start) = state.again.wanted() {
            start_again(start);
        }
    }
}

/// The program in another process, because this one has no event loop anymore.
fn start_again(Start { args, dir }: Start) {
    let begun = env::current_exe().and_then(|program| {
        let mut program = Command::new(program);
        program.args(args).current_dir(dir).spawn()
    });
    if let Err(error) = begun {
        tracing::error!(%error, "Goop2 could not be started again");
    }
}
