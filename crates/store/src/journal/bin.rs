//! Where removed files go: the system's bin, or a folder of the peer where there is none.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use super::fault::{Fault, io};

/// The folder in the peer's own. Nothing in it is ever published: it is not in the site.
const INSIDE: &str = "removed";

/// Removals in one millisecond that get a folder.
const MAX_TRIED: u32 = 1000;

#[derive(Debug, Default)]
pub(crate) struct Bin {
    inside: AtomicBool,
}

/// Where something is that was removed.
#[derive(Debug)]
pub(crate) enum Kept {
    /// In the system's bin.
    System,
    /// In its own folder in the peer's.
    Inside(PathBuf),
}

impl Bin {
    pub(crate) fn stay_inside(&self) {
        self.inside.store(true, Ordering::Relaxed);
    }

    /// Moves a file or folder into the bin. A link goes there itself, not what it leads to.
    pub(crate) fn put(&self, file: &Path, peer: &Path) -> Result<Kept, Fault> {
        if !self.inside.load(Ordering::Relaxed) {
            match trash::delete(file) {
                Ok(()) => return Ok(Kept::System),
                Err(error) => tracing::debug!(%error, "the system's bin does not take a file"),
            }
        }
        let shown = file.to_string_lossy();
        let folder = new_folder(&peer.join(INSIDE)).map_err(io("make", INSIDE))?;
        let kept = folder.join(file.file_name().unwrap_or_default());
        fs::rename(file, &kept).map_err(io("remove", &shown))?;
        Ok(Kept::Inside(kept))
    }
}

impl Kept {
    /// Moves it back to where it was.
    pub(crate) fn back(&self, to: &Path) -> Result<(), Fault> {
        match self {
            Self::Inside(kept) => {
                fs::rename(kept, to).map_err(io("put back", &to.to_string_lossy()))?;
                // Its own folder.
                let _empty = kept.parent().map(fs::remove_dir);
                Ok(())
            }
            Self::System => restore(to),
        }
    }
}

/// A new folder that only the owner enters.
pub(crate) fn new_folder(within: &Path) -> std::io::Result<PathBuf> {
    crate::atomic::create_private_folder(within)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut made = Err(std::io::ErrorKind::AlreadyExists.into());
    for number in 0..MAX_TRIED {
        let folder = within.join(format!("{}-{number}", now.as_millis()));
        made = fs::create_dir(&folder).map(|()| folder);
        match &made {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            _ => break,
        }
    }
    made
}

#[cfg(any(windows, all(unix, not(target_vendor = "apple"))))]
fn restore(to: &Path) -> Result<(), Fault> {
    let failed = |error: trash::Error| {
        tracing::debug!(%error, "the system's bin does not give a file back");
        Fault::Invalid(format!(
            "{} isn’t in the bin anymore, or something else is in its place.",
            to.display()
        ))
    };
    let items = trash::os_limited::list().map_err(failed)?;
    let item = items
        .into_iter()
        .filter(|item| item.original_path() == to)
        .max_by_key(|item| item.time_deleted);
    let item = item.ok_or_else(|| Fault::NotFound(to.to_string_lossy().into_owned()))?;
    trash::os_limited::restore_all([item]).map_err(failed)
}

#[cfg(target_vendor = "apple")]
fn restore(to: &Path) -> Result<(), Fault> {
    Err(Fault::Invalid(format!(
        "{} is in the Trash. Put it back in the Finder.",
        to.display()
    )))
}
