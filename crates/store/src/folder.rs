//! One peer folder (§10.3), locked while it is open.
//!
//! Opening is all or nothing: a configuration, key or database that cannot be used stops the start
//! with a message that names the file and the remedy, and stays as it was. What is merely missing
//! (key, database, site folder) is created.

use std::{
    any::Any,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use goop2_proto::{PeerId, SitePath, avatar, html, path::Platform};
use libp2p_identity::Keypair;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    atomic,
    backup::pending,
    config::Config,
    config::{Document, Problem},
    db::Database,
    error::Error,
    journal::State,
    key,
    layout::{AVATAR, CONFIG, DATABASE},
    lock::Lock,
    published::{Current, Published},
    site::{Site, tree::Tree},
};

/// Existing peers announce the first eight bytes of the SHA-256 (§3.2).
const AVATAR_HASH_BYTES: usize = 8;
/// Bytes of a picture set here: what existing peers let their owners upload (§4.4).
pub const MAX_PICTURE: usize = 256 * 1024;
/// How every PNG file begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The site of a first start.
const FIRST_PAGE: &str = include_str!("starter/index.html");
const FIRST_STYLE: &str = include_str!("starter/style.css");
/// Where the peer's name goes.
const LABEL: &str = "{{label}}";
/// Bytes of either, with room for the longest name.
const MAX_FIRST: u64 = 64 * 1024;

/// A peer's folder: everything of it that lasts.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    keypair: Keypair,
    document: Mutex<Document>,
    published: Current,
    database: Database,
    state: State,
    // Released after everything else is closed.
    _lock: Lock,
    // Last, so that what is dropped with it finds the folder unlocked.
    kept: OnceLock<Kept>,
}

/// Anything that is dropped when the folder is closed.
struct Kept(#[expect(dead_code, reason = "only dropped")] Box<dyn Any + Send + Sync>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

/// The picture others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Avatar {
    /// The file as it is.
    pub bytes: Vec<u8>,
    /// 16 hex digits, announced in presence.
    pub hash: String,
}

impl Folder {
    /// Opens an existing peer folder.
    ///
    /// The key is read here; a later change of its path takes effect when the folder is opened again.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let dir = enter(dir)?;
        let lock = Lock::take(&dir)?;
        pending::finish(&dir)?;
        let document = read_config(&dir)?;
        let config = document.config();
        let site_root = open_site(&dir, config)?;
        let keypair = key::load_or_make(&dir.join(&config.identity.key_file))?;
        let owner = keypair.public().to_peer_id();
        let database = Database::open(&dir.join(DATABASE), owner, &config.profile.email)?;
        let published = Current::new(site_in(&dir, config, site_root));
        let folder = Self {
            keypair,
            document: Mutex::new(document),
            published,
            database,
            state: State::default(),
            dir,
            _lock: lock,
            kept: OnceLock::new(),
        };
        folder.publish().clean();
        Ok(folder)
    }

    /// Where the identity key is, if other users of this computer can read it. Always none on Windows, where
    /// a user's files are private unless they are shared.
    pub fn exposed_key(&self) -> Option<PathBuf> {
        let path = self.dir.join(&self.config().identity.key_file);
        key::is_exposed(&path).then_some(path)
    }

    /// Drops `guard` once everything of the folder is closed and it can be opened again; only the
    /// first one that is given. Work on other threads may hold the folder longer than its owner.
    pub fn keep_until_closed(&self, guard: impl Any + Send + Sync) {
        let _later = self.kept.set(Kept(Box::new(guard)));
    }

    /// Makes a new peer in `dir` (which may exist, but not hold a peer) with a starter site, and
    /// opens it.
    pub fn create(dir: &Path, label: &str) -> Result<Self, Error> {
        let config = dir.join(CONFIG);
        if config.exists() {
            return Err(Error::Exists(config));
        }
        let site = dir.join(Config::default().paths.site_root);
        fs::create_dir_all(&site).map_err(Error::io("create", &site))?;
        let page = FIRST_PAGE.replace(LABEL, &html::escape(label));
        for (name, text) in [("index.html", page.as_str()), ("style.css", FIRST_STYLE)] {
            let path = site.join(name);
            if !path.exists() {
                fs::write(&path, text).map_err(Error::io("write", &path))?;
            }
        }
        // Last: a folder is a peer from the moment it has this file.
        let text = serde_json::to_vec_pretty(&json!({ "profile": { "label": label } }))
            .expect("JSON always encodes");
        atomic::create_new(&config, &text).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists(config.clone()),
            _ => Error::io("write", &config)(error),
        })?;
        Self::open(dir)
    }

    /// Where it is, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The identity.
    pub fn keypair(&self) -> &Keypair {
        &self.keypair
    }

    /// The identity as others know it.
    pub fn peer_id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    /// Makes another identity, which counts when the folder is opened again. The key of this one
    /// stays next to it, at the path that is returned.
    pub fn renew_identity(&self) -> Result<PathBuf, Error> {
        key::renew(&self.dir.join(&self.config().identity.key_file))
    }

    /// The settings as they are now.
    pub fn config(&self) -> Config {
        self.document().config().clone()
    }

    /// Changes settings: validated, written at once, and nothing else in the file is touched. The
    /// file is read again first, so that what the owner has edited by hand stays; the
    /// settings then in force are returned.
    pub fn update_config(&self, change: impl FnOnce(&mut Config)) -> Result<Config, Error> {
        let mut current = self.document();
        let mut changed = current.config().clone();
        change(&mut changed);
        let written = change_config(&self.dir, |document| {
            document.change(current.config(), &changed)
        })?;
        Ok(self.in_force(&mut current, written))
    }

    /// Changes single settings, named `section.key`, as [`Folder::update_config`] does.
    pub fn set_config(&self, values: &Map<String, Value>) -> Result<Config, Error> {
        let mut current = self.document();
        let written = change_config(&self.dir, |document| document.set(values))?;
        Ok(self.in_force(&mut current, written))
    }

    /// `goop.json` as it is on disk.
    pub fn config_text(&self) -> Result<String, Error> {
        config_text(&self.dir)
    }

    /// Replaces `goop.json` as a whole, if it still is the text that the new one was made from.
    pub fn replace_config(&self, before: &str, text: &str) -> Result<Config, Error> {
        let mut current = self.document();
        let written = replace_config(&self.dir, before, text)?;
        Ok(self.in_force(&mut current, written))
    }

    fn in_force(&self, current: &mut Document, written: Written) -> Config {
        let Written {
            document,
            site_root,
        } = written;
        let config = document.config().clone();
        self.database.set_owner_email(&config.profile.email);
        self.published.set(site_in(&self.dir, &config, site_root));
        *current = document;
        config
    }

    /// The site it serves, which is another one once its owner has chosen another folder.
    pub fn site(&self) -> Arc<Site> {
        self.published.get().site
    }

    /// Calls `tell` whenever another folder is published; only the first one that is given.
    pub fn on_site(&self, tell: impl Fn() + Send + Sync + 'static) {
        self.published.on_set(Box::new(tell));
    }

    pub(crate) fn published(&self) -> Published {
        self.published.get()
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Publishes the folder at this absolute path, where it is, from now on; `None` is the folder
    /// inside the peer.
    pub fn set_site_root(&self, path: Option<&Path>) -> Result<Config, Error> {
        let site_root = match path {
            Some(path) => shareable(path)?,
            None => Config::default().paths.site_root,
        };
        self.update_config(|config| config.paths.site_root = site_root)
    }

    /// The database behind the site.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The picture, if there is one that existing peers would accept.
    pub fn avatar(&self) -> Result<Option<Avatar>, Error> {
        let path = self.dir.join(AVATAR);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= avatar::MAX_BYTES => {}
            Ok(metadata) => {
                tracing::warn!(
                    bytes = metadata.len(),
                    limit = avatar::MAX_BYTES,
                    "avatar.png is not shown: too large"
                );
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        }
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let hash = avatar_hash(&bytes);
        Ok(Some(Avatar { bytes, hash }))
    }

    /// Replaces the picture, a PNG of at most [`MAX_PICTURE`] bytes, or takes it away. Answers its
    /// hash, empty without one.
    pub fn set_avatar(&self, png: Option<&[u8]>) -> Result<String, Error> {
        let path = self.dir.join(AVATAR);
        let Some(png) = png else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::io("remove", &path)(error))
                }
                _ => Ok(String::new()),
            };
        };
        if png.len() > MAX_PICTURE || !png.starts_with(PNG) {
            return Err(Error::Picture);
        }
        atomic::replace(&path, png).map_err(Error::io("write", &path))?;
        Ok(avatar_hash(png))
    }

    fn document(&self) -> MutexGuard<'_, Document> {
        // A panic in a caller's `change` leaves the document as it was.
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The settings of a peer that is not running, and cannot start while this exists: read and changed
/// by the rules of [`Folder`]. `goop.json` may be one that no peer starts with.
#[derive(Debug)]
pub struct Resting {
    dir: PathBuf,
    _lock: Lock,
}

impl Resting {
    /// The peer in `dir`.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let dir = enter(dir)?;
        let _lock = Lock::take(&dir)?;
        Ok(Self { dir, _lock })
    }

    /// Where it is, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The settings it would start with.
    pub fn config(&self) -> Result<Config, Error> {
        settings(&self.dir)
    }

    /// As [`Folder::config_text`].
    pub fn config_text(&self) -> Result<String, Error> {
        config_text(&self.dir)
    }

    /// As [`Folder::set_config`].
    pub fn set_config(&self, values: &Map<String, Value>) -> Result<(), Error> {
        change_config(&self.dir, |document| document.set(values)).map(drop)
    }

    /// As [`Folder::replace_config`].
    pub fn replace_config(&self, before: &str, text: &str) -> Result<(), Error> {
        replace_config(&self.dir, before, text).map(drop)
    }
}

fn avatar_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..AVATAR_HASH_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The identity of the peer in `dir`, also while it runs. A key is made where there is none.
pub fn identity(dir: &Path) -> Result<PeerId, Error> {
    let dir = enter(dir)?;
    let key_file = dir.join(&read_config(&dir)?.config().identity.key_file);
    let keypair = match key::load(&key_file)? {
        Some(keypair) => keypair,
        None => {
            let _lock = Lock::take(&dir)?;
            key::load_or_make(&key_file)?
        }
    };
    Ok(keypair.public().to_peer_id())
}

/// The settings of the peer in `dir`, also while it runs. Nothing is made or changed.
pub fn settings(dir: &Path) -> Result<Config, Error> {
    Ok(read_config(&enter(dir)?)?.config().clone())
}

/// The settings of a rendezvous server without a peer: `goop.json` in `dir`, written with defaults
/// when it is missing (§10.1). Nothing else of the folder is touched.
pub fn server_config(dir: &Path) -> Result<Config, Error> {
    let path = dir.join(CONFIG);
    if fs::metadata(dir).is_ok_and(|dir| dir.is_dir()) && !path.exists() {
        let server = json!({ "presence": { "rendezvous_host": true, "rendezvous_only": true } });
        let text = serde_json::to_vec_pretty(&server).expect("JSON always encodes");
        atomic::create_new(&path, &text).map_err(Error::io("write", &path))?;
    }
    let mut config = read_config(&enter(dir)?)?.config().clone();
    (
        config.presence.rendezvous_host,
        config.presence.rendezvous_only,
    ) = (true, true);
    Ok(config)
}

/// The key of the relay that a folder hosts, `relay_key_file` of its settings; a new one where
/// there is no file. It is not a peer's identity, but losing it changes every address through the
/// relay: a file that is not a key is left alone here too.
pub fn relay_key(dir: &Path, relay_key_file: &str) -> Result<Keypair, Error> {
    key::load_or_make(&dir.join(relay_key_file))
}

/// The absolute name of a folder that holds a peer. Links in it stay: it is shown to the owner.
fn enter(dir: &Path) -> Result<PathBuf, Error> {
    let found = std::path::absolute(dir).and_then(|dir| fs::metadata(&dir).map(|_| dir));
    let dir = found.map_err(|source| Error::Folder {
        path: dir.to_owned(),
        source,
    })?;
    let config = dir.join(CONFIG);
    match fs::metadata(&config) {
        Ok(_) => Ok(dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoConfig(config)),
        Err(error) => Err(Error::io("read", &config)(error)),
    }
}

fn read_config(dir: &Path) -> Result<Document, Error> {
    let path = dir.join(CONFIG);
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    Document::parse(&bytes).map_err(wrong(dir))
}

fn config_text(dir: &Path) -> Result<String, Error> {
    let path = dir.join(CONFIG);
    fs::read_to_string(&path).map_err(Error::io("read", &path))
}

/// Settings as they are on disk now, and the site folder that they name.
struct Written {
    document: Document,
    site_root: PathBuf,
}

fn change_config(
    dir: &Path,
    change: impl FnOnce(&mut Document) -> Result<(), Problem>,
) -> Result<Written, Error> {
    let mut document = read_config(dir)?;
    change(&mut document).map_err(wrong(dir))?;
    let bytes = document.to_bytes();
    write_config(dir, document, &bytes)
}

fn replace_config(dir: &Path, before: &str, text: &str) -> Result<Written, Error> {
    if config_text(dir)? != before {
        return Err(Error::Changed(dir.join(CONFIG)));
    }
    let document = Document::parse(text.as_bytes()).map_err(wrong(dir))?;
    write_config(dir, document, text.as_bytes())
}

fn write_config(dir: &Path, document: Document, bytes: &[u8]) -> Result<Written, Error> {
    // What the next start would refuse is refused now.
    let site_root = open_site(dir, document.config())?;
    let path = dir.join(CONFIG);
    atomic::replace(&path, bytes).map_err(Error::io("write", &path))?;
    Ok(Written {
        document,
        site_root,
    })
}

fn wrong(dir: &Path) -> impl FnOnce(Problem) -> Error {
    let path = dir.join(CONFIG);
    move |problem| Error::Config { path, problem }
}

/// The absolute site folder, made when it is missing; refused when it would publish the peer's own
/// files.
fn open_site(dir: &Path, config: &Config) -> Result<PathBuf, Error> {
    let path = dir.join(&config.paths.site_root);
    fs::create_dir_all(&path).map_err(|error| match path.is_file() {
        true => Error::NoFolder(path.clone()),
        false => Error::io("create", &path)(error),
    })?;
    let site_root = fs::canonicalize(&path).map_err(Error::io("open", &path))?;
    if let Some(file) = private_in(dir, config, &site_root) {
        return Err(Error::Exposed { site_root, file });
    }
    Ok(site_root)
}

/// The site in a folder that [`open_site`] has found fit for it.
fn site_in(dir: &Path, config: &Config, site_root: PathBuf) -> Site {
    Site::new(site_root, &resolve(&dir.join(&config.lua.script_dir)))
}

/// A file of the peer's own that would be published with this folder, which is absolute.
fn private_in(dir: &Path, config: &Config, site_root: &Path) -> Option<PathBuf> {
    let presence = &config.presence;
    let registrations = Some(presence.peer_db_path.as_str()).filter(|path| !path.is_empty());
    let private = [
        CONFIG,
        DATABASE,
        &config.identity.key_file,
        &presence.relay.key_file,
    ];
    let files = private.into_iter().chain(registrations);
    let mut files = files.map(|name| resolve(&dir.join(name)));
    files.find(|file| file.starts_with(site_root))
}

/// As [`private_in`], of the folder inside the peer, where the site is after a restore.
pub(crate) fn private_in_own_site(dir: &Path, config: &Config) -> Option<PathBuf> {
    let own = resolve(dir).join(Config::default().paths.site_root);
    let linked = resolve(&own);
    private_in(dir, config, &own).or_else(|| private_in(dir, config, &linked))
}

/// The folder inside the peer that is published unless its owner chose another.
pub(crate) fn own_site(dir: &Path) -> Option<PathBuf> {
    fs::canonicalize(dir.join(Config::default().paths.site_root)).ok()
}

/// Whether a site is nothing but the page of a first start.
pub(crate) fn is_untouched<'a>(tree: &Tree<'_>, mut paths: impl Iterator<Item = &'a str>) -> bool {
    let text = |name: &str| {
        let path = SitePath::absolute(name, Platform::HERE).ok()??;
        let mut text = String::new();
        let limit = MAX_FIRST;
        tree.file(&path)?
            .file
            .take(limit)
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    };
    let is_first = |page: String| {
        let mut parts = FIRST_PAGE.split(LABEL);
        let begins = parts.next().is_some_and(|part| page.starts_with(part));
        begins && parts.last().is_some_and(|part| page.ends_with(part))
    };
    paths.all(|path| ["index.html", "style.css"].contains(&path))
        && text("index.html").is_some_and(is_first)
        && text("style.css").is_none_or(|style| style == FIRST_STYLE)
}

/// A folder that can be published as it is: not one that holds everything its owner has.
fn shareable(path: &Path) -> Result<String, Error> {
    let refused = |why: &'static str| Error::Unshareable {
        path: path.to_owned(),
        why,
    };
    if !path.is_absolute() {
        return Err(refused("it must be an absolute path"));
    }
    let real = fs::canonicalize(path).map_err(Error::io("open", path))?;
    if !real.is_dir() {
        return Err(refused("it is not a folder"));
    }
    fs::read_dir(&real).map_err(Error::io("read", path))?;
    if real.parent().is_none() {
        return Err(refused("it is the whole disk"));
    }
    let home = std::env::home_dir().and_then(|home| fs::canonicalize(home).ok());
    if home.is_some_and(|home| home.starts_with(&real)) {
        return Err(refused("everything you have is in it"));
    }
    let text = path
        .to_str()
        .ok_or_else(|| refused("its name is not valid Unicode"))?;
    Ok(text.to_owned())
}

/// The absolute name of something that may not exist yet: links in the part that does exist are
/// followed.
fn resolve(path: &Path) -> PathBuf {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => resolve(parent).join(name),
        (Err(_), ..) => path.to_owned(),
    }
}
