//! The verdict on the network, in one sentence.

use goop2_node::{Multicast, Nat};

use crate::{api::network::Verdict, network::state::State};

pub(super) fn headline(state: &State) -> (Verdict, &'static str) {
    if state.status.listen.is_empty() {
        (
            Verdict::Broken,
            "This computer is not connected to a network.",
        )
    } else if state.servers.is_empty() {
        this_network_only(state)
    } else if !state.is_connected() {
        (
            Verdict::Limited,
            "No rendezvous responds, so people on other networks can't find you.",
        )
    } else if state.is_reachable() {
        (
            Verdict::Good,
            "Others can reach you from anywhere, and connect directly.",
        )
    } else {
        behind_a_router(state)
    }
}

fn this_network_only(state: &State) -> (Verdict, &'static str) {
    match state.status.multicast {
        Multicast::Off(_) => (
            Verdict::Limited,
            "Peers on this network can't be found automatically. You can still visit one by its address.",
        ),
        Multicast::Starting => (
            Verdict::Good,
            "Looking for peers on this network. To reach others, join a rendezvous.",
        ),
        Multicast::Working => (
            Verdict::Good,
            "Peers on this network are found automatically. To reach others, join a rendezvous.",
        ),
    }
}

fn behind_a_router(state: &State) -> (Verdict, &'static str) {
    match (state.reach.nat, state.has_reservation()) {
        (Nat::Cone | Nat::None, true) if !state.reach.udp_blocked => (
            Verdict::Good,
            "Others can reach you from anywhere, almost always directly.",
        ),
        (_, true) => (
            Verdict::Limited,
            "Others can reach you from anywhere, but some only through a relay, which is slower.",
        ),
        (Nat::Cone | Nat::None, false) => (
            Verdict::Limited,
            "Some people on other networks may not reach you: there is no relay to help.",
        ),
        (_, false) => (
            Verdict::Limited,
            "Many people on other networks may not reach you: there is no relay to help.",
        ),
    }
}
