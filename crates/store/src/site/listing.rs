//! What a folder without an index page contains, as far as visitors may know.

use goop2_proto::{
    SitePath,
    path::Platform,
    web::listing::{Entry, Kind, MAX_ENTRIES},
};

use super::tree::Tree;
use crate::mime;

/// Names read of one folder, listed or not.
const MAX_READ: usize = 10 * MAX_ENTRIES;

/// What `folder` contains (`None` for the root), and whether that is all. Nothing is listed that a
/// request would not get: no hidden files, no scripts, no links that lead out.
pub(super) fn entries(tree: &Tree<'_>, folder: Option<&SitePath>) -> (Vec<Entry>, bool) {
    let mut entries = vec![];
    let mut read = 0;
    for name in tree.names(folder) {
        read += 1;
        if read > MAX_READ || entries.len() == MAX_ENTRIES {
            return (entries, false);
        }
        if let Some(entry) = entry(tree, folder, name) {
            entries.push(entry);
        }
    }
    (entries, true)
}

fn entry(tree: &Tree<'_>, folder: Option<&SitePath>, name: String) -> Option<Entry> {
    if name.starts_with('.') {
        return None;
    }
    let path = SitePath::in_folder(folder, &name, Platform::HERE).ok()?;
    let metadata = tree.metadata(&path).ok()?;
    let kind = if metadata.is_dir() {
        Kind::Folder
    } else if metadata.is_file() {
        Kind::File {
            len: metadata.len(),
            picture: mime::is_picture(&name),
        }
    } else {
        return None;
    };
    Some(Entry { name, kind })
}
