//! Reading a backup that anyone may have made.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use age::{DecryptError, Decryptor, scrypt, secrecy::SecretString};
use goop2_proto::avatar;
use tar::{Archive, EntryType};

use super::{
    Contents, KEY, MANIFEST, MAX_BACKUP, MAX_DEPTH, MAX_ENTRIES, MAX_LABEL, MAX_SMALL, MAX_TOTAL,
    MAX_WORK, Manifest, SITE, Temporary, VERSION,
    bounded::{SWOLLEN, Unzipped},
};
use crate::{
    archive::{MAX_PATH, Names, checked, damaged, not_a_file, shown},
    atomic,
    config::Document,
    db::copy,
    journal::fault::{Fault, io},
    key,
    layout::{AVATAR, CONFIG, DATABASE},
};

/// How a file in age's format begins.
const AGE: &[u8] = b"age-encryption.org/";
/// Bytes of its head, which for a passphrase has some hundred.
const MAX_HEAD: usize = 4096;
/// How its head ends.
const HEAD_END: &[u8] = b"\n--- ";

/// Unpacks a backup into a folder in that of the peer, and says what is in it; `None` if it is
/// encrypted and there is no passphrase.
pub(crate) fn open(
    backup: &Path,
    passphrase: Option<&str>,
    peer: &Path,
) -> Result<Option<(Temporary, Contents)>, Fault> {
    let shown = "the backup";
    let file = File::open(backup).map_err(io("read", shown))?;
    if file.metadata().map_err(io("read", shown))?.len() > MAX_BACKUP {
        return Err(Fault::Invalid("It is larger than 16 GiB.".into()));
    }
    let mut file = BufReader::with_capacity(64 * 1024, file);
    let head = file.fill_buf().map_err(io("read", shown))?;
    let packed: Box<dyn Read> = if head.starts_with(AGE) {
        let head = &head[..head.len().min(MAX_HEAD)];
        if !head.windows(HEAD_END.len()).any(|part| part == HEAD_END) {
            return Err(Fault::Invalid(damaged()));
        }
        let Some(passphrase) = passphrase else {
            return Ok(None);
        };
        Box::new(decrypted(file, passphrase)?)
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(file)
    } else {
        return Err(Fault::Invalid("This is not a backup of Goop2.".into()));
    };
    let folder = Temporary::new(peer).map_err(io("make", shown))?;
    let mut unpacked = Unpacked::new(&folder)?;
    unpacked.read(packed)?;
    let contents = unpacked.contents()?;
    Ok(Some((folder, contents)))
}

fn decrypted(file: BufReader<File>, passphrase: &str) -> Result<impl Read + use<>, Fault> {
    let refused = |error: DecryptError| {
        Fault::Invalid(match error {
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
                "This passphrase doesn’t open the backup.".into()
            }
            DecryptError::ExcessiveWork { .. } => {
                "Opening it would take this computer too long.".into()
            }
            _ => damaged(),
        })
    };
    let decryptor = Decryptor::new_buffered(file).map_err(refused)?;
    if !decryptor.is_scrypt() {
        return Err(Fault::Invalid(
            "It is encrypted with a key, not with a passphrase.".into(),
        ));
    }
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(MAX_WORK);
    decryptor
        .decrypt(std::iter::once(&identity as _))
        .map_err(refused)
}

/// What was unpacked so far.
struct Unpacked<'a> {
    folder: &'a Temporary,
    manifest: Option<Manifest>,
    names: Names,
    entries: usize,
    total: u64,
    files: u64,
    size: u64,
}

impl<'a> Unpacked<'a> {
    fn new(folder: &'a Temporary) -> Result<Self, Fault> {
        fs::create_dir(folder.file(SITE)).map_err(io("make", SITE))?;
        Ok(Self {
            folder,
            manifest: None,
            names: Names::default(),
            entries: 0,
            total: 0,
            files: 0,
            size: 0,
        })
    }

    fn read(&mut self, packed: impl Read) -> Result<(), Fault> {
        // Heads and padding of all entries, and their long names.
        let most = MAX_TOTAL + 4 * 1024 * MAX_ENTRIES as u64;
        let mut archive = Archive::new(Unzipped::new(packed).take(most));
        // Raw, because the crate would read names of any length into memory.
        let entries = archive.entries().map_err(broken)?.raw(true);
        let mut long_name = None;
        for entry in entries {
            let mut entry = entry.map_err(broken)?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(Fault::Invalid(format!(
                    "It has more than {MAX_ENTRIES} files."
                )));
            }
            let kind = entry.header().entry_type();
            if kind == EntryType::GNULongName {
                long_name = Some(name_in(&mut entry)?);
                // It is counted with the file.
                self.entries -= 1;
                continue;
            }
            let path = match long_name.take() {
                Some(name) => name,
                None => entry.header().path_bytes().into_owned(),
            };
            let path = String::from_utf8(path).map_err(|_| Fault::Invalid(damaged()))?;
            match kind {
                EntryType::Directory => self.make_folder(&path)?,
                EntryType::Regular => {
                    let len = entry.header().entry_size().map_err(broken)?;
                    self.add(&path, len, &mut entry)?;
                }
                _ => return Err(Fault::Invalid(not_a_file(&path))),
            }
        }
        // To the end, where a change of the file shows.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
        Ok(())
    }

    fn make_folder(&mut self, path: &str) -> Result<(), Fault> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = usable(path)?;
        if path != SITE && !path.starts_with("site/") {
            return Err(foreign(&path));
        }
        fs::create_dir_all(self.folder.file(&path)).map_err(clash(&path))
    }

    fn add(&mut self, path: &str, len: u64, bytes: &mut impl Read) -> Result<(), Fault> {
        let path = usable(path)?;
        if self.manifest.is_none() && path != MANIFEST {
            return Err(Fault::Invalid("This is not a backup of Goop2.".into()));
        }
        let is_site = path.starts_with("site/");
        let most = match path.as_str() {
            MANIFEST | CONFIG => MAX_SMALL,
            KEY => key::MAX_BYTES,
            AVATAR => avatar::MAX_BYTES,
            DATABASE => MAX_TOTAL,
            _ if is_site => MAX_TOTAL,
            _ => return Err(foreign(&path)),
        };
        if len > most {
            return Err(Fault::Invalid(format!("{} is too large.", shown(&path))));
        }
        self.total += len;
        if self.total > MAX_TOTAL {
            return Err(Fault::Invalid("It is larger than 16 GiB.".into()));
        }
        self.names
            .claim(&path, path.clone())
            .map_err(Fault::Invalid)?;
        let target = self.folder.file(&path);
        if is_site {
            self.files += 1;
            self.size += len;
            let above = target.parent().unwrap_or(&target);
            fs::create_dir_all(above).map_err(clash(&path))?;
        }
        let mut options = if is_site {
            File::options()
        } else {
            atomic::private()
        };
        let options = options.write(true).create_new(true);
        let mut file = options.open(&target).map_err(clash(&path))?;
        let written = io::copy(&mut bytes.take(len), &mut file).map_err(broken)?;
        if written != len {
            return Err(Fault::Invalid(damaged()));
        }
        if path == MANIFEST {
            self.manifest = Some(manifest(&self.folder.file(MANIFEST))?);
        }
        Ok(())
    }

    fn contents(self) -> Result<Contents, Fault> {
        let Some(manifest) = self.manifest else {
            return Err(Fault::Invalid("This is not a backup of Goop2.".into()));
        };
        let settings = fs::read(self.folder.file(CONFIG)).map_err(missing(CONFIG))?;
        Document::parse(&settings)
            .map_err(|problem| Fault::Invalid(format!("Its settings are not valid: {problem}.")))?;
        let database = self.folder.file(DATABASE);
        fs::metadata(&database).map_err(missing(DATABASE))?;
        let tables = copy::examine(&database).map_err(Fault::Invalid)?;
        let key = key::load(&self.folder.file(KEY))
            .map_err(|_| Fault::Invalid("The identity in it is not a key.".into()))?;
        let of_key = key
            .as_ref()
            .map(|key| key.public().to_peer_id().to_base58());
        if of_key.is_some_and(|peer| peer != manifest.peer) {
            return Err(Fault::Invalid(
                "The identity in it is not of the peer it says it is of.".into(),
            ));
        }
        let plain = |text: &str| {
            let text = text.chars().filter(|c| !c.is_control());
            text.take(MAX_LABEL).collect::<String>()
        };
        Ok(Contents {
            id: String::new(),
            label: plain(&manifest.label),
            peer: plain(&manifest.peer),
            made: manifest.made,
            identity: key.is_some(),
            same: false,
            files: self.files,
            size: self.size,
            tables,
        })
    }
}

fn manifest(path: &Path) -> Result<Manifest, Fault> {
    let text = fs::read(path).map_err(io("read", MANIFEST))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|_| Fault::Invalid("This is not a backup of Goop2.".into()))?;
    if manifest.version > VERSION {
        return Err(Fault::Invalid(
            "It was made by a newer Goop2. Update Goop2 first.".into(),
        ));
    }
    Ok(manifest)
}

/// The name in an entry that is nothing else.
fn name_in(entry: &mut impl Read) -> Result<Vec<u8>, Fault> {
    let mut name = vec![];
    entry
        .take(MAX_PATH as u64 + 2)
        .read_to_end(&mut name)
        .map_err(broken)?;
    while name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

fn usable(path: &str) -> Result<String, Fault> {
    // On Windows, what follows a colon is not a part of the name.
    if cfg!(windows) && path.contains(':') {
        return Err(Fault::Invalid(format!(
            "{} is not a usable file name.",
            shown(path)
        )));
    }
    checked(path, MAX_DEPTH).map_err(Fault::Invalid)
}

fn foreign(path: &str) -> Fault {
    Fault::Invalid(format!("{} doesn’t belong in a backup.", shown(path)))
}

fn missing(name: &str) -> impl FnOnce(io::Error) -> Fault {
    move |_| Fault::Invalid(format!("{name} is missing in it."))
}

/// The archive, or the disk.
fn broken(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
        SWOLLEN => Fault::Invalid(
            "Far more comes out of it than a backup holds. It may be made to fill your disk."
                .into(),
        ),
        _ => {
            tracing::debug!(%error, "a backup can't be read");
            Fault::Invalid(damaged())
        }
    }
}

/// A name that this computer cannot have, or has already in other letters.
fn clash(path: &str) -> impl FnOnce(io::Error) -> Fault {
    move |error| match broken(error) {
        Fault::Full => Fault::Full,
        _ => Fault::Invalid(format!("{} can’t be a file here.", shown(path))),
    }
}
