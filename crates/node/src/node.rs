//! The handle: what the rest of the program may ask of the node.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use goop2_proto::{Multiaddr, PeerId, mdns::Tag};
use libp2p::{gossipsub::IdentTopic, identity::Keypair, swarm::ConnectionId};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    behaviour,
    command::{Command, Event},
    event_loop::{self, EventLoop},
    net::addresses::{Invalid, parse_typed},
    outside::relays::RelayOffer,
    reach::attempt::Purpose,
    status::{Connection, PeerReach, Status},
    stream::{
        behaviour::Behaviour,
        control::{Control, Failure, INBOUND_CHANNEL},
        open::{InboundStream, Stream},
    },
    transport::port as listen,
};

/// Commands queued for the event loop; a caller waits when it is behind.
const COMMANDS: usize = 256;

/// Events queued for the application: a whole LAN announcing itself at once.
const EVENTS: usize = 1024;

/// Requests of other peers to be dialed at many ports: few are granted, and those one by one.
const PUNCHES: usize = 4;

/// How long [`Node::open`] tries, dial and retries included. A HEAD peer that reconnects within
/// seconds may need 5 s (§12.5); to wait less, drop the future.
const OPEN: Duration = Duration::from_secs(15);

/// The pause before another attempt at a stream.
const RETRY: Duration = Duration::from_millis(250);

/// How the node is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The identity; its peer id is how others name this node.
    pub keypair: Keypair,
    /// TCP and UDP port; 0 takes a free one at each start.
    pub listen_port: u16,
    /// The tag under which peers on the local network find each other; `None` switches discovery
    /// off.
    pub mdns_tag: Option<Tag>,
    /// The gossip topic of presence.
    pub topic: String,
    /// The protocols other peers may open streams for, fixed for the life of the node.
    pub protocols: Vec<&'static str>,
}

/// Why the node could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program has the port.
    #[error(
        "port {0} is taken by another program: stop it, or set p2p.listen_port in goop.json to another number (0 takes any free one)"
    )]
    PortTaken(u16),
    /// The system does not let us listen.
    #[error("cannot listen on port {port}: {error}")]
    Listen {
        /// The port, 0 for any.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// The network stack could not be built.
    #[error("the network could not be set up: {0}")]
    Setup(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a stream could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No connection to the peer could be made, and why.
    #[error("the peer cannot be reached: {0}")]
    NotReachable(String),
    /// The peer is there, but does not speak the protocol.
    #[error("the peer does not speak this protocol")]
    Unsupported,
    /// The peer is connected, but did not answer in time.
    #[error("the peer did not answer in time")]
    TimedOut,
}

/// Starts a node; returns once it listens.
///
/// The streams and events must be taken: a stream waits for room in the channel, an event that
/// finds none is dropped ([`Status`] holds what matters, presence repeats itself).
pub async fn spawn(
    config: Config,
) -> Result<(Node, mpsc::Receiver<InboundStream>, mpsc::Receiver<Event>), Error> {
    let port = listen::choose(config.listen_port).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::PortTaken(config.listen_port),
        _ => Error::Listen {
            port: config.listen_port,
            error,
        },
    })?;
    let peer_id = config.keypair.public().to_peer_id();
    let control = Control::default();
    let (inbound_tx, inbound) = mpsc::channel(INBOUND_CHANNEL);
    let (events_tx, events) = mpsc::channel(EVENTS);
    let (commands, commands_rx) = mpsc::channel(COMMANDS);
    let topic = IdentTopic::new(config.topic);
    let (punch_tx, punch_asked) = mpsc::channel(PUNCHES);
    let streams = Behaviour::new(control.clone(), config.protocols, inbound_tx, punch_tx);
    let swarm = behaviour::swarm(&config.keypair, &topic, streams).map_err(Error::Setup)?;

    let mut event_loop = EventLoop::new(swarm, topic, control.clone(), port, events_tx);
    event_loop.listen().await.map_err(|error| Error::Listen {
        port: port.number,
        error,
    })?;
    let status = event_loop.status();
    let task = tokio::spawn(event_loop.run(config.mdns_tag, commands_rx, punch_asked));

    let task = Arc::new(Mutex::new(Some(AbortOnDropHandle::new(task))));
    Ok((
        Node {
            peer_id,
            commands,
            control,
            status,
            task,
        },
        inbound,
        events,
    ))
}

/// A node without a network: it listens on nothing and dials nobody, and whatever is asked of it
/// fails. For a peer that is offline and works for its owner alone.
pub fn offline(peer_id: PeerId) -> (Node, mpsc::Receiver<InboundStream>, mpsc::Receiver<Event>) {
    let (streams, inbound) = mpsc::channel(1);
    let (events_tx, events) = mpsc::channel(1);
    let (status_tx, status) = watch::channel(Status::default());
    let (commands, mut asked) = mpsc::channel(COMMANDS);
    let task = tokio::spawn(async move {
        // Closed channels would say that the node has failed.
        let _open = (streams, events_tx, status_tx);
        loop {
            match asked.recv().await {
                Some(Command::Shutdown) | None => return,
                Some(Command::Connect { reply, .. }) => {
                    let _nobody_waits = reply.send(Err("this peer is offline".into()));
                }
                // What waits for an answer sees that there is none.
                Some(_) => {}
            }
        }
    });
    let node = Node {
        peer_id,
        commands,
        control: Control::default(),
        status,
        task: Arc::new(Mutex::new(Some(AbortOnDropHandle::new(task)))),
    };
    (node, inbound, events)
}

/// A running node. Clones are the same node; when the last is dropped without [`Node::shutdown`],
/// it stops at once and no peer is notified.
#[derive(Clone)]
pub struct Node {
    peer_id: PeerId,
    commands: mpsc::Sender<Command>,
    control: Control,
    status: watch::Receiver<Status>,
    task: Arc<Mutex<Option<AbortOnDropHandle<()>>>>,
}

impl Node {
    /// Who this node is.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Its state, as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Opens a stream, connecting first if need be. A connection that does not answer is tried
    /// again, and another one if there is one. At most
    /// [`MAX_OPEN_PER_PEER`](crate::stream::MAX_OPEN_PER_PEER) are open to a peer; further calls
    /// wait.
    pub async fn open(&self, peer: PeerId, protocol: &'static str) -> Result<Stream, OpenError> {
        let (stream, _) = self.open_any(peer, &[protocol]).await?;
        Ok(stream)
    }

    /// The same for what no user asked for. A peer that is not connected is not dialed at private
    /// addresses outside the networks this host is in, and not by name: strangers could have them
    /// dialed.
    pub async fn open_unasked(
        &self,
        peer: PeerId,
        protocol: &'static str,
    ) -> Result<Stream, OpenError> {
        let (stream, _) = self
            .open_for(Purpose::Background, peer, &[protocol])
            .await?;
        Ok(stream)
    }

    /// The same with the first of these protocols that the peer speaks, and which it is. It costs no
    /// round trip more once the peer has named its protocols (libp2p/specs, `identify`).
    pub async fn open_any(
        &self,
        peer: PeerId,
        protocols: &[&'static str],
    ) -> Result<(Stream, &'static str), OpenError> {
        self.open_for(Purpose::Visit, peer, protocols).await
    }

    async fn open_for(
        &self,
        purpose: Purpose,
        peer: PeerId,
        protocols: &[&'static str],
    ) -> Result<(Stream, &'static str), OpenError> {
        if peer == self.peer_id {
            return Err(OpenError::NotReachable("it is this peer".into()));
        }
        let deadline = Instant::now() + OPEN;
        if purpose == Purpose::Visit && self.is_only_relayed(&peer) {
            let _busy = self.commands.try_send(Command::Visit(peer));
        }
        let attempts = async {
            for attempt in 0.. {
                let opened = async {
                    let share = self.control.share(peer).await?;
                    self.control.open(peer, protocols, share, attempt).await
                };
                match opened.await {
                    Ok(stream) => return Ok(stream),
                    Err(Failure::Unsupported) => return Err(OpenError::Unsupported),
                    Err(Failure::NotConnected) => {
                        if attempt > 0 {
                            tokio::time::sleep(RETRY).await;
                        }
                        self.connect_for(purpose, peer).await?;
                    }
                    Err(failure @ (Failure::TimedOut | Failure::Broken(_))) => {
                        tracing::debug!(%peer, ?protocols, %failure, "trying the stream again");
                        self.check_connections(peer);
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
            Err(OpenError::TimedOut)
        };
        timeout_at(deadline, attempts)
            .await
            .unwrap_or(Err(OpenError::TimedOut))
    }

    /// The connection that the next stream to the peer takes: a stream kept open on another one is
    /// better given up.
    pub fn carrier(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.control.best(peer)
    }

    /// Changes whenever the [`carrier`](Self::carrier) of a peer may be another.
    pub fn carriers(&self) -> watch::Receiver<()> {
        self.control.changes()
    }

    /// Connects to a peer whose address is known; at once when it is connected.
    pub async fn connect(&self, peer: PeerId) -> Result<(), OpenError> {
        self.connect_for(Purpose::Visit, peer).await
    }

    async fn connect_for(&self, purpose: Purpose, peer: PeerId) -> Result<(), OpenError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Connect {
            peer,
            purpose,
            reply,
        };
        let _ = self.commands.send(command).await;
        let answer = answer
            .await
            .unwrap_or_else(|_| Err("this peer is shutting down".into()));
        answer.map_err(OpenError::NotReachable)
    }

    fn is_only_relayed(&self, peer: &PeerId) -> bool {
        let status = self.status.borrow();
        let connections = status.connections.get(peer);
        connections.is_some_and(|all| all.iter().all(Connection::relayed))
    }

    /// Addresses a peer gave for itself. A hint: nothing is dialed, and it is dropped when the
    /// node is busy.
    pub fn learn(&self, peer: PeerId, addrs: Vec<Multiaddr>) {
        let _ = self.commands.try_send(Command::Learn { peer, addrs });
    }

    /// The peers on other networks to be connected to before a stream is opened, and again when the
    /// connection is lost: all of them, in place of those given before. A peer that is no longer
    /// among them is no longer dialed, and its connection closes once it is idle. The caller
    /// bounds the set. A hint: it is dropped when the node is busy.
    pub fn keep_connected(&self, peers: HashSet<PeerId>) {
        let _ = self.commands.try_send(Command::KeepConnected(peers));
    }

    /// A request to this peer is not answered: the connection that carries it may be dead. It is
    /// tested, and closed if it is; at the same time another connection is tried. A hint, dropped
    /// when the node is busy.
    pub fn check_connections(&self, peer: PeerId) {
        let _ = self.commands.try_send(Command::CheckConnections(peer));
    }

    /// All relays on offer. Reservations are made at some, as long as this peer is not reachable
    /// without.
    pub async fn set_relays(&self, offers: Vec<RelayOffer>) {
        let _ = self.commands.send(Command::Relays(offers)).await;
    }

    /// Whether to ask the router for ports; given back when it is switched off, and at the end. Off
    /// at the start.
    pub async fn set_port_mapping(&self, on: bool) {
        let _ = self.commands.send(Command::MapPorts(on)).await;
    }

    /// Tests again how this peer is reached: dials from outside, the router's ports, reservations
    /// at relays.
    pub async fn test_again(&self) {
        let _ = self.commands.send(Command::TestAgain).await;
    }

    /// How a peer is reached, and what was tried; nothing once the node has shut down.
    pub async fn history(&self, peer: PeerId) -> PeerReach {
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(Command::History { peer, reply }).await;
        answer.await.unwrap_or_default()
    }

    /// Takes an address typed by hand, `/…/p2p/<peer id>`, and keeps dialing it until the peer is
    /// connected, again whenever it is lost, for as long as the node runs.
    pub async fn add_address(&self, addr: Multiaddr) -> Result<PeerId, Invalid> {
        let (peer, addr) = parse_typed(addr, &self.peer_id)?;
        self.commands
            .send(Command::Add { peer, addr })
            .await
            .map_err(|_| Invalid::Closed)?;
        Ok(peer)
    }

    /// Refuses every connection with this peer, in both directions; or allows them again.
    pub async fn block(&self, peer: PeerId, blocked: bool) {
        let _ = self.commands.send(Command::Block { peer, blocked }).await;
    }

    /// Publishes to the presence topic. That nobody listens yet is not an error:
    /// [`Event::Subscribed`] says when to repeat.
    pub async fn publish(&self, message: Vec<u8>) {
        let _ = self.commands.send(Command::Publish(message)).await;
    }

    /// Says goodbye and stops: what was published before has left, the connections are closed, the
    /// tasks have ended. Takes about a second at worst. Other clones answer with errors from then
    /// on.
    pub async fn shutdown(self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let _ = self.commands.send(Command::Shutdown).await;
        if let Some(task) = task
            && tokio::time::timeout(event_loop::SHUTDOWN, task)
                .await
                .is_err()
        {
            tracing::warn!("the node did not stop in time and was aborted");
        }
    }
}
