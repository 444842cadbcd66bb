//! What the node and the rendezvous clients know about the network, judged and worded for someone
//! who is not a network engineer. Each fact says what is so and, where that is not well, what to
//! do; the headline sums them up.
//!
//! Nothing here asks anyone: state goes in, words come out. The words have no times in them,
//! because a snapshot is sent whenever they change.

mod facts;
mod headline;
pub(crate) mod state;

use goop2_node::{Multicast, Status};
use goop2_rendezvous::client::Link;

use crate::{
    api::network::Network,
    network::state::{Server, State},
};

/// Judges the network. `may_map`: this peer may ask the router to open ports.
pub(crate) fn judge(status: &Status, servers: &[Server], may_map: bool) -> Network {
    let state = State {
        status,
        reach: &status.reach,
        servers,
        may_map,
    };
    let (verdict, headline) = headline::headline(&state);
    let testing = status.multicast == Multicast::Starting
        || (!servers.is_empty() && status.reach.testing)
        || servers
            .iter()
            .any(|server| server.state.link == Link::Connecting);
    Network {
        verdict,
        headline: headline.into(),
        facts: facts::facts(&state),
        testing,
    }
}
