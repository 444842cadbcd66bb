//! Backups of a peer, made and restored by its owner.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{MutexGuard, PoisonError},
};

use super::{Publish, add};
use crate::{
    atomic,
    backup::{Contents, MAX_BACKUP, Made, Slot, Temporary, pending, read, write},
    folder,
    journal::fault::{Fault, io},
};

const SHOWN: &str = "the backup";
/// What the received file is called.
const RECEIVED: &str = "received";

/// A backup that is being received. Unless it is kept, it is removed.
#[derive(Debug)]
pub struct Incoming {
    folder: Temporary,
    file: File,
    len: u64,
}

impl Incoming {
    /// The next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.len += bytes.len() as u64;
        if self.len > MAX_BACKUP {
            return Err(Fault::Invalid("It is larger than 16 GiB.".into()));
        }
        self.file.write_all(bytes).map_err(io("write", SHOWN))
    }
}

impl Publish<'_> {
    /// Makes a backup; with a passphrase it is encrypted, and has the identity and all secrets.
    pub fn backup(&self, passphrase: Option<&str>) -> Result<Made, Fault> {
        let config = self.folder.config();
        let source = write::Source {
            dir: self.folder.dir(),
            site: self.open()?,
            left_out: add::PREFIX,
            peer: self.folder.peer_id().to_base58(),
            label: config.profile.label,
            settings: self.settings()?,
            key: self.folder.dir().join(config.identity.key_file),
        };
        write::make(&source, passphrase)
    }

    fn settings(&self) -> Result<String, Fault> {
        let text = self.folder.config_text();
        text.map_err(|error| Fault::Invalid(error.to_string()))
    }

    /// Begins to receive a backup.
    pub fn receive_backup(&self) -> Result<Incoming, Fault> {
        let folder = Temporary::new(self.folder.dir()).map_err(io("make", SHOWN))?;
        let file = atomic::private()
            .create_new(true)
            .open(folder.file(RECEIVED))
            .map_err(io("make", SHOWN))?;
        Ok(Incoming {
            folder,
            file,
            len: 0,
        })
    }

    /// Keeps a backup that was received to its end, until the next one. Answers its id.
    pub fn keep_backup(&self, incoming: Incoming) -> String {
        let mut slot = self.slot();
        slot.number += 1;
        slot.opened = None;
        slot.received = Some(incoming.folder);
        slot.number.to_string()
    }

    /// Reads a backup that was received; `None` if it is encrypted and there is no passphrase.
    pub fn open_backup(
        &self,
        id: &str,
        passphrase: Option<&str>,
    ) -> Result<Option<Contents>, Fault> {
        let mut slot = self.slot();
        let number = slot.number;
        let Some(received) = slot.received.as_ref().filter(|_| id == number.to_string()) else {
            return Err(Fault::NotFound("The backup".into()));
        };
        let file = received.file(RECEIVED);
        self.look(&mut slot, &file, passphrase)
    }

    /// Reads a backup of this computer.
    pub fn open_backup_file(
        &self,
        path: &Path,
        passphrase: Option<&str>,
    ) -> Result<Option<Contents>, Fault> {
        let mut slot = self.slot();
        slot.received = None;
        slot.number += 1;
        self.look(&mut slot, path, passphrase)
    }

    fn look(
        &self,
        slot: &mut Slot,
        file: &Path,
        passphrase: Option<&str>,
    ) -> Result<Option<Contents>, Fault> {
        slot.opened = None;
        let Some((opened, contents)) = read::open(file, passphrase, self.folder.dir())? else {
            return Ok(None);
        };
        slot.opened = Some(opened);
        Ok(Some(Contents {
            id: slot.number.to_string(),
            same: contents.peer == self.folder.peer_id().to_base58(),
            ..contents
        }))
    }

    /// Replaces the site, the tables and the settings by those of a backup that was read, and the
    /// identity only if that is wanted, when the folder is opened again. What was there is kept.
    pub fn restore(&self, id: &str, identity: bool) -> Result<(), Fault> {
        let mut slot = self.slot();
        let number = slot.number;
        if id != number.to_string() {
            return Err(Fault::NotFound("The backup".into()));
        }
        let Some(opened) = slot.opened.take() else {
            return Err(Fault::NotFound("The backup".into()));
        };
        let dir = self.folder.dir();
        if let Some(private) = folder::private_in_own_site(dir, &self.folder.config()) {
            return Err(Fault::Invalid(format!(
                "{} would be published. Move it out of the folder site first.",
                private.display()
            )));
        }
        pending::prepare(&opened, dir, &self.settings()?, identity)?;
        slot.received = None;
        Ok(())
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        let slot = &self.state.backup;
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
