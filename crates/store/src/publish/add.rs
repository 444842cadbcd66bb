//! Files of this computer or from a browser: written next to the site's files under
//! a hidden name, and moved to their place when they are complete.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use cap_std::fs::{Dir, OpenOptions};
use goop2_proto::SitePath;

use super::{
    Fault, Names, Publish, Undo, counted,
    names::joined,
    path::{self, MAX_DEPTH},
    text::make_folders,
};

use crate::journal::{self, Step, fault::io};

/// Files and folders that are added at once; what a site lists is less.
const MAX_ADDED: usize = 100_000;

/// Taken names that one question lists.
const MAX_ASKED: usize = 100;

/// Free space that adding leaves on the disk: the rest of the system needs some.
const RESERVE: u64 = 64 * 1024 * 1024;

/// Bytes between two looks at the free space, and between two reports.
const PACE: usize = 1024 * 1024;

/// How the hidden names begin; what a crash left behind under one is removed.
pub(super) const PREFIX: &str = ".goop-adding-";

/// What happens when a name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// Nothing is added.
    Ask,
    /// The old file goes to the bin.
    Replace,
    /// The new one gets another name.
    Both,
    /// The old file stays.
    Skip,
}

/// Files were added.
#[derive(Clone, Debug)]
pub struct Added {
    /// Their paths in the site.
    pub added: Vec<String>,
    /// What was left out, because its name was taken or is never published.
    pub skipped: Vec<String>,
    /// Takes all of it back.
    pub undo: Undo,
}

/// How far adding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The file that is copied.
    pub file: String,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes of all.
    pub total: u64,
}

/// What is done with a file that a browser sends.
#[derive(Debug)]
pub enum Receiving {
    /// Its name is taken and the old file stays, or its name is never published.
    Skipped,
    /// It is written here.
    Into(Upload),
}

/// A file that is being received. Dropped before [`Publish::keep`], it leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    part: Part,
    target: SitePath,
    clash: Clash,
}

impl Upload {
    /// Writes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.part.write(bytes)
    }
}

impl Publish<'_> {
    /// Fails with [`Fault::Exists`] if any of these paths is taken.
    pub fn free(&self, paths: &[String]) -> Result<(), Fault> {
        let dir = self.open()?;
        let mut names = Names::new(&dir);
        let parsed = paths.iter().filter_map(|path| path::new(path).ok());
        ask(parsed.filter_map(|path| names.taken(&path)))
    }

    /// Begins to receive a file of this length, if that is known.
    pub fn receive(&self, path: &str, clash: Clash, len: Option<u64>) -> Result<Receiving, Fault> {
        let target = match path::new(path) {
            Ok(target) => target,
            Err(_) if is_skipped(path) => return Ok(Receiving::Skipped),
            Err(fault) => return Err(fault),
        };
        let dir = self.open()?;
        match Names::new(&dir).taken(&target) {
            Some(taken) if clash == Clash::Ask => return Err(Fault::Exists(vec![taken])),
            Some(_) if clash == Clash::Skip => return Ok(Receiving::Skipped),
            _ => {}
        }
        let part = Part::new(dir, len.unwrap_or(0))?;
        Ok(Receiving::Into(Upload {
            part,
            target,
            clash,
        }))
    }

    /// Puts a received file in its place. Uploads with the same `batch` are undone together.
    pub fn keep(&self, upload: Upload, batch: Option<&str>) -> Result<Added, Fault> {
        if batch.is_some_and(|batch| !journal::is_id(batch)) {
            return Err(Fault::Invalid("The uploads have a wrong number.".into()));
        }
        let Upload {
            part,
            target,
            clash,
        } = upload;
        let dir = self.open()?;
        let mut adding = Adding::new(self, &dir);
        if let Err(fault) = adding.place(part, target, clash) {
            adding.take_back();
            return Err(fault);
        }
        let (added, skipped, steps) = (adding.added, adding.skipped, adding.steps);
        let message = format!("{} added.", added.first().map_or("Nothing", String::as_str));
        let mut journal = self.journal();
        let undo = match batch {
            Some(batch) => {
                journal.extend(batch, steps);
                Undo {
                    id: batch.into(),
                    message,
                }
            }
            None => journal.push(steps, message),
        };
        Ok(Added {
            added,
            skipped,
            undo,
        })
    }

    /// What a browser sent and is not kept.
    pub fn skip(&self, path: &str) -> Added {
        let message = format!("{path} was skipped.");
        Added {
            added: vec![],
            skipped: vec![path.into()],
            undo: self.journal().push(vec![], message),
        }
    }

    /// Copies files and folders of this computer into a folder of the site. `report` says whether to
    /// go on; when it does not, or something fails, nothing is added.
    pub fn copy(
        &self,
        sources: &[PathBuf],
        into: &str,
        clash: Clash,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Added, Fault> {
        let into = path::folder(into)?;
        let mut found = self.find(sources, into.as_ref())?;
        let dir = self.open()?;
        let mut adding = Adding::new(self, &dir);
        adding.skipped = std::mem::take(&mut found.skipped);
        if clash == Clash::Ask {
            ask(found
                .files
                .iter()
                .filter_map(|file| adding.names.taken(&file.to)))?;
        }
        if let Err(fault) = adding.copy_all(found, clash, report) {
            adding.take_back();
            return Err(fault);
        }
        let message = format!("{} added.", counted(adding.added.len(), "file", "files"));
        Ok(Added {
            undo: self.journal().push(adding.steps, message),
            added: adding.added,
            skipped: adding.skipped,
        })
    }

    /// What is in these files and folders.
    fn find(&self, sources: &[PathBuf], into: Option<&SitePath>) -> Result<Found, Fault> {
        let mut found = Found::default();
        for source in sources {
            let shown = source.to_string_lossy();
            let real = fs::canonicalize(source).map_err(io("read", &shown))?;
            if self.root().starts_with(&real) {
                let message = format!("{shown} has your site in it, so it can’t be added to it.");
                return Err(Fault::Invalid(message));
            }
            let name = source
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let name = name.ok_or_else(|| Fault::Invalid(format!("{shown} has no name.")))?;
            let to = joined(into.map_or("", SitePath::as_str), &name);
            found.add(&real, to, &name, 0)?;
        }
        Ok(found)
    }

    /// Removes what a crash left behind.
    pub(crate) fn clean(&self) {
        let Ok(dir) = self.open() else { return };
        for entry in dir.entries().into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                let _still_there = entry.remove_file();
            }
        }
    }
}

/// Files to copy, the folders they are in, and what is left out.
#[derive(Default)]
struct Found {
    files: Vec<Source>,
    folders: Vec<SitePath>,
    skipped: Vec<String>,
}

struct Source {
    from: PathBuf,
    to: SitePath,
    len: u64,
}

impl Found {
    fn add(&mut self, from: &Path, to: String, name: &str, depth: usize) -> Result<(), Fault> {
        if self.files.len() + self.folders.len() + self.skipped.len() >= MAX_ADDED {
            return Err(Fault::Invalid(format!(
                "These are more than {MAX_ADDED} files."
            )));
        }
        let metadata = fs::symlink_metadata(from).map_err(io("read", &from.to_string_lossy()))?;
        let parsed = path::new(&to)
            .ok()
            .filter(|_| path::is_name(name) && depth < MAX_DEPTH);
        let Some(parsed) = parsed else {
            self.skipped.push(to);
            return Ok(());
        };
        if metadata.is_file() {
            self.files.push(Source {
                from: from.to_owned(),
                to: parsed,
                len: metadata.len(),
            });
        } else if metadata.is_dir() {
            self.folders.push(parsed);
            let entries = fs::read_dir(from).map_err(io("read", &from.to_string_lossy()))?;
            for entry in entries {
                let entry = entry.map_err(io("read", &from.to_string_lossy()))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                self.add(&entry.path(), joined(&to, &name), &name, depth + 1)?;
            }
        } else {
            // A link could lead anywhere, and a device has no end.
            self.skipped.push(to);
        }
        Ok(())
    }
}

/// One change that adds files.
struct Adding<'a> {
    publish: &'a Publish<'a>,
    dir: &'a Dir,
    names: Names<'a>,
    steps: Vec<Step>,
    /// Folders among the steps: what is in them goes with them.
    folders: HashSet<String>,
    /// Every folder that was made.
    made: Vec<String>,
    added: Vec<String>,
    skipped: Vec<String>,
}

impl<'a> Adding<'a> {
    fn new(publish: &'a Publish<'a>, dir: &'a Dir) -> Self {
        Self {
            publish,
            dir,
            names: Names::new(dir),
            steps: vec![],
            folders: HashSet::new(),
            made: vec![],
            added: vec![],
            skipped: vec![],
        }
    }

    fn make(&mut self, folder: SitePath) -> Result<(), Fault> {
        if self
            .dir
            .metadata(folder.as_str())
            .is_ok_and(|it| it.is_dir())
        {
            return Ok(());
        }
        if let Some(taken) = self.names.taken(&folder) {
            return Err(Fault::Exists(vec![taken]));
        }
        self.make_folders(&folder)
    }

    /// Makes a folder and those above it that are missing, which is one step.
    fn make_folders(&mut self, folder: &SitePath) -> Result<(), Fault> {
        let above = std::iter::successors(Some(folder.clone()), SitePath::folder);
        let is_missing = |path: &SitePath| self.dir.symlink_metadata(path.as_str()).is_err();
        let missing: Vec<_> = above.take_while(is_missing).collect();
        make_folders(self.dir, Some(folder))?;
        self.names.add(folder);
        self.made.extend(missing.iter().map(ToString::to_string));
        let within = |path: &SitePath| self.folders.contains(path.as_str());
        let mut above = std::iter::successors(folder.folder(), SitePath::folder);
        if let Some(top) = missing
            .last()
            .filter(|_| !above.any(|folder| within(&folder)))
        {
            self.folders.insert(top.to_string());
            self.steps.push(Step::Made(top.clone()));
        }
        Ok(())
    }

    fn copy_all(
        &mut self,
        found: Found,
        clash: Clash,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<(), Fault> {
        let total = found.files.iter().map(|file| file.len).sum();
        room(self.dir, total)?;
        for folder in found.folders {
            self.make(folder)?;
        }
        let mut copied = 0;
        for file in found.files {
            let shown = file.to.to_string();
            let mut report = |more: u64| {
                copied += more;
                report(Progress {
                    file: shown.clone(),
                    done: copied,
                    total,
                })
            };
            self.copy(file, clash, &mut report)?;
        }
        Ok(())
    }

    fn copy(
        &mut self,
        source: Source,
        clash: Clash,
        report: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), Fault> {
        if clash == Clash::Skip && self.names.taken(&source.to).is_some() {
            self.skipped.push(source.to.to_string());
            return if report(source.len) {
                Ok(())
            } else {
                Err(Fault::Canceled)
            };
        }
        let dir = self.dir.try_clone().map_err(io("open", "the site"))?;
        let mut part = Part::new(dir, source.len)?;
        let shown = source.from.to_string_lossy();
        let mut from = File::open(&source.from).map_err(io("read", &shown))?;
        let mut bytes = vec![0; PACE];
        loop {
            let len = from.read(&mut bytes).map_err(io("read", &shown))?;
            part.write(&bytes[..len])?;
            if !report(len as u64) {
                return Err(Fault::Canceled);
            }
            if len == 0 {
                break;
            }
        }
        self.place(part, source.to, clash)
    }

    /// Gives a complete file its name.
    fn place(&mut self, part: Part, mut target: SitePath, clash: Clash) -> Result<(), Fault> {
        let publish = self.publish;
        let _one_change = publish.journal();
        if let Some(taken) = self.names.taken(&target) {
            match clash {
                Clash::Ask => return Err(Fault::Exists(vec![taken])),
                Clash::Replace if !self.replaces(&target, &taken) => {
                    return Err(Fault::Exists(vec![taken]));
                }
                Clash::Skip => {
                    self.skipped.push(target.to_string());
                    return Ok(());
                }
                Clash::Replace => {
                    let old = path::existing(&taken)?;
                    self.steps.push(self.publish.discard(self.dir, &old)?);
                    self.names = Names::new(self.dir);
                }
                Clash::Both => {
                    let free = self.names.free(&target);
                    target = free.ok_or_else(|| Fault::Exists(vec![taken]))?;
                }
            }
        }
        if let Some(folder) = target.folder() {
            self.make_folders(&folder)?;
        }
        part.becomes(&target)?;
        self.names.add(&target);
        self.added.push(target.to_string());
        let mut above = std::iter::successors(target.folder(), SitePath::folder);
        if !above.any(|folder| self.folders.contains(folder.as_str())) {
            self.steps.push(Step::Made(target));
        }
        Ok(())
    }

    /// A file replaces a file, not a folder, nor what stands in the way of its folder.
    fn replaces(&self, target: &SitePath, taken: &str) -> bool {
        let depth = |path: &str| path.matches('/').count();
        let is_folder = self.dir.metadata(taken).is_ok_and(|it| it.is_dir());
        depth(target.as_str()) == depth(taken) && !is_folder
    }

    /// Leaves nothing of it, and puts back what it replaced. Nothing goes to the bin: nobody has seen
    /// it. A folder that somebody put something into stays.
    fn take_back(&mut self) {
        let _one_change = self.publish.journal();
        for file in self.added.drain(..) {
            let _gone = self.dir.remove_file(file);
        }
        self.made
            .sort_by_key(|folder| std::cmp::Reverse(folder.len()));
        for folder in self.made.drain(..) {
            let _not_empty = self.dir.remove_dir(folder);
        }
        let mut steps = std::mem::take(&mut self.steps);
        steps.retain(|step| !matches!(step, Step::Made(_)));
        if let Err(fault) = self.publish.back(self.dir, &mut steps) {
            tracing::warn!(%fault, "what was replaced before a failure is still in the bin");
        }
    }
}

/// A file that is not complete yet.
#[derive(Debug)]
struct Part {
    dir: Dir,
    name: String,
    file: Option<File>,
    written: u64,
    looked: u64,
}

impl Part {
    fn new(dir: Dir, len: u64) -> Result<Self, Fault> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        room(&dir, len)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let file = dir
            .open_with(&name, &options)
            .map_err(io("write", "to the site"))?;
        Ok(Self {
            dir,
            name,
            file: Some(file.into_std()),
            written: 0,
            looked: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.written += bytes.len() as u64;
        if self.written - self.looked > 16 * PACE as u64 {
            self.looked = self.written;
            room(&self.dir, 0)?;
        }
        let Some(file) = &mut self.file else {
            return Err(Fault::Canceled);
        };
        file.write_all(bytes).map_err(io("write", "to the site"))
    }

    fn becomes(mut self, target: &SitePath) -> Result<(), Fault> {
        let shown = target.as_str();
        if let Some(file) = self.file.take() {
            file.sync_all().map_err(io("write", shown))?;
        }
        // Never over a file that another program made in the meantime.
        match self.dir.hard_link(&self.name, &self.dir, shown) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Fault::Exists(vec![shown.into()]));
            }
            // A file system without hard links.
            Err(_) => {}
        }
        crate::atomic::patiently(|| self.dir.rename(&self.name, &self.dir, shown))
            .map_err(io("write", shown))?;
        self.name.clear();
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Windows removes no open file.
        drop(self.file.take());
        if !self.name.is_empty() {
            let _gone = self.dir.remove_file(&self.name);
        }
    }
}

fn ask(taken: impl Iterator<Item = String>) -> Result<(), Fault> {
    let taken: Vec<_> = taken.take(MAX_ASKED).collect();
    if taken.is_empty() {
        Ok(())
    } else {
        Err(Fault::Exists(taken))
    }
}

/// Whether a path is within the site, but has a name that is never published: a folder that is
/// dropped in a browser brings such files along.
fn is_skipped(path: &str) -> bool {
    let mut names = path.split('/');
    let is_plain = |name: &str| !name.is_empty() && name != "." && name != "..";
    names.clone().all(is_plain) && names.any(|name| !path::is_name(name))
}

/// Whether the disk has room for this many bytes more.
fn room(dir: &Dir, bytes: u64) -> Result<(), Fault> {
    match free_space(dir) {
        Some(free) if free < bytes.saturating_add(RESERVE) => Err(Fault::Full),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn free_space(dir: &Dir) -> Option<u64> {
    let disk = rustix::fs::fstatvfs(dir).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Windows says so when the disk is full.
#[cfg(not(unix))]
fn free_space(_dir: &Dir) -> Option<u64> {
    None
}
