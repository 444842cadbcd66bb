//! What you note about other peers.

use goop2_proto::PeerId;
use goop2_store::Known;

use crate::{
    api::people::{Details, Note},
    error::Error,
    known_peers,
    peer::Peer,
};

impl Peer {
    /// Saves a note about a peer; what the note leaves out stays. A peer that is blocked is
    /// disconnected before this returns. [`Error::Invalid`] for a name over 200 bytes, too many
    /// notes, or your own id.
    pub async fn note(&self, peer: PeerId, note: Note) -> Result<(), Error> {
        if peer == self.id() {
            return Err(Error::Invalid("This is you.".into()));
        }
        let blocks = note.blocked;
        let seen = self.seen(&peer);
        self.0.known.note(peer, note, seen).await?;
        if let Some(blocked) = blocks {
            self.0.node.block(peer, blocked).await;
        }
        Ok(())
    }

    /// Everything known about a peer.
    pub fn details(&self, peer: PeerId) -> Details {
        let known = self.seen(&peer);
        Details {
            id: peer.to_base58(),
            link: format!("goop://{peer}/"),
            addresses: if peer == self.id() {
                self.0.snapshot.borrow().me.listen.clone()
            } else {
                known.addrs
            },
            sees_peers: self.sees_peers(&peer),
        }
    }

    /// Whether the site of this peer may see who else is online.
    pub fn sees_peers(&self, site: &PeerId) -> bool {
        self.0.known.get(site).sees_peers
    }

    /// Its latest announcement, of this run or an earlier one.
    fn seen(&self, peer: &PeerId) -> Known {
        let remembered = self.0.known.get(peer);
        match self.0.roster.lock().get(peer) {
            Some(record) => known_peers::facts(record, remembered.last_seen),
            None => remembered,
        }
    }
}
