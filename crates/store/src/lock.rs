//! One process per folder: two would be two peers with one identity.
//!
//! The system drops the lock with the process, however it ends, so a crash never leaves a folder
//! locked; therefore the file itself stays. It is hidden, empty and unknown to existing peers,
//! which ignore it.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::{atomic, error::Error};

const FILE: &str = ".goop2.lock";

/// Held for as long as the folder is open.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let file = atomic::private()
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(dir.to_owned())),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", &path)(source)),
        }
    }
}
