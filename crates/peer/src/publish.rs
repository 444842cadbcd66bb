//! The owner's work on the site, translated between what a skin asks and what the folder does. It
//! needs no network: [`NotOnline`] offers it before the peer goes online.

pub(crate) mod backup;

use std::{path::PathBuf, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use goop2_store::{
    Config, Folder,
    publish::{self, Fault, Publish, Receiving},
};
use serde::Serialize;
use serde_json::Value;
use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};

use crate::{
    api::{
        Added, Backup, BrokenLink, Clash, Plan, Progress, SiteEntry, SiteFiles, SiteProblem,
        SiteRequest, SiteText, Starter, Template, Undo,
    },
    disk::blocking,
    error::Error,
};

/// Pieces of an upload between the network and the disk: some hundred kilobytes.
const PIECES: usize = 8;
/// How long an upload may stall: it comes from this computer.
const STALL: Duration = Duration::from_secs(30);

/// The site of a peer that is not online, for its owner. The folder is locked while this lives.
#[derive(Clone)]
pub struct NotOnline(Arc<Folder>);

impl NotOnline {
    /// Opens the peer's folder. Blocks (disk).
    pub fn open(dir: &std::path::Path) -> Result<Self, Error> {
        Ok(Self(Arc::new(Folder::open(dir)?)))
    }

    /// As [`crate::Peer::site`]. A restored backup takes effect when this is opened again, or the peer
    /// starts.
    pub async fn site(&self, request: SiteRequest) -> Result<Value, Error> {
        match request {
            SiteRequest::SetFolder { path } => {
                set_folder(&self.0, path).await?;
                Ok(Value::Null)
            }
            other => site(&self.0, other).await,
        }
    }

    /// As [`crate::Peer::import_template`].
    pub async fn import_template(&self, source: Source) -> Result<Template, Error> {
        import(&self.0, source).await
    }

    /// As [`crate::Peer::open_backup_file`].
    pub async fn open_backup_file(
        &self,
        path: PathBuf,
        passphrase: Option<String>,
    ) -> Result<Backup, Error> {
        backup::open_file(&self.0, path, passphrase).await
    }

    /// As [`crate::Peer::site_file`].
    pub async fn site_file(&self, path: String) -> Result<PathBuf, Error> {
        site_file(&self.0, path).await
    }

    /// As [`crate::Peer::add`].
    pub async fn add(
        &self,
        files: Local,
        report: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Added, Error> {
        add(&self.0, files, report).await
    }
}

/// Files and folders of this computer that are added to the site.
#[derive(Clone, Debug)]
pub struct Local {
    /// Absolute.
    pub paths: Vec<PathBuf>,
    /// A folder of the site; empty for the top.
    pub into: String,
    /// What happens when a name is taken.
    pub clash: Clash,
}

/// A file that is uploaded.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where it goes in the site.
    pub path: String,
    /// What happens when the name is taken.
    pub clash: Clash,
    /// Uploads with the same one are undone together.
    pub batch: Option<String>,
    /// Its bytes, if that is known.
    pub len: Option<u64>,
}

/// Everything but a change of the folder.
pub(crate) async fn site(folder: &Arc<Folder>, request: SiteRequest) -> Result<Value, Error> {
    blocking(folder, move |folder| answer(folder.publish(), request)).await?
}

fn answer(publish: Publish<'_>, request: SiteRequest) -> Result<Value, Error> {
    match request {
        SiteRequest::Files => json(files(publish.files()?)),
        SiteRequest::Read { path } => json(text(publish.read(&path)?)),
        SiteRequest::Write {
            path,
            text: new,
            version,
        } => json(text(publish.write(&path, &new, version.as_deref())?)),
        SiteRequest::MakeFolder { path } => json(publish.make_folder(&path)?),
        SiteRequest::Move { from, to } => json(undo(publish.rename(&from, &to)?)),
        SiteRequest::Remove { paths } => json(undo(publish.remove(&paths)?)),
        SiteRequest::Undo { id } => json(publish.undo(&id)?),
        SiteRequest::Free { paths } => json(publish.free(&paths)?),
        SiteRequest::SetFolder { .. } => Err(Error::Closed),
        SiteRequest::Starters => json(
            publish
                .starters()?
                .into_iter()
                .map(starter)
                .collect::<Vec<_>>(),
        ),
        SiteRequest::Plan { starter } => json(plan(publish.plan(&starter)?)),
        SiteRequest::Apply { starter } => json(undo(publish.apply(&starter)?)),
        SiteRequest::OpenBackup { id, passphrase } => {
            let contents = publish.open_backup(&id, passphrase.as_deref())?;
            json(backup::shown(contents))
        }
        SiteRequest::Restore { id, identity } => json(publish.restore(&id, identity)?),
    }
}

pub(crate) async fn set_folder(
    folder: &Arc<Folder>,
    path: Option<PathBuf>,
) -> Result<Config, Error> {
    let set = move |folder: &Folder| folder.set_site_root(path.as_deref());
    blocking(folder, set).await?.map_err(|error| match error {
        // About what was chosen, not about the peer.
        goop2_store::Error::Io { .. }
        | goop2_store::Error::Exposed { .. }
        | goop2_store::Error::NoFolder(_) => Error::Invalid(error.to_string()),
        other => other.into(),
    })
}

/// Where a file or folder of the site is on this computer.
pub(crate) async fn site_file(folder: &Arc<Folder>, path: String) -> Result<PathBuf, Error> {
    Ok(blocking(folder, move |folder| folder.publish().locate(&path)).await??)
}

/// Copies files of this computer, until `report` says to stop.
pub(crate) async fn add(
    folder: &Arc<Folder>,
    files: Local,
    mut report: impl FnMut(Progress) -> bool + Send + 'static,
) -> Result<Added, Error> {
    if files.paths.iter().any(|path| !path.is_absolute()) {
        return Err(Error::Invalid(
            "Choose files by their absolute paths.".into(),
        ));
    }
    let copy = move |folder: &Folder| {
        let mut report = |progress: publish::Progress| {
            report(Progress {
                file: progress.file,
                done: progress.done,
                total: progress.total,
            })
        };
        let publish = folder.publish();
        publish.copy(&files.paths, &files.into, clash(files.clash), &mut report)
    };
    Ok(added(blocking(folder, copy).await??))
}

/// What goes to the thread that writes.
enum Piece {
    Bytes(Bytes),
    /// The file is complete: without this, it is not kept.
    End,
}

/// Where a template comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// An archive.
    Archive(Bytes),
    /// An archive or a folder on this computer.
    Path(PathBuf),
}

/// Reads a template, which is not applied yet.
pub(crate) async fn import(folder: &Arc<Folder>, source: Source) -> Result<Template, Error> {
    let import = move |folder: &Folder| {
        let publish = folder.publish();
        let offered = match source {
            Source::Archive(bytes) => publish.import_archive(&bytes),
            Source::Path(path) => publish.import_path(&path),
        };
        template(publish, offered?)
    };
    Ok(blocking(folder, import).await??)
}

/// The site as a template, a ZIP archive.
pub(crate) async fn export(folder: &Arc<Folder>) -> Result<Vec<u8>, Error> {
    Ok(blocking(folder, |folder| folder.publish().export()).await??)
}

/// Receives a file.
pub(crate) async fn upload<E>(
    folder: &Arc<Folder>,
    file: Upload,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<Added, Error> {
    let (pieces, received) = mpsc::channel(PIECES);
    let folder = Arc::clone(folder);
    let writing = spawn_blocking(move || write(folder.publish(), &file, received));
    pass_on(body, pieces).await;
    Ok(added(writing.await.map_err(|_| Error::Closed)??))
}

/// Passes a body on to the thread that writes.
async fn pass_on<E>(body: impl Stream<Item = Result<Bytes, E>>, pieces: mpsc::Sender<Piece>) {
    let mut body = pin!(body);
    let mut wanted = true;
    // To its end also when it is not wanted: a browser reads no answer before it has sent all.
    loop {
        let piece = match timeout(STALL, body.next()).await {
            Ok(Some(Ok(bytes))) => Piece::Bytes(bytes),
            Ok(None) => Piece::End,
            Ok(Some(Err(_))) | Err(_) => break,
        };
        let is_end = matches!(piece, Piece::End);
        wanted = wanted && pieces.send(piece).await.is_ok();
        if is_end {
            break;
        }
    }
}

fn write(
    publish: Publish<'_>,
    file: &Upload,
    mut received: mpsc::Receiver<Piece>,
) -> Result<publish::Added, Fault> {
    let mut upload = match publish.receive(&file.path, clash(file.clash), file.len)? {
        Receiving::Skipped => return Ok(publish.skip(&file.path)),
        Receiving::Into(upload) => upload,
    };
    loop {
        match received.blocking_recv() {
            Some(Piece::Bytes(bytes)) => upload.write(&bytes)?,
            Some(Piece::End) => return publish.keep(upload, file.batch.as_deref()),
            None => return Err(Fault::Canceled),
        }
    }
}

fn json(value: impl Serialize) -> Result<Value, Error> {
    Ok(serde_json::to_value(value).expect("plain values are JSON"))
}

fn files(files: publish::Files) -> SiteFiles {
    let entry = |entry: publish::Entry| SiteEntry {
        path: entry.path,
        folder: entry.folder,
        size: entry.size,
        modified: entry.modified,
        files: entry.files,
        front: entry.front,
        unserved: entry.unserved,
    };
    let broken = |broken: publish::Broken| BrokenLink {
        page: broken.page,
        line: broken.line,
        link: broken.link,
    };
    let problem = |(file, line, message): (&str, usize, String)| SiteProblem {
        file: file.into(),
        line,
        message,
    };
    SiteFiles {
        root: files.root,
        own: files.own,
        entries: files.entries.into_iter().map(entry).collect(),
        complete: files.complete,
        broken: files.broken.into_iter().map(broken).collect(),
        problems: files.problems.into_iter().map(problem).collect(),
        listed: files.listed,
        untouched: files.untouched,
    }
}

fn starter(offered: publish::Offered) -> Starter {
    Starter {
        id: offered.id,
        title: offered.title,
        description: offered.description,
        preview: offered.preview,
        tables: offered.tables,
    }
}

fn template(publish: Publish<'_>, offered: publish::Offered) -> Result<Template, Fault> {
    Ok(Template {
        plan: plan(publish.plan(&offered.id)?),
        id: offered.id,
        title: offered.title,
        description: offered.description,
        notes: offered.notes,
    })
}

fn plan(plan: publish::Plan) -> Plan {
    Plan {
        adds: plan.adds,
        replaces: plan.replaces,
        removes: plan.removes,
        tables: plan.tables,
    }
}

fn text(text: publish::Text) -> SiteText {
    SiteText {
        path: text.path,
        text: text.text,
        version: text.version,
    }
}

fn undo(undo: publish::Undo) -> Undo {
    Undo {
        id: undo.id,
        message: undo.message,
    }
}

fn added(added: publish::Added) -> Added {
    Added {
        added: added.added,
        skipped: added.skipped,
        undo: undo(added.undo),
    }
}

fn clash(clash: Clash) -> publish::Clash {
    match clash {
        Clash::Ask => publish::Clash::Ask,
        Clash::Replace => publish::Clash::Replace,
        Clash::Both => publish::Clash::Both,
        Clash::Skip => publish::Clash::Skip,
    }
}
