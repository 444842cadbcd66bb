//! The state of the app and the commands about it: which peer runs, whether it is online, what
//! waits for confirmation, and what closing the window does.

use std::{
    fs::File,
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, bail};
use goop2_peer::api::Failure;
use tauri::{AppHandle, Manager, State};
use tauri_plugin_autostart::ManagerExt;
use tauri_plugin_notification::NotificationExt;
use tauri_plugin_opener::OpenerExt;
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
};

use super::{
    main_window::MAIN,
    profiles::Profiles,
    running::Running,
    shell::{Closing, Shell, Stage},
    wishes::Wishes,
};

/// Longest title and text of a notification, in characters: more than desktops show.
const MAX_NOTE: usize = 300;
/// Most files of one name in the user's download folder.
const MAX_FILES: usize = 100;

pub(crate) struct App {
    pub(crate) running: Running,
    pub(crate) profiles: Profiles,
    pub(crate) wishes: Wishes,
    /// Clicks on the tray item; those made while one is being handled are ignored.
    pub(crate) toggles: mpsc::Sender<()>,
    /// Ends with the app.
    pub(crate) tasks: Mutex<JoinSet<()>>,
    pub(crate) again: Again,
}

/// Another start while the app is already ending: it has no window to show, so it begins again with
/// what that start was given.
#[derive(Default)]
pub(crate) struct Again(Mutex<Ending>);

#[derive(Default)]
enum Ending {
    #[default]
    Not,
    Alone,
    For(Start),
}

/// How the program was started.
pub(crate) struct Start {
    /// Without the name of the program.
    pub(crate) args: Vec<String>,
    pub(crate) dir: PathBuf,
}

impl Again {
    pub(crate) fn begin(&self) {
        *self.lock() = Ending::Alone;
    }

    /// Whether the app is ending; it then begins again for this start.
    pub(crate) fn wait_for(&self, start: impl FnOnce() -> Start) -> bool {
        let mut ending = self.lock();
        let is_ending = !matches!(*ending, Ending::Not);
        if is_ending {
            *ending = Ending::For(start());
        }
        is_ending
    }

    pub(crate) fn wanted(&self) -> Option<Start> {
        match mem::replace(&mut *self.lock(), Ending::Alone) {
            Ending::For(start) => Some(start),
            Ending::Not | Ending::Alone => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Online if offline, offline if online.
    pub(crate) fn toggle(&self) {
        let _busy = self.toggles.try_send(());
    }

    fn stage(&self) -> Stage {
        self.running.shell().borrow().stage.clone()
    }

    /// Reads the lists and settings on disk again.
    pub(crate) fn refresh(&self) {
        let (profiles, closing) = (self.profiles.list(), self.profiles.closing());
        self.running.shell().send_modify(|shell| {
            shell.profiles = profiles;
            shell.closing = closing;
        });
    }

    /// Goes online with this folder, or asks what it publishes, without waiting: replacing a running peer may reload the page,
    /// and Tauri repeats a call that a reload interrupts.
    fn open(&self, dir: PathBuf) {
        self.profiles.used(&dir);
        self.refresh();
        let running = self.running.clone();
        let first = self.profiles.is_choosing(&dir);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { running.open(&dir, first).await });
    }
}

/// Handles clicks on the tray item.
pub(crate) async fn follow_tray(running: Running, mut toggles: mpsc::Receiver<()>) {
    while toggles.recv().await.is_some() {
        let stage = running.shell().borrow().stage.clone();
        match stage {
            Stage::Online => running.go_offline().await,
            Stage::Offline | Stage::Crashed { .. } => running.go_online().await,
            Stage::First { .. } | Stage::Choosing | Stage::Starting | Stage::Stopping => {}
        }
    }
}

#[tauri::command]
pub(super) fn shell(state: State<'_, App>) -> Shell {
    state.running.shell().borrow().clone()
}

/// Creates a peer with this name, whose owner then chooses what it publishes.
#[tauri::command]
pub(super) async fn create_peer(name: String, state: State<'_, App>) -> Result<(), Failure> {
    let dir = state.profiles.create(&name).map_err(failed("name"))?;
    state.profiles.set_choosing(&dir);
    state.open(dir);
    Ok(())
}

/// Goes online with the peer in this folder instead of the current one.
#[tauri::command]
pub(super) async fn open_peer(folder: String, state: State<'_, App>) -> Result<(), Failure> {
    let dir = state.profiles.existing(&folder).map_err(failed("folder"))?;
    state.open(dir);
    Ok(())
}

#[tauri::command]
pub(super) async fn go_online(state: State<'_, App>) -> Result<(), Failure> {
    if state.stage() != Stage::Online {
        state.profiles.chosen();
        state.running.go_online().await;
    }
    Ok(())
}

#[tauri::command]
pub(super) async fn go_offline(state: State<'_, App>) -> Result<(), Failure> {
    state.running.go_offline().await;
    Ok(())
}

#[tauri::command]
pub(super) fn answered(number: u32, state: State<'_, App>) {
    state.wishes.answered(number);
}

/// Saves a log in the user's download folder and returns its path.
#[tauri::command]
pub(super) async fn save_log(text: String) -> Result<String, Failure> {
    save_download("goop2-log", "txt", text.into_bytes()).await
}

/// Saves a file in the user's download folder and returns its path.
pub(super) async fn save_download(
    name: &'static str,
    extension: &'static str,
    bytes: Vec<u8>,
) -> Result<String, Failure> {
    let saved = spawn_blocking(move || save(name, extension, &bytes)).await;
    let path = saved.map_err(failed("save"))?.map_err(failed("save"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Saves a copy of a file in the user's download folder and returns its path.
pub(super) async fn save_copy(
    name: &'static str,
    extension: &'static str,
    from: PathBuf,
) -> Result<String, Failure> {
    let copied = spawn_blocking(move || copy(name, extension, &from)).await;
    let path = copied.map_err(failed("save"))?.map_err(failed("save"))?;
    Ok(path.to_string_lossy().into_owned())
}

fn copy(name: &str, ending: &str, from: &Path) -> anyhow::Result<PathBuf> {
    let mut from = File::open(from)?;
    let (mut file, path) = new_file(name, ending)?;
    match io::copy(&mut from, &mut file) {
        Ok(_) => Ok(path),
        Err(error) => {
            // A part of a backup is none.
            let _still_there = std::fs::remove_file(&path);
            Err(error.into())
        }
    }
}

/// In a new file of the user's download folder.
fn save(name: &str, ending: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let (mut file, path) = new_file(name, ending)?;
    Ok(file.write_all(bytes).map(|()| path)?)
}

/// A new file in the user's download folder: nothing is overwritten.
pub(super) fn new_file(name: &str, ending: &str) -> anyhow::Result<(File, PathBuf)> {
    let dir = dirs::download_dir().filter(|dir| dir.is_dir());
    let dir = dir.or_else(dirs::home_dir);
    let dir = dir.context("There is no folder to save the file in.")?;
    for number in 1..=MAX_FILES {
        let path = dir.join(match number {
            1 => format!("{name}.{ending}"),
            _ => format!("{name}-{number}.{ending}"),
        });
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!(
        "There are too many files named {name} in {}.",
        dir.display()
    )
}

/// Shows the peer's folder in the file manager; its `site` is what is published.
#[tauri::command]
pub(super) fn open_folder(app: AppHandle, state: State<'_, App>) -> Result<(), Failure> {
    let folder = state.running.shell().borrow().folder.clone();
    app.opener()
        .open_path(folder, None::<&str>)
        .map_err(failed("folder"))
}

#[tauri::command]
pub(super) fn set_closing(closing: Closing, state: State<'_, App>) {
    state.profiles.set_closing(closing);
    state.refresh();
}

#[tauri::command]
pub(super) fn set_autostart(
    on: bool,
    app: AppHandle,
    state: State<'_, App>,
) -> Result<(), Failure> {
    let login = app.autolaunch();
    let done = if on { login.enable() } else { login.disable() };
    done.map_err(failed("autostart"))?;
    state
        .running
        .shell()
        .send_modify(|shell| shell.autostart = on);
    Ok(())
}

/// Same as the close button of the window.
#[tauri::command]
pub(super) fn close_window(app: AppHandle) -> Result<(), Failure> {
    let Some(window) = app.get_webview_window(MAIN) else {
        return Ok(());
    };
    window.close().map_err(failed("window"))
}

#[tauri::command]
pub(super) fn hide_window(app: AppHandle) -> Result<(), Failure> {
    let Some(window) = app.get_webview_window(MAIN) else {
        return Ok(());
    };
    window.hide().map_err(failed("window"))
}

#[tauri::command]
pub(super) fn quit(app: AppHandle) {
    app.exit(0);
}

#[tauri::command]
pub(super) fn notify(title: &str, body: &str, app: AppHandle) -> Result<(), Failure> {
    let short = |text: &str| text.chars().take(MAX_NOTE).collect::<String>();
    let note = app.notification().builder().title(short(title));
    note.body(short(body))
        .show()
        .map_err(failed("notification"))
}

/// A failure with this code and the system's message.
pub(super) fn failed<E: std::fmt::Display>(code: &str) -> impl Fn(E) -> Failure {
    move |error| Failure {
        code: code.into(),
        message: format!("{error:#}"),
    }
}
