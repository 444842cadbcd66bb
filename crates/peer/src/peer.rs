//! [`Peer`], the façade: everything a skin can ask of a running peer.
//!
//! Its methods are grouped by subject: going online and offline in `start`, files and data of sites
//! in `sites`, your own site as strangers get it in `stranger`, the owner's work on the site in `publish` and on its `tables`, connections in `reach`,
//! and `people`, `rendezvous` and `settings`.

mod people;
mod publish;
mod reach;
mod rendezvous;
mod settings;
mod sites;
mod start;
mod stranger;
mod tables;

use std::sync::{Arc, Mutex};

use goop2_node::Node;
use goop2_proto::{PeerId, id};
use goop2_rendezvous::client::Http;
use goop2_store::{Config, Folder};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use tables::Export;

use crate::{
    api::{notice::Notice, snapshot::Snapshot},
    error::Error,
    known_peers::KnownPeers,
    live::Live,
    notices::Notices,
    presence::roster::SharedRoster,
    sites::{absent::Absent, http::client::Client, owners::Owners},
    supervisor::Supervisor,
};

/// A running peer. Cheap to clone; it runs until [`Peer::shutdown`], or until the last clone is
/// dropped.
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    folder: Arc<Folder>,
    node: Node,
    /// For requests to other peers.
    client: Arc<Client>,
    /// For requests to rendezvous servers.
    http: Http,
    roster: SharedRoster,
    known: KnownPeers,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    controls: Controls,
    /// The configuration this run started with.
    started: Config,
    /// Whether settings were changed that take effect only after a restart.
    outdated: watch::Sender<bool>,
    /// `None` once it is shut down.
    running: Mutex<Option<Running>>,
    supervisor: Supervisor,
    /// As whom the owner looks at the site like someone whom nobody knows.
    stranger: PeerId,
    /// Owners of sites that remember the ids of writes.
    owners: Owners,
    live: Live,
    /// Owners of sites that did not answer a moment ago.
    absent: Absent,
    released: CancellationToken,
    /// It is going offline: work for its owner that takes long ends.
    leaving: CancellationToken,
}

/// What the façade changes and the tasks follow.
struct Controls {
    config: watch::Sender<Config>,
    /// Hash of your own picture.
    avatar: watch::Sender<String>,
    notices: Notices,
}

struct Running {
    presence: CancellationToken,
    announcing: AbortOnDropHandle<()>,
    serving: CancellationToken,
    tasks: JoinSet<()>,
}

impl Peer {
    /// This peer's own id.
    pub fn id(&self) -> PeerId {
        self.0.node.peer_id()
    }

    /// The peer that an id names, in any of the forms people paste. [`Error::Invalid`] if it is
    /// none.
    pub fn peer(&self, id: &str) -> Result<PeerId, Error> {
        id::parse(id).ok_or_else(|| Error::Invalid("This is not a peer ID.".into()))
    }

    /// What a skin shows, always the latest.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.snapshot.clone()
    }

    /// Shows a notice until the peer ends. It replaces one with the same code.
    pub fn notify(&self, notice: Notice) {
        self.0.controls.notices.show(notice);
    }

    /// Resolves when a part of the peer stopped unexpectedly, with the reason as a sentence. The
    /// peer is of no use then: shut it down.
    pub async fn failed(&self) -> String {
        self.0.supervisor.failed().await
    }

    /// Reports that something this peer cannot do without has failed; [`Peer::failed`] resolves.
    pub fn fail(&self, reason: String) {
        self.0.supervisor.fail(reason);
    }

    /// Resolves when the last clone is dropped, what still worked on the folder has ended, and the
    /// folder is closed, so that it can be opened again.
    pub fn released(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.released.clone().cancelled_owned()
    }
}
