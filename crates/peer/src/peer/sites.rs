//! Sites: files, data and pictures, of other peers and of your own folder.

use bytes::Bytes;
use futures::StreamExt;
use goop2_proto::{PeerId, SitePath, data::Request, path::Refusal};
use goop2_store::{Caller, Folder};
use serde_json::Value;
use tokio::{fs::File, io::AsyncReadExt};
use tokio_util::io::ReaderStream;

use crate::{
    api::visit::Place,
    disk::blocking,
    error::Error,
    link,
    peer::Peer,
    sites::{page::Page, visit},
};

/// Bytes read from your own disk at a time.
const FILE_CHUNK: usize = 128 * 1024;

impl Peer {
    /// Opens a file of a site. `path` is what follows the peer id in a visitor's URL, decoded; your
    /// own id reads your own folder.
    ///
    /// Errors: [`Error::Blocked`], and every way a visit can fail (PROTOCOL §4).
    pub async fn open(&self, peer: PeerId, path: &str) -> Result<Page, Error> {
        if peer == self.id() {
            self.open_own(path).await
        } else {
            self.refuse_blocked(&peer)?;
            visit::site(&self.0.node, peer, path).await
        }
    }

    /// Runs a data operation (PROTOCOL §5) on the database of a site's owner; on your own, without
    /// restrictions. [`Error::Data`] has the owner's error text.
    pub async fn data(&self, peer: PeerId, request: Request) -> Result<Option<Value>, Error> {
        let answer = if peer == self.id() {
            let execute =
                move |folder: &Folder| folder.database().execute(&Caller::Local, &request);
            blocking(&self.0.folder, execute).await?
        } else {
            self.refuse_blocked(&peer)?;
            visit::data(&self.0.node, peer, &request).await?
        };
        answer.map_err(Error::Data)
    }

    /// Sets who may insert into a table of your own database: `owner`, `email`, `open` or `public`.
    pub async fn set_policy(&self, table: String, policy: String) -> Result<(), Error> {
        let set = move |folder: &Folder| folder.database().set_policy(&table, &policy);
        blocking(&self.0.folder, set).await?.map_err(Error::Data)
    }

    /// The picture a peer chose, in whatever format it has; `None` if it has none.
    pub async fn avatar(&self, peer: PeerId) -> Result<Option<Bytes>, Error> {
        if peer == self.id() {
            let avatar = blocking(&self.0.folder, Folder::avatar).await??;
            Ok(avatar.map(|avatar| avatar.bytes.into()))
        } else {
            self.refuse_blocked(&peer)?;
            visit::avatar(&self.0.node, peer).await
        }
    }

    /// Where a typed or pasted address leads. A multiaddr is also remembered, as
    /// [`Peer::add_address`] does.
    pub async fn place(&self, text: &str) -> Result<Place, Error> {
        if text.trim().starts_with('/') {
            return Ok(Place {
                peer: self.add_address(text).await?.to_base58(),
                path: "/".into(),
            });
        }
        link::parse(text)
    }

    fn refuse_blocked(&self, peer: &PeerId) -> Result<(), Error> {
        if self.0.known.is_blocked(peer) {
            Err(Error::Blocked)
        } else {
            Ok(())
        }
    }

    async fn open_own(&self, path: &str) -> Result<Page, Error> {
        let path = SitePath::parse(path)?;
        let file = blocking(&self.0.folder, move |folder| folder.site().open(&path)).await??;
        let reader = File::from_std(file.file).take(file.len);
        Ok(Page {
            mime: file.mime,
            len: file.len,
            body: ReaderStream::with_capacity(reader, FILE_CHUNK).boxed(),
        })
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::NotFound,
            Refusal::Forbidden => Self::Forbidden,
        }
    }
}
