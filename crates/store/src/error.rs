//! Why a peer folder could not be used: each message names the file and what to do about it.

use std::{io, path::PathBuf};

use crate::config::Problem;

/// Each message can be shown to the owner as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such folder, or it cannot be entered.
    #[error("the folder {path} cannot be opened: {source}")]
    Folder {
        /// The folder asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder without `goop.json` is not a peer folder.
    #[error(
        "{0} is missing: this is not a peer folder; create a peer in it first, or choose another folder"
    )]
    NoConfig(PathBuf),
    /// [`crate::Folder::create`] never replaces a peer.
    #[error("{0} already exists: this folder has a peer")]
    Exists(PathBuf),
    /// `goop.json` has a mistake.
    #[error(
        "{path}: {problem} (nothing was changed; correct the file in a text editor and start again)"
    )]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The mistake.
        problem: Problem,
    },
    /// The key file exists but does not contain a key.
    #[error(
        "the identity key {path} cannot be used: {why} (nothing was changed; restore it from a backup, or move it away \
         to start with a new identity that nobody knows yet)"
    )]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The database is damaged or cannot be read.
    #[error(
        "the database {path} cannot be used: {why} (nothing was changed; restore it from a backup together with its -wal \
         file, or move both away to start with an empty one)"
    )]
    Database {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version has changed the database in ways this one does not know.
    #[error(
        "the database {path} was written by a newer Goop2 (format {found}; this version supports up to {known}): \
         update Goop2 (nothing was changed)"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The number of the last migration applied to it.
        found: i64,
        /// The number of migrations this program has.
        known: i64,
    },
    /// Two processes on one folder would be two peers with one identity.
    #[error(
        "the folder {0} is in use by another Goop2; stop that one first, or choose another folder"
    )]
    InUse(PathBuf),
    /// The site folder would publish what must stay private.
    #[error(
        "paths.site_root is {site_root}, but {file} is in that folder and would be published; \
         choose a folder that contains nothing but the site"
    )]
    Exposed {
        /// The site folder.
        site_root: PathBuf,
        /// The private file in it.
        file: PathBuf,
    },
    /// What is named as the site folder is something else.
    #[error(
        "the site of this peer belongs in {0}, but that is a file, not a folder; move it away, or name another folder as \
         paths.site_root in goop.json (nothing was changed)"
    )]
    NoFolder(PathBuf),
    /// [`crate::Folder::set_site_root`] was given a folder that should not be published.
    #[error("{path} can’t be your site: {why}")]
    Unshareable {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// [`crate::Folder::replace_config`] was given a text made from an older one.
    #[error(
        "{0} has changed since you opened it: reload it, then make your change again (nothing was saved)"
    )]
    Changed(PathBuf),
    /// [`crate::Folder::set_avatar`] was given something that is not such a picture.
    #[error("the picture must be a PNG file of at most 256 KiB")]
    Picture,
    /// Any other error of the file system.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried: "read", "write", …
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: an [`Error::Io`] that says what was tried with which file.
    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
