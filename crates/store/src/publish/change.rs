//! Folders, new names, the bin, and taking changes back.

use std::path::PathBuf;

use cap_std::fs::Dir;
use goop2_proto::SitePath;

use super::{Fault, Names, Publish, Undo, counted, path, text::make_folders};
use crate::{
    atomic,
    journal::{Step, fault::io},
};

/// Files and folders that are removed at once: what a person selects.
const MAX_REMOVED: usize = 10_000;

impl Publish<'_> {
    /// Makes a folder, and those above it.
    pub fn make_folder(&self, path: &str) -> Result<(), Fault> {
        let _one_change = self.journal();
        let dir = self.open()?;
        let folder = path::new(path)?;
        match Names::new(&dir).taken(&folder) {
            Some(taken) => Err(Fault::Exists(vec![taken])),
            None => make_folders(&dir, Some(&folder)),
        }
    }

    /// Gives a file or folder another path.
    pub fn rename(&self, from: &str, to: &str) -> Result<Undo, Fault> {
        let mut journal = self.journal();
        let dir = self.open()?;
        let (old, new) = (path::existing(from)?, path::new(to)?);
        if is_within(&new, &old) && new != old {
            return Err(Fault::Invalid(
                "A folder can’t be moved into itself.".into(),
            ));
        }
        // Only the case of a name may change.
        let taken = Names::new(&dir)
            .taken(&new)
            .filter(|taken| taken != from || from == to);
        if let Some(taken) = taken {
            return Err(Fault::Exists(vec![taken]));
        }
        dir.symlink_metadata(from).map_err(io("find", from))?;
        make_folders(&dir, new.folder().as_ref())?;
        moved(&dir, &old, &new)?;
        let message = if old.folder() == new.folder() {
            format!("{} is now {}.", old.name(), new.name())
        } else {
            format!(
                "{} moved to {}.",
                old.name(),
                new.folder()
                    .map_or("the top".into(), |folder| folder.to_string())
            )
        };
        Ok(journal.push(vec![Step::Moved(old, new)], message))
    }

    /// Moves files and folders to the bin: all of them, or none where one is not there.
    pub fn remove(&self, paths: &[String]) -> Result<Undo, Fault> {
        if paths.is_empty() || paths.len() > MAX_REMOVED {
            return Err(Fault::Invalid("Choose what to remove.".into()));
        }
        let mut journal = self.journal();
        let dir = self.open()?;
        let mut parsed = vec![];
        for path in paths {
            let found = path::existing(path)?;
            dir.symlink_metadata(path).map_err(io("remove", path))?;
            parsed.push(found);
        }
        parsed.sort();
        parsed.dedup_by(|inner, outer| is_within(inner, outer));
        let mut steps = vec![];
        for path in &parsed {
            match self.discard(&dir, path) {
                Ok(step) => steps.push(step),
                Err(fault) => {
                    let _still_in_the_bin = self.back(&dir, &mut steps);
                    return Err(fault);
                }
            }
        }
        let message = match &parsed[..] {
            [one] => format!("{} moved to the bin.", one.name()),
            many => format!("{} moved to the bin.", counted(many.len(), "file", "files")),
        };
        Ok(journal.push(steps, message))
    }

    /// Takes back a change of this run. What cannot be taken back, because something else is in its
    /// place, stays as it is and can be tried again.
    pub fn undo(&self, id: &str) -> Result<(), Fault> {
        let mut journal = self.journal();
        let dir = self.open()?;
        let too_old = || Fault::Invalid("This can’t be undone anymore.".into());
        let mut steps = journal.take(id).ok_or_else(too_old)?;
        let undone = self.back(&dir, &mut steps);
        if !steps.is_empty() {
            journal.keep(id.to_owned(), steps);
        }
        undone
    }

    /// Where a file or folder is on this computer, without links; an empty path is the site.
    pub fn locate(&self, path: &str) -> Result<PathBuf, Fault> {
        if path.is_empty() {
            return Ok(self.root().to_owned());
        }
        let real = self.open()?.canonicalize(path::existing(path)?.as_str());
        Ok(self.root().join(real.map_err(io("find", path))?))
    }

    /// Puts one file or folder into the bin.
    pub(super) fn discard(&self, dir: &Dir, path: &SitePath) -> Result<Step, Fault> {
        let absolute = self.absolute(dir, path)?;
        let kept = self.state.bin.put(&absolute, self.folder.dir())?;
        Ok(Step::Removed(path.clone(), kept))
    }

    /// Takes steps back, the last one first, for as long as that works.
    pub(super) fn back(&self, dir: &Dir, steps: &mut Vec<Step>) -> Result<(), Fault> {
        while let Some(step) = steps.last() {
            match step {
                Step::Made(path) => match self.discard(dir, path) {
                    Ok(_) | Err(Fault::NotFound(_)) => {}
                    Err(fault) => return Err(fault),
                },
                Step::Moved(from, to) => {
                    free(dir, from, Some(to))?;
                    moved(dir, to, from)?;
                }
                Step::Tables(made) => {
                    let database = self.folder.database();
                    database.unmake_tables(made).map_err(Fault::Invalid)?;
                }
                Step::Removed(path, kept) => {
                    free(dir, path, None)?;
                    make_folders(dir, path.folder().as_ref())?;
                    kept.back(&self.absolute(dir, path)?)?;
                }
            }
            steps.pop();
        }
        Ok(())
    }

    /// The place of a path on the disk; the folder it is in exists, and is within the site.
    fn absolute(&self, dir: &Dir, path: &SitePath) -> Result<PathBuf, Fault> {
        let folder = path.folder();
        let folder = folder.as_ref().map_or(".", SitePath::as_str);
        let real = dir
            .canonicalize(folder)
            .map_err(io("find", path.as_str()))?;
        Ok(self
            .root()
            .join(real)
            .components()
            .collect::<PathBuf>()
            .join(path.name()))
    }
}

fn free(dir: &Dir, path: &SitePath, except: Option<&SitePath>) -> Result<(), Fault> {
    match Names::new(dir).taken(path) {
        Some(taken) if except.is_none_or(|except| except.as_str() != taken) => {
            Err(Fault::Exists(vec![taken]))
        }
        _ => Ok(()),
    }
}

fn moved(dir: &Dir, from: &SitePath, to: &SitePath) -> Result<(), Fault> {
    atomic::patiently(|| dir.rename(from.as_str(), dir, to.as_str()))
        .map_err(io("move", from.as_str()))
}

/// Whether a path is another one or lies within it.
fn is_within(path: &SitePath, folder: &SitePath) -> bool {
    let rest = path.as_str().strip_prefix(folder.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
