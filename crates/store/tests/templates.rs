//! Starters and templates: what they change, that it comes back, and which archives are refused.

#![expect(clippy::unwrap_used, reason = "a panic here is the report")]

mod common;

use std::{fs, io::Write, path::Path};

use common::{new_peer, ok, visitor};
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder},
};
use goop2_store::{
    Caller, Folder,
    archive::{self, Entry},
    publish::Fault,
    starters,
};
use tempfile::TempDir;

const MANIFEST: &str =
    r#"{"name":"Cork board","description":"Notes","tables":{"notes":{"insert_policy":"public"}}}"#;
const SCHEMA: &str = "CREATE TABLE notes (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '', \
                      _created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, text TEXT); \
                      CREATE INDEX notes_by_text ON notes (text);";

fn peer() -> (TempDir, Folder) {
    let (dir, folder) = new_peer();
    folder.publish().keep_removed();
    (dir, folder)
}

/// A gzipped tar of these, whatever is in their names.
fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (path, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn with_link(kind: tar::EntryType) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_path("link").unwrap();
    header.set_link_name("/etc/passwd").unwrap();
    header.set_cksum();
    tar.append(&header, std::io::empty()).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

fn template(more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("board/manifest.json", MANIFEST.as_bytes()),
        ("board/schema.sql", SCHEMA.as_bytes()),
        ("board/index.html", b"<h1>Board</h1>"),
    ];
    entries.extend(more);
    tar_of(&entries)
}

/// All files of a folder and what is in them.
fn all(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![];
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((
                    path.strip_prefix(dir).unwrap().display().to_string(),
                    fs::read(&path).unwrap(),
                ));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_starter_is_applied_and_taken_back() {
    let (_dir, folder) = peer();
    let publish = folder.publish();
    let site = folder.site().root().to_owned();
    let before = all(&site);
    let offered = publish.starters().unwrap();
    assert_eq!(offered.len(), starters().len());
    for starter in offered {
        let plan = publish.plan(&starter.id).unwrap();
        assert_eq!(plan.tables, starter.tables);
        let undo = publish.apply(&starter.id).unwrap();
        let files = publish.files().unwrap();
        let mut there: Vec<_> = files
            .entries
            .iter()
            .filter(|it| !it.folder)
            .map(|it| it.path.clone())
            .collect();
        let mut planned = [plan.adds, plan.replaces].concat();
        there.sort();
        planned.sort();
        assert_eq!(there, planned, "{}", starter.id);
        assert_eq!(files.broken, [], "{}", starter.id);
        assert!(
            !starter.title.is_empty() && starter.notes.is_empty(),
            "{starter:?}"
        );
        publish.undo(&undo.id).unwrap();
        assert_eq!(all(&site), before, "{}", starter.id);
    }
    let tables = ok(&folder, &Caller::Local, r#"{"op":"tables"}"#);
    assert_eq!(tables, serde_json::Value::Null, "no table is left");
}

#[test]
fn a_template_is_read_planned_applied_and_what_was_there_comes_back() {
    let (dir, folder) = peer();
    let publish = folder.publish();
    let local = Caller::Local;
    ok(
        &folder,
        &local,
        r#"{"op":"create-table","name":"notes","column":{"name":"old","type":"TEXT"}}"#,
    );
    ok(
        &folder,
        &local,
        r#"{"op":"insert","table":"notes","data":{"old":"kept"}}"#,
    );
    let bytes = template(&[
        ("board/lua/functions/x.lua", b"return 1"),
        ("board/schemas/a.json", b"{}"),
        ("board/.git/x", b""),
    ]);
    let offered = publish.import_archive(&bytes).unwrap();
    assert_eq!(
        (offered.title.as_str(), offered.description.as_str()),
        ("Cork board", "Notes")
    );
    assert_eq!(offered.notes.len(), 3, "{:?}", offered.notes);
    let plan = publish.plan(&offered.id).unwrap();
    assert_eq!(
        (plan.replaces, plan.removes),
        (vec!["index.html".to_owned()], vec!["style.css".to_owned()])
    );
    let undo = publish.apply(&offered.id).unwrap();
    let site = folder.site().root().to_owned();
    assert_eq!(
        fs::read(site.join("index.html")).unwrap(),
        b"<h1>Board</h1>"
    );
    assert!(site.join("lua/functions/x.lua").exists() && !site.join("style.css").exists());
    assert_eq!(fs::read_dir(dir.path().join("copies")).unwrap().count(), 1);
    // A visitor writes under the policy of the manifest.
    ok(
        &folder,
        &visitor(),
        r#"{"op":"insert","table":"notes","data":{"text":"mine"}}"#,
    );
    let kept = ok(&folder, &local, r#"{"op":"query","table":"notes_old"}"#);
    assert_eq!(kept[0]["old"], "kept");

    publish.undo(&undo.id).unwrap();
    assert!(site.join("style.css").exists());
    let rows = ok(&folder, &local, r#"{"op":"query","table":"notes"}"#);
    assert_eq!(rows[0]["old"], "kept");
    let theirs = ok(&folder, &local, r#"{"op":"query","table":"notes_old2"}"#);
    assert_eq!(theirs[0]["text"], "mine", "what a visitor wrote stays");
}

#[test]
fn another_folder_is_never_emptied() {
    let (_dir, folder) = peer();
    let photos = tempfile::tempdir().unwrap();
    fs::write(photos.path().join("a.jpg"), "x").unwrap();
    folder.set_site_root(Some(photos.path())).unwrap();
    assert!(matches!(
        folder.publish().apply("journal"),
        Err(Fault::Invalid(_))
    ));
    assert!(photos.path().join("a.jpg").exists());
}

#[test]
fn a_site_becomes_a_template_that_makes_the_same_site() {
    let (_dir, folder) = peer();
    let publish = folder.publish();
    publish.apply("guestbook").unwrap();
    publish.write("notes/a.txt", "a", None).unwrap();
    let exported = publish.export().unwrap();
    let (_other_dir, other) = peer();
    let imported = other.publish().import_archive(&exported).unwrap();
    assert_eq!(imported.title, "alpha");
    other.publish().apply(&imported.id).unwrap();
    assert_eq!(all(other.site().root()), all(folder.site().root()));
    let tables = |folder: &Folder| {
        let tables = ok(folder, &Caller::Local, r#"{"op":"tables"}"#);
        let tables = tables.as_array().unwrap().clone();
        tables
            .into_iter()
            .map(|it| (it["name"].clone(), it["insert_policy"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(tables(&other), tables(&folder));
    assert!(!tables(&folder).is_empty());
}

#[test]
fn hostile_archives_are_refused_with_a_reason_and_nothing_is_written() {
    let (dir, folder) = peer();
    let before = all(dir.path());
    let zeros = vec![0; 11 * 1024 * 1024];
    let million: Vec<u8> = {
        // The list says how many there are; none has to be there.
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        end.extend([0xff, 0xff, 0xff, 0xff]);
        end.extend([0; 10]);
        end
    };
    let nested = {
        let mut gz = GzEncoder::new(vec![], Compression::best());
        for _ in 0..8 {
            gz.write_all(&zeros[..1024 * 1024]).unwrap();
        }
        gz.finish().unwrap()
    };
    let bomb = {
        let mut header = tar::Header::new_gnu();
        header.set_path("bomb").unwrap();
        header.set_size(1 << 40);
        header.set_cksum();
        let mut gz = GzEncoder::new(vec![], Compression::best());
        gz.write_all(header.as_bytes()).unwrap();
        for _ in 0..8 {
            gz.write_all(&zeros[..1024 * 1024]).unwrap();
        }
        gz.finish().unwrap()
    };
    let many: Vec<_> = (0..5001).map(|number| format!("{number}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let large: Vec<_> = (0..7).map(|number| format!("{number}.bin")).collect();
    let of_all = |bytes| {
        large
            .iter()
            .map(move |name| (name.as_str(), bytes))
            .collect()
    };
    let pieces: Vec<(&str, &[u8])> = of_all(&zeros[..10 * 1024 * 1024]);
    // A number in each kilobyte: less of it comes out of each byte.
    let mut numbers = zeros[..10 * 1024 * 1024].to_vec();
    for (number, kilobyte) in (0u64..).zip(numbers.chunks_mut(1024)) {
        let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        kilobyte[..8].copy_from_slice(&number);
    }
    let large: Vec<(&str, &[u8])> = of_all(&numbers);
    let zip_of = |path: &str| {
        // As long as what the writer is given, so that the lengths stay right.
        let entry = Entry {
            path: "x".repeat(path.len()),
            bytes: b"x".to_vec(),
        };
        let archive = archive_of(&[entry]);
        replaced(&archive, "x".repeat(path.len()).as_bytes(), path.as_bytes())
    };
    // Each file of it is stored by our own writer: its kind says that it is deflated here.
    let zip_of_zeros = forged_zip(&zeros[..5 * 1024 * 1024]);
    let schema = |sql: &str| tar_of(&[("manifest.json", b"{}"), ("schema.sql", sql.as_bytes())]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("no archive", b"hello".to_vec(), "neither"),
        ("nothing", vec![], "neither"),
        ("cut", template(&[])[..100].to_vec(), "damaged"),
        (
            "no manifest",
            tar_of(&[("index.html", b"x")]),
            "no manifest.json",
        ),
        (
            "bad manifest",
            tar_of(&[("manifest.json", b"[")]),
            "not valid",
        ),
        ("up", template(&[("../../evil", b"x")]), "leads out"),
        (
            "up within",
            template(&[("board/a/../../../evil", b"x")]),
            "leads out",
        ),
        ("absolute", template(&[("/tmp/evil", b"x")]), "leads out"),
        (
            "windows",
            template(&[("board\\..\\evil", b"x")]),
            "leads out",
        ),
        ("drive", template(&[("C:/evil", b"x")]), "leads out"),
        ("control", template(&[("board/a\nb", b"x")]), "not a usable"),
        ("twice", template(&[("board/index.html", b"x")]), "twice"),
        (
            "other case",
            template(&[("board/INDEX.html", b"x")]),
            "twice",
        ),
        (
            "file and folder",
            template(&[("board/index.html/x", b"x")]),
            "twice",
        ),
        (
            "link",
            with_link(tar::EntryType::Symlink),
            "link or a device",
        ),
        (
            "hard link",
            with_link(tar::EntryType::Link),
            "link or a device",
        ),
        (
            "device",
            with_link(tar::EntryType::Block),
            "link or a device",
        ),
        ("large file", template(&[("board/big", &zeros)]), "10 MiB"),
        ("large in all", tar_of(&large), "64 MiB"),
        ("bomb in pieces", tar_of(&pieces), "Far more comes out"),
        ("zip bomb", zip_of_zeros, "Far more comes out"),
        ("zeros", nested, "no manifest.json"),
        ("bomb", bomb, "10 MiB"),
        ("many", tar_of(&many), "more than 5000"),
        ("a million in a list", million, "more than 5000"),
        ("zip up", zip_of("../evil"), "leads out"),
        ("zip absolute", zip_of("/evil"), "leads out"),
        ("zip of nothing", zip_of(""), "not a usable"),
        (
            "trigger",
            schema("CREATE TABLE a (b); CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END"),
            "may not",
        ),
        ("view", schema("CREATE VIEW v AS SELECT 1"), "may not"),
        ("attach", schema("ATTACH '/tmp/evil.db' AS x"), "may not"),
        ("pragma", schema("PRAGMA writable_schema = 1"), "may not"),
        (
            "own tables of Goop2",
            schema("INSERT INTO _tables VALUES ('x', '', 'public', '')"),
            "schema.sql",
        ),
        (
            "bad names",
            schema("CREATE TABLE \"a\"\"b\" (c)"),
            "may not",
        ),
    ];
    for (what, archive, why) in cases {
        let Err(Fault::Invalid(reason)) = folder.publish().import_archive(&archive) else {
            panic!("{what} was taken")
        };
        assert!(reason.contains(why), "{what}: {reason}");
        assert!(reason.len() < 300, "{what}: {reason}");
    }
    assert_eq!(all(dir.path()), before);
}

#[test]
fn a_zip_says_what_it_has_or_is_refused() {
    let files = vec![
        Entry {
            path: "manifest.json".into(),
            bytes: b"{}".to_vec(),
        },
        Entry {
            path: "a/b.txt".into(),
            bytes: vec![b'a'; 10_000],
        },
    ];
    let archive = archive_of(&files);
    assert_eq!(archive::read(&archive).unwrap(), files);
    // No byte of it can be changed, or left out, without an answer.
    for at in 0..archive.len() {
        let mut changed = archive.clone();
        changed[at] ^= 0xff;
        let _answered = archive::read(&changed);
        let _answered = archive::read(&archive[..at]);
    }
}

#[test]
fn a_folder_is_a_template_under_the_same_rules() {
    let (_dir, folder) = peer();
    let from = tempfile::tempdir().unwrap();
    fs::write(from.path().join("manifest.json"), MANIFEST).unwrap();
    fs::write(from.path().join("schema.sql"), SCHEMA).unwrap();
    fs::write(from.path().join("index.html"), "x").unwrap();
    let offered = folder.publish().import_path(from.path()).unwrap();
    assert_eq!(offered.tables, ["notes"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", from.path().join("link")).unwrap();
        assert!(matches!(
            folder.publish().import_path(from.path()),
            Err(Fault::Invalid(_))
        ));
    }
}

fn archive_of(files: &[Entry]) -> Vec<u8> {
    archive::write(files).unwrap()
}

/// A ZIP archive with one file, however small it gets.
fn forged_zip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(vec![], Compression::best());
    packed.write_all(bytes).unwrap();
    let packed = packed.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let mut head = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0];
    for number in [crc.sum(), packed.len() as u32, bytes.len() as u32] {
        head.extend(number.to_le_bytes());
    }
    head.extend([1, 0, 0, 0]);
    let mut archive = [&b"PK\x03\x04"[..], &head, b"x", &packed].concat();
    let at = archive.len() as u32;
    archive.extend([&b"PK\x01\x02\x14\0"[..], &head, &[0; 14], b"x"].concat());
    let len = archive.len() as u32 - at;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend([len.to_le_bytes(), at.to_le_bytes()].concat());
    archive.extend([0, 0]);
    archive
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while !from.is_empty() && at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) && from.len() > 1 {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        at += 1;
    }
    bytes
}
