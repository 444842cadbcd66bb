//! The peers of this user, which are folders. New ones are created in the platform's data directory
//! and found there; others are added by their path and remembered, as is the one used last.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use goop2_peer::Folder;
use serde_json::json;
use tauri::{AppHandle, Wry};
use tauri_plugin_store::{Store, StoreExt};

use super::{
    preferences::FILE,
    shell::{Closing, Profile},
};

const LAST: &str = "peer";
const ADDED: &str = "folders";
const CLOSING: &str = "closing";
/// Folder of a new peer that was never online: what it publishes is still to be chosen.
const CHOOSING: &str = "choosing";
/// A folder with `goop.json` is a peer.
const CONFIG: &str = "goop.json";
/// Most folders listed: more than a person can tell apart.
const MAX_PROFILES: usize = 64;
/// Longest folder name made from a peer's name, in bytes: fits every file system, with room for a
/// number.
const MAX_SLUG: usize = 48;
/// Longest name of a new peer, in characters: as much as a list shows.
const MAX_NAME: usize = 120;

pub(crate) struct Profiles {
    /// Where new ones are created.
    home: PathBuf,
    store: Arc<Store<Wry>>,
}

impl Profiles {
    pub(crate) fn open(app: &AppHandle) -> anyhow::Result<Self> {
        // Windows does not copy this folder to other computers with a roaming profile: one identity
        // on two computers would be two peers.
        let data =
            dirs::data_local_dir().context("this system has no folder for application data")?;
        Ok(Self {
            home: data.join("goop2").join("peers"),
            store: app.store(FILE).context("preferences.json")?,
        })
    }

    /// The one used last, or else any; none at the first start.
    pub(crate) fn last(&self) -> Option<PathBuf> {
        let last = self.store.get(LAST);
        let last = last.as_ref().and_then(|value| value.as_str());
        let last = last.map(PathBuf::from).filter(|dir| is_peer(dir));
        last.or_else(|| self.folders().into_iter().next())
    }

    /// By name.
    pub(crate) fn list(&self) -> Vec<Profile> {
        let mut profiles: Vec<_> = self.folders().iter().map(|dir| profile(dir)).collect();
        profiles
            .sort_by_cached_key(|profile| (profile.label.to_lowercase(), profile.folder.clone()));
        profiles
    }

    /// Remembers that this one is in use.
    pub(crate) fn used(&self, dir: &Path) {
        self.store.set(LAST, json!(dir));
        if dir.parent() != Some(&self.home) {
            let mut added = self.added();
            if !added.iter().any(|known| known == dir) {
                added.insert(0, dir.to_owned());
                added.truncate(MAX_PROFILES);
                self.store.set(ADDED, json!(added));
            }
        }
        self.save();
    }

    /// Whether the owner of this one was not asked yet what it publishes, or has not answered.
    pub(crate) fn is_choosing(&self, dir: &Path) -> bool {
        let choosing = self.store.get(CHOOSING);
        choosing.is_some_and(|choosing| choosing == json!(dir))
    }

    /// The owner of this one is to be asked what it publishes.
    pub(crate) fn set_choosing(&self, dir: &Path) {
        self.store.set(CHOOSING, json!(dir));
        self.save();
    }

    /// The question was answered.
    pub(crate) fn chosen(&self) {
        if self.store.delete(CHOOSING) {
            self.save();
        }
    }

    /// Creates a peer with this name in a new folder.
    pub(crate) fn create(&self, name: &str) -> anyhow::Result<PathBuf> {
        let name = name.trim();
        ensure!(!name.is_empty(), "Enter a name. It's what others see.");
        ensure!(
            name.chars().count() <= MAX_NAME,
            "Use at most {MAX_NAME} characters."
        );
        let dir = self.free(&slug(name))?;
        Folder::create(&dir, name)?;
        Ok(dir)
    }

    /// The absolute path of an existing peer folder.
    pub(crate) fn existing(&self, path: &str) -> anyhow::Result<PathBuf> {
        let dir = std::path::absolute(path.trim()).context("This is not a valid path.")?;
        if !is_peer(&dir) {
            bail!(
                "{} is not a peer folder: it has no goop.json.",
                dir.display()
            );
        }
        Ok(dir)
    }

    pub(crate) fn closing(&self) -> Closing {
        let value = self.store.get(CLOSING);
        value
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default()
    }

    pub(crate) fn set_closing(&self, closing: Closing) {
        self.store.set(CLOSING, json!(closing));
        self.save();
    }

    fn folders(&self) -> Vec<PathBuf> {
        let made = fs::read_dir(&self.home).into_iter().flatten().flatten();
        let mut folders: Vec<_> = made.map(|entry| entry.path()).collect();
        folders.sort();
        folders.extend(self.added());
        folders.retain(|dir| is_peer(dir));
        folders.truncate(MAX_PROFILES);
        folders
    }

    fn added(&self) -> Vec<PathBuf> {
        let added = self.store.get(ADDED);
        added
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default()
    }

    /// Creates a folder with this name, or with a number added.
    fn free(&self, slug: &str) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(&self.home)
            .with_context(|| format!("{} cannot be created", self.home.display()))?;
        for number in 1..=MAX_PROFILES {
            let dir = self.home.join(match number {
                1 => slug.to_owned(),
                _ => format!("{slug}-{number}"),
            });
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(dir),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("{} cannot be created", dir.display()));
                }
            }
        }
        bail!("There are too many peers with this name.")
    }

    fn save(&self) {
        if let Err(error) = self.store.save() {
            tracing::warn!(%error, "the preferences could not be saved");
        }
    }
}

/// Accounts and names of computers that systems come with; nobody is called that.
const ACCOUNTS: [&str; 21] = [
    "localhost",
    "root",
    "toor",
    "admin",
    "administrator",
    "user",
    "guest",
    "default",
    "nobody",
    "ubuntu",
    "debian",
    "fedora",
    "pi",
    "live",
    "liveuser",
    "owner",
    "test",
    "vagrant",
    "runner",
    "www-data",
    "unknown",
];

/// The user's name according to the system, else the name of this computer.
pub(crate) fn suggested_name() -> String {
    let names = [
        whoami::realname(),
        whoami::username(),
        whoami::devicename(),
        whoami::hostname(),
    ];
    of_a_person(names.into_iter().flatten())
}

/// The first that may be what somebody is called.
fn of_a_person(names: impl Iterator<Item = String>) -> String {
    names
        // The full name of a Unix account may be followed by a room and a telephone number.
        .map(|name| name.split(',').next().unwrap_or_default().trim().to_owned())
        .find(|name| {
            let is_account = ACCOUNTS
                .iter()
                .any(|account| account.eq_ignore_ascii_case(name));
            !name.is_empty() && !is_account
        })
        .unwrap_or_default()
}

fn is_peer(dir: &Path) -> bool {
    dir.join(CONFIG).is_file()
}

fn profile(dir: &Path) -> Profile {
    let label = goop2_peer::settings(dir)
        .map(|config| config.profile.label)
        .unwrap_or_default();
    Profile {
        folder: dir.to_string_lossy().into_owned(),
        label,
    }
}

/// A folder's name: letters and digits that every file system knows, and no name that Windows keeps
/// for devices.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for char in name.chars() {
        if char.is_ascii_alphanumeric() {
            slug.push(char.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX_SLUG {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    match slug {
        "" | "con" | "prn" | "aux" | "nul" => "peer".into(),
        _ if slug.len() == 4 && (slug.starts_with("com") || slug.starts_with("lpt")) => {
            "peer".into()
        }
        _ => slug.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_what_an_account_is() {
        for (names, suggested) in [
            (["root", "root", "den", "den"], "den"),
            (["", "Administrator", "localhost", "den"], "den"),
            (["Ann Müller,Room 3,,", "ann", "den", "den"], "Ann Müller"),
            ([" ", "pi", "raspberry", "x"], "raspberry"),
            (["root", "guest", "ubuntu", ""], ""),
        ] {
            let names = names.into_iter().map(str::to_owned);
            assert_eq!(of_a_person(names), suggested);
        }
    }

    #[test]
    fn a_name_becomes_a_folder_everywhere() {
        for (name, folder) in [
            ("Mira’s corner", "mira-s-corner"),
            ("  Lena.  ", "lena"),
            ("../../etc", "etc"),
            ("ملاحظات", "peer"),
            ("CON", "peer"),
            ("com1", "peer"),
        ] {
            assert_eq!(slug(name), folder, "{name}");
        }
        assert!(slug(&"x".repeat(500)).len() <= MAX_SLUG);
    }
}
