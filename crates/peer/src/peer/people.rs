//! Other peers as the owner knows them.

use goop2_proto::PeerId;
use goop2_store::Known;

use crate::{
    api::people::{Details, Note},
    error::Error,
    known_peers,
    peer::Peer,
};

impl Peer {
    /// Notes something about a peer. Who is blocked is cut off before this returns.
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

    /// All that is known of a peer.
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

    /// What it said last, in this run or an earlier one.
    fn seen(&self, peer: &PeerId) -> Known {
        let remembered = self.0.known.get(peer);
        match self.0.roster.lock().get(peer) {
            Some(record) => known_peers::facts(record, remembered.last_seen),
            None => remembered,
        }
    }
}
