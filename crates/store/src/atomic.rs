//! Writing a small file so that a reader, or a start after a crash, sees the old bytes or the new
//! ones, never a part.
//!
//! The new bytes go to a temporary file next to the target, reach the disk, and take the target's
//! name in one step. A temporary file left behind by a crash is never read, and the next write
//! replaces it.
//!
//! On Windows the step is atomic too, but fails while another program (a scanner, a backup) has the
//! old file open without sharing it. That is brief, so it is retried. Files have no mode there, but
//! the user's own folders, where peers are created, are private.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How often a name is asked for that another program holds, and the pause between: a second in
/// all, the patience of who saves.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Replaces `path` by a file with these bytes that only its owner may read. A link is followed, not
/// replaced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = write_temporary(&target, bytes)?;
    patiently(|| fs::rename(&temporary, &target))?;
    sync_folder(&target)
}

/// Makes `path` with these bytes, or fails with `AlreadyExists`: never replaces what another
/// process created in the meantime.
pub(crate) fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, bytes)?;
    let made = match fs::hard_link(&temporary, path) {
        // File systems without hard links (FAT): the folder's lock is then the only guard.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
            return fs::rename(&temporary, path).and_then(|()| sync_folder(path));
        }
        made => made,
    };
    fs::remove_file(&temporary)?;
    made.and_then(|()| sync_folder(path))
}

/// The folder and those above it, entered only by its owner.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options for a file only its owner may read and write.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What a file is called before it takes its name: hidden, so it is never published.
pub(crate) fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".tmp");
    temporary
}

/// Renames something again while another program holds it.
pub(crate) fn patiently(rename: impl Fn() -> io::Result<()>) -> io::Result<()> {
    for _ in 1..ATTEMPTS {
        match rename() {
            Err(error) if is_held(&error) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    rename()
}

fn write_temporary(target: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let name = target.file_name().unwrap_or_default();
    let temporary = target.with_file_name(temporary_name(name));
    // One left behind may have another mode, or be a link to somewhere else.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().create_new(true).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(temporary)
}

/// Whether another program has the file open and prevents this for now.
fn is_held(error: &io::Error) -> bool {
    const ACCESS_DENIED: i32 = 5;
    const SHARING_VIOLATION: i32 = 32;
    cfg!(windows)
        && matches!(
            error.raw_os_error(),
            Some(ACCESS_DENIED | SHARING_VIOLATION)
        )
}

/// The new name must reach the disk too. Only Unix can open a folder for that.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_never_overwrites_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        create_new(&file, b"one").unwrap();
        assert_eq!(
            create_new(&file, b"two").unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&file).unwrap(), b"one");
        fs::write(
            dir.path().join(".a.tmp"),
            "left by a crash, and much longer than what follows",
        )
        .unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(windows)]
    #[test]
    fn waits_for_who_holds_the_file() {
        use std::os::windows::fs::OpenOptionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        create_new(&file, b"one").unwrap();
        // Others may read it, not replace it.
        let held = OpenOptions::new()
            .read(true)
            .share_mode(1)
            .open(&file)
            .unwrap();
        let holder = thread::spawn(move || {
            thread::sleep(PAUSE * 3);
            drop(held);
        });
        replace(&file, b"two").unwrap();
        holder.join().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
    }

    #[cfg(unix)]
    #[test]
    fn is_private_and_follows_links() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
