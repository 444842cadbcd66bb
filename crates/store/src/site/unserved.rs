//! What lies in the site folder and is not served, for its owner: a visitor only learns that it is
//! not there.

use std::{ffi::OsStr, io};

use goop2_proto::{
    SitePath,
    path::{Objection, Platform, objection},
};

use super::{Site, tree::Tree};

/// Files and folders that are looked at: a second or two on a slow disk.
const MAX_WALKED: usize = 50_000;

/// Entries that are reported: a list that a person can still read.
const MAX_REPORTED: usize = 200;

/// Folders within folders that are entered.
const MAX_DEPTH: usize = 64;

/// What is not served.
#[derive(Debug, Default)]
pub struct Unserved {
    /// The files and folders, in the order in which they were found; of a folder that is not served,
    /// what is in it is not listed.
    pub entries: Vec<Entry>,
    /// Whether that is all: false when the folder is too large to look at every file.
    pub complete: bool,
}

/// A file or folder that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the site; bytes that are not text are replaced.
    pub path: String,
    /// Why it is not served.
    pub reason: Reason,
}

/// Why something is not served. The texts complete "This file is not served: …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Its name.
    #[error(transparent)]
    Name(#[from] Objection),
    /// Its name is not text, so no address leads to it.
    #[error("its name is not valid UTF-8")]
    NotText,
    /// A link out of the site, to nothing, or to what is not served.
    #[error("the link leads out of the site or to a file that is not served")]
    Link,
    /// A device, a socket or a pipe.
    #[error("it is not a regular file")]
    Kind,
    /// Goop2 may not read it; what the system said.
    #[error("it cannot be read ({0})")]
    Unreadable(io::ErrorKind),
}

impl Site {
    /// Looks for files and folders of the site that visitors do not get. Scripts and the files of
    /// rules are not mentioned: they are not meant to be served. Blocks (disk), for as long as
    /// looking at 50,000 files takes.
    pub fn unserved(&self) -> Unserved {
        let mut found = Unserved {
            complete: true,
            ..Unserved::default()
        };
        let Ok(tree) = Tree::open(self) else {
            return found;
        };
        let mut walked = 0;
        let mut folders: Vec<(Option<SitePath>, usize)> = vec![(None, 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in tree.entries(folder.as_ref()) {
                walked += 1;
                if walked > MAX_WALKED || found.entries.len() == MAX_REPORTED {
                    found.complete = false;
                    return found;
                }
                match look(&tree, folder.as_ref(), &entry) {
                    Ok(Some(inner)) if depth < MAX_DEPTH => folders.push((Some(inner), depth + 1)),
                    Ok(Some(_)) => found.complete = false,
                    Ok(None) => {}
                    Err(reason) => found.entries.push(Entry {
                        path: shown(folder.as_ref(), &entry.file_name()),
                        reason,
                    }),
                }
            }
        }
        found
    }
}

/// A folder to enter, if it is one, or why it is not served.
pub(crate) fn look(
    tree: &Tree<'_>,
    folder: Option<&SitePath>,
    entry: &cap_std::fs::DirEntry,
) -> Result<Option<SitePath>, Reason> {
    let name = entry.file_name();
    let name = name.to_str().ok_or(Reason::NotText)?;
    let Ok(path) = SitePath::in_folder(folder, name, Platform::HERE) else {
        // Without an objection to the name, these are the scripts.
        return objection(name, Platform::HERE).map_or(Ok(None), |objection| Err(objection.into()));
    };
    if tree.is_private(&path) {
        return Ok(None);
    }
    let kind = entry
        .file_type()
        .map_err(|error| Reason::Unreadable(error.kind()))?;
    if kind.is_dir() {
        return match tree.try_read(&path) {
            Err(error) => Err(Reason::Unreadable(error.kind())),
            Ok(()) => Ok(Some(path)),
        };
    }
    let metadata = tree.metadata(&path).map_err(|_| {
        if kind.is_symlink() {
            Reason::Link
        } else {
            Reason::Kind
        }
    })?;
    if metadata.is_file() {
        tree.try_read(&path)
            .map_err(|error| Reason::Unreadable(error.kind()))?;
    } else if !metadata.is_dir() {
        return Err(Reason::Kind);
    }
    Ok(None)
}

fn shown(folder: Option<&SitePath>, name: &OsStr) -> String {
    let name = name.to_string_lossy();
    match folder {
        Some(folder) => format!("{folder}/{name}"),
        None => name.into(),
    }
}
