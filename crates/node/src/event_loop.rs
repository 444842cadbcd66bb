//! The one task that owns the swarm. Commands, swarm events, announcements and time come in; dials,
//! events and status go out.
//!
//! Nothing is decided here. Each subject has its own state, which takes events and the time and
//! gives actions: the loop passes events to the states they concern (`swarm_events`, `connections`,
//! `commands`), and then does what they want done (`actions`).

mod actions;
mod commands;
mod connections;
mod report;
mod shutdown;
mod swarm_events;

pub(crate) use shutdown::SHUTDOWN;

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use futures::StreamExt;
use goop2_proto::mdns::{Found, Tag};
use libp2p::{Swarm, gossipsub, multiaddr::Protocol, swarm::ConnectionId};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    behaviour::Behaviour,
    command::{Command, Event},
    gossip::Gate,
    mdns,
    net::{
        connections::Connections,
        interfaces::{self, Interfaces},
        network::{Host, Network},
        sleep::Sleep,
        twin::Twin,
    },
    outside::{
        mapping::{self, Wish},
        reachability::Reachability,
        relay_dials::RelayDials,
        relays::Relays,
    },
    punch::punching::Punching,
    reach::{history::History, reaching::Reaching, upgrades::Upgrades},
    status::{Mapping, Multicast, Status},
    stream::{control::Control, open::InboundStream},
    transport::port::Port,
};

use actions::Punched;

/// How long to wait for the first address to be listened on; a host may have none at all.
const FIRST_ADDRESS: Duration = Duration::from_millis(500);

pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    topic: gossipsub::IdentTopic,
    control: Control,
    events: mpsc::Sender<Event>,
    net: Network,
    gate: Gate,
    reaching: Reaching,
    upgrades: Upgrades,
    punching: Punching,
    /// Exchanges with other peers that punching waits for.
    punches: JoinSet<Punched>,
    history: History,
    relays: Relays,
    relay_dials: RelayDials,
    reachability: Reachability,
    map_ports: watch::Sender<Wish>,
    /// Connections being asked whether they still answer.
    probes: JoinSet<(ConnectionId, bool)>,
    sleep: Sleep,
    multicast: Multicast,
    twin: Twin,
    report: report::Report,
}

/// One report of the node's other tasks.
enum Input {
    Found(Found),
    Multicast(Multicast),
    Mapping(Mapping),
    Interfaces(Interfaces),
}

/// What the node's other tasks report.
struct Inputs {
    interfaces: watch::Receiver<Interfaces>,
    found: mpsc::Receiver<Found>,
    multicast: watch::Receiver<Multicast>,
    mapping: watch::Receiver<Mapping>,
}

impl Inputs {
    /// Loses nothing when it is dropped.
    async fn next(&mut self) -> Input {
        tokio::select! {
            Some(found) = self.found.recv() => Input::Found(found),
            Ok(()) = self.multicast.changed() => {
                Input::Multicast(self.multicast.borrow_and_update().clone())
            }
            Ok(()) = self.mapping.changed() => {
                Input::Mapping(self.mapping.borrow_and_update().clone())
            }
            Ok(()) = self.interfaces.changed() => {
                Input::Interfaces(self.interfaces.borrow_and_update().clone())
            }
            // All of these tasks have ended.
            else => pending().await,
        }
    }
}

impl EventLoop {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        topic: gossipsub::IdentTopic,
        control: Control,
        port: Port,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let now = Instant::now();
        let host = Host {
            own: *swarm.local_peer_id(),
            port,
            interfaces: Interfaces::read().unwrap_or_default(),
            udp_blocked: false,
        };
        Self {
            swarm,
            topic,
            control,
            events,
            net: Network {
                host,
                connections: Connections::default(),
            },
            gate: Gate::default(),
            reaching: Reaching::new(now),
            upgrades: Upgrades::default(),
            punching: Punching::new(now),
            punches: JoinSet::new(),
            history: History::default(),
            relays: Relays::default(),
            relay_dials: RelayDials::default(),
            reachability: Reachability::default(),
            map_ports: watch::Sender::default(),
            probes: JoinSet::new(),
            sleep: Sleep::new(now),
            multicast: Multicast::default(),
            twin: Twin::default(),
            report: report::Report::default(),
        }
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.report.subscribe()
    }

    /// Listens on the port. Only TCP over IPv4 is indispensable; what else the host cannot do was
    /// seen when the port was chosen, or is now: QUIC asks more of a socket than a bind shows,
    /// which Windows has not always had. It is logged once.
    pub(crate) async fn listen(&mut self) -> io::Result<()> {
        for host in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
            for addr in self.net.host.port.addresses(host) {
                let is_quic = addr.iter().any(|part| part == Protocol::QuicV1);
                match self.swarm.listen_on(addr) {
                    Ok(_) => {}
                    Err(_) if is_quic => self.net.host.port.quic = false,
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
        }
        let port = self.net.host.port;
        let mut missing = Vec::new();
        missing.extend((!port.ip6).then_some("IPv6"));
        missing.extend((!port.quic).then_some("QUIC"));
        if !missing.is_empty() {
            let missing = missing.join(" and ");
            tracing::info!(
                port = port.number,
                "listening without {missing}: not available here"
            );
        }
        let first = async {
            while self.swarm.listeners().next().is_none() {
                let event = self.swarm.select_next_some().await;
                self.on_swarm_event(event);
                self.act();
            }
        };
        let _ = tokio::time::timeout(FIRST_ADDRESS, first).await;
        self.publish_status();
        Ok(())
    }

    pub(crate) async fn run(
        mut self,
        tag: Option<Tag>,
        mut commands: mpsc::Receiver<Command>,
        mut punch_requests: mpsc::Receiver<InboundStream>,
    ) {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut inputs = self.start_tasks(tag, &mut tasks, &stop);
        self.twin.hold(&self.net.host);
        loop {
            let timer = self.poll_timeout();
            let due = async {
                match timer {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = commands.recv() => match command {
                    Some(Command::Shutdown) | None => break,
                    Some(command) => self.on_command(command),
                },
                input = inputs.next() => self.on_input(input),
                Some(Ok((connection, answers))) = self.probes.join_next() => {
                    if !answers {
                        self.swarm.close_connection(connection);
                    }
                }
                Some(inbound) = punch_requests.recv() => self.on_punch_request(inbound),
                Some(Ok(punched)) = self.punches.join_next() => self.on_punched(punched),
                Some(ended) = tasks.join_next() => log_panic(ended),
                () = due => self.on_timer(),
            }
            self.act();
        }
        // From here on, handles get errors.
        drop(commands);
        self.shutdown(stop, tasks).await;
    }

    fn start_tasks(
        &mut self,
        tag: Option<Tag>,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Inputs {
        let Host {
            own,
            port,
            ref interfaces,
            ..
        } = self.net.host;
        let current = watch::Sender::new(interfaces.clone());
        let (found_tx, found) = mpsc::channel(mdns::FOUND);
        let (multicast_tx, multicast) = watch::channel(Multicast::default());
        let (mapping_tx, mapping) = watch::channel(Mapping::default());
        match tag {
            Some(tag) => {
                let discovery = mdns::Discovery {
                    tag,
                    own,
                    port,
                    found: found_tx,
                    state: multicast_tx,
                };
                tasks.spawn(discovery.run(current.subscribe(), stop.clone()));
            }
            None => drop(multicast_tx.send(Multicast::Off("it is switched off".into()))),
        }
        let inputs = Inputs {
            interfaces: current.subscribe(),
            found,
            multicast,
            mapping,
        };
        tasks.spawn(interfaces::follow(current, stop.clone()));
        let wish = self.map_ports.subscribe();
        tasks.spawn(mapping::follow(port, wish, mapping_tx, stop.clone()));
        inputs
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Found(found) => {
                if self.twin.found(&found, &self.net.host) {
                    self.status_changed();
                }
                self.reaching.found(found, &self.net, Instant::now());
            }
            Input::Multicast(multicast) => {
                self.multicast = multicast;
                self.status_changed();
            }
            Input::Mapping(mapping) => self.on_mapping(mapping),
            Input::Interfaces(interfaces) => self.on_interfaces(interfaces),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let timers = [
            self.report.poll_timeout(),
            self.reaching.poll_timeout(),
            self.upgrades.poll_timeout(),
            self.punching.poll_timeout(),
            self.relays.poll_timeout(),
            self.relay_dials.poll_timeout(),
            self.reachability.poll_timeout(),
            Some(self.sleep.poll_timeout()),
        ];
        timers.into_iter().flatten().min()
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        self.reaching.poll(&self.net, now);
        while let Some(action) = self.relays.poll(rand::random(), now) {
            self.act_for_relays([action]);
            self.status_changed();
        }
        self.upgrades.poll(&self.net, rand::random(), now);
        let udp = || self.reachability.udp(&self.net.host);
        self.punching.poll(udp, &self.net.connections, now);
        while let Some(due) = self.relay_dials.poll(&self.net, now) {
            self.on_relay_due(due, now);
        }
        if self.reachability.poll(&self.net.host, now) {
            self.status_changed();
        }
        if let Some(passed) = self.sleep.poll(now) {
            tracing::info!(?passed, "the computer slept");
            self.network_changed(now);
        }
        if self.report.is_due(now) {
            self.act();
            self.publish_status();
        }
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a part of the node has failed; the rest continues without it");
    }
}
