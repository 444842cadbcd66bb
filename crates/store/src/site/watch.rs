//! What changes in the site folder, as the system reports it, in addresses that visitors know.
//!
//! A file is often not written but replaced: the editor writes another one and renames it. So the
//! folders are watched, not the files, and only the name of what changed counts. Names that are not
//! served are dropped here and go nowhere.
//!
//! Where the system reports nothing (network folders on Linux) or runs out of watches (one for each
//! folder), there is no watch but a reason, and the caller looks at the files of open pages instead.

use std::{
    collections::BTreeSet,
    fmt, fs,
    io::{self, ErrorKind},
    path::{MAIN_SEPARATOR_STR, Path},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use cap_std::fs::DirEntry;
use goop2_proto::{SitePath, path::Platform};
use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, Flag, ModifyKind, RenameMode},
};

use super::{
    Site,
    answer::{APP, INDEXES, NOT_FOUND},
    facts::Facts,
    rules::{self, Rules},
    tree::Tree,
};

/// Entries looked at for links within the site: a second or two on a slow disk. In a larger one,
/// links are not looked for.
const MAX_WALKED: usize = 50_000;

/// Something happened in the site folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// To this file or folder. It may be gone.
    Path(SitePath),
    /// The file that was just reported is complete: it was closed, or put in its place. Not every
    /// system says so.
    Saved(SitePath),
    /// The file that was just reported is being written; that it is complete is reported too.
    Writing(SitePath),
    /// More than the system could report, or to what decides about every page.
    Everything,
    /// To the folder itself: it may be gone, or be another one.
    Root,
    /// There is a new folder and no watch left for it.
    Blind,
}

/// Why the folder cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum Unwatchable {
    /// It is not there.
    #[error("the folder is missing")]
    Missing,
    /// Others may change it, and this computer does not notice.
    #[error("it is on a network drive")]
    Network,
    /// It has more folders than the system watches.
    #[error("it has more folders than this computer can watch")]
    Full,
    /// What the system said.
    #[error("{0}")]
    System(String),
}

/// Reports what happens until it is dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
    identity: Identity,
    /// Whether an address may lead to a file of another name.
    links: AtomicBool,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Site {
    /// Watches the folder, with everything in it. `tell` is called on another thread and must not
    /// block. Blocks for as long as looking at every folder takes.
    pub fn watch(&self, tell: impl Fn(Seen) + Send + 'static) -> Result<Watch, Unwatchable> {
        let identity = identity(&self.root).ok_or(Unwatchable::Missing)?;
        if is_remote(&self.root) {
            return Err(Unwatchable::Network);
        }
        let names = self.names();
        let config = Config::default().with_follow_symlinks(false);
        let heard = move |event: notify::Result<Event>| names.hear(event, &tell);
        let mut watcher = RecommendedWatcher::new(heard, config).map_err(unwatchable)?;
        watcher
            .watch(&self.root, RecursiveMode::Recursive)
            .map_err(unwatchable)?;
        Ok(Watch {
            _watcher: watcher,
            identity,
            links: self.has_links().into(),
        })
    }

    /// The addresses whose answers may be others than before these files and folders changed. One
    /// that ends with `/` stands for everything below it. `None`: every address of the site. Blocks
    /// (disk).
    pub fn addresses(&self, changed: &BTreeSet<SitePath>, watch: &Watch) -> Option<Vec<String>> {
        let tree = Tree::open(self).ok()?;
        let index = |name: &str| tree.file_in(None, name).is_some();
        let listed = !INDEXES.iter().chain([&APP]).any(|name| index(name));
        let mut addresses = BTreeSet::new();
        for path in changed {
            let decides = [APP, NOT_FOUND].contains(&path.name());
            if self.is_link(path) {
                watch.links.store(true, Ordering::Relaxed);
            }
            if decides || watch.links.load(Ordering::Relaxed) {
                return None;
            }
            let is_folder = tree.metadata(path).is_ok_and(|found| found.is_dir());
            let end = if is_folder { "/" } else { "" };
            addresses.insert(format!("/{path}{end}"));
            if listed {
                let folder = path.folder();
                addresses.insert(folder.map_or("/index.html".into(), |folder| {
                    format!("/{folder}/index.html")
                }));
            }
        }
        Some(addresses.into_iter().collect())
    }

    /// A second view of the same folder, for the thread that hears of changes.
    fn names(&self) -> Self {
        Self {
            root: self.root.clone(),
            scripts: self.scripts.clone(),
            facts: Facts::default(),
            rules: Rules::default(),
        }
    }

    fn hear(&self, event: notify::Result<Event>, tell: &impl Fn(Seen)) {
        let event = match event {
            Ok(event) => event,
            Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                return tell(Seen::Blind);
            }
            // A folder that is gone again before it could be watched.
            Err(_) => return,
        };
        if event.attrs.flag() == Some(Flag::Rescan) {
            return tell(Seen::Everything);
        }
        if !is_change(event.kind) {
            return;
        }
        for (index, path) in event.paths.iter().enumerate() {
            let Some(seen) = self.seen(path) else {
                continue;
            };
            let state = match &seen {
                Seen::Path(path) if completes(event.kind, index) => Some(Seen::Saved(path.clone())),
                Seen::Path(path) if begins(event.kind) => Some(Seen::Writing(path.clone())),
                _ => None,
            };
            tell(seen);
            if let Some(state) = state {
                tell(state);
            }
        }
    }

    /// What a path of the file system is to visitors; `None` for what they cannot know.
    fn seen(&self, path: &Path) -> Option<Seen> {
        let path = path.strip_prefix(&self.root).ok()?.to_str()?;
        let path = path.replace(MAIN_SEPARATOR_STR, "/");
        if path == rules::HEADERS || path == rules::REDIRECTS {
            return Some(Seen::Everything);
        }
        match SitePath::absolute(&path, Platform::HERE) {
            Ok(None) => Some(Seen::Root),
            Ok(Some(path)) => self.allow(&path).ok().map(|()| Seen::Path(path)),
            Err(_) => None,
        }
    }

    fn is_link(&self, path: &SitePath) -> bool {
        fs::symlink_metadata(self.root.join(path.as_str())).is_ok_and(|found| found.is_symlink())
    }

    /// Whether a link leads from one address to a file of another.
    fn has_links(&self) -> bool {
        let Ok(tree) = Tree::open(self) else {
            return false;
        };
        let mut folders: Vec<Option<SitePath>> = vec![None];
        let mut walked = 0;
        while let Some(folder) = folders.pop() {
            for entry in tree.entries(folder.as_ref()) {
                walked += 1;
                if walked > MAX_WALKED {
                    return false;
                }
                let Some((path, kind)) = served(folder.as_ref(), &entry) else {
                    continue;
                };
                if kind.is_symlink() && tree.resolve(&path).is_ok() {
                    return true;
                }
                if kind.is_dir() {
                    folders.push(Some(path));
                }
            }
        }
        false
    }
}

impl Watch {
    /// Whether the folder is still the one that is watched: it may have been deleted and put back.
    pub fn is_current(&self, site: &Site) -> bool {
        identity(&site.root) == Some(self.identity)
    }
}

fn served(
    folder: Option<&SitePath>,
    entry: &DirEntry,
) -> Option<(SitePath, cap_std::fs::FileType)> {
    let name = entry.file_name();
    let path = SitePath::in_folder(folder, name.to_str()?, Platform::HERE).ok()?;
    Some((path, entry.file_type().ok()?))
}

/// Reading is not a change, and neither is a new time or mode alone.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(kind) => !matches!(kind, ModifyKind::Metadata(_)),
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => true,
    }
}

/// Whether the file at this place of an event is complete.
fn completes(kind: EventKind, index: usize) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => true,
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => index == 1,
        _ => false,
    }
}

/// Whether the file of an event is being written, where the system tells when that has ended.
fn begins(kind: EventKind) -> bool {
    cfg!(target_os = "linux") && matches!(kind, EventKind::Modify(ModifyKind::Data(_)))
}

fn unwatchable(error: notify::Error) -> Unwatchable {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => Unwatchable::Full,
        notify::ErrorKind::PathNotFound => Unwatchable::Missing,
        notify::ErrorKind::Io(error) if is_full(error) => Unwatchable::Full,
        notify::ErrorKind::Io(error) if error.kind() == ErrorKind::NotFound => Unwatchable::Missing,
        _ => Unwatchable::System(error.to_string()),
    }
}

/// Linux also limits how many programs may watch.
fn is_full(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        let full = [rustix::io::Errno::MFILE, rustix::io::Errno::NOSPC];
        full.iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }
    #[cfg(windows)]
    {
        let _never = error;
        false
    }
}

/// Which folder it is, whatever its name. The number of a deleted folder is soon used again: when
/// it was made tells the two apart, where the file system notes that.
type Identity = (u64, u64, Option<SystemTime>);

#[cfg(unix)]
fn identity(root: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(root).ok()?;
    Some((found.dev(), found.ino(), found.created().ok()))
}

#[cfg(windows)]
fn identity(root: &Path) -> Option<Identity> {
    use std::os::windows::fs::MetadataExt;
    let found = fs::metadata(root).ok()?;
    Some((found.creation_time(), 0, None))
}

/// Whether other computers may change what is there without this one noticing.
#[cfg(target_os = "linux")]
fn is_remote(root: &Path) -> bool {
    /// NFS, SMB in its versions, 9P (WSL, virtual machines), Ceph, AFS, Coda and FUSE (sshfs and
    /// its like), by the numbers of statfs(2).
    const REMOTE: [u32; 9] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x00c3_6400,
        0x5346_414f,
        0x7375_7245,
        0x6573_5546,
    ];
    rustix::fs::statfs(root).is_ok_and(|found| REMOTE.contains(&(found.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn is_remote(_: &Path) -> bool {
    false
}
