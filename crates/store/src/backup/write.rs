//! Making a backup.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use age::{Encryptor, scrypt, secrecy::SecretString, stream::StreamWriter};
use cap_std::fs::Dir;
use serde_json::Value;
use tar::{Builder, EntryType, Header};

use super::{
    KEY, MANIFEST, MAX_DEPTH, MAX_ENTRIES, MAX_LABEL, MAX_TOTAL, MIN_PASSPHRASE, Made, Manifest,
    SITE, Temporary, VERSION, WORK, bounded::Zipped,
};
use crate::{
    archive::checked,
    atomic,
    config::is_secret,
    db::copy,
    journal::fault::{Fault, io},
    layout::{AVATAR, CONFIG, DATABASE},
};

const SHOWN: &str = "the backup";
/// Most bytes that an entry has next to its content: two heads, a long name, and padding.
const HEAD: u64 = 4096;

/// What a backup is made of.
pub(crate) struct Source<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) site: Dir,
    /// Files at the top of the site with such names are not the owner's.
    pub(crate) left_out: &'a str,
    pub(crate) peer: String,
    pub(crate) label: String,
    pub(crate) settings: String,
    pub(crate) key: PathBuf,
}

/// A new file with everything; the identity and secrets only with a passphrase, which encrypts it.
pub(crate) fn make(source: &Source<'_>, passphrase: Option<&str>) -> Result<Made, Fault> {
    if passphrase.is_some_and(|it| it.chars().count() < MIN_PASSPHRASE) {
        return Err(Fault::Invalid(format!(
            "Use a passphrase of {MIN_PASSPHRASE} or more letters."
        )));
    }
    let folder = Temporary::new(source.dir).map_err(io("make", SHOWN))?;
    let database = folder.file(DATABASE);
    copy::make(&source.dir.join(DATABASE), &database).map_err(Fault::Invalid)?;
    let made = Made { folder };
    let file = atomic::private()
        .create_new(true)
        .open(made.path())
        .map_err(io("make", SHOWN))?;
    let sink = Sink::new(file, passphrase).map_err(io("write", SHOWN))?;
    let mut pack = Pack {
        tar: Builder::new(Zipped::new(sink)),
        total: 0,
        entries: 0,
    };
    pack.bytes(MANIFEST, &manifest(source))?;
    pack.bytes(CONFIG, &settings(source, passphrase.is_some())?)?;
    pack.path(DATABASE, &database)?;
    if source.dir.join(AVATAR).is_file() {
        pack.path(AVATAR, &source.dir.join(AVATAR))?;
    }
    if passphrase.is_some() {
        pack.path(KEY, &source.key)?;
    }
    pack.folder(&source.site, SITE, source.left_out)?;
    pack.finish().map_err(io("write", SHOWN))?;
    std::fs::remove_file(&database).map_err(io("remove", DATABASE))?;
    Ok(made)
}

fn manifest(source: &Source<'_>) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let manifest = Manifest {
        version: VERSION,
        made: now.as_millis().try_into().unwrap_or_default(),
        peer: source.peer.clone(),
        label: source.label.chars().take(MAX_LABEL).collect(),
    };
    serde_json::to_vec_pretty(&manifest).expect("plain values are JSON")
}

/// `goop.json`, without what nobody else may read unless it is encrypted.
fn settings(source: &Source<'_>, encrypted: bool) -> Result<Vec<u8>, Fault> {
    let text = source.settings.trim_start_matches('\u{feff}');
    let mut settings: Value = serde_json::from_str(text)
        .map_err(|error| Fault::Invalid(format!("{CONFIG} can’t be read: {error}.")))?;
    if !encrypted {
        strip_secrets(&mut settings);
    }
    Ok(serde_json::to_vec_pretty(&settings).expect("JSON always encodes"))
}

fn strip_secrets(value: &mut Value) {
    if let Value::Object(keys) = value {
        keys.retain(|key, _| !is_secret(&key.to_lowercase()));
        keys.values_mut().for_each(strip_secrets);
    }
}

/// Where the archive goes.
enum Sink {
    Plain(BufWriter<File>),
    Encrypted(Box<StreamWriter<BufWriter<File>>>),
}

impl Sink {
    fn new(file: File, passphrase: Option<&str>) -> io::Result<Self> {
        let file = BufWriter::new(file);
        let Some(passphrase) = passphrase else {
            return Ok(Self::Plain(file));
        };
        let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
        recipient.set_work_factor(WORK);
        let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as _))
            .map_err(io::Error::other)?;
        Ok(Self::Encrypted(Box::new(encryptor.wrap_output(file)?)))
    }

    fn finish(self) -> io::Result<()> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Encrypted(stream) => stream.finish()?,
        };
        file.into_inner()
            .map_err(|error| error.into_error())?
            .sync_all()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

/// The archive so far.
struct Pack {
    tar: Builder<Zipped<Sink>>,
    total: u64,
    entries: usize,
}

impl Pack {
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        self.entry(name, EntryType::Regular, bytes.len() as u64, bytes)
    }

    fn path(&mut self, name: &str, path: &Path) -> Result<(), Fault> {
        let file = File::open(path).map_err(io("read", name))?;
        let len = file.metadata().map_err(io("read", name))?.len();
        self.entry(name, EntryType::Regular, len, file)
    }

    /// A folder of the site and all that is in it but links and devices.
    fn folder(&mut self, dir: &Dir, name: &str, left_out: &str) -> Result<(), Fault> {
        for entry in dir.entries().map_err(io("read", name))? {
            let entry = entry.map_err(io("read", name))?;
            let file_name = entry.file_name();
            let path = format!("{name}/{}", file_name.to_string_lossy());
            if file_name.to_str().is_none() {
                return Err(odd(&path));
            }
            let kind = entry.file_type().map_err(io("read", &path))?;
            let is_temporary = name == SITE && path[SITE.len() + 1..].starts_with(left_out);
            if !kind.is_dir() && (!kind.is_file() || is_temporary) {
                continue;
            }
            checked(&path, MAX_DEPTH).map_err(|_| odd(&path))?;
            if kind.is_dir() {
                self.entry(&path, EntryType::Directory, 0, io::empty())?;
                let inner = entry.open_dir().map_err(io("read", &path))?;
                self.folder(&inner, &path, left_out)?;
            } else {
                let file = entry.open().map_err(io("read", &path))?;
                let len = file.metadata().map_err(io("read", &path))?.len();
                self.entry(&path, EntryType::Regular, len, file)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        path: &str,
        kind: EntryType,
        len: u64,
        bytes: impl Read,
    ) -> Result<(), Fault> {
        self.entries += 1;
        self.total = self.total.saturating_add(len);
        if self.entries > MAX_ENTRIES || self.total > MAX_TOTAL {
            return Err(Fault::Invalid(format!(
                "The site is too large for a backup: more than {MAX_ENTRIES} files, or 16 GiB. Copy its folder instead."
            )));
        }
        let whole = len.saturating_add(HEAD);
        self.tar
            .get_mut()
            .expect(whole)
            .map_err(io("write", SHOWN))?;
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(len);
        header.set_mode(0o600);
        let mut read = Counted(bytes.take(len), 0);
        self.tar
            .append_data(&mut header, path, &mut read)
            .map_err(io("write", SHOWN))?;
        if read.1 == len {
            return Ok(());
        }
        Err(Fault::Invalid(format!(
            "{path} changed while the backup was made. Try again."
        )))
    }

    fn finish(self) -> io::Result<()> {
        self.tar.into_inner()?.finish()?.finish()
    }
}

/// Counts what is read.
struct Counted<R>(R, u64);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1 += read as u64;
        Ok(read)
    }
}

fn odd(path: &str) -> Fault {
    Fault::Invalid(format!(
        "{path} has a name or a place that not every computer can have. Rename or move it first."
    ))
}
