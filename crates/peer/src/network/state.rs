//! What the judgment of the network is based on.

use goop2_node::{Reach, Reservation, Status};
use goop2_rendezvous::client::{self, Link};

/// A rendezvous server that was joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    /// Its host name, for people.
    pub(crate) label: String,
    pub(crate) state: client::State,
}

impl Server {
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.state.link, Link::Connected { .. })
    }
}

pub(super) struct State<'a> {
    pub(super) status: &'a Status,
    pub(super) reach: &'a Reach,
    pub(super) servers: &'a [Server],
    pub(super) may_map: bool,
}

impl State<'_> {
    /// As the node decides it; it needs no reservation at a relay then.
    pub(super) fn is_reachable(&self) -> bool {
        self.reach.reachable
    }

    pub(super) fn has_reservation(&self) -> bool {
        self.reach
            .relays
            .iter()
            .any(|relay| matches!(relay.state, Reservation::Held(_)))
    }

    pub(super) fn is_connected(&self) -> bool {
        self.servers.iter().any(Server::is_connected)
    }

    /// A server shows this peer to others.
    pub(super) fn is_listed(&self) -> bool {
        let shows = |server: &Server| server.is_connected() && server.state.refusal.is_none();
        self.servers.iter().any(shows)
    }
}
