//! What the relay beside a rendezvous asks of it: who is here.

use std::sync::Arc;

use goop2_proto::{PeerId, relay::Membership};

use super::hub::Hub;

/// The peers at a rendezvous, as its relay sees them.
#[derive(Clone, Debug)]
pub struct Guests(pub(in crate::server) Arc<Hub>);

impl Guests {
    /// What a peer is here at this moment.
    pub fn membership(&self, peer: &PeerId) -> Membership {
        if self.0.blocked().contains(peer) {
            return Membership::Barred;
        }
        match self.0.table().is_proved(peer) {
            None => Membership::Absent,
            Some(true) => Membership::Proved,
            Some(false) => Membership::Claimed,
        }
    }
}
