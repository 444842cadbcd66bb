//! Your own site as its owner works on it: files, starters, templates and backups.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the owner wants to do with the site. Paths are relative to the site's folder, with `/`
/// between names.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum SiteRequest {
    /// Answers [`SiteFiles`].
    Files,
    /// Answers [`SiteText`].
    Read {
        /// A text file.
        path: String,
    },
    /// Answers [`SiteText`].
    Write {
        /// A text file.
        path: String,
        /// All of its new content.
        text: String,
        /// The version it was made from; null for a new file.
        version: Option<String>,
    },
    /// Answers null.
    MakeFolder {
        /// The new folder.
        path: String,
    },
    /// Renames or moves; answers [`Undo`].
    Move {
        /// A file or folder.
        from: String,
        /// Its new path.
        to: String,
    },
    /// Moves to the bin; answers [`Undo`].
    Remove {
        /// Files and folders.
        paths: Vec<String>,
    },
    /// Answers null.
    Undo {
        /// [`Undo::id`].
        id: String,
    },
    /// Answers null; fails with `exists` and the names if any path is taken.
    Free {
        /// Files that are about to be uploaded.
        paths: Vec<String>,
    },
    /// Answers null; visitors get the other folder from now on.
    SetFolder {
        /// An absolute path on this computer; null for the folder inside the peer.
        path: Option<PathBuf>,
    },
    /// Answers a list of [`Starter`].
    Starters,
    /// Answers [`Plan`].
    Plan {
        /// [`Starter::id`] or [`Template::id`].
        starter: String,
    },
    /// Answers [`Undo`].
    Apply {
        /// [`Starter::id`] or [`Template::id`].
        starter: String,
    },
    /// Reads a backup that was received; answers [`Backup`].
    OpenBackup {
        /// What receiving it answered.
        id: String,
        /// For one that is encrypted.
        passphrase: Option<String>,
    },
    /// Puts a backup in the place of the site, the tables and the settings; answers null. The peer
    /// restarts.
    Restore {
        /// [`Backup::id`].
        id: String,
        /// Whether the identity is replaced too.
        identity: bool,
    },
}

/// Everything in the site's folder.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct SiteFiles {
    /// The folder, absolute.
    pub root: String,
    /// Whether it is the folder inside the peer.
    pub own: bool,
    /// Files and folders; a folder comes before what is in it.
    pub entries: Vec<SiteEntry>,
    /// Whether that is all: a very large site is not listed to its end.
    pub complete: bool,
    /// Links of the site's pages to files that it does not have.
    pub broken: Vec<BrokenLink>,
    /// Of `_headers` and `_redirects`.
    pub problems: Vec<SiteProblem>,
    /// Whether there is no index page at the top, so that visitors get a list of the files.
    pub listed: bool,
    /// Whether there is nothing but the page of a first start.
    pub untouched: bool,
}

/// A file or folder of the site.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct SiteEntry {
    /// Relative to the site's folder.
    pub path: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Bytes; of a folder, of all that is in it.
    #[ts(type = "number")]
    pub size: u64,
    /// Unix time in milliseconds of the last change.
    #[ts(type = "number")]
    pub modified: i64,
    /// Of a folder: how many files are in it and below.
    #[ts(type = "number")]
    pub files: u64,
    /// Whether it is what visitors see first.
    pub front: bool,
    /// Why visitors do not get it; null if they do.
    pub unserved: Option<String>,
}

/// A link to something that the site does not have.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct BrokenLink {
    /// The page it is on.
    pub page: String,
    /// The line it is in, from 1.
    #[ts(type = "number")]
    pub line: usize,
    /// As it is written there.
    pub link: String,
}

/// A line of `_headers` or `_redirects` that is not applied.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct SiteProblem {
    /// Name of the file.
    pub file: String,
    /// The line, from 1.
    #[ts(type = "number")]
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// A text file.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct SiteText {
    /// Relative to the site's folder.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Changes whenever the file does.
    pub version: String,
}

/// Something was done that can be undone.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Undo {
    /// Names it; forgotten when the peer ends, or after many others.
    pub id: String,
    /// What was done, as a sentence.
    pub message: String,
}

/// How far adding files is.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Progress {
    /// The file that is being added.
    pub file: String,
    /// Bytes that are there, of all files.
    #[ts(type = "number")]
    pub done: u64,
    /// Bytes of all files.
    #[ts(type = "number")]
    pub total: u64,
}

/// What happens when a name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Clash {
    /// Nothing is added, and the failure `exists` says which names are taken.
    Ask,
    /// The old file goes to the bin.
    Replace,
    /// The new one gets another name.
    Both,
    /// The old file stays.
    Skip,
}

/// Files were added.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Added {
    /// The new files and folders, under the names they have now.
    pub added: Vec<String>,
    /// Those whose names were taken, and those that are never published.
    pub skipped: Vec<String>,
    /// Takes them away again, and puts back what they replaced.
    pub undo: Undo,
}

/// A site to begin with.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Starter {
    /// Names it.
    pub id: String,
    /// A few words.
    pub title: String,
    /// One or two sentences.
    pub description: String,
    /// A picture of it, as the text of an SVG.
    pub preview: String,
    /// Tables it needs.
    pub tables: Vec<String>,
}

/// What applying a starter or template changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Plan {
    /// New files.
    pub adds: Vec<String>,
    /// Files that are kept as a copy and get a new content.
    pub replaces: Vec<String>,
    /// Files that are kept as a copy and are no longer in the site.
    pub removes: Vec<String>,
    /// Tables that are made.
    pub tables: Vec<String>,
}

/// A template that was read and found harmless, not applied yet.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Template {
    /// For `plan` and `apply`, during this run.
    pub id: String,
    /// What its manifest calls it.
    pub title: String,
    /// What its manifest says about it.
    pub description: String,
    /// What the owner should know, as sentences: that scripts do not run yet.
    pub notes: Vec<String>,
    /// What applying it changes.
    pub plan: Plan,
}

/// Something was saved.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Saved {
    /// Where; null when the browser downloads it.
    pub path: Option<String>,
}

/// A backup that was received, and not looked at yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceivedBackup {
    /// For `open_backup`, during this run and until another one is received.
    pub id: String,
}

/// A backup that was read and found harmless, not restored yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Backup {
    /// For `restore`, during this run; empty as long as the passphrase is missing.
    pub id: String,
    /// Whether it is encrypted: read it again with the passphrase to learn the rest.
    pub locked: bool,
    /// Name of the peer it was made from.
    pub label: String,
    /// Peer id of the peer it was made from, base58.
    pub peer: String,
    /// Unix time in milliseconds at which it was made.
    #[ts(type = "number")]
    pub made: i64,
    /// Whether the identity is in it.
    pub identity: bool,
    /// Whether it is of this peer.
    pub same: bool,
    /// Files of the site.
    #[ts(type = "number")]
    pub files: u64,
    /// Bytes of them.
    #[ts(type = "number")]
    pub size: u64,
    /// Tables and how many rows they have.
    pub tables: Vec<BackupTable>,
}

/// A table in a backup.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct BackupTable {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    #[ts(type = "number")]
    pub rows: u64,
}
