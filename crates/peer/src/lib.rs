//! The running peer: joins the folder, the network and the rules, and offers them as one façade, [`Peer`], to any skin.

pub mod api;
mod error;

use std::{io, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures::Stream;
use goop2_proto::{PeerId, data::Request};
use tokio::sync::watch;

pub use error::Error;

/// Stub while the parts land: the façade's shape.
#[derive(Clone)]
pub struct Peer;

/// A file of a site on its way: its bytes are handed on as they come, never collected.
pub struct Page {
    pub mime: String,
    /// Exactly as many bytes as `body` yields unless an item is an error.
    pub len: u64,
    pub body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl Peer {
    pub fn id(&self) -> PeerId {
        todo!()
    }
    pub fn snapshot(&self) -> watch::Receiver<Arc<api::Snapshot>> {
        todo!()
    }
    pub async fn open(&self, _peer: PeerId, _path: &str) -> Result<Page, Error> {
        todo!()
    }
    pub async fn data(&self, _peer: PeerId, _request: Request) -> Result<Option<serde_json::Value>, Error> {
        todo!()
    }
    pub async fn set_policy(&self, _table: &str, _policy: &str) -> Result<(), Error> {
        todo!()
    }
    pub async fn avatar(&self, _peer: PeerId) -> Result<Option<Bytes>, Error> {
        todo!()
    }
    pub async fn add_address(&self, _addr: &str) -> Result<PeerId, Error> {
        todo!()
    }
    /// Async: a pasted multiaddr is remembered as an address of its peer.
    pub async fn place(&self, _text: &str) -> Result<api::Place, Error> {
        todo!()
    }
    pub async fn shutdown(&self) {
        todo!()
    }
}
