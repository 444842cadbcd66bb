use std::sync::Mutex;

use super::*;

/// An admission with the clock and the rendezvous of the test.
struct World {
    admission: Admission,
    here: Arc<Mutex<HashMap<PeerId, Membership>>>,
    now: Instant,
    connections: usize,
}

impl World {
    fn new(limits: Limits) -> Self {
        let here = Arc::new(Mutex::new(HashMap::new()));
        let table = Arc::clone(&here);
        let ask: Ask = Arc::new(move |peer| {
            let table = table.lock().unwrap();
            table.get(peer).copied().unwrap_or(Membership::Absent)
        });
        Self {
            admission: Admission::new(limits, ask),
            here,
            now: Instant::now(),
            connections: 0,
        }
    }

    fn arrives(&mut self, peer: PeerId, membership: Membership, at: &str) -> ConnectionId {
        self.here.lock().unwrap().insert(peer, membership);
        self.connections += 1;
        let id = ConnectionId::new_unchecked(self.connections);
        self.admission
            .arrived(id, peer, &at.parse().unwrap(), self.now);
        id
    }

    fn reserves(&mut self, id: ConnectionId) -> bool {
        self.admission.asking = Some(id);
        let granted = self.admission.may_reserve(self.now);
        self.admission.asking = None;
        granted
    }

    fn confirmed(&mut self, id: ConnectionId, peer: PeerId, renewed: bool) {
        let event = Event::ReservationReqAccepted {
            src_peer_id: peer,
            renewed,
        };
        self.admission.asking = Some(id);
        self.admission.observe(&event, self.now);
        self.admission.asking = None;
    }

    fn sweep_after(&mut self, time: Duration) -> Vec<ConnectionId> {
        self.now += time;
        self.admission.sweep(self.now)
    }
}

const HOME: &str = "/ip4/11.0.0.7/tcp/4001";

#[test]
fn a_full_relay_renews_and_a_renewal_counts_when_it_is_confirmed() {
    let mut world = World::new(Limits {
        reservations: 1,
        ..Limits::default()
    });
    let peer = PeerId::random();
    let id = world.arrives(peer, Membership::Proved, HOME);
    assert!(world.reserves(id));
    world.confirmed(id, peer, false);
    let other = world.arrives(PeerId::random(), Membership::Proved, HOME);
    assert!(!world.reserves(other));

    assert_eq!(world.sweep_after(RESERVATION - 2 * MARGIN), []);
    assert!(world.reserves(id));
    world.confirmed(id, peer, true);
    assert_eq!(world.sweep_after(RESERVATION - 2 * MARGIN), []);
    // Granted, but the answer does not leave: the library's timer still runs to its first end.
    assert!(world.reserves(id));
    assert_eq!(world.sweep_after(MARGIN + Duration::from_secs(1)), [id]);
    assert_eq!(
        (
            world.admission.reserved,
            world.admission.refused[&Refusal::Full]
        ),
        (1, 1)
    );
}

#[test]
fn a_peer_that_is_gone_keeps_its_reservation_for_the_grace() {
    let mut world = World::new(Limits::default());
    let grace = world.admission.limits.grace;
    let peer = PeerId::random();
    let id = world.arrives(peer, Membership::Claimed, HOME);
    assert!(world.reserves(id));
    world.here.lock().unwrap().clear();
    assert_eq!(world.sweep_after(Duration::ZERO), []);
    assert!(world.reserves(id), "it may renew");
    assert_eq!(world.sweep_after(grace / 2), []);
    world.here.lock().unwrap().insert(peer, Membership::Claimed);
    assert_eq!(world.sweep_after(grace), []);
    world.here.lock().unwrap().clear();
    assert_eq!(world.sweep_after(Duration::ZERO), []);
    assert_eq!(world.sweep_after(grace), [id]);
    world.here.lock().unwrap().insert(peer, Membership::Barred);
    assert_eq!(world.sweep_after(Duration::ZERO), [id]);
}

#[test]
fn addresses_are_dialled_that_are_public_and_the_askers_own() {
    let mut world = World::new(Limits::default());
    let (near, far) = (PeerId::random(), PeerId::random());
    world.arrives(near, Membership::Proved, "/ip4/192.168.1.7/tcp/4001");
    world.arrives(far, Membership::Absent, HOME);
    let now = world.now;
    let mut dials = |peer, addrs: &[&str]| {
        let addrs: Vec<_> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        world.admission.may_dial(peer, &addrs, now)
    };
    assert!(dials(
        &far,
        &["/ip4/11.0.0.7/tcp/9", "/ip4/11.0.0.7/udp/9/quic-v1"]
    ));
    for foreign in [
        "/ip4/11.0.0.8/tcp/9",
        "/ip4/127.0.0.1/tcp/9",
        "/dns4/example.org/tcp/9",
        "/ip4/11.0.0.7/tcp/9/ws",
    ] {
        assert!(!dials(&far, &["/ip4/11.0.0.7/tcp/9", foreign]), "{foreign}");
    }
    assert!(!dials(&near, &["/ip4/192.168.1.7/tcp/4001"]));
    assert!(!dials(&far, &[]));
    let many = (0..1000)
        .filter(|_| dials(&far, &["/ip4/11.0.0.7/tcp/9"]))
        .count();
    assert!(many <= 60, "{many}");
}

/// Each of these households has one more address than the one before.
fn at(home: u8) -> String {
    format!("/ip4/11.0.0.{home}/tcp/4001")
}

#[test]
fn one_household_with_many_keys_leaves_the_relay_to_newcomers() {
    let mut world = World::new(Limits {
        reservations: 20,
        ..Limits::default()
    });
    let early = world.arrives(PeerId::random(), Membership::Proved, &at(9));
    assert!(world.reserves(early));
    let many: Vec<_> = (0..40)
        .map(|_| world.arrives(PeerId::random(), Membership::Proved, &at(1)))
        .collect();
    let granted = many.iter().filter(|id| world.reserves(**id)).count();
    assert_eq!(granted, 19);
    for newcomer in 2..6 {
        let id = world.arrives(PeerId::random(), Membership::Proved, &at(newcomer));
        assert!(world.reserves(id), "household {newcomer}");
        let displaced = world.admission.take_displaced();
        assert_eq!(displaced.len(), 1);
        assert!(many.contains(&displaced[0]), "the one with most gives way");
        world.admission.left(&displaced[0]);
    }
    // Until all have the same.
    let second: Vec<_> = (2..6)
        .flat_map(|home| std::iter::repeat_n(home, 10))
        .map(|home| world.arrives(PeerId::random(), Membership::Proved, &at(home)))
        .collect();
    for id in second {
        world.reserves(id);
        for displaced in world.admission.take_displaced() {
            world.admission.left(&displaced);
        }
    }
    let of = |world: &World, home: u8| {
        let home: IpAddr = [11, 0, 0, home].into();
        let clients = world.admission.clients.values();
        let held = clients.filter(|client| client.ip == home && client.reservation.is_some());
        held.count()
    };
    assert_eq!(of(&world, 9), 1);
    // The other 19 are shared by five.
    assert!((1..6).all(|home| (3..=4).contains(&of(&world, home))));
}

#[test]
fn circuits_and_connections_of_the_largest_household_give_way() {
    let mut world = World::new(Limits {
        circuits: 4,
        ..Limits::default()
    });
    let destination = PeerId::random();
    let connects = |world: &mut World, id, peer| {
        world.admission.asking = Some(id);
        let granted = world.admission.may_connect(world.now);
        if granted {
            let event = Event::CircuitReqAccepted {
                src_peer_id: peer,
                dst_peer_id: destination,
            };
            world.admission.observe(&event, world.now);
        }
        world.admission.asking = None;
        granted
    };
    let greedy = PeerId::random();
    let first = world.arrives(greedy, Membership::Proved, &at(1));
    for _ in 0..4 {
        assert!(connects(&mut world, first, greedy));
    }
    assert!(!connects(&mut world, first, greedy), "it has most itself");
    let other = PeerId::random();
    let id = world.arrives(other, Membership::Proved, &at(2));
    assert!(connects(&mut world, id, other));
    assert_eq!(world.admission.take_displaced(), [first]);

    let mut world = World::new(Limits::default());
    let strangers: Vec<_> = (0..MAX_STRANGERS)
        .map(|number| {
            // As many as are taken of one household, and the last of an own one.
            let home = u8::try_from(number / MAX_STRANGERS_PER_HOME).unwrap();
            world.arrives(PeerId::random(), Membership::Absent, &at(home))
        })
        .collect();
    let newcomer = PeerId::random();
    let addr = at(200).parse().unwrap();
    assert!(world.admission.welcomes(&newcomer, &addr));
    let displaced = world.admission.take_displaced();
    assert!(displaced.len() == 1 && strangers.contains(&displaced[0]));
    let addr = at(1).parse().unwrap();
    assert!(
        !world.admission.welcomes(&newcomer, &addr),
        "that one has its share"
    );
}
