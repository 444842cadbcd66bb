//! This instance of a cluster, as the rest of the server sees it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use goop2_proto::cluster::Instance;

use crate::cluster::Address;

/// This instance, and how it is connected to the others.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) own: Instance,
    pub(crate) address: Address,
    pub(crate) connected: AtomicBool,
    pub(crate) others: AtomicUsize,
    /// Frames sent since the start.
    pub(crate) sent: AtomicU64,
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
