//! What the rest of the server knows of the cluster.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use goop2_proto::cluster::Instance;

use crate::cluster::Address;

/// This instance, and how it is connected to the others.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(super) own: Instance,
    pub(super) address: Address,
    pub(super) connected: AtomicBool,
    pub(super) others: AtomicUsize,
    /// Frames sent since the start.
    pub(super) sent: AtomicU64,
}

impl Cluster {
    pub(crate) fn new(address: Address) -> Self {
        Self {
            own: Instance(rand::random()),
            address,
            connected: AtomicBool::new(false),
            others: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// Whether NATS is connected.
    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// How many other instances are online.
    pub(crate) fn others(&self) -> usize {
        self.others.load(Ordering::Relaxed)
    }
}
