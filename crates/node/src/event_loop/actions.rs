//! Doing what the states want done.

use std::{io, net::Ipv4Addr, time::Instant};

use goop2_proto::{Multiaddr, PeerId};
use libp2p::{core::transport::ListenerId, multiaddr::Protocol, swarm::dial_opts::DialOpts};

use super::EventLoop;
use crate::{
    net::addresses,
    outside::{reachability, relay_dials::Due, relays},
    punch::{
        protocol::{self, Talk},
        punching, seen,
    },
    reach::{attempt::explain, reaching, upgrades},
    stream::{
        control::{Failure, PUNCH},
        open::InboundStream,
    },
};

/// What came of one exchange of hole punching.
pub(super) enum Punched {
    /// This side is hidden; the port that was hit.
    Hidden(PeerId, io::Result<(u16, Talk)>),
    /// This side is open; the address to dial.
    Open(PeerId, io::Result<(Ipv4Addr, Talk)>),
    /// The hidden side was hit, or gave up.
    Ended { peer: PeerId, hit: bool },
    /// The open side knows that it hit.
    Said,
}

impl EventLoop {
    /// Does everything that is to be done, and what follows from that.
    pub(super) fn act(&mut self) {
        loop {
            if let Some(action) = self.reaching.action() {
                self.act_for_reaching(action);
            } else if let Some(action) = self.upgrades.action() {
                self.act_for_upgrades(action);
            } else if let Some(action) = self.punching.action() {
                self.act_for_punching(action);
            } else if let Some(action) = self.reachability.action() {
                self.act_for_reachability(action);
            } else {
                return;
            }
        }
    }

    fn act_for_reaching(&mut self, action: reaching::Action) {
        let now = Instant::now();
        match action {
            reaching::Action::Dial(dial) => self.dial(dial, now),
            reaching::Action::Cancel(dials) => self.swarm.behaviour_mut().superseded.add(dials),
            reaching::Action::Leave(peer) => self.leave(peer, now),
            reaching::Action::NewAddresses(peer) => {
                self.upgrades.new_addresses(peer, &self.net, now);
            }
            reaching::Action::Failed {
                peer,
                addresses,
                outcome,
            } => {
                let what = match addresses {
                    1 => "Dialed 1 address".to_owned(),
                    n => format!("Dialed {n} addresses"),
                };
                self.history.note(peer, what, outcome, Some(false), now);
            }
        }
    }

    fn dial(&mut self, mut dial: reaching::Dial, now: Instant) {
        if let Some(options) = dial.take_options()
            && let Err(error) = self.swarm.dial(options)
        {
            let reason = explain(&error);
            self.reaching.refused(&dial, reason, &self.net, now);
        }
    }

    /// Closes the connections to a peer, unless one is in use.
    fn leave(&mut self, peer: PeerId, now: Instant) {
        let in_use = self.net.connections.to(&peer).any(|(id, _)| {
            let traffic = self.control.traffic(&peer, id);
            traffic.is_some_and(|traffic| !traffic.is_idle())
        });
        if in_use {
            self.reaching.in_use(peer, now);
        } else {
            let _gone = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn act_for_upgrades(&mut self, action: upgrades::Action) {
        let now = Instant::now();
        match action {
            upgrades::Action::PlanPunch(peer) => {
                let udp = self.reachability.udp(&self.net.host);
                self.punching.plan(peer, udp, now);
            }
            upgrades::Action::DialDirect(peer) => {
                self.reaching.dial_direct_again(peer, &self.net, now);
            }
            upgrades::Action::DialCircuits(peer) => {
                self.reaching.dial_circuits(peer, &self.net, now);
            }
            upgrades::Action::Close(peer, connections) => {
                let mut in_use = false;
                for id in connections {
                    in_use |= !self.close_if_idle(&peer, id);
                }
                if in_use {
                    self.upgrades.in_use(peer, now);
                }
            }
        }
    }

    fn act_for_punching(&mut self, action: punching::Action) {
        let now = Instant::now();
        match action {
            punching::Action::OpenPorts(peer, own) => self.open_ports(peer, own),
            punching::Action::Dial(peer, options) => {
                if let Err(error) = self.swarm.dial(options) {
                    tracing::debug!(%peer, %error, "ports were not dialed");
                }
            }
            punching::Action::AwaitHit(peer, talk) => {
                self.punches.spawn(async move {
                    let hit = protocol::was_hit(talk).await;
                    Punched::Ended { peer, hit }
                });
            }
            punching::Action::Listen(peer, port, talk) => {
                let listener = self.listen_at_hole(port);
                self.punching.listening(peer, listener, talk, now);
            }
            punching::Action::SayHit(peer, talk) => {
                self.punches.spawn(async move {
                    if let Err(error) = protocol::say_hit(talk).await {
                        tracing::debug!(%peer, %error, "the other side did not hear of the hit");
                    }
                    Punched::Said
                });
            }
            punching::Action::Close(listener) => drop(self.swarm.remove_listener(listener)),
            punching::Action::Note {
                peer,
                outcome,
                worked,
            } => {
                let what = "Hole punching from many ports";
                self.history.note(peer, what, outcome, Some(worked), now);
            }
        }
    }

    fn listen_at_hole(&mut self, port: u16) -> io::Result<ListenerId> {
        let addr = Multiaddr::from(Ipv4Addr::UNSPECIFIED)
            .with(Protocol::Udp(port))
            .with(Protocol::QuicV1);
        self.swarm.listen_on(addr).map_err(io::Error::other)
    }

    fn open_ports(&mut self, peer: PeerId, own: Ipv4Addr) {
        let control = self.control.clone();
        self.punches.spawn(async move {
            let opened = async {
                let share = control.share(peer).await?;
                control.open(peer, &[PUNCH], share, 0).await
            };
            let outcome = match opened.await {
                Ok((stream, _)) => protocol::from_many_ports(stream, own).await,
                Err(Failure::Unsupported) => Err(io::ErrorKind::Unsupported.into()),
                Err(error) => Err(io::Error::other(error)),
            };
            Punched::Hidden(peer, outcome)
        });
    }

    /// Another peer, hidden, asks to be dialed at many ports.
    pub(super) fn on_punch_request(&mut self, inbound: InboundStream) {
        let udp = self.reachability.udp(&self.net.host);
        let (peer, now) = (inbound.peer, Instant::now());
        let connections = &self.net.connections;
        let answer = self.punching.asked(&peer, udp, connections, now);
        let carrier = connections.get(&inbound.stream.connection());
        let relay = carrier.and_then(|carrier| carrier.shown.relay);
        let control = self.control.clone();
        self.punches.spawn(async move {
            let is_seen = async |ip: Ipv4Addr| match relay {
                Some(relay) => seen::ask(&control, relay, peer).await.contains(&ip.into()),
                None => false,
            };
            let outcome = protocol::asked(inbound.stream, answer, is_seen).await;
            Punched::Open(peer, outcome)
        });
    }

    pub(super) fn on_punched(&mut self, punched: Punched) {
        let (now, connections) = (Instant::now(), &self.net.connections);
        match punched {
            Punched::Hidden(peer, outcome) => {
                self.punching
                    .opened_ports(peer, outcome, rand::random(), now);
            }
            Punched::Open(peer, outcome) => {
                self.punching.answered(peer, outcome, connections, now);
            }
            Punched::Ended { peer, hit } => self.punching.ended(peer, hit, connections),
            Punched::Said => {}
        }
    }

    fn act_for_reachability(&mut self, action: reachability::Action) {
        match action {
            reachability::Action::Test(addr) => self.swarm.behaviour_mut().test.report(addr),
            reachability::Action::TestAnew(addrs) => {
                self.swarm.behaviour_mut().test.test_again(&addrs);
            }
            reachability::Action::NotReached(addr) => self.swarm.remove_external_address(&addr),
            reachability::Action::AskRouter => {
                self.map_ports.send_modify(|wish| wish.network += 1);
            }
            reachability::Action::Reachable(reachable) => {
                let actions = self.relays.set_reachable(reachable, Instant::now());
                self.act_for_relays(actions);
            }
        }
    }

    pub(super) fn act_for_relays(&mut self, actions: impl IntoIterator<Item = relays::Action>) {
        let now = Instant::now();
        for action in actions {
            match action {
                relays::Action::Dial { peer, addrs } => self.dial_relay(peer, addrs, true),
                relays::Action::Observe { peer, addrs } => self.dial_relay(peer, addrs, false),
                relays::Action::Reserve { peer, addr } => {
                    let listener = self.swarm.listen_on(addresses::circuit(addr, peer));
                    let listener = listener.map_err(|error| error.to_string());
                    self.relays.asking(&peer, listener, now);
                }
                relays::Action::Release { peer, listener } => {
                    self.swarm.remove_listener(listener);
                    self.relay_dials.give_back(peer, now);
                }
                relays::Action::Disconnect(peer) => drop(self.swarm.disconnect_peer_id(peer)),
            }
        }
    }

    fn dial_relay(&mut self, peer: PeerId, addrs: Vec<Multiaddr>, needed: bool) {
        let connections = &self.net.connections;
        match self.relay_dials.dial(peer, addrs, needed, connections) {
            Some(options) => self.start_relay_dial(peer, options, needed),
            None if needed => {
                let now = Instant::now();
                self.relays.connected(&peer, now);
                let action = self.relays.identified(&peer, now);
                self.act_for_relays(action);
            }
            None => {}
        }
    }

    fn start_relay_dial(&mut self, peer: PeerId, options: DialOpts, needed: bool) {
        let id = options.connection_id();
        let Err(error) = self.swarm.dial(options) else {
            return;
        };
        let _not_started = self.relay_dials.ended(&id);
        if needed {
            self.relay_failed(peer, explain(&error));
        } else {
            tracing::debug!(%error, "a relay is not dialed to observe our address");
        }
    }

    pub(super) fn on_relay_due(&mut self, due: Due, now: Instant) {
        match due {
            Due::GiveBack(relay) if self.relays.wants(&relay) => {}
            Due::GiveBack(relay) => {
                let in_use = self.net.connections.goes_through(&relay)
                    || self.reaching.is_dialing_circuits()
                    || self.reachability.is_testing();
                if in_use {
                    self.relay_dials.give_back_later(relay, now);
                } else {
                    let _gone = self.swarm.disconnect_peer_id(relay);
                }
            }
            Due::HangUp(connections) => {
                for id in connections {
                    self.swarm.close_connection(id);
                }
            }
        }
    }
}
