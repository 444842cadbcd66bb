//! A peer folder as a whole: those existing peers left behind, those that are damaged, and new
//! ones.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::Path};

use common::{copy_of, dump, fixture, new_peer, ok, refused, visitor};
use goop2_proto::SitePath;
use goop2_store::{Caller, Error, Folder, config::Theme, identity};
use serde_json::Value;

#[test]
fn existing_peers_start_unchanged() {
    for name in ["peer-feb", "peer-head"] {
        let dir = copy_of(name);
        let before = (
            fs::read(dir.path().join("goop.json")).unwrap(),
            fs::read(dir.path().join("data/identity.key")).unwrap(),
        );
        let tables_before = tables(dir.path());
        let peer_id = fs::read_to_string(fixture(name).join("PEER_ID")).unwrap();

        let folder = Folder::open(dir.path()).unwrap();
        assert_eq!(folder.peer_id().to_base58(), peer_id.trim());
        assert_eq!(identity(dir.path()).unwrap(), folder.peer_id());
        let config = folder.config();
        assert_eq!(
            (config.profile.label.as_str(), config.profile.email.as_str()),
            ("alpha", "alpha@example.org")
        );
        assert_eq!(
            (config.viewer.http_addr.as_str(), config.viewer.theme),
            ("127.0.0.1:8080", Theme::Dark)
        );

        let posts = ok(&folder, &visitor(), r#"{"op":"query","table":"posts"}"#);
        let titles: Vec<_> = posts
            .as_array()
            .unwrap()
            .iter()
            .map(|post| post["title"].as_str().unwrap())
            .collect();
        assert_eq!(titles, ["Post 0 é", "Post 1 é", "Post 2 é"]);
        assert_eq!(posts[0]["_owner"], peer_id.trim());
        let notes = ok(&folder, &visitor(), r#"{"op":"query","table":"notes"}"#);
        assert_eq!(notes.as_array().unwrap().len(), 1);
        assert_eq!(notes[0]["text"], "from a visitor");
        let listed = ok(&folder, &visitor(), r#"{"op":"tables"}"#);
        let policies: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|table| (table["name"].as_str(), table["insert_policy"].as_str()))
            .collect();
        assert_eq!(
            policies,
            [
                (Some("notes"), Some("open")),
                (Some("posts"), Some("owner"))
            ]
        );

        let avatar = folder.avatar().unwrap().unwrap();
        assert_eq!(
            avatar.bytes,
            fs::read(fixture(name).join("avatar.png")).unwrap()
        );
        assert_eq!(avatar.hash.len(), 16);
        assert!(folder.site().open(&SitePath::index()).unwrap().len > 0);
        ok(
            &folder,
            &visitor(),
            r#"{"op":"insert","table":"notes","data":{"text":"again"}}"#,
        );
        drop(folder);

        let after = (
            fs::read(dir.path().join("goop.json")).unwrap(),
            fs::read(dir.path().join("data/identity.key")).unwrap(),
        );
        assert_eq!(before, after);
        assert!(
            !dir.path().join("data.db-wal").exists(),
            "all is in the database itself"
        );
        let conn = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
        let verdict: String = conn
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(verdict, "ok");
        let version: i64 = conn
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, 0, "the mark of existing peers is theirs");
        let tables_after = tables(dir.path());
        for table in &tables_before {
            assert!(
                tables_after.contains(table),
                "{name}: {table:?} was changed"
            );
        }
        let added: Vec<_> = tables_after
            .iter()
            .filter(|table| !tables_before.contains(table))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            added,
            [
                "_goop2_meta",
                "_goop2_peers",
                "_goop2_visits",
                "_goop2_writes"
            ]
        );
        assert!(Folder::open(dir.path()).is_ok(), "and once more");
    }
}

#[test]
fn a_new_peer_has_a_site_that_works() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("mine");
    assert!(matches!(Folder::open(&home), Err(Error::Folder { .. })));
    let folder = Folder::create(&home, "Ann <b> & co").unwrap();
    let mut page = folder.site().open(&SitePath::index()).unwrap();
    assert_eq!(page.mime, "text/html; charset=utf-8");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut page.file, &mut text).unwrap();
    assert!(text.contains("<h1>Ann &lt;b&gt; &amp; co</h1>") && !text.contains("{{"));
    assert_eq!(text.len() as u64, page.len);
    assert_eq!(folder.config().profile.label, "Ann <b> & co");
    assert_eq!(
        folder.config().presence.rendezvous_bind,
        "",
        "all interfaces"
    );
    assert_eq!(folder.avatar().unwrap(), None);
    assert!(matches!(
        Folder::create(&home, "again"),
        Err(Error::Exists(_))
    ));
    let id = folder.peer_id();
    drop(folder);
    assert_eq!(Folder::open(&home).unwrap().peer_id(), id);
}

#[test]
fn creating_keeps_a_site_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("site")).unwrap();
    fs::write(dir.path().join("site/index.html"), "mine").unwrap();
    drop(Folder::create(dir.path(), "a").unwrap());
    assert_eq!(
        fs::read(dir.path().join("site/index.html")).unwrap(),
        b"mine"
    );
}

#[test]
fn a_folder_without_goop_json_is_not_a_peer() {
    let dir = tempfile::tempdir().unwrap();
    let error = Folder::open(dir.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("goop.json is missing: this is not a peer folder"),
        "{error}"
    );
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing was written"
    );
}

#[test]
fn the_id_of_a_fresh_folder_is_the_one_it_keeps() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("goop.json"), "{}").unwrap();
    let id = identity(dir.path()).unwrap();
    assert_eq!(Folder::open(dir.path()).unwrap().peer_id(), id);
}

#[cfg(unix)]
#[test]
fn secrets_are_private() {
    use std::os::unix::fs::MetadataExt;
    let (dir, folder) = new_peer();
    folder
        .update_config(|config| config.presence.admin_password = "secret".into())
        .unwrap();
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().mode() & 0o777;
    assert_eq!(
        [
            "goop.json",
            "data",
            "data/identity.key",
            "data.db",
            "data.db-wal"
        ]
        .map(mode),
        [0o600, 0o700, 0o600, 0o600, 0o600]
    );
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_noticed() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, folder) = new_peer();
    assert_eq!(folder.exposed_key(), None);
    let key = fs::canonicalize(dir.path())
        .unwrap()
        .join("data/identity.key");
    for (mode, exposed) in [(0o644, true), (0o640, true), (0o604, true), (0o400, false)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(folder.exposed_key().is_some(), exposed, "{mode:o}");
    }
}

#[test]
fn a_site_that_is_a_file_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("goop.json"), "{}").unwrap();
    fs::write(dir.path().join("site"), "mine").unwrap();
    let error = Folder::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NoFolder(_)), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(fs::read(dir.path().join("site")).unwrap(), b"mine");
}

#[test]
fn settings_are_saved_without_touching_the_rest() {
    let dir = copy_of("peer-head");
    let folder = Folder::open(dir.path()).unwrap();
    let path = dir.path().join("goop.json");
    let before: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let saved = folder
        .update_config(|config| {
            config.profile.label = "beta".into();
            config.profile.email = "b@example.org".into();
            config.presence.smtp_port = 587;
        })
        .unwrap();
    assert_eq!(saved, folder.config());
    let mut expected = before.clone();
    expected["profile"]["label"] = "beta".into();
    expected["profile"]["email"] = "b@example.org".into();
    expected["presence"]["smtp_port"] = 587.into();
    let after: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(after, expected);
    let order = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(order(&after["p2p"]), order(&before["p2p"]));

    ok(
        &folder,
        &Caller::Local,
        r#"{"op":"insert","table":"notes","data":{"text":"mine"}}"#,
    );
    let notes = ok(
        &folder,
        &Caller::Local,
        r#"{"op":"query","table":"notes","where":"text = 'mine'"}"#,
    );
    assert_eq!(notes[0]["_owner_email"], "b@example.org", "at once");
}

#[test]
fn what_was_edited_by_hand_stays() {
    let (dir, folder) = new_peer();
    let path = dir.path().join("goop.json");
    fs::write(&path, r#"{"profile":{"label":"by hand"},"mine":1}"#).unwrap();
    let config = folder
        .update_config(|config| config.viewer.debug = true)
        .unwrap();
    assert_eq!(
        (config.profile.label.as_str(), config.viewer.debug),
        ("by hand", true)
    );
    let bytes = fs::read(&path).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap()["mine"], 1);

    let error = folder
        .update_config(|config| config.presence.ttl_seconds = 0)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("presence.ttl_seconds is 0, but must be a whole number above 0"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(folder.config(), config);

    fs::write(&path, "{ half").unwrap();
    assert!(
        folder
            .update_config(|config| config.viewer.debug = false)
            .is_err()
    );
    assert_eq!(
        fs::read(&path).unwrap(),
        b"{ half",
        "never overwrites what it cannot read"
    );
}

#[test]
fn damage_stops_the_start_and_is_left_alone() {
    let newer = |path: &Path| {
        let conn = rusqlite::Connection::open(path.join("data.db")).unwrap();
        conn.execute_batch("CREATE TABLE _goop2_meta (key TEXT PRIMARY KEY, value INTEGER); INSERT INTO _goop2_meta VALUES ('migration', 99)")
            .unwrap();
    };
    let torn = |path: &Path| {
        let conn = rusqlite::Connection::open(path.join("data.db")).unwrap();
        conn.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
        drop(conn);
        let bytes = fs::read(path.join("data.db")).unwrap();
        fs::write(path.join("data.db"), &bytes[..bytes.len() / 2]).unwrap();
    };
    let scrambled = |path: &Path| {
        let conn = rusqlite::Connection::open(path.join("data.db")).unwrap();
        conn.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
        drop(conn);
        let mut bytes = fs::read(path.join("data.db")).unwrap();
        bytes[4096..].fill(0xa5);
        fs::write(path.join("data.db"), bytes).unwrap();
    };
    let no_database = |path: &Path| {
        for name in ["data.db-wal", "data.db-shm"] {
            fs::remove_file(path.join(name)).unwrap();
        }
        fs::write(path.join("data.db"), "this is not a database, ".repeat(100)).unwrap();
    };
    let folder_as_key = |path: &Path| {
        fs::remove_file(path.join("data/identity.key")).unwrap();
        fs::create_dir(path.join("data/identity.key")).unwrap();
    };
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path), &'a [&'a str]);
    let cases: &[Damage<'_>] = &[
        (
            "goop.json",
            &|path| fs::write(path.join("goop.json"), "{").unwrap(),
            &["goop.json: Line 1, column 1: ", "correct the file"],
        ),
        (
            "goop.json",
            &|path| fs::write(path.join("goop.json"), b"\xff\xfe{}").unwrap(),
            &["goop.json: Line 1, column 1: "],
        ),
        (
            "goop.json",
            &|path| fs::write(path.join("goop.json"), r#"{"viewer":{"theme":"x"}}"#).unwrap(),
            &["viewer.theme is \"x\", but must be"],
        ),
        (
            "data/identity.key",
            &|path| fs::write(path.join("data/identity.key"), "").unwrap(),
            &["identity.key cannot be used", "restore it", "new identity"],
        ),
        (
            "data/identity.key",
            &|path| fs::write(path.join("data/identity.key"), [8; 68]).unwrap(),
            &["not a libp2p private key"],
        ),
        (
            "data/identity.key",
            &|path| fs::write(path.join("data/identity.key"), vec![8; 100_000]).unwrap(),
            &["it is not a key file"],
        ),
        ("data", &folder_as_key, &["it is not a key file"]),
        (
            "data.db",
            &no_database,
            &[
                "data.db cannot be used: file is not a database",
                "restore it from a backup",
            ],
        ),
        (
            "data.db",
            &torn,
            &["data.db cannot be used", "restore it from a backup"],
        ),
        (
            "data.db",
            &scrambled,
            &["data.db cannot be used", "restore it from a backup"],
        ),
        (
            "data.db",
            &newer,
            &["written by a newer Goop2", "99", "update Goop2"],
        ),
    ];
    for (file, damage, words) in cases {
        let dir = copy_of("peer-feb");
        damage(dir.path());
        let before = contents(dir.path());
        let error = Folder::open(dir.path()).unwrap_err().to_string();
        for word in *words {
            assert!(error.contains(word), "{file}: {error}");
        }
        assert!(
            contents(dir.path()) == before,
            "{file} was changed: {error}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_key_on_a_disk_that_is_away_is_not_replaced() {
    let dir = copy_of("peer-feb");
    let key = dir.path().join("data/identity.key");
    fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink("/nowhere/identity.key", &key).unwrap();
    assert!(matches!(Folder::open(dir.path()), Err(Error::Key { .. })));
    assert!(fs::symlink_metadata(&key).unwrap().is_symlink());
}

#[test]
fn a_site_never_publishes_the_folder_itself() {
    for root in [".", "data", "..", "site/.."] {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        fs::create_dir_all(home.join("site")).unwrap();
        fs::write(
            home.join("goop.json"),
            format!(r#"{{"paths":{{"site_root":"{root}"}}}}"#),
        )
        .unwrap();
        let error = Folder::open(&home).unwrap_err();
        assert!(matches!(error, Error::Exposed { .. }), "{root}: {error}");
    }
}

#[test]
fn one_process_per_folder() {
    let (dir, folder) = new_peer();
    let error = Folder::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is in use by another Goop2"), "{error}");
    assert_eq!(child("tries_to_open", dir.path()), "in use");
    assert_eq!(
        identity(dir.path()).unwrap(),
        folder.peer_id(),
        "asking for the id is no second peer"
    );
    drop(folder);
    assert_eq!(child("tries_to_open", dir.path()), "opened");
    assert!(Folder::open(dir.path()).is_ok());
}

/// Not a test by itself: the second process of [`one_process_per_folder`].
#[test]
fn tries_to_open() {
    if let Some(dir) = std::env::var_os("GOOP2_TEST_DIR") {
        match Folder::open(Path::new(&dir)) {
            Ok(_) => println!("\n=opened="),
            Err(Error::InUse(_)) => println!("\n=in use="),
            Err(error) => println!("\n={error}="),
        }
    }
}

#[test]
fn refused_operations_differ() {
    let dir = copy_of("peer-head");
    let folder = Folder::open(dir.path()).unwrap();
    let before = dump(dir.path());
    assert_eq!(
        refused(
            &folder,
            &visitor(),
            r#"{"op":"query","table":"_peer_cache"}"#
        ),
        "SQL logic error: no such table: _peer_cache (1)"
    );
    assert_eq!(
        refused(&folder, &visitor(), r#"{"op":"upsert","table":"posts"}"#),
        "unknown op: upsert"
    );
    assert_eq!(dump(dir.path()), before);
}

fn child(test: &str, dir: &Path) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("GOOP2_TEST_DIR", dir)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix('=')?.strip_suffix('='))
        .unwrap_or(&text)
        .to_owned()
}

fn tables(dir: &Path) -> Vec<(String, String)> {
    let conn = rusqlite::Connection::open_with_flags(
        dir.join("data.db"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    )
    .unwrap();
    let mut list = conn
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// Every file that holds something: the lock and a fresh write-ahead log are empty, `-shm` is
/// SQLite's scratch memory.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![];
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.ends_with("-shm") && fs::metadata(&path).unwrap().len() > 0 {
                files.push((name, fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_new_identity_keeps_every_old_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for round in 0..3 {
        let folder = match round {
            0 => Folder::create(dir.path(), "Mira").unwrap(),
            _ => Folder::open(dir.path()).unwrap(),
        };
        let key = fs::read(dir.path().join("data/identity.key")).unwrap();
        assert!(kept.iter().all(|(_, old)| *old != key));
        let aside = folder.renew_identity().unwrap();
        kept.push((aside, key));
    }
    for (aside, key) in &kept {
        assert_eq!(fs::read(aside).unwrap(), *key);
    }
}
