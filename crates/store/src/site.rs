//! The site folder, and the only access to it: a [`SitePath`], opened without leaving the folder.
//!
//! A [`SitePath`] already excludes `..`, dot files and `lua`; what is left are links. A link may
//! point anywhere inside the site that could be asked for directly, and nowhere else: the folder is
//! a capability, so the kernel refuses what leads out, and the resolved name goes through the same
//! rules as a request. Only regular files are served; opening never waits (a named pipe would) and
//! nothing is read before the kind of file is known.
//!
//! The folder is opened again for each request: it may be deleted and put back while the peer runs.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions},
};
use goop2_proto::{SitePath, path::Refusal};

use crate::mime;

/// A peer's own site.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
    scripts: Scripts,
}

/// A file of the site, ready to be sent.
#[derive(Debug)]
pub struct SiteFile {
    /// Open for reading, at its start.
    pub file: File,
    /// Its length when it was opened.
    pub len: u64,
    /// Its MIME type as it goes into a header.
    pub mime: String,
}

/// Where the configured scripts lie, seen from the site.
#[derive(Debug)]
enum Scripts {
    /// Somewhere else.
    Outside,
    /// Below the site, in this folder.
    Below(PathBuf),
    /// Among the site's files.
    Among,
}

impl Site {
    /// The site in `root`; what lies in `scripts` is never served (both absolute).
    pub(crate) fn new(root: PathBuf, scripts: &Path) -> Self {
        let scripts = match scripts.strip_prefix(&root) {
            Ok(below) if below.as_os_str().is_empty() => Scripts::Among,
            Ok(below) => Scripts::Below(below.to_owned()),
            Err(_) if root.starts_with(scripts) => Scripts::Among,
            Err(_) => Scripts::Outside,
        };
        Self { root, scripts }
    }

    /// Opens one file. Whatever is wrong with it, a visitor learns no more than that it is not
    /// there.
    pub fn open(&self, path: &SitePath) -> Result<SiteFile, Refusal> {
        self.allow(path)?;
        let dir = Dir::open_ambient_dir(&self.root, ambient_authority())
            .map_err(|_| Refusal::NotFound)?;
        let real = dir
            .canonicalize(path.as_str())
            .map_err(|_| Refusal::NotFound)?;
        let real = real.to_str().ok_or(Refusal::NotFound)?;
        // Without a link the name is unchanged (on Windows but for the separators) and was checked
        // above.
        let real = SitePath::parse(&real.replace(std::path::MAIN_SEPARATOR, "/"))?;
        self.allow(&real)?;
        read(&dir, &real).map_err(|error| {
            tracing::debug!(path = real.as_str(), %error, "a file of the site cannot be served");
            Refusal::NotFound
        })
    }

    /// The folder that is served.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Scripts hold the owner's logic and secrets; `lua` at the top is refused by [`SitePath`]
    /// itself.
    fn allow(&self, path: &SitePath) -> Result<(), Refusal> {
        let path = Path::new(path.as_str());
        let is_script = match &self.scripts {
            Scripts::Outside => false,
            Scripts::Below(folder) => begins_with(path, folder),
            Scripts::Among => path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("lua")),
        };
        if is_script {
            Err(Refusal::Forbidden)
        } else {
            Ok(())
        }
    }
}

/// In any case: some file systems do not tell `Scripts` from `scripts`.
fn begins_with(path: &Path, folder: &Path) -> bool {
    let mut names = path.components();
    folder.components().all(|part| {
        names
            .next()
            .is_some_and(|name| name.as_os_str().eq_ignore_ascii_case(part.as_os_str()))
    })
}

fn read(dir: &Dir, path: &SitePath) -> io::Result<SiteFile> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let mut file = dir.open_with(path.as_str(), &options)?.into_std();
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mime = match mime::by_name(path.as_str()) {
        Some(mime) => mime,
        None => {
            let mut head = Vec::with_capacity(mime::SNIFFED_BYTES);
            (&mut file)
                .take(mime::SNIFFED_BYTES as u64)
                .read_to_end(&mut head)?;
            file.rewind()?;
            mime::sniff(&head).into()
        }
    };
    Ok(SiteFile {
        file,
        len: metadata.len(),
        mime,
    })
}
