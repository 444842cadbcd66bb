//! Archives from strangers, ZIP and gzipped tar, as the files in them: bounded in every direction,
//! and refused as a whole where one entry is not a plain file within the archive. Nothing is
//! written here.

mod tar;
mod zip;

use std::{collections::HashSet, fmt::Write as _, fs, path::Path};

pub use self::zip::write;

/// Bytes of an archive.
pub const MAX_ARCHIVE: u64 = 64 * 1024 * 1024;
/// Bytes of one file in it, as for existing peers (§9.7), and of all.
pub(crate) const MAX_FILE: u64 = 10 * 1024 * 1024;
pub(crate) const MAX_TOTAL: u64 = 64 * 1024 * 1024;
/// What may come out of each byte of an archive: of what people have, ten at most.
const MAX_RATIO: u64 = 100;
/// Bytes that may come out in any case: a picture or a table with little in it.
const MAX_UNMEASURED: u64 = 4 * 1024 * 1024;
/// Files in it, and folders that are written as entries.
pub(crate) const MAX_ENTRIES: usize = 5000;
/// Bytes of a path.
pub(crate) const MAX_PATH: usize = 512;
/// Folders within folders.
const MAX_DEPTH: usize = 16;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// With `/` between names; checked.
    pub path: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// The files of a ZIP or gzipped tar archive, or why it is refused, as a sentence.
pub fn read(archive: &[u8]) -> Result<Vec<Entry>, String> {
    if archive.len() as u64 > MAX_ARCHIVE {
        return Err(too_large());
    }
    let mut files = Files::of(archive.len() as u64);
    match archive {
        [b'P', b'K', ..] => zip::read(archive, &mut files)?,
        [0x1f, 0x8b, ..] => tar::read(archive, &mut files)?,
        _ => return Err("This is neither a .zip nor a .tar.gz file.".into()),
    }
    Ok(files.entries)
}

/// The files of a folder, under the same rules.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Entry>, String> {
    // Not packed.
    let mut files = Files::of(MAX_TOTAL);
    walk(folder, "", 0, &mut files)?;
    Ok(files.entries)
}

fn walk(folder: &Path, above: &str, depth: usize, files: &mut Files) -> Result<(), String> {
    let unread = |error: std::io::Error| format!("{} can’t be read: {error}.", folder.display());
    if depth > MAX_DEPTH {
        return Err("There are too many folders within folders.".into());
    }
    for entry in fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| odd(&name.to_string_lossy()))?;
        // What systems and editors leave in folders.
        if name.starts_with('.') {
            continue;
        }
        let path = if above.is_empty() {
            name
        } else {
            format!("{above}/{name}")
        };
        let kind = entry.file_type().map_err(unread)?;
        if kind.is_dir() {
            files.count()?;
            walk(&entry.path(), &path, depth + 1, files)?;
        } else if kind.is_file() {
            let len = entry.metadata().map_err(unread)?.len();
            let room = files.room(&path, len)?;
            let mut bytes = vec![];
            let file = fs::File::open(entry.path()).map_err(unread)?;
            let read =
                std::io::Read::read_to_end(&mut std::io::Read::take(file, room + 1), &mut bytes);
            read.map_err(unread)?;
            files.add(&path, bytes)?;
        } else {
            return Err(not_a_file(&path));
        }
    }
    Ok(())
}

/// What was found so far.
struct Files {
    /// Bytes that may come out.
    most: u64,
    entries: Vec<Entry>,
    names: Names,
    total: u64,
    counted: usize,
}

impl Files {
    /// Of so many bytes.
    fn of(packed: u64) -> Self {
        Self {
            most: MAX_UNMEASURED.max(packed.saturating_mul(MAX_RATIO)),
            entries: vec![],
            names: Names::default(),
            total: 0,
            counted: 0,
        }
    }

    /// One more entry of any kind.
    fn count(&mut self) -> Result<(), String> {
        self.counted += 1;
        if self.counted > MAX_ENTRIES {
            return Err(format!("It has more than {MAX_ENTRIES} files."));
        }
        Ok(())
    }

    /// How many bytes a file may have that says it has `len`.
    fn room(&self, path: &str, len: u64) -> Result<u64, String> {
        let total = self.total.saturating_add(len);
        if len > MAX_FILE {
            Err(large(path))
        } else if total > MAX_TOTAL {
            Err(too_large())
        } else if total > self.most {
            Err("Far more comes out of it than an archive of files holds.".into())
        } else {
            Ok(MAX_FILE.min(MAX_TOTAL.min(self.most) - self.total))
        }
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), String> {
        self.count()?;
        self.room(path, bytes.len() as u64)?;
        let path = checked(path, MAX_DEPTH)?;
        self.names.claim(&path, path.to_lowercase())?;
        self.total += bytes.len() as u64;
        self.entries.push(Entry { path, bytes });
        Ok(())
    }
}

/// The names that were in an archive so far.
#[derive(Default)]
pub(crate) struct Names {
    seen: HashSet<String>,
    folders: HashSet<String>,
}

impl Names {
    /// Takes a name for a file, or says that it is taken. `key` is the same for names that are the
    /// same to a file system.
    pub(crate) fn claim(&mut self, path: &str, key: String) -> Result<(), String> {
        let above: Vec<_> = key
            .match_indices('/')
            .map(|(at, _)| key[..at].to_owned())
            .collect();
        let clashes = above.iter().any(|folder| self.seen.contains(folder));
        if clashes || self.folders.contains(&key) || !self.seen.insert(key) {
            return Err(format!("{} is in it twice.", shown(path)));
        }
        self.folders.extend(above);
        Ok(())
    }
}

/// A path that stays within a folder on every system.
pub(crate) fn checked(path: &str, depth: usize) -> Result<String, String> {
    let leads_out = path.starts_with('/')
        || path.contains('\\')
        || path.as_bytes().get(1) == Some(&b':')
        || path.split('/').any(|name| name == "..");
    if leads_out {
        return Err(format!("{} leads out of its folder.", shown(path)));
    }
    let path = path.strip_prefix("./").unwrap_or(path);
    let names = path.split('/');
    let is_name = |name: &str| !name.is_empty() && name != "." && !name.contains(char::is_control);
    if path.len() > MAX_PATH || names.clone().count() > depth || !names.clone().all(is_name) {
        return Err(odd(path));
    }
    Ok(path.to_owned())
}

fn odd(path: &str) -> String {
    format!("{} is not a usable file name.", shown(path))
}

pub(crate) fn not_a_file(path: &str) -> String {
    format!("{} is a link or a device, not a file.", shown(path))
}

fn large(path: &str) -> String {
    format!("{} is larger than 10 MiB.", shown(path))
}

fn too_large() -> String {
    "It is larger than 64 MiB.".into()
}

pub(crate) fn damaged() -> String {
    "The archive is damaged.".into()
}

/// A name from a stranger, on one short line.
pub(crate) fn shown(path: &str) -> String {
    const MAX_SHOWN: usize = 80;
    let mut shown = String::new();
    for char in path.chars().take(MAX_SHOWN) {
        if char.is_control() {
            let _written = write!(shown, "{}", char.escape_default());
        } else {
            shown.push(char);
        }
    }
    format!("“{shown}”")
}
