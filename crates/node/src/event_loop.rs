//! The one task that owns the swarm. Commands, swarm events, announcements and time come in; dials, events and status go out.

mod reach;
mod shutdown;

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use futures::StreamExt;
use goop2_proto::{Multiaddr, PeerId, mdns::Tag, presence::Presence};
use libp2p::{
    Swarm,
    core::ConnectedPoint,
    gossipsub, identify,
    multiaddr::Protocol,
    ping,
    swarm::{ConnectionId, DialError, SwarmEvent},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Connection, Multicast, Status, Transport,
    addresses::{self, Book, Source},
    behaviour::{Behaviour, BehaviourEvent},
    dial::Dialler,
    gossip::Gate,
    interfaces::{self, Interfaces},
    listen::Port,
    mdns,
    stream::{Control, is_relayed},
};

use reach::{Waiting, explain};
pub(crate) use shutdown::SHUTDOWN;

/// How long to wait for the first address to be listened on; a machine may have none at all.
const FIRST_ADDRESS: Duration = Duration::from_millis(500);

/// Status changes within this are told together.
const COALESCE: Duration = Duration::from_millis(50);

/// What is asked of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    Connect { peer: PeerId, reply: Reply },
    Learn { peer: PeerId, addrs: Vec<Multiaddr> },
    Add { peer: PeerId, addr: Multiaddr },
    Publish(Vec<u8>),
    Shutdown,
}

type Reply = oneshot::Sender<Result<(), String>>;

/// What happened in the network.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A presence message, signed by the very peer it speaks of.
    Presence(Presence),
    /// A peer that we are connected to listens to presence now: announce again, it has missed what was before.
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
    connections: HashMap<ConnectionId, (PeerId, Connection)>,
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
            connections: HashMap::new(),
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

    /// Listens on the port. Only TCP over IPv4 is indispensable; what else the machine cannot do was seen when the port
    /// was chosen, and is said once.
    pub(crate) async fn listen(&mut self) -> io::Result<()> {
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
        for host in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
            for addr in self.port.addresses(host) {
                self.swarm.listen_on(addr).map_err(io::Error::other)?;
            }
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

    pub(crate) async fn run(mut self, tag: Option<Tag>, mut commands: mpsc::Receiver<Command>) {
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
        loop {
            let timer = self
                .tell_at
                .into_iter()
                .chain(self.dialler.poll_timeout())
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
                Ok(()) = interfaces.changed() => {
                    // Connections over an address that is gone break without a sound.
                    self.probe(|_| true);
                    self.status_changed();
                }
                Some(Ok((connection, answers))) = self.probes.join_next() => {
                    if !answers {
                        self.swarm.close_connection(connection);
                    }
                }
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
            Command::Publish(message) => {
                // Errors here mean that nobody listens, or not fast enough: the next announcement repeats it.
                if let Err(error) = self
                    .swarm
                    .behaviour_mut()
                    .gossip
                    .publish(self.topic.clone(), message)
                {
                    tracing::debug!(%error, "presence was not published");
                }
            }
            Command::Shutdown => {}
        }
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        self.dial_due(now);
        if self.tell_at.is_some_and(|at| at <= now) {
            self.tell_status();
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.on_ping(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                tracing::debug!(peer = %peer_id, agent = info.agent_version, "identified");
                self.learn(peer_id, info.listen_addrs);
            }
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
                self.connections.remove(&connection_id);
                self.status_changed();
                if num_established == 0 {
                    self.emit(Event::Disconnected(peer_id));
                    self.lost(peer_id);
                }
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => {
                tracing::debug!(%peer, %error, "dial failed");
                if let DialError::WrongPeerId { address, .. } = &error {
                    let address = without_peer(address.clone());
                    self.book.retain(peer, |addr, _| *addr != address);
                }
                self.dial_failed(peer, explain(&error));
            }
            SwarmEvent::NewListenAddr { .. } | SwarmEvent::ExpiredListenAddr { .. } => {
                self.status_changed()
            }
            SwarmEvent::ListenerClosed {
                addresses,
                reason: Err(error),
                ..
            } => {
                tracing::warn!(?addresses, %error, "stopped listening");
            }
            _ => {}
        }
    }

    fn on_connected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        first: bool,
    ) {
        let remote = without_peer(endpoint.get_remote_address().clone());
        tracing::debug!(%peer, %remote, dialled = endpoint.is_dialer(), "connected");
        if endpoint.is_dialer() {
            self.book
                .add(peer, remote.clone(), Source::Learned, Instant::now());
        }
        let elsewhere = addresses::ip(&remote);
        self.connections.insert(
            id,
            (
                peer,
                Connection {
                    relayed: endpoint.is_relayed(),
                    lan: self.is_lan(&remote),
                    transport: match remote.iter().nth(1) {
                        Some(Protocol::Udp(_)) => Transport::Quic,
                        _ => Transport::Tcp,
                    },
                    remote,
                    rtt: None,
                    since: Instant::now(),
                },
            ),
        );
        // It has moved, perhaps: the way to where it was may lead nowhere now.
        self.probe(|(to, connection)| {
            *to == peer && addresses::ip(&connection.remote) != elsewhere
        });
        self.dialler.forget(&peer);
        self.answer(&peer, &Ok(()));
        self.status_changed();
        if first {
            self.emit(Event::Connected(peer));
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => {
                let (verdict, presence) =
                    self.gate
                        .judge(propagation_source, &message, Instant::now());
                let gossip = &mut self.swarm.behaviour_mut().gossip;
                gossip.report_message_validation_result(&message_id, &propagation_source, verdict);
                if let Some(presence) = presence {
                    self.emit(Event::Presence(presence));
                }
            }
            gossipsub::Event::Subscribed { peer_id, topic } if topic == self.topic.hash() => {
                self.emit(Event::Subscribed(peer_id));
            }
            _ => {}
        }
    }

    fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(rtt) => {
                if let Some((_, connection)) = self.connections.get_mut(&event.connection) {
                    connection.rtt = Some(rtt);
                    self.status_changed();
                }
            }
            Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                tracing::debug!(peer = %event.peer, %error, "the connection is dead");
                self.swarm.close_connection(event.connection);
            }
        }
    }

    /// Asks connections whether they still answer; those that do not are closed.
    fn probe(&mut self, which: impl Fn(&(PeerId, Connection)) -> bool) {
        for (&id, (peer, _)) in self.connections.iter().filter(|(_, entry)| which(entry)) {
            let (control, peer) = (self.control.clone(), *peer);
            self.probes
                .spawn(async move { (id, control.answers(peer, id).await) });
        }
    }

    fn emit(&self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::debug!(?event, "the application is behind: an event was dropped");
        }
    }

    fn is_lan(&self, addr: &Multiaddr) -> bool {
        !is_relayed(addr)
            && addresses::ip(addr)
                .is_some_and(|ip| ip.is_loopback() || self.interfaces.borrow().is_local(ip))
    }

    fn status_changed(&mut self) {
        self.tell_at
            .get_or_insert_with(|| Instant::now() + COALESCE);
    }

    fn tell_status(&mut self) {
        self.tell_at = None;
        let mut status = Status {
            port: self.port.number,
            listen: self
                .interfaces
                .borrow()
                .reachable()
                .flat_map(|ip| self.port.addresses(ip))
                .collect(),
            multicast: self.multicast.clone(),
            ..Status::default()
        };
        for (peer, connection) in self.connections.values() {
            status
                .connections
                .entry(*peer)
                .or_default()
                .push(connection.clone());
        }
        for connections in status.connections.values_mut() {
            connections.sort_by_key(|c| c.since);
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
