//! Who this peer remembers: those it saw, over restarts, and what its owner noted about them. Kept
//! in memory and in the database alike; every change is written before it is seen.

use std::{collections::BTreeMap, sync::Arc};

use goop2_node::Node;
use goop2_proto::{PeerId, roster::Record};
use goop2_store::{Folder, Known, MAX_NOTED, MAX_SEEN};
use tokio::sync::{Mutex, watch};

use crate::{
    api::{people::Note, settings::BlockedPeer},
    disk::blocking,
    error::Error,
};

/// Bytes of a name that the owner gives; longer ones fit nowhere.
const MAX_NAME: usize = 200;

#[derive(Clone)]
pub(crate) struct KnownPeers {
    folder: Arc<Folder>,
    known: watch::Sender<Arc<BTreeMap<PeerId, Known>>>,
    /// Held from reading to writing, so that no change is lost between.
    turn: Arc<Mutex<()>>,
}

impl KnownPeers {
    pub(crate) async fn open(folder: &Arc<Folder>) -> Result<Self, Error> {
        let known = blocking(folder, |folder| folder.database().known_peers()).await??;
        Ok(Self {
            folder: Arc::clone(folder),
            known: watch::Sender::new(Arc::new(known.into_iter().collect())),
            turn: Arc::default(),
        })
    }

    /// Tells a node who is blocked, and where favourites were last: they can be visited before
    /// anybody says where they are.
    pub(crate) async fn introduce(&self, node: &Node) {
        let known = Arc::clone(&self.known.borrow());
        for (peer, known) in known.iter() {
            if known.blocked {
                node.block(*peer, true).await;
            } else if known.favourite {
                let addrs = known.addrs.iter().filter_map(|addr| addr.parse().ok());
                node.learn(*peer, addrs.collect());
            }
        }
    }

    /// Everybody, as it changes.
    pub(crate) fn known(&self) -> watch::Receiver<Arc<BTreeMap<PeerId, Known>>> {
        self.known.subscribe()
    }

    pub(crate) fn get(&self, peer: &PeerId) -> Known {
        self.known.borrow().get(peer).cloned().unwrap_or_default()
    }

    pub(crate) fn is_blocked(&self, peer: &PeerId) -> bool {
        self.known
            .borrow()
            .get(peer)
            .is_some_and(|known| known.blocked)
    }

    pub(crate) fn blocked(&self) -> Vec<BlockedPeer> {
        let known = self.known.borrow();
        let blocked = known.iter().filter(|(_, known)| known.blocked);
        blocked
            .map(|(peer, known)| BlockedPeer {
                id: peer.to_base58(),
                label: if known.name.is_empty() {
                    known.label.clone()
                } else {
                    known.name.clone()
                },
            })
            .collect()
    }

    /// Notes something; `seen` is what is known of the peer now.
    pub(crate) async fn note(&self, peer: PeerId, note: Note, seen: Known) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let before = self.get(&peer);
        let mut known = Known {
            name: before.name,
            favourite: note.favourite.unwrap_or(before.favourite),
            blocked: note.blocked.unwrap_or(before.blocked),
            sees_peers: note.sees_peers.unwrap_or(before.sees_peers),
            ..seen
        };
        if let Some(name) = note.name {
            known.name = name.trim().to_owned();
        }
        if known.name.len() > MAX_NAME {
            return Err(Error::Invalid(format!(
                "A name is at most {MAX_NAME} bytes long."
            )));
        }
        let noted = self
            .known
            .borrow()
            .values()
            .filter(|known| known.is_noted())
            .count();
        if known.is_noted() && noted >= MAX_NOTED {
            return Err(Error::Invalid(format!(
                "You noted something about {MAX_NOTED} peers, and more are not kept. Take some of it back first."
            )));
        }
        self.save(vec![(peer, known)]).await
    }

    /// Remembers who was seen; what was noted about them stays.
    pub(crate) async fn remember(&self, seen: Vec<(PeerId, Known)>) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let changed: Vec<_> = seen
            .into_iter()
            .filter_map(|(peer, seen)| {
                let before = self.get(&peer);
                let known = Known {
                    name: before.name.clone(),
                    favourite: before.favourite,
                    blocked: before.blocked,
                    sees_peers: before.sees_peers,
                    ..seen
                };
                (known != before).then_some((peer, known))
            })
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.save(changed).await
    }

    async fn save(&self, changed: Vec<(PeerId, Known)>) -> Result<(), Error> {
        let known = blocking(&self.folder, move |folder| {
            folder.database().remember_peers(&changed)?;
            folder.database().known_peers()
        })
        .await??;
        self.known
            .send_replace(Arc::new(known.into_iter().collect()));
        Ok(())
    }
}

/// What a record says of a peer; `last_seen` is its time of day.
pub(crate) fn facts(record: &Record, last_seen: i64) -> Known {
    let presence = &record.presence;
    Known {
        label: presence.label.clone(),
        email: presence.email.clone(),
        avatar_hash: presence.avatar_hash.clone(),
        verified: record.proved,
        addrs: presence.addrs.iter().map(ToString::to_string).collect(),
        last_seen,
        ..Known::default()
    }
}

/// The newest of those seen, as many as are kept.
pub(crate) fn newest(mut seen: Vec<(PeerId, Known)>) -> Vec<(PeerId, Known)> {
    seen.sort_by_key(|(_, known)| std::cmp::Reverse(known.last_seen));
    seen.truncate(MAX_SEEN);
    seen
}
