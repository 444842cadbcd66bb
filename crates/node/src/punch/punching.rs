//! Who does which part of hole punching past the worst routers (`protocol`), and when.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::Ipv4Addr,
    num::NonZeroU8,
    time::{Duration, Instant},
};

use goop2_proto::{
    Multiaddr, PeerId,
    bucket::{Bucket, Buckets, Rate},
};
use libp2p::{
    core::transport::ListenerId,
    swarm::dial_opts::{DialOpts, PeerCondition},
};

use crate::{
    agenda::Agenda,
    net::connections::Connections,
    outside::reachability::Udp,
    punch::protocol::{self, Answer, Talk},
    status::Nat,
};

/// How long the library's hole punching, which costs less, goes first: a round trip or two of most
/// connections, after which it has worked or will not. Where it still runs, both go on.
const PUNCH_AFTER: Duration = Duration::from_millis(300);

/// Attempts for one peer as long as it is connected: what failed so often, fails.
const MAX_TRIES: u8 = 4;

/// How long to wait while another attempt runs.
const LATER: Duration = Duration::from_millis(700);

/// How long the hole stays open for the dial that is sent again.
const HOLE: Duration = Duration::from_secs(6);

/// Requests of others to dial many ports: each is 300 KB to an address of their choice, and up to
/// five times as much where nobody answers.
const REQUESTS: Rate = Rate {
    burst: 6,
    per: Duration::from_secs(60),
};

/// Of those, requests of one peer: all that it tries as long as it is connected.
const REQUESTS_OF_PEER: Rate = Rate {
    burst: MAX_TRIES as u32,
    per: Duration::from_secs(10 * 60),
};

/// And those that name one address: two peers behind one router.
const REQUESTS_TO_ADDRESS: Rate = Rate {
    burst: 2 * MAX_TRIES as u32,
    per: Duration::from_secs(10 * 60),
};

/// Peers and addresses remembered, each: many times as many as there are requests in that time.
const MAX_REMEMBERED: usize = 1024;

/// What to do now.
#[derive(Debug)]
pub(crate) enum Action {
    /// Dial the peer from many ports; the outcome goes to [`Punching::opened_ports`]. `Ipv4Addr` is
    /// where others see this host.
    OpenPorts(PeerId, Ipv4Addr),
    /// Dial these ports of the peer.
    Dial(PeerId, DialOpts),
    /// Wait for the other side to say whether it was hit, and report it to [`Punching::ended`].
    AwaitHit(PeerId, Talk),
    /// Listen on a port that was hit, and report it to [`Punching::listening`].
    Listen(PeerId, u16, Talk),
    /// Tell the other side that it hit.
    SayHit(PeerId, Talk),
    /// Stop listening.
    Close(ListenerId),
    /// An attempt has ended, for the history.
    Note {
        peer: PeerId,
        outcome: &'static str,
        worked: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Chore {
    /// The peer is reached over a relay only: dial it from many ports.
    Punch(PeerId),
    /// Close the hole if nobody came through.
    Hole(PeerId),
}

/// Dials to the ports of a hidden side.
struct Guesses {
    peer: PeerId,
    addrs: Vec<Multiaddr>,
}

/// All attempts that run.
pub(crate) struct Punching {
    /// The peer that this side, hidden, dials from many ports.
    hidden: Option<PeerId>,
    /// The peer whose ports this side dials.
    open: Option<Guesses>,
    tries: HashMap<PeerId, u8>,
    /// How often each of them answered that it is busy.
    busy: HashMap<PeerId, u8>,
    /// Ports that were hit, and are listened on as long as the peer is connected.
    holes: HashMap<PeerId, ListenerId>,
    /// How often others may ask for it: all of them, each of them, and for one address.
    requests: Bucket,
    of_peer: Buckets<PeerId>,
    to_address: Buckets<Ipv4Addr>,
    agenda: Agenda<Chore>,
    actions: VecDeque<Action>,
}

impl Punching {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            hidden: None,
            open: None,
            tries: HashMap::new(),
            busy: HashMap::new(),
            holes: HashMap::new(),
            requests: Bucket::new(REQUESTS, now),
            of_peer: Buckets::new(REQUESTS_OF_PEER, MAX_REMEMBERED),
            to_address: Buckets::new(REQUESTS_TO_ADDRESS, MAX_REMEMBERED),
            agenda: Agenda::default(),
            actions: VecDeque::new(),
        }
    }

    /// A relayed connection is all there is to the peer.
    pub(crate) fn plan(&mut self, peer: PeerId, udp: Udp, now: Instant) {
        if is_hidden(udp.nat) {
            self.agenda.hurry(Chore::Punch(peer), now + PUNCH_AFTER);
        }
    }

    /// There is a direct connection to the peer now.
    pub(crate) fn cancel(&mut self, peer: PeerId) {
        self.agenda.drop(Chore::Punch(peer));
    }

    /// A connection to the peer ended: `last` if no other is left, else only relayed ones are.
    pub(crate) fn closed(&mut self, peer: &PeerId, last: bool, connections: &Connections) {
        if last {
            self.cancel(*peer);
            self.tries.remove(peer);
            self.busy.remove(peer);
        }
        self.close_hole(peer, connections);
    }

    /// Another peer, hidden, asks to be dialed at many ports.
    pub(crate) fn asked(
        &mut self,
        peer: &PeerId,
        udp: Udp,
        connections: &Connections,
        now: Instant,
    ) -> Answer {
        // With a port that may be another for everybody it would be in vain, and is not cheap.
        let open = matches!(udp.nat, Nat::Cone | Nat::None);
        let needed = open && !connections.is_direct(peer);
        match udp.seen_at.filter(|_| needed) {
            None => Answer::No,
            Some(own) if self.may_ask(peer, now) => Answer::Yes(own),
            Some(_) => Answer::Later,
        }
    }

    fn may_ask(&mut self, peer: &PeerId, now: Instant) -> bool {
        self.open.is_none()
            && self.of_peer.take(*peer, now).is_ok()
            && self.requests.take(now).is_ok()
    }

    /// What came of the answer: the address to dial.
    pub(crate) fn answered(
        &mut self,
        peer: PeerId,
        outcome: io::Result<(Ipv4Addr, Talk)>,
        connections: &Connections,
        now: Instant,
    ) {
        match outcome {
            Ok((ip, talk)) if self.may_dial(&peer, ip, connections, now) => {
                let addrs = protocol::guesses(ip);
                self.dial(peer, addrs.clone());
                self.open = Some(Guesses { peer, addrs });
                self.actions.push_back(Action::AwaitHit(peer, talk));
            }
            outcome => tracing::debug!(%peer, ?outcome, "it was not dialed at many ports"),
        }
    }

    fn may_dial(
        &mut self,
        peer: &PeerId,
        ip: Ipv4Addr,
        connections: &Connections,
        now: Instant,
    ) -> bool {
        self.open.is_none() && !connections.is_direct(peer) && self.to_address.take(ip, now).is_ok()
    }

    /// The hidden side was hit, or gave up.
    pub(crate) fn ended(&mut self, peer: PeerId, hit: bool, connections: &Connections) {
        if let Some(guesses) = self.open.take_if(|guesses| guesses.peer == peer)
            && hit
            && !connections.is_direct(&peer)
        {
            self.dial(peer, guesses.addrs);
        }
    }

    /// This side, hidden, has dialed from many ports: the one that was hit. `jitter` is in 0..1.
    pub(crate) fn opened_ports(
        &mut self,
        peer: PeerId,
        outcome: io::Result<(u16, Talk)>,
        jitter: f64,
        now: Instant,
    ) {
        self.hidden = None;
        match outcome {
            Ok((port, talk)) => self.actions.push_back(Action::Listen(peer, port, talk)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let times = self.busy.entry(peer).or_default();
                let pause = LATER.saturating_mul(1 << (*times).min(6));
                *times = times.saturating_add(1);
                // It was not tried.
                if let Some(tries) = self.tries.get_mut(&peer) {
                    *tries = tries.saturating_sub(1);
                }
                let pause = pause.mul_f64(0.5 + jitter);
                self.agenda.put(Chore::Punch(peer), now + pause);
            }
            Err(error) => {
                self.failed(peer, &error);
                if error.kind() == io::ErrorKind::TimedOut {
                    self.agenda.put(Chore::Punch(peer), now + LATER);
                }
            }
        }
    }

    /// The port that was hit is listened on, or cannot be.
    pub(crate) fn listening(
        &mut self,
        peer: PeerId,
        listener: io::Result<ListenerId>,
        talk: Talk,
        now: Instant,
    ) {
        match listener {
            Ok(listener) => {
                if let Some(old) = self.holes.insert(peer, listener) {
                    self.actions.push_back(Action::Close(old));
                }
                self.agenda.put(Chore::Hole(peer), now + HOLE);
                self.actions.push_back(Action::SayHit(peer, talk));
                self.actions.push_back(Action::Note {
                    peer,
                    outcome: "found a path through both routers",
                    worked: true,
                });
            }
            Err(error) => self.failed(peer, &error),
        }
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, udp: impl Fn() -> Udp, connections: &Connections, now: Instant) {
        while let Some(chore) = self.agenda.due(now) {
            match chore {
                Chore::Punch(peer) => self.punch(peer, udp(), connections, now),
                Chore::Hole(peer) => self.close_hole(&peer, connections),
            }
        }
    }

    /// When [`Self::poll`] has something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// The next thing to do.
    pub(crate) fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// This side's turn to be the hidden one.
    fn punch(&mut self, peer: PeerId, udp: Udp, connections: &Connections, now: Instant) {
        let Some(own) = udp.seen_at.filter(|_| is_hidden(udp.nat)) else {
            return;
        };
        if !connections.is_relayed_only(&peer) {
            return;
        }
        if self.hidden.is_some() {
            return self.agenda.put(Chore::Punch(peer), now + LATER);
        }
        let tries = self.tries.entry(peer).or_default();
        if *tries >= MAX_TRIES {
            return;
        }
        *tries += 1;
        self.hidden = Some(peer);
        self.actions.push_back(Action::OpenPorts(peer, *own.ip()));
    }

    fn dial(&mut self, peer: PeerId, addrs: Vec<Multiaddr>) {
        if addrs.is_empty() {
            return;
        }
        let at_once = NonZeroU8::new(protocol::GUESSES).unwrap_or(NonZeroU8::MAX);
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addrs)
            .override_dial_concurrency_factor(at_once)
            .build();
        self.actions.push_back(Action::Dial(peer, options));
    }

    /// The hole is closed when nobody came through, or when the peer has gone.
    fn close_hole(&mut self, peer: &PeerId, connections: &Connections) {
        if !connections.is_direct(peer)
            && let Some(listener) = self.holes.remove(peer)
        {
            self.actions.push_back(Action::Close(listener));
        }
    }

    fn failed(&mut self, peer: PeerId, error: &io::Error) {
        let outcome = match error.kind() {
            io::ErrorKind::Unsupported => "the other side does not support it",
            _ => "nothing came through",
        };
        self.actions.push_back(Action::Note {
            peer,
            outcome,
            worked: false,
        });
    }
}

/// Whether nobody knows at which port this side can be dialed.
fn is_hidden(nat: Nat) -> bool {
    match nat {
        Nat::Symmetric | Nat::Changed => true,
        Nat::Unknown | Nat::None | Nat::Cone => false,
    }
}

#[cfg(test)]
mod tests {
    use libp2p::swarm::ConnectionId;

    use super::*;
    use crate::net::connections::tests::known;

    const AT: &str = "/ip4/11.0.0.1/tcp/1";

    fn udp(nat: Nat) -> Udp {
        Udp {
            nat,
            seen_at: Some("11.0.0.7:4001".parse().unwrap()),
        }
    }

    fn relayed(peer: PeerId, now: Instant) -> Connections {
        let mut connections = Connections::default();
        let made = known(peer, AT, Some(PeerId::random()), now);
        connections.add(ConnectionId::new_unchecked(1), made);
        connections
    }

    /// The hidden side, one attempt; whether it is made.
    fn is_tried(
        state: &mut Punching,
        peer: PeerId,
        connections: &Connections,
        now: Instant,
    ) -> bool {
        state.plan(peer, udp(Nat::Symmetric), now);
        state.poll(|| udp(Nat::Symmetric), connections, now + PUNCH_AFTER);
        matches!(state.action(), Some(Action::OpenPorts(to, _)) if to == peer)
    }

    #[test]
    fn a_hidden_side_tries_a_few_times_and_a_busy_answer_does_not_count() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, connections) = (Punching::new(now), relayed(peer, now));
        for _ in 0..2 * MAX_TRIES {
            assert!(is_tried(&mut state, peer, &connections, now));
            let busy = Err(io::ErrorKind::WouldBlock.into());
            state.opened_ports(peer, busy, 0.5, now);
            state.cancel(peer);
        }
        for _ in 0..MAX_TRIES {
            assert!(is_tried(&mut state, peer, &connections, now));
            let nothing = Err(io::ErrorKind::TimedOut.into());
            state.opened_ports(peer, nothing, 0.5, now);
            let noted = state.action();
            assert!(matches!(noted, Some(Action::Note { worked: false, .. })));
            assert_eq!(state.poll_timeout(), Some(now + LATER), "soon again");
        }
        assert!(!is_tried(&mut state, peer, &connections, now));
    }

    #[test]
    fn a_side_that_is_not_hidden_or_is_reached_directly_does_not_try() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, mut connections) = (Punching::new(now), relayed(peer, now));
        state.plan(peer, udp(Nat::Cone), now);
        assert_eq!(state.poll_timeout(), None);
        connections.add(ConnectionId::new_unchecked(2), known(peer, AT, None, now));
        assert!(!is_tried(&mut state, peer, &connections, now));
    }

    #[test]
    fn only_an_open_side_agrees_and_only_so_often() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, connections) = (Punching::new(now), relayed(peer, now));
        let hidden = state.asked(&peer, udp(Nat::Changed), &connections, now);
        assert!(matches!(hidden, Answer::No));
        let mut ask = |peer| {
            let answer = state.asked(&peer, udp(Nat::Cone), &connections, now);
            matches!(answer, Answer::Yes(_))
        };
        let agreed = (0..20).filter(|_| ask(peer)).count();
        assert_eq!(agreed, usize::from(MAX_TRIES), "of one peer");
        let agreed = (0..20).filter(|_| ask(PeerId::random())).count();
        assert_eq!(agreed + usize::from(MAX_TRIES), REQUESTS.burst as usize);
    }

    #[test]
    fn an_address_is_dialed_at_many_ports_only_so_often() {
        let (start, connections) = (Instant::now(), Connections::default());
        let (mut state, target) = (Punching::new(start), "11.0.0.9".parse().unwrap());
        let mut now = start;
        let mut dialed = 0;
        while now < start + REQUESTS_TO_ADDRESS.per {
            now += REQUESTS.per / REQUESTS.burst;
            dialed += u32::from(state.may_dial(&PeerId::random(), target, &connections, now));
        }
        assert!(dialed <= 2 * REQUESTS_TO_ADDRESS.burst, "{dialed}");
        assert!(state.may_dial(
            &PeerId::random(),
            "11.0.0.10".parse().unwrap(),
            &connections,
            now
        ));
    }

    #[test]
    fn a_hole_closes_when_nobody_came() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, connections) = (Punching::new(now), relayed(peer, now));
        let listener = ListenerId::next();
        state.holes.insert(peer, listener);
        state.agenda.put(Chore::Hole(peer), now + HOLE);
        state.poll(|| udp(Nat::Symmetric), &connections, now + HOLE);
        assert!(matches!(state.action(), Some(Action::Close(id)) if id == listener));
        assert!(state.action().is_none());
    }
}
