//! Presence: tells the network that this peer is here, listens to who else is, and keeps the
//! [`Snapshot`] that skins show.
//!
//! One task owns the rhythm. It announces at once when someone joins the topic (an announcement
//! into an empty mesh is lost), when the own profile or addresses change, and every heartbeat; it
//! expires those who fell silent; and it says goodbye at the end.

pub(crate) mod roster;

use std::{
    collections::{BTreeMap, HashSet},
    future::pending,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use goop2_node::{Event, Multicast, Node, Reservation, Status};
use goop2_proto::{
    PeerId,
    presence::{Kind, Presence},
    roster::{Record, Source},
    time::unix_millis,
};
use goop2_rendezvous::client as rendezvous;
use goop2_store::{Config, Known};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        notice::Notice,
        rendezvous::{RelayState, Rendezvous},
        snapshot::{Group, Me, PeerCard, Snapshot},
    },
    connections::best_path,
    known_peers::{self, KnownPeers},
    network::{self, Joined},
    presence::roster::SharedRoster,
    servers::{BY_ITSELF, Update},
};

/// Announcements that several joins ask for within this time are one.
const ANNOUNCE_PAUSE: Duration = Duration::from_millis(100);
/// Snapshots are at least this far apart: more a second than anyone can see would only cost.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(100);

/// Peers elsewhere that the node connects to before somebody asks; it takes no more.
const MAX_MET: usize = 48;
/// How often those seen are written down: as much as a crash forgets.
const REMEMBER: Duration = Duration::from_secs(60);

pub(crate) struct Task {
    node: Node,
    roster: SharedRoster,
    status: watch::Receiver<Status>,
    config: watch::Receiver<Config>,
    notices: watch::Receiver<Vec<Notice>>,
    servers: watch::Receiver<Vec<Joined>>,
    rendezvous: watch::Receiver<Rendezvous>,
    /// Those elsewhere that the node was told to connect to.
    met: HashSet<PeerId>,
    /// Hash of the own picture.
    avatar: watch::Receiver<String>,
    known_peers: KnownPeers,
    known: watch::Receiver<Arc<BTreeMap<PeerId, Known>>>,
    /// What was announced last, for the rendezvous servers: they repeat it by themselves.
    said: watch::Sender<Option<Presence>>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    /// One reading of both clocks: the same instant always shows as the same time of day.
    clocks: (Instant, SystemTime),
}

impl Task {
    #[expect(clippy::too_many_arguments, reason = "one call, which names them")]
    pub(crate) fn new(
        node: Node,
        roster: SharedRoster,
        config: watch::Receiver<Config>,
        notices: watch::Receiver<Vec<Notice>>,
        servers: watch::Receiver<Vec<Joined>>,
        rendezvous: watch::Receiver<Rendezvous>,
        avatar: watch::Receiver<String>,
        known_peers: KnownPeers,
        said: watch::Sender<Option<Presence>>,
    ) -> Self {
        let status = node.status();
        let clocks = (Instant::now(), SystemTime::now());
        let empty = Snapshot {
            me: Me::default(),
            peers: Vec::new(),
            notices: Vec::new(),
            network: network::judge(&Status::default(), &[], true),
            rendezvous: Rendezvous::default(),
        };
        let (snapshot, _) = watch::channel(Arc::new(empty));
        let mut task = Self {
            node,
            roster,
            status,
            config,
            notices,
            servers,
            rendezvous,
            met: HashSet::new(),
            avatar,
            known: known_peers.known(),
            known_peers,
            said,
            snapshot,
            clocks,
        };
        task.show();
        task
    }

    pub(crate) fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// Runs until told to stop; then the goodbye is handed to the node before this returns.
    pub(crate) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut heard: mpsc::Receiver<Update>,
        stop: CancellationToken,
    ) {
        let mut heartbeat = interval(self.heartbeat());
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut remember = interval(REMEMBER);
        remember.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut announce, mut show) = (Pacer::new(ANNOUNCE_PAUSE), Pacer::new(SNAPSHOT_PAUSE));
        loop {
            let expiry = self.roster.lock().poll_timeout();
            tokio::select! {
                () = stop.cancelled() => break,
                () = announce.due() => {
                    self.publish(if announce.ever() { Kind::Update } else { Kind::Online }).await;
                    announce.done();
                }
                () = show.due() => {
                    self.show();
                    show.done();
                }
                () = at(expiry) => {
                    if !self.roster.lock().poll(Instant::now()).is_empty() {
                        show.ask();
                    }
                }
                _ = heartbeat.tick() => announce.ask(),
                _ = remember.tick() => self.remember().await,
                event = events.recv() => match event {
                    Some(Event::Presence(presence)) => {
                        // The node has seen that its author is the peer it speaks of.
                        if self.hear(presence, Source::Lan, true) {
                            show.ask();
                        }
                    }
                    Some(Event::FarPresence(presence)) => {
                        if self.hear(presence, BY_ITSELF, true) {
                            show.ask();
                        }
                    }
                    Some(Event::Subscribed(_)) => announce.ask(),
                    Some(Event::Connected(_) | Event::Disconnected(_)) => {}
                    None => break,
                },
                Some(heard) = heard.recv() => {
                    if self.hear_from_afar(heard) {
                        show.ask();
                    }
                }
                Ok(()) = self.status.changed() => {
                    let published = &self.status.borrow_and_update().published;
                    if self.said.borrow().as_ref().is_none_or(|said| said.addrs != *published) {
                        announce.ask();
                    }
                    show.ask();
                }
                Ok(()) = self.config.changed() => {
                    heartbeat.reset_after(self.heartbeat());
                    announce.ask();
                    show.ask();
                }
                Ok(()) = self.avatar.changed() => {
                    announce.ask();
                    show.ask();
                }
                Ok(()) = self.known.changed() => show.ask(),
                Ok(()) = self.notices.changed() => show.ask(),
                Ok(()) = self.servers.changed() => show.ask(),
                Ok(()) = self.rendezvous.changed() => show.ask(),
            }
        }
        self.publish(Kind::Offline).await;
        self.remember().await;
    }

    /// Writes down who was seen, and when.
    async fn remember(&self) {
        let seen = self
            .roster
            .lock()
            .records()
            .map(|(peer, record)| (*peer, self.seen(record)))
            .collect();
        if let Err(error) = self.known_peers.remember(known_peers::newest(seen)).await {
            tracing::warn!(%error, "those seen were not written down");
        }
    }

    fn seen(&self, record: &Record) -> Known {
        known_peers::facts(record, self.time_of_day(record.last_seen))
    }

    fn time_of_day(&self, at: Instant) -> i64 {
        unix_millis(self.clocks.1 + at.saturating_duration_since(self.clocks.0))
    }

    fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.config.borrow().presence.heartbeat_seconds.into())
    }

    async fn publish(&mut self, kind: Kind) {
        let (peer, ts) = (self.node.peer_id(), unix_millis(SystemTime::now()));
        let presence = match kind {
            // As existing peers say goodbye on gossip (§3.2): nothing but who.
            Kind::Offline => Presence::offline(peer, ts),
            Kind::Online | Kind::Update => {
                let (config, status) = (self.config.borrow(), self.status.borrow());
                Presence {
                    kind,
                    peer,
                    label: config.profile.label.clone(),
                    email: config.profile.email.clone(),
                    avatar_hash: self.avatar.borrow().clone(),
                    video_disabled: config.viewer.video_disabled,
                    addrs: status.published.clone(),
                    ts,
                }
            }
        };
        if kind != Kind::Offline {
            self.said.send_if_modified(|said| {
                let news = said.as_ref().is_none_or(|said| !repeats(said, &presence));
                if news {
                    *said = Some(presence.clone());
                }
                news
            });
        }
        self.node.publish(presence.encode()).await;
    }

    fn hear(&mut self, presence: Presence, source: Source, proved: bool) -> bool {
        if self.known_peers.is_blocked(&presence.peer) {
            return false;
        }
        if presence.kind != Kind::Offline {
            self.node.learn(presence.peer, presence.addrs.clone());
            let at_a_server = !matches!(source, Source::Lan | BY_ITSELF);
            if at_a_server && self.met.len() < MAX_MET && self.met.insert(presence.peer) {
                self.node.meet(presence.peer);
            }
        }
        let change = self
            .roster
            .lock()
            .handle(presence, source, proved, Instant::now());
        tracing::trace!(?change, "heard");
        change.is_some()
    }

    /// Whether there is something new to show.
    fn hear_from_afar(&mut self, update: Update) -> bool {
        let roster = self.roster.clone();
        match update {
            Update::Event(rendezvous::Event::Presence {
                source,
                presence,
                proved,
            }) => self.hear(presence, source, proved),
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

    /// Replaces the snapshot; readers are woken only when something they show is different.
    fn show(&mut self) {
        self.meet();
        let next = Arc::new(self.compose());
        self.snapshot.send_if_modified(|current| {
            let changed = !same(current, &next);
            *current = next;
            changed
        });
    }

    /// Has the node connect to peers elsewhere as long as they are seen: the way stands before the
    /// first click.
    fn meet(&mut self) {
        let roster = self.roster.lock();
        let at_a_server = |record: &Record| {
            let mut sources = record.sources.iter();
            sources.any(|source| !matches!(*source, Source::Lan | BY_ITSELF))
        };
        self.met.retain(|peer| {
            let seen = roster.get(peer).is_some_and(at_a_server);
            if !seen {
                self.node.part(*peer);
            }
            seen
        });
        for (peer, record) in roster.records() {
            if self.met.len() >= MAX_MET {
                break;
            }
            if at_a_server(record) && self.met.insert(*peer) {
                self.node.meet(*peer);
            }
        }
    }

    /// Who is shown: those heard of in this run, and those remembered from earlier ones.
    fn peers<'a>(
        &self,
        status: &Status,
        labels: impl Fn(&PeerId) -> Option<&'a str> + Copy,
    ) -> Vec<PeerCard> {
        let (known, roster, nothing) = (self.known.borrow(), self.roster.lock(), Known::default());
        let is_blocked = |peer: &PeerId| known.get(peer).is_some_and(|known| known.blocked);
        let online = roster.records().filter(|(peer, _)| !is_blocked(peer));
        let now = online.map(|(peer, record)| {
            let connections = status.connections.get(peer);
            let noted = known.get(peer).unwrap_or(&nothing);
            PeerCard {
                group: group(record),
                path: connections.and_then(|connections| best_path(connections, labels)),
                ..card(peer, &self.seen(record), noted)
            }
        });
        let earlier = known
            .iter()
            .filter(|(peer, known)| !known.blocked && roster.get(peer).is_none())
            .map(|(peer, known)| card(peer, known, known));
        let mut peers: Vec<_> = now.chain(earlier).collect();
        peers.sort_by_cached_key(|card| (card.group, shown(card).to_lowercase(), card.id.clone()));
        peers
    }

    fn compose(&self) -> Snapshot {
        let (config, status) = (self.config.borrow(), self.status.borrow());
        let servers = self.servers.borrow();
        let relays: BTreeMap<_, _> = status
            .reach
            .relays
            .iter()
            .map(|relay| (relay.peer, relay.label.as_str()))
            .collect();
        let labels = |relay: &PeerId| relays.get(relay).copied();
        let me = Me {
            id: self.node.peer_id().to_base58(),
            label: config.profile.label.clone(),
            email: config.profile.email.clone(),
            avatar_hash: self.avatar.borrow().clone(),
            listen: status.listen.iter().map(ToString::to_string).collect(),
        };
        let peers = self.peers(&status, labels);
        let notices = self
            .notices
            .borrow()
            .iter()
            .cloned()
            .chain(multicast_notice(&status))
            .collect();
        let network = network::judge(&status, &servers, config.p2p.port_mapping);
        Snapshot {
            me,
            peers,
            notices,
            network,
            rendezvous: self.rendezvous(&status),
        }
    }

    /// As the servers tell it, and with what the node knows of their relays.
    fn rendezvous(&self, status: &Status) -> Rendezvous {
        let mut rendezvous = self.rendezvous.borrow().clone();
        for joined in &mut rendezvous.joined {
            let ready = status.reach.relays.iter().any(|relay| {
                Some(relay.peer) == joined.relay_peer && matches!(relay.state, Reservation::Held(_))
            });
            if ready {
                joined.relay = RelayState::Ready;
            }
        }
        rendezvous
    }
}

/// What the owner reads of a peer.
fn shown(card: &PeerCard) -> &str {
    if card.name.is_empty() {
        &card.label
    } else {
        &card.name
    }
}

fn card(peer: &PeerId, seen: &Known, noted: &Known) -> PeerCard {
    PeerCard {
        id: peer.to_base58(),
        label: seen.label.clone(),
        name: noted.name.clone(),
        favourite: noted.favourite,
        email: seen.email.clone(),
        avatar_hash: seen.avatar_hash.clone(),
        group: Group::Earlier,
        verified: seen.verified,
        last_seen: seen.last_seen,
        path: None,
    }
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

/// Whether two snapshots show the same: a heartbeat alone, of someone who is online anyway, is
/// nothing to show.
fn same(a: &Snapshot, b: &Snapshot) -> bool {
    let steady = |card: &PeerCard| PeerCard {
        last_seen: if card.group == Group::Earlier {
            card.last_seen
        } else {
            0
        },
        ..card.clone()
    };
    a.me == b.me
        && a.notices == b.notices
        && a.network == b.network
        && a.rendezvous == b.rendezvous
        && a.peers.iter().map(steady).eq(b.peers.iter().map(steady))
}

fn multicast_notice(status: &Status) -> Option<Notice> {
    let Multicast::Off(why) = &status.multicast else {
        return None;
    };
    let message = format!(
        "Peers on this network cannot be found by themselves: {why}. You can still visit a peer by its address."
    );
    Some(Notice {
        code: "no-multicast".into(),
        message,
    })
}

fn group(record: &Record) -> Group {
    match record.sources.first() {
        Some(Source::Lan) => Group::Nearby,
        Some(Source::Wan(_)) => Group::Elsewhere,
        None => Group::Earlier,
    }
}

/// Grants what is asked for at once, and again only after a pause: nothing asked for is lost, a
/// burst is one.
struct Pacer {
    pause: Duration,
    last: Option<Instant>,
    asked: bool,
}

impl Pacer {
    fn new(pause: Duration) -> Self {
        Self {
            pause,
            last: None,
            asked: false,
        }
    }

    fn ask(&mut self) {
        self.asked = true;
    }

    fn done(&mut self) {
        self.last = Some(Instant::now());
        self.asked = false;
    }

    /// Whether anything was granted yet.
    fn ever(&self) -> bool {
        self.last.is_some()
    }

    async fn due(&self) {
        match (self.asked, self.last) {
            (false, _) => pending().await,
            (true, None) => {}
            (true, Some(last)) => sleep_until((last + self.pause).into()).await,
        }
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when.into()).await,
        None => pending().await,
    }
}
