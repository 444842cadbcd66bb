//! What the relay beside a rendezvous asks of it: who is here.

use std::sync::Arc;

use goop2_proto::{PeerId, relay::Standing};

use super::hub::Hub;

/// The peers at a rendezvous, as its relay sees them.
#[derive(Clone, Debug)]
pub struct Guests(pub(super) Arc<Hub>);

impl Guests {
    /// What a peer is here at this moment.
    pub fn standing(&self, peer: &PeerId) -> Standing {
        if self.0.blocked().contains(peer) {
            return Standing::Barred;
        }
        match self.0.table().is_proved(peer) {
            None => Standing::Absent,
            Some(true) => Standing::Proved,
            Some(false) => Standing::Claimed,
        }
    }
}
