//! Who may reserve and connect: plain state between the rendezvous, which knows who is online, and
//! the library, which asks.
//!
//! The library refuses by number only, and counts a renewal as one more; so the decisions are taken
//! here and the library is left without its own limits where that matters. Three classes: a peer
//! that signs its presence has the whole relay; peers that do not sign share a quarter, and one
//! household of them a handful; anybody else has nothing. A peer that is gone keeps what it has for
//! a while, since one whose server or line hiccups is worth more than a free reservation. When
//! something is full, the household that has most of it gives way ([`super::room`]).

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use goop2_proto::{
    Multiaddr, PeerId,
    bucket::{Buckets, Rate},
    household,
    relay::{Circuit, Guest, Membership, Refusal, Usage},
};
use libp2p::{
    relay::{Event, StatusCode},
    swarm::ConnectionId,
};

use super::{
    limits::Limits,
    meter::Meter,
    room::{Room, room},
};
use crate::net::{
    addresses::{ip, transport},
    ip::{is_private, is_reachable},
};

/// How long a reservation lasts; peers renew it at three quarters.
pub(super) const RESERVATION: Duration = Duration::from_secs(60 * 60);

/// A reservation that is not renewed ends with its connection, this long before the library's own
/// timer: that one may fire in the middle of a renewal, which the library does not expect.
const MARGIN: Duration = Duration::from_secs(30);

/// The part of the relay for all peers that do not sign.
const UNSIGNED_PART: usize = 4;

/// Reservations and circuits of unsigned peers at one address: a household of existing peers.
const UNSIGNED_PER_HOME: usize = 8;

/// Connections of peers that are not at the rendezvous, who may only ask what their address is: in
/// all and at one address.
const MAX_STRANGERS: usize = 512;
const MAX_STRANGERS_PER_HOME: usize = 32;

/// Reservations asked for by one peer, and at one address: reconnecting all day needs fewer.
const RESERVING: Rate = Rate {
    burst: 60,
    per: Duration::from_secs(30 * 60),
};
const RESERVING_PER_HOME: Rate = Rate {
    burst: 600,
    per: Duration::from_secs(600),
};

/// Circuits asked for: a start with a hundred peers in the list, and then what a person clicks.
const CONNECTING: Rate = Rate {
    burst: 120,
    per: Duration::from_secs(240),
};
const CONNECTING_PER_HOME: Rate = Rate {
    burst: 1200,
    per: Duration::from_secs(240),
};

/// Addresses dialed back for one household: a handful for each peer at its start.
const DIALING: Rate = Rate {
    burst: 60,
    per: Duration::from_secs(120),
};

/// Askers watched at a time; beyond, newcomers have to wait.
const MAX_WATCHED: usize = 8192;

/// Looks up a peer's membership at the rendezvous.
pub type Ask = Arc<dyn Fn(&PeerId) -> Membership + Send + Sync>;

pub(super) struct Admission {
    limits: Limits,
    ask: Ask,
    /// The connection whose request the library is looking at.
    pub(super) asking: Option<ConnectionId>,
    clients: HashMap<ConnectionId, Client>,
    /// Connections that had to give way and are to be closed.
    displaced: Vec<ConnectionId>,
    /// Counts connections, to know which are new.
    arrivals: u64,
    circuits: Vec<Open>,
    /// Circuits refused here, which the library has yet to report.
    refused_here: usize,
    reserving: Buckets<PeerId>,
    reserving_home: Buckets<IpAddr>,
    connecting: Buckets<PeerId>,
    connecting_home: Buckets<IpAddr>,
    dialing: Buckets<IpAddr>,
    reserved: u64,
    connected: u64,
    refused: BTreeMap<Refusal, u64>,
}

/// One connection.
#[derive(Debug)]
struct Client {
    peer: PeerId,
    ip: IpAddr,
    /// Its number among all.
    arrival: u64,
    /// It had to give way, and is about to close.
    displaced: bool,
    /// Since when its peer is not at the rendezvous.
    absent: Option<Instant>,
    reservation: Option<Reservation>,
}

#[derive(Debug)]
struct Reservation {
    until: Instant,
    /// The end of a renewal that was granted and not yet confirmed.
    renewal: Option<Instant>,
    signed: bool,
}

/// One circuit.
#[derive(Debug)]
struct Open {
    from: PeerId,
    to: PeerId,
    since: Instant,
    /// The household of its opener.
    home: IpAddr,
    signed: bool,
}

impl Admission {
    pub(super) fn new(limits: Limits, ask: Ask) -> Self {
        Self {
            limits,
            ask,
            asking: None,
            clients: HashMap::new(),
            displaced: Vec::new(),
            arrivals: 0,
            circuits: Vec::new(),
            refused_here: 0,
            reserving: Buckets::new(RESERVING, MAX_WATCHED),
            reserving_home: Buckets::new(RESERVING_PER_HOME, MAX_WATCHED),
            connecting: Buckets::new(CONNECTING, MAX_WATCHED),
            connecting_home: Buckets::new(CONNECTING_PER_HOME, MAX_WATCHED),
            dialing: Buckets::new(DIALING, MAX_WATCHED),
            reserved: 0,
            connected: 0,
            refused: BTreeMap::new(),
        }
    }

    /// Whether a connection of this peer is taken.
    pub(super) fn welcomes(&mut self, peer: &PeerId, remote: &Multiaddr) -> bool {
        let home = household::of(ip(remote).unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
        let welcome = match (self.ask)(peer) {
            Membership::Proved | Membership::Claimed => true,
            Membership::Barred => false,
            Membership::Absent => self.welcomes_stranger(home),
        };
        let most = self.limits.connections();
        if welcome && self.make_room(home, most, |_| true) {
            return true;
        }
        self.refuse(Refusal::Connection)
    }

    fn welcomes_stranger(&mut self, home: IpAddr) -> bool {
        let stranger = |client: &Client| client.absent.is_some();
        let here = |client: &&Client| stranger(client) && client.home() == home;
        let here = self.clients.values().filter(here).count();
        here < MAX_STRANGERS_PER_HOME && self.make_room(home, MAX_STRANGERS, stranger)
    }

    /// Whether there is room for one more of those clients, of which there may be so many; another
    /// household may have to give way.
    fn make_room(&mut self, home: IpAddr, most: usize, counts: impl Fn(&Client) -> bool) -> bool {
        let counted = |client: &Client| !client.displaced && counts(client);
        let held = self.clients.values().filter(|client| counted(client));
        let largest = match room(held.map(Client::home), home, most) {
            Room::Free => return true,
            Room::Full => return false,
            Room::Of(largest) => largest,
        };
        // The newest, without a reservation if there is one: who was here before has more to lose.
        let theirs = self.clients.iter();
        let theirs = theirs.filter(|(_, client)| counted(client) && client.home() == largest);
        let newest =
            theirs.max_by_key(|(_, client)| (client.reservation.is_none(), client.arrival));
        let Some(id) = newest.map(|(id, _)| *id) else {
            return false;
        };
        self.displace(id);
        true
    }

    fn displace(&mut self, id: ConnectionId) {
        if let Some(client) = self.clients.get_mut(&id) {
            tracing::debug!(home = %client.home(), "a household with most of the relay gives way");
            client.displaced = true;
            client.reservation = None;
            self.displaced.push(id);
        }
    }

    /// Connections to close at once, because others got their place.
    pub(super) fn take_displaced(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.displaced)
    }

    pub(super) fn arrived(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        now: Instant,
    ) {
        let absent = matches!((self.ask)(&peer), Membership::Absent | Membership::Barred);
        self.arrivals += 1;
        self.clients.insert(
            id,
            Client {
                peer,
                ip: ip(remote).unwrap_or(Ipv6Addr::UNSPECIFIED.into()),
                arrival: self.arrivals,
                displaced: false,
                absent: absent.then_some(now),
                reservation: None,
            },
        );
    }

    pub(super) fn left(&mut self, id: &ConnectionId) {
        self.clients.remove(id);
    }

    /// The library asks whether the connection it looks at gets a reservation, or a longer one.
    pub(super) fn may_reserve(&mut self, now: Instant) -> bool {
        match self.reserve(now) {
            Ok(()) => true,
            Err(why) => self.refuse(why),
        }
    }

    fn reserve(&mut self, now: Instant) -> Result<(), Refusal> {
        let id = self.asking.ok_or(Refusal::Stranger)?;
        let client = self.clients.get(&id).ok_or(Refusal::Stranger)?;
        let (peer, ip) = (client.peer, client.ip);
        let membership = (self.ask)(&peer);
        let renewed = client.reservation.is_some();
        let signed = match membership {
            Membership::Proved => true,
            Membership::Claimed => false,
            Membership::Absent if renewed => false,
            Membership::Absent | Membership::Barred => return Err(Refusal::Stranger),
        };
        // The household first: with new keys it makes no new buckets once it is over its rate.
        if self.reserving_home.take(household::of(ip), now).is_err()
            || self.reserving.take(peer, now).is_err()
        {
            return Err(Refusal::Rate);
        }
        let until = now + RESERVATION;
        if let Some(reservation) = self
            .clients
            .get_mut(&id)
            .and_then(|client| client.reservation.as_mut())
        {
            reservation.renewal = Some(until);
            return Ok(());
        }
        self.room(peer, ip, signed)?;
        if let Some(client) = self.clients.get_mut(&id) {
            client.reservation = Some(Reservation {
                until,
                renewal: None,
                signed,
            });
        }
        Ok(())
    }

    /// Whether there is room for one more reservation of this peer; another household may have to
    /// give way.
    fn room(&mut self, peer: PeerId, ip: IpAddr, signed: bool) -> Result<(), Refusal> {
        let home = household::of(ip);
        let (mut of_peer, mut unsigned, mut unsigned_here) = (0, 0, 0);
        for client in self.clients.values() {
            let Some(held) = &client.reservation else {
                continue;
            };
            of_peer += usize::from(client.peer == peer);
            unsigned += usize::from(!held.signed);
            unsigned_here += usize::from(!held.signed && client.home() == home);
        }
        if of_peer >= self.limits.reservations_per_peer {
            return Err(Refusal::Peer);
        }
        let reserved = |client: &Client| client.reservation.is_some();
        if !signed && !room_for_unsigned(self.limits.reservations, unsigned, unsigned_here) {
            return Err(Refusal::Unsigned);
        }
        if self.make_room(home, self.limits.reservations, reserved) {
            Ok(())
        } else {
            Err(Refusal::Full)
        }
    }

    /// The library asks whether the peer of the connection it looks at may open a circuit.
    pub(super) fn may_connect(&mut self, now: Instant) -> bool {
        match self.connect(now) {
            Ok(()) => true,
            Err(why) => {
                self.refused_here += 1;
                self.refuse(why)
            }
        }
    }

    fn connect(&mut self, now: Instant) -> Result<(), Refusal> {
        let client = self.asking.and_then(|id| self.clients.get(&id));
        let client = client.ok_or(Refusal::Stranger)?;
        let (peer, home) = (client.peer, client.home());
        let membership = (self.ask)(&peer);
        let holds = |client: &Client| client.peer == peer && client.reservation.is_some();
        match membership {
            Membership::Proved => {}
            Membership::Absent if self.clients.values().any(holds) => {}
            Membership::Absent | Membership::Barred => return Err(Refusal::Stranger),
            Membership::Claimed => {
                let unsigned = self.circuits.iter().filter(|circuit| !circuit.signed);
                let (mut all, mut here) = (0, 0);
                for circuit in unsigned {
                    all += 1;
                    here += usize::from(circuit.home == home);
                }
                if !room_for_unsigned(self.limits.circuits, all, here) {
                    return Err(Refusal::Unsigned);
                }
            }
        }
        if self.connecting_home.take(home, now).is_err() || self.connecting.take(peer, now).is_err()
        {
            return Err(Refusal::Rate);
        }
        self.room_for_circuit(home)
    }

    /// Whether there is room for one more circuit. One can be taken from another household only
    /// with its connection, and so with all others on it.
    fn room_for_circuit(&mut self, home: IpAddr) -> Result<(), Refusal> {
        if self.circuits.len() < self.limits.circuits {
            return Ok(());
        }
        let staying = self.clients.iter().filter(|(_, client)| !client.displaced);
        let carriers: HashMap<_, _> = staying
            .map(|(id, client)| ((client.peer, client.home()), *id))
            .collect();
        let carried = |circuit: &Open| {
            let id = carriers.get(&(circuit.from, circuit.home))?;
            Some((*id, circuit.home))
        };
        let staying: Vec<_> = self.circuits.iter().filter_map(carried).collect();
        let held = staying.iter().map(|(_, home)| *home);
        let largest = match room(held, home, self.limits.circuits) {
            Room::Free => return Ok(()),
            Room::Full => return Err(Refusal::Full),
            Room::Of(largest) => largest,
        };
        let newest = staying.iter().rfind(|(_, home)| *home == largest);
        let (id, _) = newest.ok_or(Refusal::Full)?;
        self.displace(*id);
        Ok(())
    }

    /// Whether an address is dialed for a peer that asks whether it can be reached there: only one
    /// that is public and at which the peer itself is seen, so that nobody can point the relay at
    /// others or at what is behind it.
    pub(super) fn may_dial(&mut self, peer: &PeerId, addrs: &[Multiaddr], now: Instant) -> bool {
        let own = |addr: &Multiaddr| {
            let mut bare = addr.clone();
            if matches!(
                bare.iter().last(),
                Some(libp2p::multiaddr::Protocol::P2p(_))
            ) {
                bare.pop();
            }
            let seen = ip(addr).filter(|ip| is_reachable(*ip) && !is_private(*ip))?;
            let there = |client: &Client| client.peer == *peer && client.ip == seen;
            (transport(&bare).is_some() && self.clients.values().any(there)).then_some(seen)
        };
        let homes: Option<Vec<_>> = addrs.iter().map(own).collect();
        let allowed = homes.is_some_and(|ips| {
            !ips.is_empty()
                && ips
                    .into_iter()
                    .all(|ip| self.dialing.take(household::of(ip), now).is_ok())
        });
        allowed || self.refuse(Refusal::DialBack)
    }

    /// Where a peer is connected from, for one that has a circuit with it.
    pub(super) fn seen(&self, asker: &PeerId, peer: &PeerId) -> Vec<IpAddr> {
        let between = |circuit: &Open| {
            let ends = (&circuit.from, &circuit.to);
            ends == (asker, peer) || ends == (peer, asker)
        };
        if !self.circuits.iter().any(between) {
            return Vec::new();
        }
        let clients = self.clients.values().filter(|client| client.peer == *peer);
        clients.map(|client| client.ip).collect()
    }

    /// What the library reports of its work for the connection it looks at, if any.
    pub(super) fn observe(&mut self, event: &Event, now: Instant) {
        match event {
            Event::ReservationReqAccepted { renewed, .. } => {
                self.reserved += u64::from(!renewed);
                self.confirm();
            }
            Event::CircuitReqAccepted {
                src_peer_id,
                dst_peer_id,
            } => self.open(*src_peer_id, *dst_peer_id, now),
            Event::CircuitClosed {
                src_peer_id,
                dst_peer_id,
                ..
            } => {
                let same = |open: &Open| open.from == *src_peer_id && open.to == *dst_peer_id;
                if let Some(at) = self.circuits.iter().position(same) {
                    self.circuits.remove(at);
                }
            }
            Event::CircuitReqDenied { status, .. } => self.denied(status),
            _ => {}
        }
    }

    /// Connections to close: of peers that were taken out, or are no longer here, or did not
    /// renew.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<ConnectionId> {
        let mut over = Vec::new();
        for (id, client) in &mut self.clients {
            let membership = (self.ask)(&client.peer);
            client.absent = match membership {
                Membership::Proved | Membership::Claimed => None,
                Membership::Absent | Membership::Barred => client.absent.or(Some(now)),
            };
            let gone = client
                .absent
                .is_some_and(|since| now.saturating_duration_since(since) >= self.limits.grace);
            let stale = |held: &Reservation| held.until < now + MARGIN;
            if membership == Membership::Barred
                || gone
                || client.reservation.as_ref().is_some_and(stale)
            {
                over.push(*id);
            }
        }
        over
    }

    pub(super) fn usage(&self, meter: &Meter, now: Instant) -> Usage {
        let mut reservations = BTreeMap::<PeerId, usize>::new();
        for client in self.clients.values() {
            if client.reservation.is_some() {
                *reservations.entry(client.peer).or_default() += 1;
            }
        }
        for circuit in &self.circuits {
            reservations.entry(circuit.from).or_default();
            reservations.entry(circuit.to).or_default();
        }
        let guest = |(peer, reservations)| {
            let (sent, received) = meter.of(&peer);
            Guest {
                peer,
                reservations,
                sent,
                received,
            }
        };
        let circuit = |open: &Open| Circuit {
            from: open.from,
            to: open.to,
            seconds: now.saturating_duration_since(open.since).as_secs(),
        };
        Usage {
            connections: self.clients.len(),
            guests: reservations.into_iter().map(guest).collect(),
            circuits: self.circuits.iter().map(circuit).collect(),
            reserved: self.reserved,
            connected: self.connected,
            bytes: meter.carried(),
            refused: self.refused.clone(),
        }
    }

    fn open(&mut self, from: PeerId, to: PeerId, now: Instant) {
        self.connected += 1;
        let opener = self.clients.values().find(|client| client.peer == from);
        let home = opener.map_or(Ipv6Addr::UNSPECIFIED.into(), Client::home);
        self.circuits.push(Open {
            from,
            to,
            since: now,
            home,
            signed: (self.ask)(&from) == Membership::Proved,
        });
    }

    /// The answer has left: a renewal counts from here on, no earlier.
    fn confirm(&mut self) {
        let client = self.asking.and_then(|id| self.clients.get_mut(&id));
        if let Some(held) = client.and_then(|client| client.reservation.as_mut()) {
            held.until = held.renewal.take().unwrap_or(held.until);
        }
    }

    fn denied(&mut self, status: &StatusCode) {
        match status {
            StatusCode::NoReservation => self.refuse(Refusal::Nobody),
            StatusCode::ResourceLimitExceeded if self.refused_here > 0 => {
                self.refused_here -= 1;
                false
            }
            // By the library, which also counts those that are being opened.
            StatusCode::ResourceLimitExceeded if self.circuits.len() < self.limits.circuits => {
                self.refuse(Refusal::Peer)
            }
            StatusCode::ResourceLimitExceeded => self.refuse(Refusal::Full),
            _ => self.refuse(Refusal::Unanswered),
        };
    }

    /// Always false, for the peer that asked.
    pub(super) fn refuse(&mut self, why: Refusal) -> bool {
        *self.refused.entry(why).or_default() += 1;
        false
    }
}

impl Client {
    fn home(&self) -> IpAddr {
        household::of(self.ip)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("clients", &self.clients.len())
            .field("circuits", &self.circuits.len())
            .finish_non_exhaustive()
    }
}

fn room_for_unsigned(limit: usize, all: usize, here: usize) -> bool {
    all < limit.div_ceil(UNSIGNED_PART) && here < UNSIGNED_PER_HOME
}

#[cfg(test)]
mod tests;
