//! The site folder, opened for one request: what a path leads to.
//!
//! A [`SitePath`] already excludes `..`, hidden files and `lua`; what is left are links. A link may
//! point anywhere inside the site that could be asked for directly, and nowhere else: the folder is
//! a capability, so the kernel refuses what leads out, and the resolved name goes through the same
//! rules as a request.

use std::{
    fs::{File, Metadata},
    io,
    path::MAIN_SEPARATOR_STR,
};

use cap_std::{
    ambient_authority,
    fs::{Dir, DirEntry, OpenOptions},
};
use goop2_proto::{
    SitePath,
    path::{Platform, Refusal},
};
use icu_normalizer::ComposingNormalizerBorrowed;

use super::Site;

/// Names of one folder that are compared with the one asked for: some milliseconds, which anyone can
/// cause. A folder with more is served all the same, but for names that some system misreads and for
/// equivalent ones.
const MAX_COMPARED: usize = 20_000;

/// The site folder of one request: it may be deleted and put back while the peer runs.
pub(crate) struct Tree<'a> {
    site: &'a Site,
    dir: Dir,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found {
    File(Opened),
    Folder,
}

/// A regular file, open for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
}

impl<'a> Tree<'a> {
    pub(crate) fn open(site: &'a Site) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(&site.root, ambient_authority())?;
        Ok(Self { site, dir })
    }

    /// What is at `path`; `None` is the root.
    pub(super) fn find(&self, path: Option<&SitePath>) -> Result<Found, Refusal> {
        let Some(path) = path else {
            return Ok(Found::Folder);
        };
        let real = self.resolve(path)?;
        if self
            .dir
            .metadata(real.as_str())
            .map_err(not_found)?
            .is_dir()
        {
            return Ok(Found::Folder);
        }
        read(&self.dir, real.as_str()).map(Found::File).map_err(|error| {
            tracing::debug!(path = real.as_str(), %error, "a file of the site cannot be served");
            Refusal::NotFound
        })
    }

    /// The file at `path`, if one is there.
    pub(crate) fn file(&self, path: &SitePath) -> Option<Opened> {
        match self.find(Some(path)) {
            Ok(Found::File(file)) => Some(file),
            _ => None,
        }
    }

    /// The file `name` in a folder, if one is there.
    pub(super) fn file_in(
        &self,
        folder: Option<&SitePath>,
        name: &str,
    ) -> Option<(SitePath, Opened)> {
        let path = SitePath::in_folder(folder, name, Platform::HERE).ok()?;
        let file = self.file(&path)?;
        Some((path, file))
    }

    /// A file at the top that is for us and not for visitors.
    pub(super) fn special(&self, name: &str) -> Option<Opened> {
        read(&self.dir, name).ok()
    }

    /// What is at `path`, without opening it.
    pub(super) fn metadata(&self, path: &SitePath) -> Result<cap_std::fs::Metadata, Refusal> {
        let real = self.resolve(path)?;
        self.dir.metadata(real.as_str()).map_err(not_found)
    }

    /// The names in a folder that are text, in no order.
    pub(super) fn names(&self, folder: Option<&SitePath>) -> impl Iterator<Item = String> {
        self.entries(folder)
            .filter_map(|entry| entry.file_name().into_string().ok())
    }

    /// What is in a folder, in no order.
    pub(crate) fn entries(&self, folder: Option<&SitePath>) -> impl Iterator<Item = DirEntry> {
        let real = folder.map(|folder| self.resolve(folder)).transpose();
        let entries = real.map(|real| {
            let path = real.as_ref().map_or(".", SitePath::as_str);
            self.dir.read_dir(path).ok()
        });
        entries.ok().flatten().into_iter().flatten().flatten()
    }

    /// Whether a file is for us and not for visitors.
    pub(crate) fn is_private(&self, path: &SitePath) -> bool {
        self.site.allow(path).is_err()
    }

    /// Whether a file says how the site is served.
    pub(crate) fn is_rules(&self, path: &SitePath) -> bool {
        Site::is_rules(path)
    }

    /// Whether the system lets us read a file or folder.
    pub(super) fn try_read(&self, path: &SitePath) -> io::Result<()> {
        if self.dir.metadata(path.as_str())?.is_dir() {
            self.dir.read_dir(path.as_str()).map(drop)
        } else {
            read(&self.dir, path.as_str()).map(drop)
        }
    }

    /// The path without links, if it may be served under it.
    pub(super) fn resolve(&self, path: &SitePath) -> Result<SitePath, Refusal> {
        self.site.allow(path)?;
        let real = match self.dir.canonicalize(path.as_str()) {
            Err(_) if !path.as_str().is_ascii() => {
                let listed = self.equivalent(path).ok_or(Refusal::NotFound)?;
                self.dir.canonicalize(listed.as_str())
            }
            real => real,
        };
        let real = real.map_err(not_found)?;
        let real = real.to_str().ok_or(Refusal::NotFound)?;
        // Without a link the name is unchanged (on Windows but for the separators) and was checked
        // above.
        let real = SitePath::absolute(&real.replace(MAIN_SEPARATOR_STR, "/"), Platform::HERE)?
            .ok_or(Refusal::NotFound)?;
        self.site.allow(&real)?;
        if real.is_portable() || self.lists(&real) {
            Ok(real)
        } else {
            Err(Refusal::NotFound)
        }
    }

    /// The path of canonically equivalent names (Unicode Standard Annex 15) that the folder lists instead. The
    /// same letters are written in one way by people who type an address and in another by macOS and
    /// some archives.
    fn equivalent(&self, path: &SitePath) -> Option<SitePath> {
        let composed = ComposingNormalizerBorrowed::new_nfc();
        path.as_str()
            .split('/')
            .try_fold(None, |folder: Option<SitePath>, name| {
                let exact = SitePath::in_folder(folder.as_ref(), name, Platform::HERE).ok()?;
                if self.dir.symlink_metadata(exact.as_str()).is_ok() {
                    return Some(Some(exact));
                }
                let wanted = composed.normalize(name);
                let listed = self
                    .names(folder.as_ref())
                    .take(MAX_COMPARED)
                    .find(|listed| composed.normalize(listed) == wanted)?;
                SitePath::in_folder(folder.as_ref(), &listed, Platform::HERE)
                    .ok()
                    .map(Some)
            })?
    }

    /// Whether each name of a path is listed exactly as it is written. A disk made for another
    /// system may open `lua./x` as `lua/x`, and lists no `lua.`.
    fn lists(&self, path: &SitePath) -> bool {
        let mut folder = String::from(".");
        path.as_str().split('/').all(|name| {
            let listed = self.dir.read_dir(&folder).is_ok_and(|entries| {
                let mut entries = entries.take(MAX_COMPARED).flatten();
                entries.any(|entry| entry.file_name() == name)
            });
            folder = format!("{folder}/{name}");
            listed
        })
    }
}

/// Opening never waits (a named pipe would) and nothing is read before the kind of file is known.
pub(crate) fn read(dir: &Dir, path: &str) -> io::Result<Opened> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = dir.open_with(path, &options)?.into_std();
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Opened { file, metadata })
}

fn not_found(_: io::Error) -> Refusal {
    Refusal::NotFound
}
