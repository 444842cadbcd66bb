//! Backups, between a skin and the folder.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::Stream;
use goop2_store::{
    Folder,
    publish::{Contents, Fault, Made, Publish},
};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{PIECES, Piece, pass_on};
use crate::{
    api::{Backup, BackupTable, ReceivedBackup},
    disk::blocking,
    error::Error,
};

/// A backup that was made: a file that is removed with this.
#[derive(Debug)]
pub struct MadeBackup(Made);

impl MadeBackup {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }
}

pub(crate) async fn make(
    folder: &Arc<Folder>,
    passphrase: Option<String>,
) -> Result<MadeBackup, Error> {
    let make = move |folder: &Folder| folder.publish().backup(passphrase.as_deref());
    Ok(MadeBackup(blocking(folder, make).await??))
}

pub(crate) async fn receive<E>(
    folder: &Arc<Folder>,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<ReceivedBackup, Error> {
    let (pieces, received) = mpsc::channel(PIECES);
    let folder = Arc::clone(folder);
    let writing = spawn_blocking(move || write(folder.publish(), received));
    pass_on(body, pieces).await;
    let id = writing.await.map_err(|_| Error::Closed)??;
    Ok(ReceivedBackup { id })
}

fn write(publish: Publish<'_>, mut received: mpsc::Receiver<Piece>) -> Result<String, Fault> {
    let mut incoming = publish.receive_backup()?;
    loop {
        match received.blocking_recv() {
            Some(Piece::Bytes(bytes)) => incoming.write(&bytes)?,
            Some(Piece::End) => return Ok(publish.keep_backup(incoming)),
            None => return Err(Fault::Canceled),
        }
    }
}

pub(crate) async fn open_file(
    folder: &Arc<Folder>,
    path: PathBuf,
    passphrase: Option<String>,
) -> Result<Backup, Error> {
    let open = move |folder: &Folder| {
        let publish = folder.publish();
        publish.open_backup_file(&path, passphrase.as_deref())
    };
    Ok(shown(blocking(folder, open).await??))
}

/// What is in a backup; nothing is known of one that is still encrypted.
pub(super) fn shown(contents: Option<Contents>) -> Backup {
    let Some(contents) = contents else {
        return Backup {
            locked: true,
            ..Backup::default()
        };
    };
    let table = |(name, rows)| BackupTable { name, rows };
    Backup {
        id: contents.id,
        locked: false,
        label: contents.label,
        peer: contents.peer,
        made: contents.made,
        identity: contents.identity,
        same: contents.same,
        files: contents.files,
        size: contents.size,
        tables: contents.tables.into_iter().map(table).collect(),
    }
}
