//! Commands about the user's own site: what the page of it does, and what only a window can, with
//! files of this computer by their paths.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use goop2_peer::{
    Error, Local, Upload,
    api::{Added, Backup, Clash, Failure, Progress, Saved, SiteRequest, Template},
};
use rfd::AsyncFileDialog;
use serde_json::Value;
use tauri::{
    AppHandle, Manager, State, Url,
    ipc::{Channel, InvokeBody, Request},
};
use tauri_plugin_opener::OpenerExt;
use tokio::sync::oneshot;

use super::{
    app::{save_copy, save_download},
    main_window::MAIN,
    running::{Running, failure},
};

/// Additions at once: a person starts one after the other.
const MAX_ADDING: usize = 8;
/// Between two reports of progress: as often as a bar needs to move.
const REPORT: Duration = Duration::from_millis(50);

/// What a program of the system may be asked to open. Anything else could be a program itself, so
/// it is only shown where it lies.
const OPENED: [&str; 24] = [
    "html", "htm", "css", "md", "txt", "json", "xml", "csv", "svg", "png", "jpg", "jpeg", "gif",
    "webp", "avif", "pdf", "mp3", "mp4", "webm", "ogg", "oga", "ogv", "wav", "flac",
];

/// The additions in progress, to be canceled by their numbers.
#[derive(Default)]
pub(super) struct Adding(Mutex<HashMap<String, Arc<AtomicBool>>>);

impl Adding {
    fn now(&self) -> MutexGuard<'_, HashMap<String, Arc<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, number: &str) -> Result<Arc<AtomicBool>, Failure> {
        let mut now = self.now();
        if now.len() == MAX_ADDING {
            return Err(failure(Error::Invalid(
                "Wait until the other files are added.".into(),
            )));
        }
        Ok(Arc::clone(now.entry(number.to_owned()).or_default()))
    }
}

#[tauri::command]
pub(super) async fn site(
    request: SiteRequest,
    running: State<'_, Running>,
) -> Result<Value, Failure> {
    running.site(request).await
}

/// Copies files and folders of this computer into the site.
#[tauri::command]
pub(super) async fn add_files(
    paths: Vec<PathBuf>,
    into: String,
    clash: Clash,
    number: String,
    progress: Channel<Progress>,
    running: State<'_, Running>,
    adding: State<'_, Adding>,
) -> Result<Added, Failure> {
    let canceled = adding.begin(&number)?;
    let files = Local { paths, into, clash };
    let added = running.add(files, reports(progress, canceled)).await;
    adding.now().remove(&number);
    added
}

/// Passes some of the reports on, and the last one.
fn reports(
    progress: Channel<Progress>,
    canceled: Arc<AtomicBool>,
) -> impl FnMut(Progress) -> bool + Send + 'static {
    let mut last: Option<Instant> = None;
    move |report| {
        let is_last = report.done == report.total;
        if is_last || last.is_none_or(|last| last.elapsed() >= REPORT) {
            last = Some(Instant::now());
            let _nobody_looks = progress.send(report);
        }
        !canceled.load(Ordering::Relaxed)
    }
}

/// Adds a file whose bytes the page has: a picture that was pasted, or chosen for a text. A header
/// says where it goes, as the query of an address does.
#[tauri::command]
pub(super) async fn upload_file(
    request: Request<'_>,
    running: State<'_, Running>,
) -> Result<Added, Failure> {
    let invalid = || failure(Error::Invalid("This is not a file.".into()));
    let InvokeBody::Raw(bytes) = request.body() else {
        return Err(invalid());
    };
    let to = request.headers().get("to").and_then(|to| to.to_str().ok());
    let file = to.and_then(upload_to).ok_or_else(invalid)?;
    let added = running.peer()?.upload_bytes(file, bytes.clone()).await;
    added.map_err(failure)
}

fn upload_to(query: &str) -> Option<Upload> {
    let query = Url::parse(&format!("to:?{query}")).ok()?;
    let value = |name| {
        let found = query.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned())
    };
    Some(Upload {
        path: value("path")?,
        clash: serde_json::from_value(value("clash")?.into()).ok()?,
        batch: value("batch"),
        len: None,
    })
}

#[tauri::command]
pub(super) fn cancel_add(number: &str, adding: State<'_, Adding>) {
    if let Some(canceled) = adding.now().get(number) {
        canceled.store(true, Ordering::Relaxed);
    }
}

/// Asks for a folder; none when the user cancels.
#[tauri::command]
pub(super) async fn pick_folder(app: AppHandle) -> Result<Option<PathBuf>, Failure> {
    let picked = pick(&app, AsyncFileDialog::pick_folder).await?;
    Ok(picked.map(|folder| folder.path().to_owned()))
}

/// Asks for files; none when the user cancels.
#[tauri::command]
pub(super) async fn pick_files(app: AppHandle) -> Result<Vec<PathBuf>, Failure> {
    let picked = pick(&app, AsyncFileDialog::pick_files).await?;
    let picked = picked.unwrap_or_default();
    Ok(picked.iter().map(|file| file.path().to_owned()).collect())
}

/// The dialog belongs to the window's thread.
async fn pick<F, T>(
    app: &AppHandle,
    ask: impl FnOnce(AsyncFileDialog) -> F + Send + 'static,
) -> Result<Option<T>, Failure>
where
    F: Future<Output = Option<T>> + Send + 'static,
{
    let (asked, answer) = oneshot::channel();
    let window = app.get_webview_window(MAIN);
    let open = move || {
        let dialog = AsyncFileDialog::new();
        let dialog = match &window {
            Some(window) => dialog.set_parent(window),
            None => dialog,
        };
        let _the_command_ended = asked.send(ask(dialog));
    };
    let closed = || failure(Error::Closed);
    app.run_on_main_thread(open).map_err(|_| closed())?;
    Ok(answer.await.map_err(|_| closed())?.await)
}

/// Reads a template from an archive or folder of this computer.
#[tauri::command]
pub(super) async fn import_template(
    path: PathBuf,
    running: State<'_, Running>,
) -> Result<Template, Failure> {
    running.import_template(path).await
}

/// Saves the site as a template in the user's downloads.
#[tauri::command]
pub(super) async fn export_template(running: State<'_, Running>) -> Result<Saved, Failure> {
    let archive = running.peer()?.export_template().await.map_err(failure)?;
    let path = save_download("goop2-site", "zip", archive).await?;
    Ok(Saved { path: Some(path) })
}

/// Saves a backup in the user's downloads.
#[tauri::command]
pub(super) async fn save_backup(
    passphrase: Option<String>,
    running: State<'_, Running>,
) -> Result<Saved, Failure> {
    let backup = running.peer()?.backup(passphrase).await.map_err(failure)?;
    let path = save_copy("goop2-site", "goop2-backup", backup.path()).await?;
    Ok(Saved { path: Some(path) })
}

/// Reads a backup of this computer.
#[tauri::command]
pub(super) async fn open_backup(
    path: PathBuf,
    passphrase: Option<String>,
    running: State<'_, Running>,
) -> Result<Backup, Failure> {
    running.open_backup(path, passphrase).await
}

/// Opens a file or folder of the site with the system's program for it.
#[tauri::command]
pub(super) async fn open_file(
    path: String,
    app: AppHandle,
    running: State<'_, Running>,
) -> Result<(), Failure> {
    let file = running.site_file(path).await?;
    let extension = file
        .extension()
        .map(|it| it.to_string_lossy().to_lowercase());
    let opens = extension.is_some_and(|it| OPENED.contains(&it.as_str()));
    if file.is_dir() || opens {
        let file = file.to_string_lossy();
        return app.opener().open_path(file, None::<&str>).map_err(unopened);
    }
    app.opener().reveal_item_in_dir(file).map_err(unopened)
}

/// Shows a file of the site in the file manager; an empty path is the site's folder.
#[tauri::command]
pub(super) async fn show_file(
    path: String,
    app: AppHandle,
    running: State<'_, Running>,
) -> Result<(), Failure> {
    let is_site = path.is_empty();
    let file = running.site_file(path).await?;
    if is_site {
        let file = file.to_string_lossy();
        return app.opener().open_path(file, None::<&str>).map_err(unopened);
    }
    app.opener().reveal_item_in_dir(file).map_err(unopened)
}

fn unopened(error: tauri_plugin_opener::Error) -> Failure {
    Failure {
        code: "open".into(),
        message: error.to_string(),
    }
}
