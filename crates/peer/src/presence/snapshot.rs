//! Composes the [`Snapshot`] that skins show.

use std::collections::BTreeMap;

use goop2_node::{Multicast, Reservation, Status};
use goop2_proto::{
    PeerId,
    roster::{Record, Roster, Source},
};
use goop2_store::{Config, Known};

use crate::{
    api::{
        live::Live,
        notice::Notice,
        rendezvous::{RelayState, Rendezvous},
        snapshot::{Group, Me, PeerCard, Snapshot},
    },
    connections::best_path,
    known_peers,
    live::readers::uncounted,
    network::{self, state::Server},
    presence::clock::Clock,
};

/// What a snapshot is made from.
pub(super) struct Facts<'a> {
    pub(super) id: PeerId,
    pub(super) config: &'a Config,
    /// Hash of your own picture.
    pub(super) avatar: &'a str,
    pub(super) status: &'a Status,
    pub(super) notices: &'a [Notice],
    pub(super) servers: &'a [Server],
    pub(super) rendezvous: &'a Rendezvous,
    /// Who reads the site.
    pub(super) live: &'a Live,
    pub(super) known: &'a BTreeMap<PeerId, Known>,
    pub(super) roster: &'a Roster,
    pub(super) clock: Clock,
}

impl Facts<'_> {
    pub(super) fn compose(&self) -> Snapshot {
        let (config, status) = (self.config, self.status);
        let notices = self.notices.iter().cloned();
        Snapshot {
            me: Me {
                id: self.id.to_base58(),
                label: config.profile.label.clone(),
                email: config.profile.email.clone(),
                avatar_hash: self.avatar.to_owned(),
                listen: status.listen.iter().map(ToString::to_string).collect(),
            },
            peers: self.peers(),
            notices: notices
                .chain(multicast_notice(status))
                .chain(self.twin_notice())
                .collect(),
            network: network::judge(status, self.servers, config.p2p.port_mapping),
            rendezvous: self.rendezvous(),
            live: self.live(),
        }
    }

    /// The peers announced during this run, and those remembered from earlier ones.
    fn peers(&self) -> Vec<PeerCard> {
        let (known, roster, nothing) = (self.known, self.roster, Known::default());
        let relays = &self.status.reach.relays;
        let relays: BTreeMap<_, _> = relays
            .iter()
            .map(|relay| (relay.peer, relay.label.as_str()))
            .collect();
        let labels = |relay: &PeerId| relays.get(relay).copied();
        let is_blocked = |peer: &PeerId| known.get(peer).is_some_and(|known| known.blocked);
        let announced = roster.records().filter(|(peer, _)| !is_blocked(peer));
        let announced = announced.map(|(peer, record)| {
            let connections = self.status.connections.get(peer);
            let noted = known.get(peer).unwrap_or(&nothing);
            let last_seen = self.clock.unix_millis(record.last_seen);
            PeerCard {
                group: group(record),
                path: connections.and_then(|connections| best_path(connections, labels)),
                ..card(peer, &known_peers::facts(record, last_seen), noted)
            }
        });
        let earlier = known
            .iter()
            .filter(|(peer, known)| !known.blocked && roster.get(peer).is_none())
            .map(|(peer, known)| card(peer, known, known));
        let mut peers: Vec<_> = announced.chain(earlier).collect();
        peers.sort_by_cached_key(|card| {
            (card.group, shown_name(card).to_lowercase(), card.id.clone())
        });
        peers
    }

    /// Who reads, and what the owner wants to be counted.
    fn live(&self) -> Live {
        let site = &self.config.site;
        let live = Live {
            counting: site.count_visits,
            reloading: site.reload,
            ..self.live.clone()
        };
        if live.counting { live } else { uncounted(live) }
    }

    /// Both owners of one identity learn that there are two.
    fn twin_notice(&self) -> Option<Notice> {
        let at_a_server = self.servers.iter().any(|server| server.state.twin);
        (at_a_server || self.status.twin).then(|| Notice {
            code: "twin".into(),
            message: "Another computer, or another copy of your folder, is online with your identity. Visitors \
                      reach one of the two by chance. Stop one of them, or give one a new identity."
                .into(),
        })
    }

    /// The servers' view, with what the node knows of their relays.
    fn rendezvous(&self) -> Rendezvous {
        let mut rendezvous = self.rendezvous.clone();
        for joined in &mut rendezvous.joined {
            let ready = self.status.reach.relays.iter().any(|relay| {
                Some(relay.peer) == joined.relay_peer && matches!(relay.state, Reservation::Held(_))
            });
            if ready {
                joined.relay = RelayState::Ready;
            }
        }
        rendezvous
    }
}

/// Whether two snapshots show the same. A heartbeat of a peer that is online anyway changes
/// nothing.
pub(super) fn same(a: &Snapshot, b: &Snapshot) -> bool {
    let steady = |card: &PeerCard| PeerCard {
        last_seen: if card.group == Group::Earlier {
            card.last_seen
        } else {
            0
        },
        ..card.clone()
    };
    a.me == b.me
        && a.notices == b.notices
        && a.network == b.network
        && a.rendezvous == b.rendezvous
        && a.live == b.live
        && a.peers.iter().map(steady).eq(b.peers.iter().map(steady))
}

/// The name that you see.
fn shown_name(card: &PeerCard) -> &str {
    if card.name.is_empty() {
        &card.label
    } else {
        &card.name
    }
}

fn card(peer: &PeerId, seen: &Known, noted: &Known) -> PeerCard {
    PeerCard {
        id: peer.to_base58(),
        label: seen.label.clone(),
        name: noted.name.clone(),
        favourite: noted.favourite,
        email: seen.email.clone(),
        avatar_hash: seen.avatar_hash.clone(),
        group: Group::Earlier,
        verified: seen.verified,
        last_seen: seen.last_seen,
        path: None,
    }
}

fn multicast_notice(status: &Status) -> Option<Notice> {
    let Multicast::Off(why) = &status.multicast else {
        return None;
    };
    let message = format!(
        "Peers on this network can't be found automatically: {why}. You can still visit a peer by its address."
    );
    Some(Notice {
        code: "no-multicast".into(),
        message,
    })
}

fn group(record: &Record) -> Group {
    match record.sources.first() {
        Some(Source::Lan) => Group::Nearby,
        Some(Source::Wan(_)) => Group::Elsewhere,
        None => Group::Earlier,
    }
}
