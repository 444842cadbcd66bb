//! What the administrator sees of the relay.

use std::cmp::Reverse;

use goop2_proto::relay::{Refusal, State};
use serde::Serialize;

/// Its use, with the busiest guests and the oldest circuits.
#[derive(Serialize)]
pub(super) struct ShownRelay {
    peer_id: String,
    addrs: Vec<String>,
    connections: usize,
    reachable: usize,
    circuits: usize,
    bytes: u64,
    refused: Vec<(&'static str, u64)>,
    shown_guests: Vec<ShownGuest>,
    shown_circuits: Vec<ShownCircuit>,
}

#[derive(Serialize)]
struct ShownGuest {
    id: String,
    reservations: usize,
    sent: u64,
    received: u64,
}

#[derive(Serialize)]
struct ShownCircuit {
    from: String,
    to: String,
    seconds: u64,
}

impl ShownRelay {
    /// With so many guests and circuits at most.
    pub(super) fn new(State { relay, usage }: State, most: usize) -> Self {
        let mut guests = usage.guests.clone();
        guests.sort_by_key(|guest| Reverse(guest.sent + guest.received));
        Self {
            peer_id: relay.peer.to_base58(),
            addrs: relay.addrs.iter().map(ToString::to_string).collect(),
            connections: usage.connections,
            reachable: usage.reachable(),
            circuits: usage.circuits.len(),
            bytes: usage.bytes,
            refused: usage
                .refused
                .iter()
                .map(|(why, count)| (description(*why), *count))
                .collect(),
            shown_guests: guests
                .into_iter()
                .take(most)
                .map(|guest| ShownGuest {
                    id: guest.peer.to_base58(),
                    reservations: guest.reservations,
                    sent: guest.sent,
                    received: guest.received,
                })
                .collect(),
            shown_circuits: usage
                .circuits
                .iter()
                .take(most)
                .map(|circuit| ShownCircuit {
                    from: circuit.from.to_base58(),
                    to: circuit.to.to_base58(),
                    seconds: circuit.seconds,
                })
                .collect(),
        }
    }
}

/// What was refused; the page adds how often.
fn description(why: Refusal) -> &'static str {
    match why {
        Refusal::Stranger => "peers that aren’t connected to this rendezvous",
        Refusal::Peer => "peers over their limit",
        Refusal::Unsigned => "unverified peers over their limit",
        Refusal::Full => "peers when the relay was full",
        Refusal::Rate => "too many requests",
        Refusal::Nobody => "visits to peers without a reservation here",
        Refusal::Unanswered => "visits the other peer didn’t answer",
        Refusal::Connection => "connections over the limit",
        Refusal::DialBack => {
            "reachability tests that were too frequent, or not to the peer’s own public address"
        }
    }
}
