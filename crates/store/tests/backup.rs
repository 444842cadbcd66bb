//! Backups: what comes back, and which ones are refused.

#![expect(clippy::unwrap_used, reason = "a panic here is the report")]

mod common;

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use age::{Encryptor, scrypt, secrecy::SecretString};
use common::{new_peer, ok};
use flate2::{Compression, write::GzEncoder};
use goop2_store::{Caller, Folder, publish::Contents};
use rusqlite::Connection;
use serde_json::json;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

const PASSPHRASE: &str = "four little words here";
const DEEP: &str = "a-folder-with-a-name-of-some-length/and-another-one-with-more-letters/and-a-third-one/page with ä.html";

/// A peer with a site, a table, secrets and a picture.
fn full_peer() -> (TempDir, Folder) {
    let (dir, folder) = new_peer();
    let site = dir.path().join("site");
    fs::create_dir_all(site.join(DEEP).parent().unwrap()).unwrap();
    fs::create_dir(site.join("empty")).unwrap();
    fs::write(site.join(DEEP), "deep").unwrap();
    fs::write(site.join(".hidden"), "hidden").unwrap();
    fs::write(site.join("large.bin"), vec![7; 300_000]).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", site.join("link")).unwrap();
    for line in [
        r#"{"op":"create-table","name":"notes","column":{"name":"text","type":"TEXT"}}"#,
        r#"{"op":"insert","table":"notes","data":{"text":"one"}}"#,
        r#"{"op":"insert","table":"notes","data":{"text":"two"}}"#,
    ] {
        ok(&folder, &Caller::Local, line);
    }
    folder
        .set_avatar(Some(b"\x89PNG\r\n\x1a\npicture"))
        .unwrap();
    folder
        .update_config(|config| config.presence.admin_password = "a secret word".into())
        .unwrap();
    (dir, folder)
}

fn restore(backup: &Path, passphrase: Option<&str>, identity: bool) -> (TempDir, Folder, Contents) {
    let (dir, folder) = new_peer();
    let publish = folder.publish();
    let contents = publish
        .open_backup_file(backup, passphrase)
        .unwrap()
        .unwrap();
    publish.restore(&contents.id, identity).unwrap();
    drop(folder);
    let folder = Folder::open(dir.path()).unwrap();
    (dir, folder, contents)
}

fn assert_restored(dir: &Path, folder: &Folder) {
    let site = dir.join("site");
    assert_eq!(fs::read(site.join(DEEP)).unwrap(), b"deep");
    assert_eq!(fs::read(site.join(".hidden")).unwrap(), b"hidden");
    assert_eq!(fs::read(site.join("large.bin")).unwrap(), vec![7; 300_000]);
    assert!(site.join("empty").is_dir());
    assert!(fs::symlink_metadata(site.join("link")).is_err());
    let query = r#"{"op":"query","table":"notes"}"#;
    let rows = ok(folder, &Caller::Local, query);
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let picture = folder.avatar().unwrap().unwrap();
    assert_eq!(picture.bytes, b"\x89PNG\r\n\x1a\npicture");
    assert_clean(dir);
}

/// Nothing is left of what was made or read.
fn assert_clean(dir: &Path) {
    let temporary = dir.join(".goop2-backup");
    let left = fs::read_dir(temporary).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    assert!(!dir.join("restore-pending").exists());
}

#[test]
fn without_the_identity_everything_else_comes_back() {
    let (source, full) = full_peer();
    let made = full.publish().backup(None).unwrap();
    let bytes = fs::read(made.path()).unwrap();
    let mut unpacked = vec![];
    flate2::read::MultiGzDecoder::new(&*bytes)
        .read_to_end(&mut unpacked)
        .unwrap();
    let key = fs::read(source.path().join("data/identity.key")).unwrap();
    for secret in [&b"a secret word"[..], b"admin_password", &key] {
        assert!(!unpacked.windows(secret.len()).any(|part| part == secret));
    }

    let (dir, folder, contents) = restore(&made.path(), None, false);
    assert_restored(dir.path(), &folder);
    assert_eq!(contents.label, "alpha");
    assert_eq!(contents.peer, full.peer_id().to_base58());
    assert_eq!(contents.tables, [("notes".to_owned(), 2)]);
    // With the two of the first start.
    assert_eq!(contents.files, 5);
    assert!(!contents.identity && !contents.same && contents.made > 0);
    assert_ne!(folder.peer_id(), full.peer_id());
    let path = made.path();
    drop(made);
    assert!(!path.exists());
    assert_clean(source.path());
}

#[test]
fn with_the_identity_it_moves_to_another_computer() {
    let (_source, full) = full_peer();
    let made = full.publish().backup(Some(PASSPHRASE)).unwrap();
    let bytes = fs::read(made.path()).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(made.path()).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    let (dir, folder, contents) = restore(&made.path(), Some(PASSPHRASE), true);
    assert!(contents.identity);
    assert_restored(dir.path(), &folder);
    assert_eq!(folder.peer_id(), full.peer_id());
    assert_eq!(folder.config().presence.admin_password, "a secret word");

    let (_dir, folder, _) = restore(&made.path(), Some(PASSPHRASE), false);
    assert_ne!(folder.peer_id(), full.peer_id());
}

#[test]
fn passphrases_that_are_short_missing_or_wrong() {
    let (dir, full) = full_peer();
    let publish = full.publish();
    let short = publish.backup(Some("1234567")).unwrap_err().to_string();
    assert_eq!(short, "Use a passphrase of 8 or more letters.");
    let made = publish.backup(Some(PASSPHRASE)).unwrap();
    let open = |passphrase| publish.open_backup_file(&made.path(), passphrase);
    assert_eq!(open(None).unwrap(), None);
    let wrong = open(Some("another one")).unwrap_err().to_string();
    assert_eq!(wrong, "This passphrase doesn’t open the backup.");
    let right = open(Some(PASSPHRASE)).unwrap().unwrap();
    assert!(right.same);
    assert!(publish.restore("0", false).is_err());
    drop(made);
    drop(full);
    Folder::open(dir.path()).unwrap();
    assert_clean(dir.path());
}

/// An archive in the making.
struct Forged(Builder<GzEncoder<Vec<u8>>>);

impl Forged {
    fn new() -> Self {
        let gzip = GzEncoder::new(vec![], Compression::fast());
        Self(Builder::new(gzip)).with("backup.json", &manifest(1, "nobody"))
    }

    /// With a file, whatever its name.
    fn with(self, path: &str, bytes: &[u8]) -> Self {
        self.entry(path, EntryType::Regular, bytes.len() as u64, bytes)
    }

    fn entry(mut self, path: &str, kind: EntryType, len: u64, bytes: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(len);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    /// With what a backup must have.
    fn whole(self) -> Self {
        self.with("goop.json", b"{}").database("")
    }

    fn database(self, sql: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("CREATE TABLE t (a); {sql}"))
            .unwrap();
        conn.close().unwrap();
        self.with("data.db", &fs::read(path).unwrap())
    }

    fn end(self) -> Vec<u8> {
        self.0.into_inner().unwrap().finish().unwrap()
    }
}

fn manifest(version: u32, peer: &str) -> Vec<u8> {
    let manifest = json!({ "version": version, "made": 1, "peer": peer, "label": "x" });
    serde_json::to_vec(&manifest).unwrap()
}

fn of_other_archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (path, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn many_folders() -> Vec<u8> {
    let mut forged = Forged::new();
    for _ in 0..200_001 {
        forged = forged.entry("site", EntryType::Directory, 0, b"");
    }
    forged.end()
}

fn hours_of_work() -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(PASSPHRASE.to_owned()));
    recipient.set_work_factor(1);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
    let mut out = vec![];
    let mut stream = encryptor.wrap_output(&mut out).unwrap();
    stream.write_all(&Forged::new().whole().end()).unwrap();
    stream.finish().unwrap();
    // What it asks for is the last word of the second line.
    let line = out.iter().skip(23).position(|it| *it == b'\n').unwrap() + 23;
    out.splice(line - 1..line, *b"40");
    out
}

fn cut(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// With a file of so many bytes that says nothing.
fn zeros(forged: Forged, len: u64) -> Forged {
    let mut tar = forged.0;
    let mut header = Header::new_gnu();
    header.set_size(len);
    let bytes = std::io::repeat(0).take(len);
    tar.append_data(&mut header, "site/zeros", bytes).unwrap();
    Forged(tar)
}

fn hostile() -> Vec<(Vec<u8>, &'static str)> {
    let forged = || Forged::new().whole();
    let key = Folder::create(tempfile::tempdir().unwrap().path(), "x").unwrap();
    let key = key.keypair().to_protobuf_encoding().unwrap();
    let long = "x/".repeat(70);
    vec![
        (b"no backup".to_vec(), "not a backup"),
        (vec![], "not a backup"),
        (b"\x1f\x8bno gzip".to_vec(), "damaged"),
        (b"age-encryption.org/v1\n".repeat(9000), "damaged"),
        (hours_of_work(), "too long"),
        (cut(forged().end()), "damaged"),
        (of_other_archive(&[("goop.json", b"{}")]), "not a backup"),
        (of_other_archive(&[("backup.json", b"[]")]), "not a backup"),
        (
            of_other_archive(&[("backup.json", &manifest(2, "x"))]),
            "newer Goop2",
        ),
        (Forged::new().end(), "goop.json is missing"),
        (
            Forged::new().with("goop.json", b"{}").end(),
            "data.db is missing",
        ),
        (
            Forged::new().with("goop.json", b"[]").end(),
            "settings are not valid",
        ),
        (
            zeros(forged(), 300 * 1024 * 1024).end(),
            "Far more comes out of it",
        ),
        (forged().with("../x", b"").end(), "leads out"),
        (forged().with("site/../../x", b"").end(), "leads out"),
        (forged().with("/x", b"").end(), "leads out"),
        (forged().with("site\\x", b"").end(), "leads out"),
        (forged().with("c:/x", b"").end(), "leads out"),
        (forged().with("plan.json", b"{}").end(), "doesn’t belong"),
        (forged().with("data.db-wal", b"").end(), "doesn’t belong"),
        (
            forged().with("site/a\nb", b"").end(),
            "not a usable file name",
        ),
        (
            forged().with("site//a", b"").end(),
            "not a usable file name",
        ),
        (
            of_other_archive(&[
                ("backup.json", &manifest(1, "x")),
                (&format!("site/{long}y"), b""),
            ]),
            "not a usable file name",
        ),
        (forged().with("goop.json", b"{}").end(), "twice"),
        (
            forged().with("site/a", b"").with("site/a/b", b"").end(),
            "twice",
        ),
        (
            forged().entry("site/a", EntryType::Symlink, 0, b"").end(),
            "a link",
        ),
        (
            forged().entry("site/a", EntryType::Link, 0, b"").end(),
            "a link",
        ),
        (
            forged().entry("site/a", EntryType::Fifo, 0, b"").end(),
            "a link",
        ),
        (
            forged().entry("site/a", EntryType::XHeader, 0, b"").end(),
            "a link",
        ),
        (
            forged().entry("lua", EntryType::Directory, 0, b"").end(),
            "doesn’t belong",
        ),
        (
            forged()
                .entry("site/bomb", EntryType::Regular, 1 << 40, b"")
                .end(),
            "too large",
        ),
        (
            forged()
                .entry("identity.key", EntryType::Regular, 1 << 20, b"")
                .end(),
            "too large",
        ),
        (many_folders(), "more than 200000"),
        (forged().with("identity.key", b"no key").end(), "not a key"),
        (forged().with("identity.key", &key).end(), "not of the peer"),
        (
            Forged::new()
                .with("goop.json", b"{}")
                .with("data.db", b"no database")
                .end(),
            "damaged",
        ),
        (with_sql("CREATE VIEW v AS SELECT a FROM t"), "a view"),
        (
            with_sql("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END"),
            "a trigger",
        ),
        (
            with_sql(
                "PRAGMA writable_schema = ON; \
                 INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING x')",
            ),
            "virtual table",
        ),
        (
            with_sql(
                "CREATE TABLE _goop2_meta (key TEXT NOT NULL PRIMARY KEY, value); INSERT INTO _goop2_meta VALUES ('migration', 999)",
            ),
            "newer Goop2",
        ),
    ]
}

fn with_sql(sql: &str) -> Vec<u8> {
    Forged::new().with("goop.json", b"{}").database(sql).end()
}

/// All names in a folder.
fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names = vec![];
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            names.push(path);
        }
    }
    names.sort();
    names
}

#[test]
fn hostile_backups_are_refused_and_leave_nothing() {
    let (dir, folder) = new_peer();
    let publish = folder.publish();
    // What receiving one leaves is the folder for it.
    drop(publish.receive_backup().unwrap());
    let before = names(dir.path());
    let file = dir.path().with_extension("backup");
    for (number, (bytes, why)) in hostile().into_iter().enumerate() {
        fs::write(&file, bytes).unwrap();
        let refused = match publish.open_backup_file(&file, Some(PASSPHRASE)) {
            Ok(read) => panic!("{number} ({why}): {read:?}"),
            Err(fault) => fault.to_string(),
        };
        assert!(refused.contains(why), "{number}: {refused} has no {why}");
        assert_eq!(names(dir.path()), before, "{number} ({why})");
    }
    fs::remove_file(&file).unwrap();
}

#[test]
fn what_the_forged_ones_are_made_of_is_accepted() {
    let (dir, folder) = new_peer();
    let file = dir.path().join("forged");
    let whole = Forged::new().whole().with("site/a", b"a");
    fs::write(&file, whole.end()).unwrap();
    let read = folder.publish().open_backup_file(&file, None);
    let read = read.unwrap().unwrap();
    assert_eq!((read.files, read.size), (1, 1));
    assert_eq!(read.tables, [("t".to_owned(), 0)]);
}

#[test]
fn one_that_is_received_in_pieces_is_read_by_its_id() {
    let (_source, full) = full_peer();
    let made = full.publish().backup(None).unwrap();
    let (dir, folder) = new_peer();
    let publish = folder.publish();
    let receive = || {
        let mut incoming = publish.receive_backup().unwrap();
        for piece in fs::read(made.path()).unwrap().chunks(1000) {
            incoming.write(piece).unwrap();
        }
        publish.keep_backup(incoming)
    };
    let (first, second) = (receive(), receive());
    assert!(publish.open_backup(&first, None).is_err());
    let read = publish.open_backup(&second, None).unwrap().unwrap();
    publish.restore(&read.id, false).unwrap();
    assert!(publish.restore(&read.id, false).is_err());
    drop(folder);
    let folder = Folder::open(dir.path()).unwrap();
    assert_restored(dir.path(), &folder);
}
