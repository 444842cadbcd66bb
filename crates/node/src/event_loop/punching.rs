//! Hole punching past the worst routers (`punch`): who does which part, and when.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU8,
    time::{Duration, Instant},
};

use goop2_proto::{
    Multiaddr, PeerId,
    bucket::{Bucket, Rate},
};
use libp2p::{
    core::transport::ListenerId,
    multiaddr::Protocol,
    swarm::dial_opts::{DialOpts, PeerCondition},
};

use super::{Chore, EventLoop};
use crate::{
    net::addresses,
    outside::observed,
    punch::{
        protocol as punch,
        protocol::{Answer, Talk},
    },
    status::{Nat, Transport},
    stream::{Failure, InboundStream},
};

/// How long the library's hole punching, which costs less, goes first: a round trip or two of most
/// ways, after which it stands or will not. Where it is still under way, both go on beside each
/// other.
pub(super) const PUNCH_AFTER: Duration = Duration::from_millis(300);

/// Attempts for one peer as long as it is connected: what failed so often, fails.
const MAX_TRIES: u8 = 3;

/// How long after another one, when there is one under way.
const LATER: Duration = Duration::from_millis(700);

/// How long the hole stays open for the call that is sent again.
const CALLED: Duration = Duration::from_secs(6);

/// Others that ask this peer to dial many ports: each is 2 MB to an address of their choice.
const ASKED: Rate = Rate {
    burst: 6,
    per: Duration::from_secs(60),
};

/// What came of one part.
pub(super) enum Punched {
    /// This side is hidden; the port that was hit.
    Hidden(PeerId, io::Result<(u16, Talk)>),
    /// This side is open; the address to call.
    Open(PeerId, io::Result<(Ipv4Addr, Talk)>),
    /// The hidden side was hit, or gave up.
    Ended { peer: PeerId, hit: bool },
    /// It was told so.
    Told,
}

/// Calls to a hidden side under way.
struct Calls {
    peer: PeerId,
    ip: Ipv4Addr,
    rounds_left: u32,
    /// The last two rounds.
    last: [Vec<Multiaddr>; 2],
}

/// Hole punching under way.
#[derive(Default)]
pub(super) struct Punching {
    /// Whom this side, hidden, is calling from many ports.
    hidden: Option<PeerId>,
    /// Whose ports this side is calling.
    open: Option<Calls>,
    tries: HashMap<PeerId, u8>,
    /// How often each of them asked for some patience.
    later: HashMap<PeerId, u8>,
    /// Ports that were hit, and are listened on as long as the peer is connected.
    holes: HashMap<PeerId, ListenerId>,
}

impl EventLoop {
    /// A relayed connection is all there is to the peer.
    pub(super) fn plan_punch(&mut self, peer: PeerId) {
        let now = Instant::now();
        let wait = match self.quic_nat() {
            Nat::Symmetric | Nat::Changed => PUNCH_AFTER,
            Nat::Unknown | Nat::None | Nat::Cone => return,
        };
        self.agenda.hurry(Chore::Punch(peer), now + wait);
    }

    /// This side's turn to be the hidden one.
    pub(super) fn punch(&mut self, peer: PeerId, now: Instant) {
        let hidden = matches!(self.quic_nat(), Nat::Symmetric | Nat::Changed);
        let Some(own) = self.quic_seen_at().filter(|_| hidden) else {
            return;
        };
        if self.is_direct(&peer) || !self.swarm.is_connected(&peer) {
            return;
        }
        if self.punching.hidden.is_some() {
            return self.agenda.put(Chore::Punch(peer), now + LATER);
        }
        let tries = self.punching.tries.entry(peer).or_default();
        if *tries >= MAX_TRIES {
            return;
        }
        *tries += 1;
        self.punching.hidden = Some(peer);
        let control = self.control.clone();
        self.punches.spawn(async move {
            let opened = async {
                let share = control.share(peer).await?;
                control.open(peer, punch::PROTOCOL, share, 0).await
            };
            let outcome = match opened.await {
                Ok(stream) => punch::from_many_ports(stream, *own.ip()).await,
                Err(Failure::Unsupported) => Err(io::ErrorKind::Unsupported.into()),
                Err(error) => Err(io::Error::other(error)),
            };
            Punched::Hidden(peer, outcome)
        });
    }

    /// Another peer, hidden, wants to be called.
    pub(super) fn on_punch_asked(&mut self, inbound: InboundStream) {
        let now = Instant::now();
        // With a port that is perhaps another for everybody it would be in vain, and is not cheap.
        let open = matches!(self.quic_nat(), Nat::Cone | Nat::None);
        let needed = open && !self.is_direct(&inbound.peer);
        let answer = match self.quic_seen_at().filter(|_| needed) {
            None => Answer::No,
            Some(own) if self.punching.open.is_none() && self.punch_rate.take(now).is_ok() => {
                Answer::Yes(own)
            }
            Some(_) => Answer::Later,
        };
        self.punches.spawn(async move {
            let outcome = punch::asked(inbound.stream, answer).await;
            Punched::Open(inbound.peer, outcome)
        });
    }

    pub(super) fn on_punched(&mut self, punched: Punched) {
        let now = Instant::now();
        match punched {
            Punched::Open(peer, Ok((ip, talk))) if self.punching.open.is_none() => {
                self.punching.open = Some(Calls {
                    peer,
                    ip,
                    rounds_left: punch::ROUNDS,
                    last: Default::default(),
                });
                self.guess(peer, now);
                self.punches.spawn(async move {
                    let hit = punch::was_hit(talk).await;
                    Punched::Ended { peer, hit }
                });
            }
            Punched::Ended { peer, hit } => {
                if let Some(calls) = self.punching.open.take_if(|calls| calls.peer == peer)
                    && hit
                    && !self.is_direct(&peer)
                {
                    calls
                        .last
                        .into_iter()
                        .for_each(|addrs| self.call(peer, addrs));
                }
            }
            Punched::Told => {}
            Punched::Open(peer, outcome) => {
                tracing::debug!(%peer, ?outcome, "it was not called at many ports");
            }
            Punched::Hidden(peer, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.punching.hidden = None;
                let times = self.punching.later.entry(peer).or_default();
                let pause = LATER.saturating_mul(1 << (*times).min(6));
                *times = times.saturating_add(1);
                // It was not tried.
                if let Some(tries) = self.punching.tries.get_mut(&peer) {
                    *tries = tries.saturating_sub(1);
                }
                let jitter = 0.5 + rand::random::<f64>();
                self.agenda
                    .put(Chore::Punch(peer), now + pause.mul_f64(jitter));
            }
            Punched::Hidden(peer, outcome) => {
                self.punching.hidden = None;
                let outcome = outcome.and_then(|(port, talk)| {
                    self.listen_at_hole(peer, port)?;
                    self.punches.spawn(async move {
                        if let Err(error) = punch::say_hit(talk).await {
                            tracing::debug!(%peer, %error, "it was not told of the hit");
                        }
                        Punched::Told
                    });
                    Ok(())
                });
                let (words, worked) = match &outcome {
                    Ok(()) => ("a way through both routers was found", true),
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                        ("the other side cannot do it", false)
                    }
                    Err(_) => ("nothing came through", false),
                };
                let what = "Hole punching from many ports";
                self.history.note(peer, what, words, Some(worked), now);
            }
        }
    }

    fn listen_at_hole(&mut self, peer: PeerId, port: u16) -> io::Result<()> {
        let addr = Multiaddr::from(Ipv4Addr::UNSPECIFIED)
            .with(Protocol::Udp(port))
            .with(Protocol::QuicV1);
        let listener = self.swarm.listen_on(addr).map_err(io::Error::other)?;
        if let Some(old) = self.punching.holes.insert(peer, listener) {
            self.swarm.remove_listener(old);
        }
        self.agenda.put(Chore::Hole(peer), Instant::now() + CALLED);
        Ok(())
    }

    /// One round of calls to the hidden side.
    pub(super) fn guess(&mut self, peer: PeerId, now: Instant) {
        let direct = self.is_direct(&peer);
        let calls = self.punching.open.as_mut();
        let Some(calls) = calls.filter(|calls| calls.peer == peer) else {
            return;
        };
        // The other side says when it has ended; until then the last calls may be needed again.
        if calls.rounds_left == 0 || direct {
            return;
        }
        calls.rounds_left -= 1;
        let guesses = punch::guesses(calls.ip);
        calls.last.swap(0, 1);
        calls.last[1].clone_from(&guesses);
        self.call(peer, guesses);
        self.agenda.put(Chore::Guess(peer), now + punch::ROUND);
    }

    fn call(&mut self, peer: PeerId, addrs: Vec<Multiaddr>) {
        if addrs.is_empty() {
            return;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addrs)
            .override_dial_concurrency_factor(
                NonZeroU8::new(punch::GUESSES).unwrap_or(NonZeroU8::MAX),
            )
            .build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, %error, "ports were not called");
        }
    }

    /// The hole is closed when nobody came through, or when the peer has gone.
    pub(super) fn close_hole(&mut self, peer: &PeerId) {
        if !self.is_direct(peer)
            && let Some(listener) = self.punching.holes.remove(peer)
        {
            self.swarm.remove_listener(listener);
        }
    }

    /// The peer is not connected any more.
    pub(super) fn forget_punch(&mut self, peer: &PeerId) {
        self.punching.tries.remove(peer);
        self.punching.later.remove(peer);
        self.close_hole(peer);
    }

    /// What the router does with UDP.
    fn quic_nat(&self) -> Nat {
        self.observations
            .nat_of(Transport::Quic, self.port.number, &self.own_ips())
    }

    /// Where others see our QUIC, over IPv4.
    fn quic_seen_at(&self) -> Option<SocketAddrV4> {
        let seen = self.observations.seen();
        let mut at = seen
            .iter()
            .filter(|seen| addresses::transport(&seen.addr) == Some(Transport::Quic))
            .filter_map(|seen| match addresses::ip(&seen.addr)? {
                std::net::IpAddr::V4(ip) => {
                    Some(SocketAddrV4::new(ip, observed::port(&seen.addr)?))
                }
                std::net::IpAddr::V6(_) => None,
            });
        at.next()
    }

    pub(super) fn punch_rate(now: Instant) -> Bucket {
        Bucket::new(ASKED, now)
    }
}
