//! Gzipped tar.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::{Files, MAX_ENTRIES, MAX_TOTAL, damaged, not_a_file};

/// Bytes that come out of gzip next to the files: a kilobyte or two of heads for each.
const HEADS: u64 = 4 * 1024 * MAX_ENTRIES as u64;

pub(super) fn read(archive: &[u8], files: &mut Files) -> Result<(), String> {
    let most = files.most.saturating_add(HEADS).min(MAX_TOTAL + HEADS);
    let unpacked = MultiGzDecoder::new(archive).take(most);
    let mut archive = Archive::new(unpacked);
    for entry in archive.entries().map_err(|_| damaged())? {
        let entry = entry.map_err(|_| damaged())?;
        let path = entry.path_bytes();
        let path = std::str::from_utf8(&path)
            .map_err(|_| damaged())?
            .to_owned();
        match entry.header().entry_type() {
            EntryType::Directory => files.count()?,
            EntryType::Regular | EntryType::Continuous => {
                let len = entry.size();
                let room = files.room(&path, len)?;
                let mut bytes = vec![];
                let read = entry.take(room + 1).read_to_end(&mut bytes);
                if read.is_err() || bytes.len() as u64 != len {
                    return Err(damaged());
                }
                files.add(&path, bytes)?;
            }
            // What `git archive` and others note about the whole.
            EntryType::XGlobalHeader => files.count()?,
            _ => return Err(not_a_file(&path)),
        }
    }
    Ok(())
}
