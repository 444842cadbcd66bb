//! Which state of a file this is, for `ETag` and `Last-Modified`.

use std::{
    fs::Metadata,
    time::{SystemTime, UNIX_EPOCH},
};

use goop2_proto::web::condition::Version;
use sha2::{Digest, Sha256};

/// Bytes of the hash that become the tag: two states of one file never share 96 bits by chance.
const TAG_BYTES: usize = 12;

/// The version that a file's metadata describe.
///
/// On Unix the tag covers inode, length, and the times of the last change of content and of
/// metadata in nanoseconds: the last is set by the kernel at every write and every rename, so a file
/// that is changed and given its old time has a new tag nevertheless. Two changes within one tick
/// of the kernel's clock (at most 10 ms) are the one thing that it cannot tell apart when the length
/// stays. Windows offers no such time and no inode here: there the tag covers length, and the times
/// of creation and of the last write in 100 ns. Hashed, because nobody needs to know an inode.
pub(super) fn of(metadata: &Metadata) -> Version {
    let mut hash = Sha256::new();
    for number in numbers(metadata) {
        hash.update(number.to_le_bytes());
    }
    let tag = hash.finalize()[..TAG_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let now = SystemTime::now();
    let modified = metadata
        .modified()
        .ok()
        .filter(|time| (UNIX_EPOCH..=now).contains(time));
    Version { tag, modified }
}

#[cfg(unix)]
fn numbers(metadata: &Metadata) -> [i128; 6] {
    use std::os::unix::fs::MetadataExt;
    [
        metadata.ino().into(),
        metadata.size().into(),
        metadata.mtime().into(),
        metadata.mtime_nsec().into(),
        metadata.ctime().into(),
        metadata.ctime_nsec().into(),
    ]
}

#[cfg(windows)]
fn numbers(metadata: &Metadata) -> [i128; 3] {
    use std::os::windows::fs::MetadataExt;
    [
        metadata.file_size().into(),
        metadata.last_write_time().into(),
        metadata.creation_time().into(),
    ]
}
