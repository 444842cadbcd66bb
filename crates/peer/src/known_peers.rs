//! The remembered peers: those seen, over restarts, and what you noted about them. They are in
//! memory and in the database; every change is saved before it is visible.

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

/// Longest name that you give a peer, in bytes; longer ones would not fit the UI.
const MAX_NAME: usize = 200;

#[derive(Clone)]
pub(crate) struct KnownPeers {
    folder: Arc<Folder>,
    known: watch::Sender<Arc<BTreeMap<PeerId, Known>>>,
    /// Held from reading to writing, so that no change is lost in between.
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

    /// Tells the node who is blocked, and the last addresses of favorites: those can be visited
    /// before anyone announces them.
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

    /// All remembered peers, as they change.
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

    /// Saves a note; `seen` is what is known of the peer now.
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
                "This name is too long. Use at most {MAX_NAME} bytes."
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
                "You've reached the limit of {MAX_NOTED} saved peers. Remove some first."
            )));
        }
        self.save(vec![(peer, known)]).await
    }

    /// Remembers peers that were seen; what was noted about them stays.
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

/// What a record says about a peer; `last_seen` is in Unix time, in milliseconds.
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

/// The peers seen last, as many as are remembered.
pub(crate) fn newest(mut seen: Vec<(PeerId, Known)>) -> Vec<(PeerId, Known)> {
    seen.sort_by_key(|(_, known)| std::cmp::Reverse(known.last_seen));
    seen.truncate(MAX_SEEN);
    seen
}
