//! Backups: one file with the site, its tables and the settings, and the identity where it is
//! encrypted. A gzipped tar archive, or such an archive in the format of age.
//!
//! What comes back may be from anyone. It is unpacked into a separate folder, in which only plain
//! files are made, and looked at there; nothing of the peer changes before it is restored.

mod bounded;
pub(crate) mod pending;
pub(crate) mod read;
pub(crate) mod write;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::journal::new_folder;

/// Bytes of a backup, packed: what a window waits for and a disk has room for.
pub const MAX_BACKUP: u64 = 16 * 1024 * 1024 * 1024;
/// Bytes of all that is in one.
const MAX_TOTAL: u64 = 16 * 1024 * 1024 * 1024;
/// What may come out of each byte that is packed: gzip makes a thousand of one, but of what people have,
/// ten at most. A small file that fills the disk is not a backup.
const MAX_RATIO: u64 = 100;
/// Bytes that may come out in any case: a database that was emptied, a disk image.
const MAX_UNMEASURED: u64 = 256 * 1024 * 1024;
/// Files and folders in one: a site of 100,000 files, and as many again.
const MAX_ENTRIES: usize = 200_000;
/// Folders within folders of the site.
const MAX_DEPTH: usize = 64;
/// Bytes of its manifest and of its settings.
const MAX_SMALL: u64 = 1024 * 1024;
/// Characters of the name it says it has.
const MAX_LABEL: usize = 80;
/// How hard it is to guess a passphrase: 2^17 rounds of scrypt in 128 MiB, about half a second.
const WORK: u8 = 17;
/// The most that another's file may ask for: 256 MiB and a second or two; what age itself uses.
const MAX_WORK: u8 = 18;
/// Characters of a passphrase.
const MIN_PASSPHRASE: usize = 8;

/// How the file of a newer version differs is not known to this one.
const VERSION: u32 = 1;

/// In the peer's folder: what is being made or read. Emptied when the folder is opened.
const TEMPORARY: &str = ".goop2-backup";

const MANIFEST: &str = "backup.json";
const KEY: &str = "identity.key";
const SITE: &str = "site";

/// The first entry of a backup.
#[derive(Debug, Deserialize, Serialize)]
struct Manifest {
    version: u32,
    /// Unix time in milliseconds.
    made: i64,
    peer: String,
    label: String,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// For `restore`, during this run.
    pub id: String,
    /// What the peer was called.
    pub label: String,
    /// Its peer id.
    pub peer: String,
    /// Unix time in milliseconds.
    pub made: i64,
    /// Whether the identity is in it.
    pub identity: bool,
    /// Whether it is of this peer.
    pub same: bool,
    /// Files of the site.
    pub files: u64,
    /// Bytes of them.
    pub size: u64,
    /// Tables and their rows.
    pub tables: Vec<(String, u64)>,
}

/// A backup that was made: a file that is removed with this.
#[derive(Debug)]
pub struct Made {
    folder: Temporary,
}

impl Made {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.file("backup")
    }
}

/// The one backup that is being restored: received, or read too.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) number: u64,
    pub(crate) received: Option<Temporary>,
    pub(crate) opened: Option<Temporary>,
}

/// A folder that is removed with this.
#[derive(Debug)]
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// In the folder of a peer.
    pub(crate) fn new(peer: &Path) -> io::Result<Self> {
        new_folder(&peer.join(TEMPORARY)).map(Self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What stays is removed when the folder is opened again. Or it is on its way to be restored.
        let _gone = fs::remove_dir_all(&self.0);
    }
}
