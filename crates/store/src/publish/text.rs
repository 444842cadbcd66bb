//! Text files, read and written as a whole.

use std::io::{Read, Write};

use cap_std::fs::{Dir, OpenOptions};
use goop2_proto::SitePath;
use sha2::{Digest, Sha256};

use super::{Fault, Names, Publish, path};
use crate::{atomic, journal::fault::io, site::tree};

/// Bytes of a text that is edited here: larger ones are data, and slow in every editor.
pub const MAX_TEXT: usize = 2 * 1024 * 1024;

/// Bytes of the hash that is a version.
const VERSION_BYTES: usize = 16;

/// A text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Relative to the site's folder.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Of its content: the same text has the same version.
    pub version: String,
}

impl Publish<'_> {
    /// Reads a text file.
    pub fn read(&self, path: &str) -> Result<Text, Fault> {
        let parsed = path::existing(path)?;
        let text = read(&self.open()?, &parsed)?;
        Ok(Text {
            path: path.into(),
            version: version(&text),
            text,
        })
    }

    /// Replaces a text file that still is the one with this version, or makes a new one. A reader
    /// sees the old text or the new one, never a part.
    pub fn write(&self, path: &str, text: &str, from: Option<&str>) -> Result<Text, Fault> {
        if text.len() > MAX_TEXT {
            return Err(Fault::Invalid(format!(
                "{path} is too large to be edited here: the limit is 2 MiB."
            )));
        }
        let _one_change = self.journal();
        let dir = self.open()?;
        let parsed = match from {
            Some(from) => {
                let parsed = path::existing(path)?;
                if version(&read(&dir, &parsed)?) != from {
                    return Err(Fault::Conflict(path.into()));
                }
                parsed
            }
            None => {
                let parsed = path::new(path)?;
                if let Some(taken) = Names::new(&dir).taken(&parsed) {
                    return Err(Fault::Exists(vec![taken]));
                }
                make_folders(&dir, parsed.folder().as_ref())?;
                parsed
            }
        };
        replace(&dir, &parsed, text.as_bytes()).map_err(io("write", path))?;
        Ok(Text {
            path: path.into(),
            version: version(text),
            text: text.into(),
        })
    }
}

pub(super) fn make_folders(dir: &Dir, folder: Option<&SitePath>) -> Result<(), Fault> {
    match folder {
        Some(folder) => dir
            .create_dir_all(folder.as_str())
            .map_err(io("make", folder.as_str())),
        None => Ok(()),
    }
}

fn read(dir: &Dir, path: &SitePath) -> Result<String, Fault> {
    let opened = tree::read(dir, path.as_str()).map_err(io("read", path.as_str()))?;
    let mut bytes = vec![];
    let limit = MAX_TEXT as u64 + 1;
    let read = opened.file.take(limit).read_to_end(&mut bytes);
    read.map_err(io("read", path.as_str()))?;
    if bytes.len() > MAX_TEXT {
        return Err(Fault::Invalid(format!(
            "{path} is too large to be edited here: the limit is 2 MiB."
        )));
    }
    String::from_utf8(bytes).map_err(|_| Fault::Invalid(format!("{path} is not a text in UTF-8.")))
}

fn version(text: &str) -> String {
    Sha256::digest(text.as_bytes())[..VERSION_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// As `atomic::replace`, but within the site and for everyone who may read the folder: what is
/// published is not private. A link is followed, not replaced.
pub(super) fn replace(dir: &Dir, path: &SitePath, bytes: &[u8]) -> std::io::Result<()> {
    let real = dir.canonicalize(path.as_str());
    let real = real.unwrap_or_else(|_| path.as_str().into());
    let folder = real
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = dir.open_dir(folder.unwrap_or(std::path::Path::new(".")))?;
    let name = real.file_name().unwrap_or_default();
    let temporary = atomic::temporary_name(name);
    // Left behind by a crash.
    let _none = folder.remove_file(&temporary);
    let mut file = folder.open_with(&temporary, OpenOptions::new().write(true).create_new(true))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let kept = folder.metadata(name).map(|old| old.permissions());
    let kept = written.and_then(|()| kept.map_or(Ok(()), |old| file.set_permissions(old)));
    drop(file);
    let renamed =
        kept.and_then(|()| atomic::patiently(|| folder.rename(&temporary, &folder, name)));
    if renamed.is_err() {
        let _none = folder.remove_file(&temporary);
    }
    renamed
}
