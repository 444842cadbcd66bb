//! Multicast discovery.
use goop2_proto::{PeerId, mdns::{Found, Tag}};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{Multicast, interfaces::Interfaces, listen::Port};

pub(crate) const FOUND: usize = 256;

pub(crate) struct Discovery {
    pub(crate) tag: Tag,
    pub(crate) own: PeerId,
    pub(crate) port: Port,
    pub(crate) found: mpsc::Sender<Found>,
    pub(crate) state: watch::Sender<Multicast>,
}

impl Discovery {
    pub(crate) async fn run(self, _interfaces: watch::Receiver<Interfaces>, stop: CancellationToken) {
        stop.cancelled().await;
    }
}
