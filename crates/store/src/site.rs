//! The site folder, and the only access to it: a [`SitePath`], opened without leaving the folder.
//!
//! There are two ways to ask: [`Site::open`] is the site protocol of existing peers, one file by its
//! name; [`Site::answer`] is HTTP. Both find files through `tree`, so neither serves what the other
//! refuses. The folder is opened again for each request: it may be deleted and put back while the
//! peer runs.

pub(crate) mod answer;
mod content;
mod facts;
mod listing;
mod rules;
mod send;
pub(crate) mod tree;
pub mod unserved;
mod version;
mod watch;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use goop2_proto::{SitePath, path::Refusal};

pub use self::{
    content::Content,
    watch::{Seen, Unwatchable, Watch},
};
use self::{
    facts::Facts,
    rules::Rules,
    tree::{Found, Tree},
};
use crate::mime;

/// A peer's own site.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
    scripts: Scripts,
    facts: Facts,
    rules: Rules,
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
#[derive(Clone, Debug, PartialEq)]
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
        Self {
            root,
            scripts,
            facts: Facts::default(),
            rules: Rules::default(),
        }
    }

    /// Opens one file. Whatever is wrong with it, a visitor learns no more than that it is not
    /// there.
    pub fn open(&self, path: &SitePath) -> Result<SiteFile, Refusal> {
        let tree = Tree::open(self).map_err(|_| Refusal::NotFound)?;
        let real = tree.resolve(path)?;
        match tree.find(Some(&real))? {
            Found::Folder => Err(Refusal::NotFound),
            Found::File(mut opened) => Ok(SiteFile {
                len: opened.metadata.len(),
                mime: mime::of(&real, &mut opened.file),
                file: opened.file,
            }),
        }
    }

    /// Whether both serve the same folder in the same way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.root, &self.scripts) == (&other.root, &other.scripts)
    }

    /// The folder that is served.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this says how the site is served.
    fn is_rules(path: &SitePath) -> bool {
        let is = |name: &str| path.as_str().eq_ignore_ascii_case(name);
        is(rules::HEADERS) || is(rules::REDIRECTS)
    }

    /// Scripts hold the owner's logic and secrets; `lua` at the top is refused by [`SitePath`]
    /// itself. What says how the site is served is not a part of it.
    fn allow(&self, path: &SitePath) -> Result<(), Refusal> {
        if Self::is_rules(path) {
            return Err(Refusal::NotFound);
        }
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
