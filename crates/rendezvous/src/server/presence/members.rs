//! What the relay of a rendezvous asks: who is a member.

use std::sync::Arc;

use goop2_proto::{PeerId, relay::Membership};

use super::hub::Hub;

/// The peers of a rendezvous, as its relay sees them.
#[derive(Clone, Debug)]
pub struct Members(pub(in crate::server) Arc<Hub>);

impl Members {
    /// What a peer is to the rendezvous at this moment.
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
