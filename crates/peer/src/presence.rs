//! Presence: announces this peer, collects the announcements of others, and keeps the [`Snapshot`]
//! that skins show.
//!
//! One task owns the rhythm. It announces at once when someone joins the topic (an announcement
//! into an empty mesh is lost), when the profile or the addresses of this peer change, and at every
//! heartbeat. It lets silent peers expire, and says goodbye at the end.

mod clock;
mod rhythm;
pub(crate) mod roster;
mod snapshot;

use std::{
    collections::{BTreeMap, HashSet},
    future::pending,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use goop2_node::{Event, Node, Status};
use goop2_proto::{
    PeerId,
    presence::{Kind, Presence},
    roster::{
        Record, Source,
        kept::{self, Candidate},
    },
    time::unix_millis,
};
use goop2_rendezvous::client as rendezvous;
use goop2_store::{Config, Known};
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        live::Live,
        notice::Notice,
        rendezvous::Rendezvous,
        snapshot::{Me, Snapshot},
    },
    known_peers::{self, KnownPeers},
    network::{self, state::Server},
    presence::{clock::Clock, rhythm::Rhythm, roster::SharedRoster, snapshot::Facts},
    servers::{DIRECT, Update},
};

/// Peers at rendezvous servers that the node stays connected to: those a person is likely to visit
/// of a list. A rendezvous may list thousands; the others are dialed when they are visited.
const MAX_KEPT: usize = 48;

/// The task behind presence, and all that it knows.
pub(crate) struct Task {
    node: Node,
    roster: SharedRoster,
    status: watch::Receiver<Status>,
    channels: Channels,
    /// Peers at rendezvous servers that the node stays connected to; at most [`MAX_KEPT`].
    kept: HashSet<PeerId>,
    /// Draws lots between peers that are alike.
    lots: RandomState,
    known_peers: KnownPeers,
    known: watch::Receiver<Arc<BTreeMap<PeerId, Known>>>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    clock: Clock,
}

/// What the task follows and, in `announced`, tells the others.
pub(crate) struct Channels {
    pub(crate) config: watch::Receiver<Config>,
    /// Hash of your own picture.
    pub(crate) avatar: watch::Receiver<String>,
    pub(crate) notices: watch::Receiver<Vec<Notice>>,
    pub(crate) server_updates: mpsc::Receiver<Update>,
    /// The servers joined, for the verdict on the network.
    pub(crate) server_states: watch::Receiver<Vec<Server>>,
    /// The servers joined and hosted, as skins show them.
    pub(crate) server_view: watch::Receiver<Rendezvous>,
    /// Who reads the site.
    pub(crate) live: watch::Receiver<Live>,
    /// The latest announcement, for the rendezvous clients, which repeat it on their own.
    pub(crate) announced: watch::Sender<Option<Presence>>,
}

/// Why the task wakes up.
enum Wake {
    Announce,
    Show,
    Expire,
    Heartbeat,
    Remember,
    Node(Event),
    Server(Update),
    Status,
    Config,
    Avatar,
    /// What is noted about peers changed.
    Noted,
    /// Something changed that is only shown.
    Shown,
}

impl Task {
    pub(crate) fn new(
        node: Node,
        roster: SharedRoster,
        known_peers: KnownPeers,
        channels: Channels,
    ) -> Self {
        let empty = Snapshot {
            me: Me::default(),
            peers: Vec::new(),
            notices: Vec::new(),
            network: network::judge(&Status::default(), &[], true),
            rendezvous: Rendezvous::default(),
            live: Live::default(),
        };
        let mut task = Self {
            status: node.status(),
            node,
            roster,
            channels,
            kept: HashSet::new(),
            lots: RandomState::new(),
            known: known_peers.known(),
            known_peers,
            snapshot: watch::Sender::new(Arc::new(empty)),
            clock: Clock::new(),
        };
        task.choose_favorites();
        task.show();
        task
    }

    pub(crate) fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// Runs until `stop` is canceled; the goodbye is handed to the node before this returns.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
        let mut rhythm = Rhythm::new(self.heartbeat());
        loop {
            let expiry = self.roster.lock().poll_timeout();
            let wake = tokio::select! {
                () = stop.cancelled() => break,
                () = rhythm.announce.due() => Wake::Announce,
                () = rhythm.show.due() => Wake::Show,
                () = at(expiry) => Wake::Expire,
                _ = rhythm.heartbeat.tick() => Wake::Heartbeat,
                _ = rhythm.remember.tick() => Wake::Remember,
                event = events.recv() => match event {
                    Some(event) => Wake::Node(event),
                    None => break,
                },
                Some(update) = self.channels.server_updates.recv() => Wake::Server(update),
                Ok(()) = self.status.changed() => Wake::Status,
                Ok(()) = self.channels.config.changed() => Wake::Config,
                Ok(()) = self.channels.avatar.changed() => Wake::Avatar,
                Ok(()) = self.known.changed() => Wake::Noted,
                Ok(()) = self.channels.notices.changed() => Wake::Shown,
                Ok(()) = self.channels.server_states.changed() => Wake::Shown,
                Ok(()) = self.channels.server_view.changed() => Wake::Shown,
                Ok(()) = self.channels.live.changed() => Wake::Shown,
            };
            self.handle(wake, &mut rhythm).await;
        }
        self.publish(Kind::Offline).await;
        self.remember().await;
    }

    async fn handle(&mut self, wake: Wake, rhythm: &mut Rhythm) {
        match wake {
            Wake::Announce => {
                let first = !rhythm.announce.ever();
                self.publish(if first { Kind::Online } else { Kind::Update })
                    .await;
                rhythm.announce.done();
            }
            Wake::Show => {
                self.show();
                rhythm.show.done();
            }
            Wake::Expire => rhythm.show_if(!self.roster.lock().poll(Instant::now()).is_empty()),
            Wake::Heartbeat | Wake::Node(Event::Subscribed(_)) => rhythm.announce.request(),
            Wake::Remember => self.remember().await,
            // The node has checked that the author of either is the peer it is about.
            Wake::Node(Event::Presence(presence)) => {
                rhythm.show_if(self.receive(presence, Source::Lan, true));
            }
            Wake::Node(Event::FarPresence(presence)) => {
                rhythm.show_if(self.receive(presence, DIRECT, true));
            }
            Wake::Node(Event::Connected(_) | Event::Disconnected(_)) => {}
            Wake::Server(update) => rhythm.show_if(self.receive_from_server(update)),
            Wake::Status => {
                if self.has_new_addresses() {
                    rhythm.announce.request();
                }
                rhythm.show.request();
            }
            Wake::Config => {
                rhythm.heartbeat.reset_after(self.heartbeat());
                rhythm.announce_and_show();
            }
            Wake::Avatar => rhythm.announce_and_show(),
            Wake::Noted => {
                self.choose_favorites();
                rhythm.show.request();
            }
            Wake::Shown => rhythm.show.request(),
        }
    }

    /// Whether the addresses to publish differ from those announced.
    fn has_new_addresses(&mut self) -> bool {
        let published = &self.status.borrow_and_update().published;
        let announced = self.channels.announced.borrow();
        announced
            .as_ref()
            .is_none_or(|announced| announced.addrs != *published)
    }

    /// Saves who was seen, and when.
    async fn remember(&self) {
        let seen = |(peer, record): (&PeerId, &Record)| {
            let last_seen = self.clock.unix_millis(record.last_seen);
            (*peer, known_peers::facts(record, last_seen))
        };
        let seen = self.roster.lock().records().map(seen).collect();
        if let Err(error) = self.known_peers.remember(known_peers::newest(seen)).await {
            tracing::warn!(%error, "peers seen were not saved");
        }
    }

    fn heartbeat(&self) -> Duration {
        Duration::from_secs(
            self.channels
                .config
                .borrow()
                .presence
                .heartbeat_seconds
                .into(),
        )
    }

    async fn publish(&mut self, kind: Kind) {
        let (peer, ts) = (self.node.peer_id(), unix_millis(SystemTime::now()));
        let presence = match kind {
            // As existing peers say goodbye on gossip (§3.2): nothing but the peer id.
            Kind::Offline => Presence::offline(peer, ts),
            Kind::Online | Kind::Update => {
                let (config, status) = (self.channels.config.borrow(), self.status.borrow());
                Presence {
                    kind,
                    peer,
                    label: config.profile.label.clone(),
                    email: config.profile.email.clone(),
                    avatar_hash: self.channels.avatar.borrow().clone(),
                    video_disabled: config.viewer.video_disabled,
                    addrs: status.published.clone(),
                    ts,
                }
            }
        };
        if kind != Kind::Offline {
            self.channels.announced.send_if_modified(|announced| {
                let is_news = announced
                    .as_ref()
                    .is_none_or(|before| !repeats(before, &presence));
                if is_news {
                    *announced = Some(presence.clone());
                }
                is_news
            });
        }
        self.node.publish(presence.encode()).await;
    }

    /// Whether there is something new to show.
    fn receive(&mut self, presence: Presence, source: Source, proved: bool) -> bool {
        if self.known_peers.is_blocked(&presence.peer) {
            return false;
        }
        if presence.kind != Kind::Offline {
            self.node.learn(presence.peer, presence.addrs.clone());
            if is_server(source) && self.kept.len() < MAX_KEPT && self.kept.insert(presence.peer) {
                self.node.keep_connected(self.kept.clone());
            }
        }
        let change = self
            .roster
            .lock()
            .handle(presence, source, proved, Instant::now());
        tracing::trace!(?change, "received");
        change.is_some()
    }

    /// Whether there is something new to show.
    fn receive_from_server(&mut self, update: Update) -> bool {
        let roster = self.roster.clone();
        match update {
            Update::Event(rendezvous::Event::Presence {
                source,
                presence,
                proved,
            }) => self.receive(presence, source, proved),
            Update::Event(rendezvous::Event::Current { source, seen }) => {
                !roster.lock().retain(source, &seen).is_empty()
            }
            Update::Event(rendezvous::Event::Lost { source, peer }) => {
                roster.lock().lose(source, &peer).is_some()
            }
            Update::Event(rendezvous::Event::Alive { source }) => {
                roster.lock().sustain(source, Instant::now());
                false
            }
            Update::Left(source) => !roster.lock().forget(source).is_empty(),
        }
    }

    /// Replaces the snapshot; readers wake up only when something they show is different.
    fn show(&mut self) {
        self.keep_connected();
        let next = Facts {
            id: self.node.peer_id(),
            config: &self.channels.config.borrow(),
            avatar: &self.channels.avatar.borrow(),
            status: &self.status.borrow(),
            notices: &self.channels.notices.borrow(),
            servers: &self.channels.server_states.borrow(),
            rendezvous: &self.channels.server_view.borrow(),
            live: &self.channels.live.borrow(),
            known: &self.known.borrow(),
            roster: &self.roster.lock(),
            clock: self.clock,
        }
        .compose();
        let next = Arc::new(next);
        self.snapshot.send_if_modified(|current| {
            let changed = !snapshot::same(current, &next);
            *current = next;
            changed
        });
    }

    /// Favorites are in the list whatever else is there.
    fn choose_favorites(&mut self) {
        let known = self.known.borrow_and_update();
        let favorites = known.iter().filter(|(_, known)| known.favourite);
        let favorites = favorites.map(|(peer, _)| *peer).collect();
        self.roster.lock().set_favorites(favorites);
    }

    /// Has the node stay connected to peers as long as a rendezvous server lists them: the
    /// connection stands before the first click.
    fn keep_connected(&mut self) {
        let roster = self.roster.lock();
        let candidate = |(peer, record): (&PeerId, &Record)| {
            let mut sources = record.sources.iter().copied();
            Some(Candidate {
                peer: *peer,
                source: sources.find(|source| is_server(*source))?,
                chosen: roster.is_chosen(peer),
                proved: record.proved,
                kept: self.kept.contains(peer),
                lot: self.lots.hash_one(peer),
            })
        };
        let kept = kept::choose(roster.records().filter_map(candidate), MAX_KEPT);
        if kept != self.kept {
            self.node.keep_connected(kept.clone());
            self.kept = kept;
        }
    }
}

fn is_server(source: Source) -> bool {
    !matches!(source, Source::Lan | DIRECT)
}

/// Whether an announcement says nothing that the one before did not.
fn repeats(before: &Presence, now: &Presence) -> bool {
    let Presence { kind, ts, .. } = *before;
    *before
        == Presence {
            kind,
            ts,
            ..now.clone()
        }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when.into()).await,
        None => pending().await,
    }
}
