//! Your own site, as its owner works on it.

use std::{convert::Infallible, path::PathBuf};

use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::Value;

use crate::{
    api::{Added, Backup, Progress, ReceivedBackup, SiteRequest, Template},
    error::Error,
    peer::Peer,
    publish::{
        self, Local, Source, Upload,
        backup::{self, MadeBackup},
    },
};

impl Peer {
    /// Does what the owner wants with the site; the answer is what the request says.
    /// [`Error::Publish`] with the reason when it cannot be done.
    pub async fn site(&self, request: SiteRequest) -> Result<Value, Error> {
        match request {
            SiteRequest::SetFolder { path } => {
                self.set_site_folder(path).await?;
                Ok(Value::Null)
            }
            restore @ SiteRequest::Restore { .. } => {
                let done = publish::site(&self.0.folder, restore).await?;
                self.restart();
                Ok(done)
            }
            other => publish::site(&self.0.folder, other).await,
        }
    }

    /// Where a file or folder of the site is on this computer; an empty path is the site's folder.
    pub async fn site_file(&self, path: String) -> Result<PathBuf, Error> {
        publish::site_file(&self.0.folder, path).await
    }

    /// Copies files and folders of this computer into the site. `report` says whether to go on; a
    /// peer that goes offline does not.
    pub async fn add(
        &self,
        files: Local,
        mut report: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Added, Error> {
        let leaving = self.0.leaving.clone();
        let report = move |progress| !leaving.is_cancelled() && report(progress);
        publish::add(&self.0.folder, files, report).await
    }

    /// Receives a file of the site. A body that breaks off, or stalls, leaves nothing behind.
    pub async fn upload<E>(
        &self,
        file: Upload,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Added, Error> {
        tokio::select! {
            added = publish::upload(&self.0.folder, file, body) => added,
            () = self.0.leaving.cancelled() => Err(Error::Closed),
        }
    }

    /// The same of bytes that are here.
    pub async fn upload_bytes(&self, file: Upload, bytes: Vec<u8>) -> Result<Added, Error> {
        let body = [Ok::<_, Infallible>(Bytes::from(bytes))];
        self.upload(file, stream::iter(body)).await
    }

    /// Reads a template, which is not applied yet.
    pub async fn import_template(&self, source: Source) -> Result<Template, Error> {
        publish::import(&self.0.folder, source).await
    }

    /// The site as a template for others, a ZIP archive.
    pub async fn export_template(&self) -> Result<Vec<u8>, Error> {
        publish::export(&self.0.folder).await
    }

    /// Makes a backup: with a passphrase it is encrypted, and has the identity too.
    pub async fn backup(&self, passphrase: Option<String>) -> Result<MadeBackup, Error> {
        backup::make(&self.0.folder, passphrase).await
    }

    /// Receives a backup, which is not read yet.
    pub async fn receive_backup<E>(
        &self,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<ReceivedBackup, Error> {
        tokio::select! {
            received = backup::receive(&self.0.folder, body) => received,
            () = self.0.leaving.cancelled() => Err(Error::Closed),
        }
    }

    /// Reads a backup of this computer, which is not restored yet.
    pub async fn open_backup_file(
        &self,
        path: PathBuf,
        passphrase: Option<String>,
    ) -> Result<Backup, Error> {
        backup::open_file(&self.0.folder, path, passphrase).await
    }

    /// Publishes another folder, at once.
    async fn set_site_folder(&self, path: Option<PathBuf>) -> Result<(), Error> {
        let config = publish::set_folder(&self.0.folder, path).await?;
        self.apply(config);
        Ok(())
    }
}
