//! State that all handlers share.

use std::sync::Arc;

use goop2_peer::{
    Body, Error, Peer,
    api::{Denied, Navigated},
};
use goop2_proto::{PeerId, data::Request};
use serde_json::Value;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use crate::{
    door::{origin::Visitor, ports::Ports, token::Token},
    site::prefetch::Prefetches,
};

/// Event streams open at once: each is a window of the UI, and a browser opens at most six to an
/// origin.
const MAX_SUBSCRIBERS: usize = 64;
/// Pages that listen for changes at once; of one site, a browser opens one stream for all.
const MAX_FOLLOWERS: usize = 128;
/// Navigations kept for a reader that is behind: more than a person makes in the meantime.
const NAVIGATIONS: usize = 64;
/// Denials kept for a reader that is behind. A page can cause any number of them, so the oldest are
/// dropped.
const DENIALS: usize = 64;

pub(crate) struct App {
    pub(crate) peer: Peer,
    pub(crate) port: u16,
    pub(crate) ports: Ports,
    pub(crate) token: Token,
    pub(crate) navigated: broadcast::Sender<Navigated>,
    pub(crate) denied: broadcast::Sender<Denied>,
    pub(crate) subscribers: Arc<Semaphore>,
    /// Streams of changes of sites.
    pub(crate) followers: Arc<Semaphore>,
    pub(crate) prefetches: Prefetches,
    pub(crate) stop: CancellationToken,
}

impl App {
    pub(crate) fn new(
        peer: Peer,
        port: u16,
        ports: Ports,
        token: Token,
        stop: CancellationToken,
    ) -> Self {
        let subscribers = Arc::new(Semaphore::new(MAX_SUBSCRIBERS));
        Self {
            prefetches: Prefetches::new(peer.clone()),
            peer,
            port,
            ports,
            token,
            navigated: broadcast::Sender::new(NAVIGATIONS),
            denied: broadcast::Sender::new(DENIALS),
            subscribers,
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            stop,
        }
    }

    pub(crate) fn is_own(&self, peer: &PeerId) -> bool {
        *peer == self.peer.id()
    }

    /// Runs a data operation on a site's database. A stranger is one at the user's own site.
    pub(crate) async fn data(
        &self,
        visitor: Visitor,
        site: PeerId,
        request: Request,
    ) -> Result<Option<Value>, Error> {
        match visitor {
            Visitor::User => self.peer.data(site, request).await,
            Visitor::Stranger => self.peer.data_as_stranger(request).await,
        }
    }

    /// What changes on a site.
    pub(crate) async fn changes(
        &self,
        visitor: Visitor,
        site: PeerId,
        query: &str,
    ) -> Result<Body, Error> {
        match visitor {
            Visitor::User => self.peer.changes(site, query).await,
            Visitor::Stranger => self.peer.changes_as_stranger(query),
        }
    }
}
