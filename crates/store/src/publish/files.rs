//! Everything in the site's folder, for its owner.

use std::time::UNIX_EPOCH;

use cap_std::fs::{DirEntry, Metadata};
use goop2_proto::{SitePath, path::Platform};

use super::{
    Fault, Publish,
    links::{self, Broken},
    names::joined,
    path::MAX_DEPTH,
};
use crate::{
    folder,
    journal::fault::io,
    site::{
        answer::INDEXES,
        tree::Tree,
        unserved::{self, Reason},
    },
};

/// Files and folders that are listed: some megabytes for the window, and a second on a slow disk.
const MAX_LISTED: usize = 20_000;

/// What is in the site's folder.
#[derive(Debug)]
pub struct Files {
    /// The folder, absolute.
    pub root: String,
    /// Whether it is the folder inside the peer.
    pub own: bool,
    /// A folder comes before what is in it.
    pub entries: Vec<Entry>,
    /// Whether that is all.
    pub complete: bool,
    /// Links of pages to files that are not there.
    pub broken: Vec<Broken>,
    /// What is wrong in `_headers` and `_redirects`: the file, the line and why.
    pub problems: Vec<(&'static str, usize, String)>,
    /// Whether visitors get a list of the files.
    pub listed: bool,
    /// Whether there is nothing but the page of a first start.
    pub untouched: bool,
}

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the site's folder; bytes that are not text are replaced.
    pub path: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Bytes; of a folder, of all that is in it.
    pub size: u64,
    /// Unix time in milliseconds of the last change.
    pub modified: i64,
    /// Of a folder: the files in it and below.
    pub files: u64,
    /// Whether it is what visitors see first.
    pub front: bool,
    /// Why visitors do not get it.
    pub unserved: Option<String>,
}

impl Publish<'_> {
    /// What is in the folder. Fails for one that is too large to be listed.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, Fault> {
        let site = self.site();
        let tree = Tree::open(site).map_err(io("open", &site.root().to_string_lossy()))?;
        match listed(&tree) {
            (entries, true) => Ok(entries),
            _ => Err(Fault::Invalid(
                "Your site has too many files for this.".into(),
            )),
        }
    }

    /// Looks at the whole folder.
    pub fn files(&self) -> Result<Files, Fault> {
        let site = self.site();
        let tree = Tree::open(site).map_err(io("open", &site.root().to_string_lossy()))?;
        let (mut entries, complete) = listed(&tree);
        let front = INDEXES.iter().find_map(|index| {
            let is_front = |entry: &Entry| entry.path == *index && entry.unserved.is_none();
            entries.iter().position(is_front)
        });
        if let Some(front) = front {
            entries[front].front = true;
        }
        let pages = entries
            .iter()
            .filter(|entry| !entry.folder && entry.unserved.is_none());
        Ok(Files {
            broken: links::broken(site, &tree, pages.map(|entry| entry.path.as_str())),
            root: site.root().to_string_lossy().into_owned(),
            own: folder::own_site(self.folder.dir()).is_some_and(|own| own == site.root()),
            complete,
            problems: site
                .problems()
                .into_iter()
                .map(|(file, problem)| (file, problem.line, problem.fault.to_string()))
                .collect(),
            listed: front.is_none(),
            untouched: complete
                && folder::is_untouched(&tree, entries.iter().map(|entry| entry.path.as_str())),
            entries,
        })
    }
}

/// Everything in the folder, and whether that is all.
fn listed(tree: &Tree<'_>) -> (Vec<Entry>, bool) {
    let mut walk = Walk {
        tree,
        entries: vec![],
        complete: true,
    };
    walk.folder(None, 0);
    (walk.entries, walk.complete)
}

struct Walk<'a, 'b> {
    tree: &'a Tree<'b>,
    entries: Vec<Entry>,
    complete: bool,
}

impl Walk<'_, '_> {
    /// Lists a folder; answers the files in it, and their bytes.
    fn folder(&mut self, folder: Option<&SitePath>, depth: usize) -> (u64, u64) {
        let mut inner: Vec<DirEntry> = self.tree.entries(folder).take(MAX_LISTED + 1).collect();
        inner.sort_by_cached_key(|entry| {
            let is_file = entry.file_type().is_ok_and(|kind| !kind.is_dir());
            let name = entry.file_name().to_string_lossy().into_owned();
            (is_file, name.to_lowercase(), name)
        });
        let (mut files, mut size) = (0, 0);
        for entry in inner {
            if self.entries.len() == MAX_LISTED {
                self.complete = false;
                break;
            }
            let (in_files, in_size) = self.entry(folder, &entry, depth);
            files += in_files;
            size += in_size;
        }
        (files, size)
    }

    fn entry(&mut self, folder: Option<&SitePath>, entry: &DirEntry, depth: usize) -> (u64, u64) {
        let at = self.entries.len();
        let name = entry.file_name().to_string_lossy().into_owned();
        let looked = unserved::look(self.tree, folder, entry);
        let metadata = entry.metadata().ok();
        let is_folder = metadata.as_ref().is_some_and(Metadata::is_dir);
        self.entries.push(Entry {
            path: joined(folder.map_or("", SitePath::as_str), &name),
            folder: is_folder,
            size: metadata
                .as_ref()
                .filter(|_| !is_folder)
                .map_or(0, Metadata::len),
            modified: metadata.as_ref().map_or(0, modified),
            files: 0,
            front: false,
            unserved: self.unserved(folder, &name, &looked),
        });
        match looked {
            Ok(Some(inner)) if depth < MAX_DEPTH => {
                let (files, size) = self.folder(Some(&inner), depth + 1);
                let entry = &mut self.entries[at];
                (entry.files, entry.size) = (files, size);
                (files, size)
            }
            Ok(Some(_)) => {
                self.complete = false;
                (0, 0)
            }
            _ if is_folder => (0, 0),
            _ => (1, self.entries[at].size),
        }
    }

    fn unserved(
        &self,
        folder: Option<&SitePath>,
        name: &str,
        looked: &Result<Option<SitePath>, Reason>,
    ) -> Option<String> {
        if let Err(reason) = looked {
            return Some(reason.to_string());
        }
        match SitePath::in_folder(folder, name, Platform::HERE) {
            Err(_) => Some("scripts are not published".into()),
            Ok(path) if self.tree.is_rules(&path) => Some("it says how the site is served".into()),
            Ok(path) if self.tree.is_private(&path) => Some("scripts are not published".into()),
            Ok(_) => None,
        }
    }
}

fn modified(metadata: &Metadata) -> i64 {
    let since = metadata
        .modified()
        .ok()
        .map(|time| time.into_std().duration_since(UNIX_EPOCH));
    let since = since.and_then(Result::ok).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
