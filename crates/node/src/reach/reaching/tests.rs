use std::collections::BTreeSet;

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::{
    dials::{NO_ADDRESS, REST_AFTER},
    *,
};
use crate::net::{
    addresses::circuit,
    connections::tests::known,
    network::{Network, tests::network},
};

const TCP: &str = "/ip4/11.0.0.1/tcp/1";
const QUIC: &str = "/ip4/11.0.0.1/udp/1/quic-v1";

struct World {
    state: Reaching,
    net: Network,
    now: Instant,
    peer: PeerId,
    relay: PeerId,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            state: Reaching::new(now),
            net: network(),
            now,
            peer: PeerId::random(),
            relay: PeerId::random(),
        }
    }

    fn learn(&mut self, addrs: &[&str]) {
        let addrs = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        self.state.learn(self.peer, addrs, &self.net, self.now);
    }

    fn learn_circuit(&mut self) {
        let addr = circuit("/ip4/11.0.0.9/tcp/1".parse().unwrap(), self.relay);
        self.state.learn(self.peer, vec![addr], &self.net, self.now);
    }

    fn connect(&mut self) -> oneshot::Receiver<Result<(), String>> {
        self.connect_for(Purpose::Visit)
    }

    fn connect_for(&mut self, purpose: Purpose) -> oneshot::Receiver<Result<(), String>> {
        let (reply, answer) = oneshot::channel();
        self.state
            .connect(self.peer, purpose, reply, &self.net, self.now);
        answer
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
        self.state.poll(&self.net, self.now);
    }

    /// The dials that are to be started now.
    fn dials(&mut self) -> Vec<Dial> {
        let actions = std::iter::from_fn(|| self.state.action());
        let dials = actions.filter_map(|action| match action {
            Action::Dial(dial) => Some(dial),
            _ => None,
        });
        dials.collect()
    }

    fn dial(&mut self) -> Dial {
        let [dial] = <[_; 1]>::try_from(self.dials()).expect("one dial");
        dial
    }

    fn fails(&mut self, dial: &Dial) {
        let error = DialError::Aborted;
        self.state
            .dial_ended(self.peer, dial.id, &error, &self.net, self.now);
    }

    fn connected(&mut self, id: ConnectionId, relay: Option<PeerId>) {
        let made = known(self.peer, TCP, relay, self.now);
        self.net.connections.add(id, made.clone());
        self.state.connected(id, &made, self.now);
    }
}

#[test]
fn quic_has_a_head_start_before_tcp_and_relays() {
    let mut world = World::new();
    world.learn(&[TCP, QUIC]);
    world.learn_circuit();
    let mut answer = world.connect();
    let quic = world.dial();
    assert_eq!(quic.addresses, 1);
    world.after(REST_AFTER / 2);
    assert!(world.dials().is_empty());
    world.after(REST_AFTER);
    let rest = world.dials();
    assert_eq!(rest.len(), 2, "TCP, and a relay");
    assert!(world.state.is_dialing_circuits());
    world.connected(quic.id, None);
    assert_eq!(answer.try_recv(), Ok(Ok(())));
    let Some(Action::Cancel(lost)) = world.state.action() else {
        panic!("the others have lost");
    };
    let others: BTreeSet<_> = rest.iter().map(|dial| dial.id).collect();
    assert_eq!(lost.into_iter().collect::<BTreeSet<_>>(), others);
}

#[test]
fn where_udp_is_blocked_tcp_does_not_wait() {
    let mut world = World::new();
    world.net.host.udp_blocked = true;
    world.learn(&[TCP, QUIC]);
    let _answer = world.connect();
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn the_rest_is_dialed_at_once_when_quic_fails_and_all_in_vain_is_said_after_two_tries() {
    let mut world = World::new();
    world.learn(&[TCP, QUIC]);
    let mut answer = world.connect();
    for _ in 0..CONNECT_TRIES {
        assert_eq!(answer.try_recv(), Err(TryRecvError::Empty));
        let quic = world.dial();
        world.fails(&quic);
        let tcp = world.dial();
        world.fails(&tcp);
        let failed = world.state.action();
        assert!(matches!(failed, Some(Action::Failed { addresses: 2, .. })));
        world.after(2 * CONNECT_PAUSE);
    }
    assert!(matches!(answer.try_recv(), Ok(Err(_))));
}

#[test]
fn dials_that_cannot_be_started_are_answered_without_an_attempt_in_the_history() {
    let mut world = World::new();
    world.learn(&[TCP, QUIC]);
    let mut answer = world.connect();
    for _ in 0..CONNECT_TRIES {
        for _ in 0..2 {
            let dial = world.dial();
            let why = "there are too many connections already".into();
            world.state.refused(&dial, why, &world.net, world.now);
        }
        assert!(world.state.action().is_none());
        world.after(2 * CONNECT_PAUSE);
    }
    let Ok(Err(why)) = answer.try_recv() else {
        panic!("it was answered");
    };
    assert!(why.contains("too many"), "{why}");
}

#[test]
fn a_relayed_connection_answers_and_lets_the_other_dials_go_on() {
    let mut world = World::new();
    world.learn(&[QUIC]);
    world.learn_circuit();
    let mut answer = world.connect();
    let _quic = world.dial();
    world.after(REST_AFTER);
    let circuit = world.dial();
    let relay = world.relay;
    world.connected(circuit.id, Some(relay));
    assert_eq!(answer.try_recv(), Ok(Ok(())));
    assert!(world.state.action().is_none());
    assert!(!world.state.is_dialing_circuits());
}

#[test]
fn relays_that_refuse_are_asked_again_while_other_dials_run() {
    let mut world = World::new();
    world.learn(&[QUIC]);
    world.learn_circuit();
    let _answer = world.connect();
    let _quic = world.dial();
    world.after(REST_AFTER);
    let circuit = world.dial();
    world.fails(&circuit);
    assert!(world.dials().is_empty());
    world.after(CIRCUITS_AGAIN);
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn a_kept_peer_is_dialed_when_its_addresses_come_and_left_a_while_after_its_release() {
    let mut world = World::new();
    let peer = world.peer;
    world
        .state
        .keep_connected([peer].into(), &world.net, world.now);
    world.after(HEAD_START);
    assert!(world.dials().is_empty(), "no address is known");
    world.learn(&[TCP]);
    world.after(HEAD_START);
    let dial = world.dial();
    world.connected(dial.id, None);
    assert!(!world.state.is_neighbor(&peer, world.now));
    world
        .state
        .keep_connected(HashSet::new(), &world.net, world.now);
    assert!(world.dials().is_empty());
    world.after(LEAVE_AFTER);
    assert!(matches!(world.state.action(), Some(Action::Leave(gone)) if gone == peer));
    world.net.connections.remove(peer, dial.id);
    world.state.lost(peer, 0.5, world.now);
    assert_eq!(world.state.poll_timeout(), None);
    assert!(world.state.is_neighbor(&peer, world.now));
}

#[test]
fn an_address_at_which_another_peer_answers_is_forgotten() {
    let mut world = World::new();
    world.learn(&[TCP]);
    let error = DialError::WrongPeerId {
        obtained: PeerId::random(),
        address: TCP.parse().unwrap(),
    };
    world.state.check_identity(world.peer, &error);
    let mut answer = world.connect();
    world.after(2 * CONNECT_PAUSE);
    let why = answer.try_recv().unwrap().unwrap_err();
    assert_eq!(why, NO_ADDRESS);
}

/// A company's network, a router's own pages, and a name, none of which is here.
const ELSEWHERE: [&str; 3] = [
    "/ip4/10.7.0.1/tcp/22",
    "/ip4/192.168.1.1/udp/80/quic-v1",
    "/dns4/intranet.example/tcp/443",
];

#[test]
fn addresses_that_strangers_name_wait_for_a_visit() {
    let mut world = World::new();
    let peer = world.peer;
    world
        .state
        .keep_connected([peer].into(), &world.net, world.now);
    world.learn(&ELSEWHERE);
    let mut answer = world.connect_for(Purpose::Background);
    for _ in 0..20 {
        world.after(PATIENCE);
        world.state.try_another(peer, &world.net, world.now);
        assert!(world.dials().is_empty());
        world.learn(&ELSEWHERE);
    }
    assert!(matches!(answer.try_recv(), Ok(Err(_))));
    let _answer = world.connect();
    world.after(REST_AFTER);
    let dialed: usize = world.dials().iter().map(|dial| dial.addresses).sum();
    // Of those on local networks TCP comes first.
    assert_eq!(dialed, ELSEWHERE.len() - 1);
}

#[test]
fn a_visit_adds_to_the_attempt_that_runs() {
    let mut world = World::new();
    let peer = world.peer;
    world.learn(&[QUIC]);
    world.learn(&ELSEWHERE);
    world
        .state
        .keep_connected([peer].into(), &world.net, world.now);
    world.after(HEAD_START);
    assert_eq!(world.dial().addresses, 1);
    world.learn(&["/ip4/10.7.0.1/tcp/23"]);
    assert!(world.dials().is_empty());
    let _answer = world.connect();
    world.after(REST_AFTER);
    let dialed: usize = world.dials().iter().map(|dial| dial.addresses).sum();
    assert_eq!(dialed, ELSEWHERE.len() + 1);
}

#[test]
fn where_a_peer_answered_it_is_dialed_again() {
    let mut world = World::new();
    let (peer, at) = (world.peer, ELSEWHERE[0]);
    world.learn(&[at]);
    let _answer = world.connect();
    let dial = world.dial();
    let made = known(peer, at, None, world.now);
    world.state.connected(dial.id, &made, world.now);
    world
        .state
        .keep_connected([peer].into(), &world.net, world.now);
    while world.state.action().is_some() {}
    world.state.visited = Visited::default();
    world.state.lost(peer, 0.5, world.now);
    world.after(2 * HEAD_START);
    assert_eq!(world.dial().addresses, 1);
}

#[test]
fn a_visit_over_a_relay_looks_for_a_better_connection() {
    let mut world = World::new();
    let (peer, relay) = (world.peer, world.relay);
    let made = known(peer, TCP, Some(relay), world.now);
    let id = ConnectionId::new_unchecked(1);
    world.net.connections.add(id, made);
    world.learn(&ELSEWHERE);
    let news = world.state.action();
    assert!(matches!(news, Some(Action::NewAddresses(of)) if of == peer));
    world.state.dial_direct_again(peer, &world.net, world.now);
    assert!(world.dials().is_empty());
    world.state.visit(peer, &world.net, world.now);
    let news = world.state.action();
    assert!(matches!(news, Some(Action::NewAddresses(of)) if of == peer));
    world.state.dial_direct_again(peer, &world.net, world.now);
    assert!(!world.dials().is_empty());
}
