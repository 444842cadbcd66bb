//! The one task that owns the relay's swarm.

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::StreamExt;
use goop2_proto::{
    Multiaddr, PeerId,
    relay::{Relay, State},
};
use libp2p::{
    Swarm, autonat, connection_limits, identify,
    identity::Keypair,
    memory_connection_limits, ping, relay,
    swarm::{ConnectionId, NetworkBehaviour, SwarmEvent},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    admission::{Admission, Ask},
    gate::{Gate, lock},
    limits::Limits,
    meter::Meter,
    transport,
};
use crate::{
    punch::seen::{self, SEEN},
    stream::{
        behaviour::Behaviour as Streams,
        control::{Control, INBOUND_CHANNEL},
        open::InboundStream,
    },
    transport::port::Port,
};

/// Connections of one peer: two transports, both families, and what was lost without a word.
const MAX_PER_PEER: u32 = 8;

/// Handshakes at a time: a key exchange each, and a whole network that comes back after a restart.
const MAX_PENDING: u32 = 256;

/// Connections beyond the limit, for as long as those that gave way take to close.
const CLOSING: usize = 256;

/// Memory of the process above which no connection is added.
const MAX_MEMORY_BYTES: usize = 1 << 30;

/// How long a connection stays on which nothing happens: a reservation and a circuit hold theirs.
const IDLE: Duration = Duration::from_secs(30);

/// Streams being negotiated on one connection; more wait in the muxer.
const MAX_NEGOTIATING: usize = 64;

/// How often to look for peers that are gone, and to publish figures.
const SWEEP: Duration = Duration::from_secs(5);
const PUBLISH: Duration = Duration::from_secs(1);

/// How long connections may take to close at the end.
const CLOSE: Duration = Duration::from_millis(300);

/// AutoNAT's first version is client and server in one; this one asks nobody, and so rarely finds
/// that out.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Asked first is what denies by number; the gate is last, so that what it lets in is in.
#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    autonat_v1: autonat::v1::Behaviour,
    autonat_v2: autonat::v2::server::Behaviour,
    streams: Streams,
    gate: Gate,
}

/// What a host is made of, and made of again.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) key: Keypair,
    pub(super) port: Port,
    pub(super) limits: Limits,
    pub(super) ask: Ask,
    pub(super) addrs: watch::Receiver<Vec<Multiaddr>>,
    pub(super) state: watch::Sender<Option<State>>,
}

pub(super) struct Host {
    swarm: Swarm<Behaviour>,
    admission: Arc<Mutex<Admission>>,
    meter: Arc<Meter>,
    control: Control,
    /// Connections being asked whether they still answer; few, for reservations are limited in
    /// number and rate.
    probes: JoinSet<(ConnectionId, bool)>,
    /// What peers ask, and who is being answered: one question of each at a time.
    questions: mpsc::Receiver<InboundStream>,
    answering: HashSet<PeerId>,
    answers: JoinSet<PeerId>,
    addrs: watch::Receiver<Vec<Multiaddr>>,
    state: watch::Sender<Option<State>>,
}

impl Setup {
    /// Returns when it listens.
    pub(super) async fn listen(self) -> io::Result<Host> {
        let Self {
            key,
            port,
            limits,
            ask,
            addrs,
            state,
        } = self;
        let meter = Meter::new(limits.bytes_per_second, limits.bytes_per_second_per_peer);
        let admission = Arc::new(Mutex::new(Admission::new(limits.clone(), ask)));
        let transport = transport::build(&key, &meter).map_err(io::Error::other)?;
        let control = Control::default();
        let (asked, questions) = mpsc::channel(INBOUND_CHANNEL);
        let streams = Streams::plain(control.clone(), &[SEEN], asked);
        let swarm = Swarm::new(
            transport,
            behaviour(&key, &limits, Arc::clone(&admission), streams),
            key.public().to_peer_id(),
            libp2p::swarm::Config::with_tokio_executor()
                .with_idle_connection_timeout(IDLE)
                .with_max_negotiating_inbound_streams(MAX_NEGOTIATING),
        );
        let mut host = Host {
            swarm,
            admission,
            meter,
            control,
            probes: JoinSet::new(),
            questions,
            answering: HashSet::new(),
            answers: JoinSet::new(),
            addrs,
            state,
        };
        for ip in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
            for addr in port.addresses(ip) {
                host.swarm.listen_on(addr).map_err(io::Error::other)?;
            }
        }
        while host.swarm.listeners().next().is_none() {
            if let SwarmEvent::ListenerClosed {
                reason: Err(error), ..
            } = host.swarm.select_next_some().await
            {
                return Err(error);
            }
        }
        host.advertise();
        host.publish();
        Ok(host)
    }
}

impl Host {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut metering = std::pin::pin!(Arc::clone(&self.meter).run());
        let mut sweep = interval(SWEEP);
        let mut publish = interval(PUBLISH);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = &mut metering => {}
                event = self.swarm.select_next_some() => {
                    self.on_event(event);
                    self.give_way();
                }
                Some(Ok((connection, answers))) = self.probes.join_next() => {
                    if !answers {
                        self.swarm.close_connection(connection);
                    }
                }
                Some(question) = self.questions.recv() => self.answer(question),
                Some(Ok(answered)) = self.answers.join_next() => {
                    self.answering.remove(&answered);
                }
                Ok(()) = self.addrs.changed() => {
                    self.advertise();
                    self.publish();
                }
                _ = sweep.tick() => self.sweep(),
                _ = publish.tick() => self.publish(),
            }
        }
        self.close().await;
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(error),
                ..
            })) if !matches!(error, ping::Failure::Unsupported) => {
                tracing::debug!(%error, "a connection of the relay is dead");
                self.swarm.close_connection(connection);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Gate(relay::Event::ReservationReqAccepted {
                src_peer_id,
                ..
            })) => self.probe(src_peer_id),
            SwarmEvent::ListenerClosed {
                addresses,
                reason: Err(error),
                ..
            } => tracing::warn!(?addresses, %error, "the relay stopped listening"),
            event => tracing::trace!(?event, "relay"),
        }
    }

    /// A peer that reserves again may have moved: what connected it before may be dead without
    /// having noticed, and the library would offer circuits there as well as here.
    fn probe(&mut self, peer: PeerId) {
        let connections = self.control.connections(&peer);
        if connections.len() < 2 {
            return;
        }
        for id in connections {
            let control = self.control.clone();
            self.probes
                .spawn(async move { (id, control.answers(peer, id).await) });
        }
    }

    /// Says where a peer is seen.
    fn answer(&mut self, question: InboundStream) {
        let (admission, asker) = (Arc::clone(&self.admission), question.peer);
        if !self.answering.insert(asker) {
            return;
        }
        self.answers.spawn(async move {
            let seen = |peer: &PeerId| lock(&admission).seen(&asker, peer);
            if let Err(error) = seen::answer(question.stream, seen).await {
                tracing::debug!(%error, "a question to the relay");
            }
            asker
        });
    }

    /// The addresses that peers get with their reservation.
    fn advertise(&mut self) {
        let addrs = self.addrs.borrow_and_update().clone();
        let old: Vec<_> = self.swarm.external_addresses().cloned().collect();
        for gone in old.iter().filter(|addr| !addrs.contains(addr)) {
            self.swarm.remove_external_address(gone);
        }
        tracing::info!(?addrs, "the relay's addresses");
        for new in addrs.into_iter().filter(|addr| !old.contains(addr)) {
            self.swarm.add_external_address(new);
        }
    }

    /// Closes the connections whose place another household got.
    fn give_way(&mut self) {
        let displaced = lock(&self.admission).take_displaced();
        for connection in displaced {
            self.swarm.close_connection(connection);
        }
    }

    fn sweep(&mut self) {
        for connection in lock(&self.admission).sweep(Instant::now()) {
            self.swarm.close_connection(connection);
        }
    }

    fn publish(&self) {
        let state = State {
            relay: Relay {
                peer: *self.swarm.local_peer_id(),
                addrs: self.addrs.borrow().clone(),
            },
            usage: lock(&self.admission).usage(&self.meter, Instant::now()),
        };
        self.state.send_if_modified(|old| {
            let changed = old.as_ref() != Some(&state);
            *old = Some(state);
            changed
        });
    }

    /// Peers see at once that the relay is gone, and look for it again.
    async fn close(&mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _gone = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _late = timeout(CLOSE, closed).await;
    }
}

/// However it ends, no more peers are sent here.
impl Drop for Host {
    fn drop(&mut self) {
        self.state.send_replace(None);
    }
}

fn behaviour(
    key: &Keypair,
    limits: &Limits,
    admission: Arc<Mutex<Admission>>,
    streams: Streams,
) -> Behaviour {
    let own = key.public().to_peer_id();
    let most = limits.connections().saturating_add(CLOSING);
    Behaviour {
        limits: connection_limits::Behaviour::new(
            connection_limits::ConnectionLimits::default()
                .with_max_established(Some(u32::try_from(most).unwrap_or(u32::MAX)))
                .with_max_established_per_peer(Some(MAX_PER_PEER))
                .with_max_pending_incoming(Some(MAX_PENDING))
                .with_max_pending_outgoing(Some(MAX_PENDING)),
        ),
        memory: memory_connection_limits::Behaviour::with_max_bytes(MAX_MEMORY_BYTES),
        identify: identify::Behaviour::new(
            identify::Config::new("/goop/1.0.0".into(), key.public())
                .with_agent_version(format!("goop2-relay/{}", env!("CARGO_PKG_VERSION")))
                // Where it listens is nobody's business, where it is reached is everybody's.
                .with_hide_listen_addrs(true)
                .with_cache_size(0),
        ),
        ping: ping::Behaviour::default(),
        autonat_v1: autonat::v1::Behaviour::new(
            own,
            autonat::v1::Config {
                use_connected: false,
                boot_delay: NEVER,
                retry_interval: NEVER,
                refresh_interval: NEVER,
                only_global_ips: true,
                ..Default::default()
            },
        ),
        autonat_v2: autonat::v2::server::Behaviour::default(),
        streams,
        gate: Gate::new(own, limits, admission),
    }
}
