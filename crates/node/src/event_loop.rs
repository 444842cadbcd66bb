//! The one task that owns the swarm. Commands, swarm events, announcements and time come in; dials,
//! events and status go out.

mod agenda;
mod connections;
mod outside;
mod punching;
mod reach;
mod shutdown;
mod testing;
mod upgrade;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io,
    net::{Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant, SystemTime},
};

use futures::StreamExt;
use goop2_proto::{Multiaddr, PeerId, bucket::Bucket, mdns::Tag, presence::Presence};
use libp2p::{
    Swarm,
    gossipsub::{self, MessageAcceptance},
    identify,
    multiaddr::Protocol,
    swarm::{ConnectionId, DialError, SwarmEvent},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    behaviour::{Behaviour, BehaviourEvent},
    gossip::Gate,
    mdns,
    net::{
        addresses::Book,
        interfaces::{self, Interfaces},
    },
    outside::{
        mapping::{self, Wish},
        observed::Observations,
        relays::{RelayOffer, Relays},
    },
    reach::{dialer::Dialler, history::History},
    status::{Mapping, Multicast, PeerReach, Status},
    stream::{Control, InboundStream},
    transport::port::Port,
};

use agenda::{Agenda, Chore};
use connections::{Known, is_near};
use outside::RelayDial;
use punching::{Punched, Punching};
use reach::{Attempt, Waiting, explain};
pub(crate) use shutdown::SHUTDOWN;

/// How long to wait for the first address to be listened on; a machine may have none at all.
const FIRST_ADDRESS: Duration = Duration::from_millis(500);

/// Status changes within this are told together.
const COALESCE: Duration = Duration::from_millis(50);

/// What is asked of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    Connect {
        peer: PeerId,
        reply: Reply,
    },
    Learn {
        peer: PeerId,
        addrs: Vec<Multiaddr>,
    },
    Add {
        peer: PeerId,
        addr: Multiaddr,
    },
    /// Stay connected to these, and to no others that were named this way before.
    KeepConnected(HashSet<PeerId>),
    /// A request to it got no answer on the connection it took.
    Doubt(PeerId),
    Relays(Vec<RelayOffer>),
    MapPorts(bool),
    TestAgain,
    History {
        peer: PeerId,
        reply: oneshot::Sender<PeerReach>,
    },
    Publish(Vec<u8>),
    Block {
        peer: PeerId,
        blocked: bool,
    },
    Shutdown,
}

type Reply = oneshot::Sender<Result<(), String>>;

/// What happened in the network.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A presence message, signed by the very peer it speaks of, heard on the local network.
    Presence(Presence),
    /// The same, from a peer that is connected to us but not near.
    FarPresence(Presence),
    /// A peer that we are connected to listens to presence now: announce again, it has missed what
    /// was before.
    Subscribed(PeerId),
    /// The first connection to a peer was made.
    Connected(PeerId),
    /// The last connection to a peer ended.
    Disconnected(PeerId),
}

pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    topic: gossipsub::IdentTopic,
    control: Control,
    port: Port,
    events: mpsc::Sender<Event>,
    gate: Gate,
    book: Book,
    dialler: Dialler,
    /// Who waits for a connection to whom.
    waiting: HashMap<PeerId, Waiting>,
    /// Whom we are dialling, and in which ways.
    attempts: HashMap<PeerId, Attempt>,
    /// Peers on other networks to stay connected to.
    kept: HashSet<PeerId>,
    /// Those of them, and of those kept before, that are connected: what they gossip does not make
    /// them neighbours.
    from_elsewhere: HashSet<PeerId>,
    connections: HashMap<ConnectionId, Known>,
    /// Which connection to a peer new streams take.
    chosen: HashMap<PeerId, ConnectionId>,
    agenda: Agenda,
    /// How often it was tried to get off the relay to a peer.
    tries: HashMap<PeerId, usize>,
    punching: Punching,
    punches: JoinSet<Punched>,
    /// How often others may ask for it.
    punch_rate: Bucket,
    /// Both clocks at one moment: one of them stands still while the machine sleeps.
    woken: Option<(Instant, SystemTime)>,
    history: History,
    relays: Relays,
    /// Our dials of relays.
    relay_dials: HashMap<ConnectionId, RelayDial>,
    /// A relay answers over TCP, and not over QUIC.
    udp_blocked: bool,
    observations: Observations,
    /// Addresses of ours that another machine was asked to call, and whether it got through; at
    /// most [`testing::MAX_TESTED`].
    tested: BTreeMap<Multiaddr, bool>,
    /// Those of which that is to be known before the test under way is over.
    under_test: BTreeSet<Multiaddr>,
    /// In this network; from then on the user asks for it.
    was_tested: bool,
    mapping: Mapping,
    map_ports: watch::Sender<Wish>,
    /// Connections being asked whether they still answer.
    probes: JoinSet<(ConnectionId, bool)>,
    interfaces: watch::Sender<Interfaces>,
    multicast: Multicast,
    status: watch::Sender<Status>,
    /// When the status, which has changed, is told.
    tell_at: Option<Instant>,
}

impl EventLoop {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        topic: gossipsub::IdentTopic,
        control: Control,
        port: Port,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let interfaces = Interfaces::read().unwrap_or_default();
        Self {
            swarm,
            topic,
            control,
            port,
            events,
            gate: Gate::default(),
            book: Book::default(),
            dialler: Dialler::new(Instant::now()),
            waiting: HashMap::new(),
            attempts: HashMap::new(),
            kept: HashSet::new(),
            from_elsewhere: HashSet::new(),
            connections: HashMap::new(),
            chosen: HashMap::new(),
            agenda: Agenda::default(),
            tries: HashMap::new(),
            punching: Punching::default(),
            punches: JoinSet::new(),
            punch_rate: Self::punch_rate(Instant::now()),
            woken: None,
            history: History::default(),
            relays: Relays::default(),
            relay_dials: HashMap::new(),
            udp_blocked: false,
            observations: Observations::default(),
            tested: BTreeMap::new(),
            under_test: BTreeSet::new(),
            was_tested: false,
            mapping: Mapping::default(),
            map_ports: watch::Sender::default(),
            probes: JoinSet::new(),
            interfaces: watch::Sender::new(interfaces),
            multicast: Multicast::default(),
            status: watch::Sender::new(Status::default()),
            tell_at: None,
        }
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Listens on the port. Only TCP over IPv4 is indispensable; what else the machine cannot do
    /// was seen when the port was chosen, or is now: QUIC asks more of a socket than a bind shows,
    /// which Windows has not always had. It is said once.
    pub(crate) async fn listen(&mut self) -> io::Result<()> {
        for host in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
            for addr in self.port.addresses(host) {
                let is_quic = addr.iter().any(|part| part == Protocol::QuicV1);
                match self.swarm.listen_on(addr) {
                    Ok(_) => {}
                    Err(_) if is_quic => self.port.quic = false,
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
        }
        let mut missing = Vec::new();
        missing.extend((!self.port.ip6).then_some("IPv6"));
        missing.extend((!self.port.quic).then_some("QUIC"));
        if !missing.is_empty() {
            let missing = missing.join(" and ");
            tracing::info!(
                port = self.port.number,
                "listening without {missing}: not available here"
            );
        }
        let first = async {
            while self.swarm.listeners().next().is_none() {
                let event = self.swarm.select_next_some().await;
                self.on_swarm_event(event);
            }
        };
        let _ = tokio::time::timeout(FIRST_ADDRESS, first).await;
        self.tell_status();
        Ok(())
    }

    pub(crate) async fn run(
        mut self,
        tag: Option<Tag>,
        mut commands: mpsc::Receiver<Command>,
        mut punch_asked: mpsc::Receiver<InboundStream>,
    ) {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut interfaces = self.interfaces.subscribe();
        tasks.spawn(interfaces::follow(self.interfaces.clone(), stop.clone()));
        let (found_tx, mut found) = mpsc::channel(mdns::FOUND);
        let (multicast_tx, mut multicast) = watch::channel(Multicast::default());
        match tag {
            Some(tag) => {
                let own = *self.swarm.local_peer_id();
                let discovery = mdns::Discovery {
                    tag,
                    own,
                    port: self.port,
                    found: found_tx,
                    state: multicast_tx,
                };
                tasks.spawn(discovery.run(self.interfaces.subscribe(), stop.clone()));
            }
            None => drop(multicast_tx.send(Multicast::Off("it is switched off".into()))),
        }
        let (mapping_tx, mut mapping) = watch::channel(Mapping::default());
        let wish = self.map_ports.subscribe();
        tasks.spawn(mapping::follow(self.port, wish, mapping_tx, stop.clone()));
        self.agenda.put(Chore::Wake, Instant::now());
        loop {
            let timer = self
                .tell_at
                .into_iter()
                .chain(self.dialler.poll_timeout())
                .chain(self.relays.poll_timeout())
                .chain(self.agenda.next())
                .min();
            let due = async {
                match timer {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = commands.recv() => match command {
                    Some(Command::Shutdown) | None => break,
                    Some(command) => self.on_command(command),
                },
                Some(found) = found.recv() => self.on_found(found),
                Ok(()) = multicast.changed() => {
                    self.multicast = multicast.borrow_and_update().clone();
                    self.status_changed();
                }
                Ok(()) = mapping.changed() => {
                    let mapping = mapping.borrow_and_update().clone();
                    self.on_mapping(mapping);
                }
                Ok(()) = interfaces.changed() => {
                    interfaces.mark_unchanged();
                    self.on_interfaces();
                }
                Some(Ok((connection, answers))) = self.probes.join_next() => {
                    if !answers {
                        self.swarm.close_connection(connection);
                    }
                }
                Some(inbound) = punch_asked.recv() => self.on_punch_asked(inbound),
                Some(Ok(punched)) = self.punches.join_next() => self.on_punched(punched),
                Some(ended) = tasks.join_next() => report(ended),
                () = due => self.on_timer(),
            }
        }
        // From here on, handles get errors.
        drop(commands);
        self.shutdown(stop, tasks).await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Connect { peer, reply } => self.connect(peer, reply),
            Command::Learn { peer, addrs } => self.learn(peer, addrs),
            Command::Add { peer, addr } => self.add(peer, addr),
            Command::KeepConnected(peers) => self.keep_connected(peers),
            Command::Doubt(peer) => self.doubt(peer),
            Command::Relays(offers) => {
                let actions = self.relays.offer(offers, Instant::now());
                self.act(actions);
                self.status_changed();
            }
            Command::MapPorts(on) => {
                self.map_ports
                    .send_if_modified(|wish| std::mem::replace(&mut wish.on, on) != on);
            }
            Command::TestAgain => self.test_again(),
            Command::History { peer, reply } => drop(reply.send(self.reach(&peer))),
            Command::Publish(message) => {
                // Errors here mean that nobody listens, or not fast enough: the next announcement
                // repeats it.
                if let Err(error) = self
                    .swarm
                    .behaviour_mut()
                    .gossip
                    .publish(self.topic.clone(), message)
                {
                    tracing::debug!(%error, "presence was not published");
                }
            }
            Command::Block { peer, blocked } => {
                let list = &mut self.swarm.behaviour_mut().blocked;
                let _as_it_was = if blocked {
                    list.block_peer(peer)
                } else {
                    list.unblock_peer(peer)
                };
            }
            Command::Shutdown => {}
        }
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        self.dial_due(now);
        while let Some(action) = self.relays.poll(rand::random(), now) {
            self.act([action]);
            self.status_changed();
        }
        while let Some(chore) = self.agenda.due(now) {
            self.on_chore(chore, now);
        }
        if self.tell_at.is_some_and(|at| at <= now) {
            self.tell_status();
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.on_ping(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                connection_id,
                peer_id,
                info,
            })) => {
                tracing::debug!(peer = %peer_id, agent = info.agent_version, "identified");
                self.learn(peer_id, info.listen_addrs);
                self.on_identified(peer_id, connection_id, info.observed_addr);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => self.on_relay(event),
            SwarmEvent::Behaviour(BehaviourEvent::Punching(event)) => self.on_punching(event),
            SwarmEvent::Behaviour(BehaviourEvent::Test(event)) => self.on_tested(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                self.on_connected(
                    peer_id,
                    connection_id,
                    &endpoint,
                    num_established.get() == 1,
                );
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                num_established,
                cause,
                ..
            } => {
                tracing::debug!(peer = %peer_id, ?cause, left = num_established, "connection closed");
                self.on_closed(peer_id, connection_id, num_established == 0);
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                connection_id,
                error,
            } => {
                tracing::debug!(%peer, %error, "dial failed");
                if let DialError::WrongPeerId { address, .. } = &error {
                    let address = without_peer(address.clone());
                    self.book.retain(peer, |addr, _| *addr != address);
                }
                self.dial_ended(peer, connection_id, &error);
            }
            SwarmEvent::NewListenAddr { .. } | SwarmEvent::ExpiredListenAddr { .. } => {
                self.status_changed()
            }
            SwarmEvent::ListenerClosed {
                listener_id,
                addresses,
                reason,
            } => self.on_listener_closed(listener_id, &addresses, reason),
            _ => {}
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => {
                let (mut verdict, presence) =
                    self.gate
                        .judge(propagation_source, &message, Instant::now());
                // What comes from afar is not passed on: it would make peers elsewhere look like
                // neighbours.
                let heard = self.is_heard(&propagation_source);
                let near = heard
                    && self
                        .connections
                        .values()
                        .any(|known| known.peer == propagation_source && known.shown.lan);
                if !near && matches!(verdict, MessageAcceptance::Accept) {
                    verdict = MessageAcceptance::Ignore;
                }
                let gossip = &mut self.swarm.behaviour_mut().gossip;
                gossip.report_message_validation_result(&message_id, &propagation_source, verdict);
                match presence {
                    Some(presence) if near => self.emit(Event::Presence(presence)),
                    Some(presence) if heard && presence.peer == propagation_source => {
                        self.emit(Event::FarPresence(presence));
                    }
                    _ => {}
                }
            }
            gossipsub::Event::Subscribed { peer_id, topic } if topic == self.topic.hash() => {
                self.emit(Event::Subscribed(peer_id));
            }
            _ => {}
        }
    }

    fn emit(&self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::debug!(?event, "the application is behind: an event was dropped");
        }
    }

    fn is_lan(&self, addr: &Multiaddr) -> bool {
        is_near(addr, &self.interfaces.borrow())
    }

    fn status_changed(&mut self) {
        self.tell_at
            .get_or_insert_with(|| Instant::now() + COALESCE);
    }

    fn tell_status(&mut self) {
        self.tell_at = None;
        let listen = self.listening();
        let mut status = Status {
            port: self.port.number,
            published: self.published(&listen),
            listen,
            multicast: self.multicast.clone(),
            reach: self.own_reach(),
            ..Status::default()
        };
        let mut known: Vec<_> = self.connections.iter().collect();
        known.sort_by_key(|(id, known)| {
            let chosen = self.chosen.get(&known.peer) == Some(id);
            (chosen, known.shown.since)
        });
        for (_, known) in known {
            let connections = status.connections.entry(known.peer).or_default();
            connections.push(known.shown.clone());
        }
        self.status.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
    }
}

fn without_peer(mut addr: Multiaddr) -> Multiaddr {
    if let Some(Protocol::P2p(_)) = addr.iter().last() {
        addr.pop();
    }
    addr
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a part of the node has failed; it goes on without it");
    }
}
