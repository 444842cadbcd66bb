//! Putting a backup in the place of what a folder has.
//!
//! It is prepared in a separate folder while the peer runs. The last file to appear there is the
//! plan: from then on the next opening of the peer's folder moves everything into place before
//! anything else is read. Each step is done or not done, and can be tried again: after a crash at
//! any moment the folder is what it was, or the next opening completes it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{KEY, SITE, TEMPORARY, Temporary};
use crate::{
    atomic,
    config::{Config, Document, is_secret},
    db::copy,
    error::Error,
    journal::fault::{Fault, io},
    layout::{AVATAR, CONFIG, DATABASE},
};

const PENDING: &str = "restore-pending";
const PLAN: &str = "plan.json";
/// Where what is replaced is kept; the date follows.
const KEPT: &str = "before-restore-";
/// Files next to the database that belong to it.
const LOGS: [&str; 2] = ["data.db-wal", "data.db-shm"];
/// Restores in one second that get a folder.
const MAX_TRIED: u32 = 100;

/// Settings that name files of this computer: those of a backup mean files of another one.
const PLACES: [(&str, &str); 5] = [
    ("identity", "key_file"),
    ("paths", "site_source"),
    ("paths", "site_stage"),
    ("presence", "relay_key_file"),
    ("presence", "peer_db_path"),
];

/// What is to be done.
#[derive(Debug, Deserialize, Serialize)]
struct Plan {
    /// The folder for what is replaced.
    kept: String,
    /// Whether the backup has a picture.
    picture: bool,
    /// The file of the identity, if that is replaced.
    key: Option<String>,
}

/// Prepares what was unpacked to replace what is in the folder of the peer.
pub(crate) fn prepare(
    opened: &Temporary,
    dir: &Path,
    present: &str,
    identity: bool,
) -> Result<(), Fault> {
    let shown = "the backup";
    let key = opened.file(KEY);
    if identity && !key.is_file() {
        return Err(Fault::Invalid("It has no identity.".into()));
    }
    if !identity && key.is_file() {
        fs::remove_file(&key).map_err(io("remove", KEY))?;
    }
    let settings = fs::read(opened.file(CONFIG)).map_err(io("read", CONFIG))?;
    let settings = merged(&settings, present).map_err(Fault::Invalid)?;
    atomic::replace(&opened.file(CONFIG), &settings.to_bytes()).map_err(io("write", CONFIG))?;
    let plan = Plan {
        kept: kept(dir)?,
        picture: opened.file(AVATAR).is_file(),
        key: identity.then(|| settings.config().identity.key_file.clone()),
    };
    let pending = dir.join(PENDING);
    // Of an earlier one, the plan goes first: without it nothing is done with the rest.
    let earlier = pending.join(PLAN);
    if is_there(&earlier) {
        fs::remove_file(&earlier).map_err(io("remove", PLAN))?;
    }
    discard(&pending).map_err(io("remove", PENDING))?;
    atomic::patiently(|| fs::rename(opened.path(), &pending)).map_err(io("move", shown))?;
    let plan = serde_json::to_vec(&plan).expect("plain values are JSON");
    atomic::create_new(&pending.join(PLAN), &plan).map_err(io("write", PLAN))
}

/// The settings of a backup on this computer: files stay where they are here, the site is the folder
/// inside the peer, and secrets that the backup does not have stay too.
fn merged(backup: &[u8], present: &str) -> Result<Document, String> {
    let mut document = Document::parse(backup).map_err(|problem| problem.to_string())?;
    let present = Document::parse(present.as_bytes()).map_err(|problem| problem.to_string())?;
    let [mut new, mut old] = [document.config(), present.config()].map(|it| json!(it));
    let mut values = Map::new();
    for (section, key) in PLACES {
        values.insert(format!("{section}.{key}"), old[section][key].take());
    }
    let site_root = Config::default().paths.site_root;
    values.insert("paths.site_root".into(), site_root.into());
    let scripts = &document.config().lua.script_dir;
    if !Path::new(scripts).is_relative() {
        values.insert("lua.script_dir".into(), old["lua"]["script_dir"].clone());
    }
    for (section, keys) in old.as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let is_missing = new[section][key].take() == Value::String(String::new());
            if is_secret(key) && is_missing {
                values.insert(format!("{section}.{key}"), value.clone());
            }
        }
    }
    document
        .set(&values)
        .map_err(|problem| problem.to_string())?;
    Ok(document)
}

/// A name for the folder in which what is replaced is kept.
fn kept(dir: &Path) -> Result<String, Fault> {
    let now = copy::now().map_err(Fault::Invalid)?;
    let names = (1..=MAX_TRIED).map(|number| match number {
        1 => format!("{KEPT}{now}"),
        _ => format!("{KEPT}{now}-{number}"),
    });
    let mut free = names.filter(|name| !is_there(&dir.join(name)));
    free.next()
        .ok_or_else(|| Fault::Exists(vec![format!("{KEPT}{now}")]))
}

/// Completes a restore that was prepared, or removes one that was not to its end. What was being
/// made or read goes too.
pub(crate) fn finish(dir: &Path) -> Result<(), Error> {
    let temporary = dir.join(TEMPORARY);
    if let Err(error) = discard(&temporary) {
        tracing::warn!(%error, "what is left of a backup can't be removed");
    }
    let Some(restore) = Restore::pending(dir)? else {
        return Ok(());
    };
    for step in Step::ALL {
        restore.run(step)?;
    }
    restore.end()?;
    tracing::info!(kept = %restore.kept.display(), "a backup was restored; what was there is kept");
    Ok(())
}

/// One after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Kept,
    Site,
    Logs,
    Database,
    Picture,
    Identity,
    Settings,
}

impl Step {
    const ALL: [Self; 7] = [
        Self::Kept,
        Self::Site,
        Self::Logs,
        Self::Database,
        Self::Picture,
        Self::Identity,
        Self::Settings,
    ];
}

struct Restore {
    dir: PathBuf,
    pending: PathBuf,
    kept: PathBuf,
    plan: Plan,
}

impl Restore {
    fn pending(dir: &Path) -> Result<Option<Self>, Error> {
        let pending = dir.join(PENDING);
        let path = pending.join(PLAN);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                discard(&pending).map_err(Error::io("remove", &pending))?;
                return Ok(None);
            }
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let plan: Plan = serde_json::from_slice(&text)
            .map_err(io::Error::other)
            .map_err(Error::io("read", &path))?;
        Ok(Some(Self {
            kept: dir.join(&plan.kept),
            dir: dir.to_owned(),
            pending,
            plan,
        }))
    }

    fn run(&self, step: Step) -> Result<(), Error> {
        let done = match step {
            Step::Kept => return self.make_kept(),
            Step::Site => self.swap(SITE),
            Step::Logs if !is_there(&self.pending.join(DATABASE)) => Ok(()),
            Step::Logs => LOGS.iter().try_for_each(|log| self.put_aside(log)),
            Step::Database => self.swap(DATABASE),
            Step::Picture if self.plan.picture => self.replace(AVATAR, &self.dir.join(AVATAR)),
            Step::Picture => self.put_aside(AVATAR),
            Step::Identity => match &self.plan.key {
                Some(key) => self.replace(KEY, &self.dir.join(key)),
                None => Ok(()),
            },
            Step::Settings => self.replace(CONFIG, &self.dir.join(CONFIG)),
        };
        let done = done.map_err(Error::io("restore", &self.pending));
        // Nothing has changed yet where the site cannot be moved: the next start is as before.
        if let (Step::Site, Err(error)) = (step, &done)
            && is_there(&self.pending.join(SITE))
            && !is_there(&self.kept.join(SITE))
        {
            tracing::error!(%error, "the backup was not restored");
            let plan = self.pending.join(PLAN);
            fs::remove_file(&plan).map_err(Error::io("remove", &plan))?;
        }
        done
    }

    fn make_kept(&self) -> Result<(), Error> {
        atomic::create_private_folder(&self.kept).map_err(Error::io("create", &self.kept))
    }

    /// Moves the new file or folder into place, and the old one aside.
    fn swap(&self, name: &str) -> io::Result<()> {
        let (new, here) = (self.pending.join(name), self.dir.join(name));
        if !is_there(&new) {
            return Ok(());
        }
        self.put_aside(name)?;
        atomic::patiently(|| fs::rename(&new, &here))
    }

    fn put_aside(&self, name: &str) -> io::Result<()> {
        let (here, kept) = (self.dir.join(name), self.kept.join(name));
        if !is_there(&here) || is_there(&kept) {
            return Ok(());
        }
        atomic::patiently(|| fs::rename(&here, &kept))
    }

    /// Replaces a small file, which is there all the time.
    fn replace(&self, name: &str, here: &Path) -> io::Result<()> {
        let new = self.pending.join(name);
        let bytes = match fs::read(&new) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            bytes => bytes?,
        };
        let kept = self.kept.join(name);
        match fs::read(here) {
            Ok(old) if !is_there(&kept) => atomic::create_new(&kept, &old)?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(folder) = here.parent() {
            atomic::create_private_folder(folder)?;
        }
        atomic::replace(here, &bytes)?;
        fs::remove_file(&new)
    }

    fn end(&self) -> Result<(), Error> {
        let plan = self.pending.join(PLAN);
        fs::remove_file(&plan).map_err(Error::io("remove", &plan))?;
        if let Err(error) = discard(&self.pending) {
            tracing::warn!(%error, "what is left of a backup can't be removed");
        }
        Ok(())
    }
}

/// Whether there is anything of this name, be it a link to nowhere.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn discard(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use goop2_proto::data::Request;

    use super::*;
    use crate::{Caller, Folder};

    /// A peer with this page, and a table of this name with one row.
    fn peer(word: &str) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::create(dir.path(), word).unwrap();
        fs::write(dir.path().join("site/index.html"), word).unwrap();
        for request in [
            json!({ "op": "create-table", "name": word, "column": { "name": "a", "type": "TEXT" } }),
            json!({ "op": "insert", "table": word, "data": { "a": "1" } }),
        ] {
            run(&folder, request).unwrap();
        }
        (dir, folder)
    }

    fn run(folder: &Folder, request: Value) -> Result<Option<Value>, String> {
        let request = Request::from_value(request).unwrap();
        folder.database().execute(&Caller::Local, &request)
    }

    /// A peer called old, in which the backup of one called new is prepared.
    fn prepared(identity: bool) -> (tempfile::TempDir, String) {
        let (_source, new) = peer("new");
        let passphrase = identity.then_some("long enough");
        let made = new.publish().backup(passphrase).unwrap();
        let (dir, old) = peer("old");
        old.set_avatar(Some(b"\x89PNG\r\n\x1a\n")).unwrap();
        let read = old
            .publish()
            .open_backup_file(&made.path(), passphrase)
            .unwrap()
            .unwrap();
        old.publish().restore(&read.id, identity).unwrap();
        let peer = if identity {
            new.peer_id()
        } else {
            old.peer_id()
        };
        (dir, peer.to_base58())
    }

    fn assert_new(dir: &Path, peer: &str) {
        let folder = Folder::open(dir).unwrap();
        assert_eq!(folder.config().profile.label, "new");
        assert_eq!(folder.peer_id().to_base58(), peer);
        assert_eq!(fs::read(dir.join("site/index.html")).unwrap(), b"new");
        let rows = run(&folder, json!({ "op": "query", "table": "new" })).unwrap();
        assert_eq!(rows.unwrap().as_array().unwrap().len(), 1);
        assert!(run(&folder, json!({ "op": "query", "table": "old" })).is_err());
        assert!(folder.avatar().unwrap().is_none());
        assert!(!is_there(&dir.join(PENDING)));
        let entries = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
        let kept: Vec<_> = entries
            .filter(|it| it.file_name().unwrap().to_string_lossy().starts_with(KEPT))
            .collect();
        let [kept] = kept.as_slice() else {
            panic!("{kept:?}")
        };
        assert_eq!(fs::read(kept.join("site/index.html")).unwrap(), b"old");
        for file in [DATABASE, AVATAR, CONFIG] {
            assert!(kept.join(file).is_file(), "{file}");
        }
    }

    #[test]
    fn a_crash_after_any_step_is_completed_by_the_next_opening() {
        for identity in [false, true] {
            for done in 0..=Step::ALL.len() {
                let (dir, peer) = prepared(identity);
                let restore = Restore::pending(dir.path()).unwrap().unwrap();
                for step in &Step::ALL[..done] {
                    restore.run(*step).unwrap();
                }
                assert_new(dir.path(), &peer);
            }
        }
    }

    #[test]
    fn a_crash_between_putting_aside_and_putting_in_place_is_completed_too() {
        for name in [SITE, DATABASE] {
            let (dir, peer) = prepared(false);
            let restore = Restore::pending(dir.path()).unwrap().unwrap();
            restore.run(Step::Kept).unwrap();
            if name == DATABASE {
                restore.run(Step::Logs).unwrap();
            }
            restore.put_aside(name).unwrap();
            assert!(!is_there(&dir.path().join(name)));
            assert_new(dir.path(), &peer);
        }
    }

    #[test]
    fn what_was_not_prepared_to_its_end_is_forgotten() {
        let (dir, _) = prepared(true);
        fs::remove_file(dir.path().join(PENDING).join(PLAN)).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert_eq!(folder.config().profile.label, "old");
        assert!(!is_there(&dir.path().join(PENDING)));
        assert!(run(&folder, json!({ "op": "query", "table": "old" })).is_ok());
    }

    #[test]
    fn secrets_and_places_of_this_computer_stay() {
        let present = r#"{"identity":{"key_file":"data/mine.key"},"paths":{"site_root":"/photos"},
            "presence":{"admin_password":"mine","smtp_password":"too"}}"#;
        let backup = br#"{"identity":{"key_file":"/etc/passwd"},"paths":{"site_root":"/"},"lua":{"script_dir":"/"},
            "presence":{"smtp_password":"theirs","peer_db_path":"/x"},"profile":{"label":"new"},"more":1}"#;
        let merged = merged(backup, present).unwrap();
        let config = merged.config();
        assert_eq!(config.identity.key_file, "data/mine.key");
        assert_eq!(config.paths.site_root, "site");
        assert_eq!(config.lua.script_dir, Config::default().lua.script_dir);
        let presence = &config.presence;
        assert_eq!(presence.admin_password, "mine");
        assert_eq!(presence.smtp_password, "theirs");
        assert_eq!(presence.peer_db_path, "");
        assert_eq!(config.profile.label, "new");
        assert!(
            String::from_utf8(merged.to_bytes())
                .unwrap()
                .contains("more")
        );
    }
}
