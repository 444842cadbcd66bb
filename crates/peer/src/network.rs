//! What the node and the rendezvous clients know of the network, judged and put into words for
//! someone who is no network engineer. Each fact says what is so and, where that is not well, what
//! to do; the verdict on top weighs them.
//!
//! Nothing here asks anybody: facts in, words out. Times are left out of the words, for a snapshot
//! is sent whenever they change.

use goop2_node::{Mapping, Multicast, Nat, Reach, Reservation, Status};
use goop2_rendezvous::client::{Link, State};

use crate::api::network::{Fact, Network, Verdict};

/// Lines of a fact; the rest of the addresses tell nothing new.
const MAX_ITEMS: usize = 16;

/// A rendezvous server that was joined, and how it stands with it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    /// Its host name, for people.
    pub(crate) label: String,
    pub(crate) state: State,
}

/// Judges the network. `may_map`: the owner lets this peer ask the router for ports.
pub(crate) fn judge(status: &Status, servers: &[Server], may_map: bool) -> Network {
    let view = View {
        status,
        reach: &status.reach,
        servers,
        may_map,
    };
    let (verdict, headline) = view.headline();
    let testing = status.multicast == Multicast::Starting
        || (!servers.is_empty() && status.reach.testing)
        || servers
            .iter()
            .any(|server| server.state.link == Link::Connecting);
    Network {
        verdict,
        headline,
        facts: view.facts(),
        testing,
    }
}

struct View<'a> {
    status: &'a Status,
    reach: &'a Reach,
    servers: &'a [Server],
    may_map: bool,
}

impl View<'_> {
    fn headline(&self) -> (Verdict, String) {
        let (verdict, words) = if self.status.listen.is_empty() {
            (
                Verdict::Broken,
                "This machine is in no network: nobody can be met.",
            )
        } else if self.servers.is_empty() {
            match self.status.multicast {
                Multicast::Off(_) => (
                    Verdict::Limited,
                    "Only peers whose address you type can be met: others on this network are not found by themselves.",
                ),
                Multicast::Starting | Multicast::Working => (
                    Verdict::Good,
                    "Peers on this network are met by themselves. To meet others, join a rendezvous.",
                ),
            }
        } else if !self.servers.iter().any(is_connected) {
            (
                Verdict::Limited,
                "No rendezvous answers: only peers on this network can be met.",
            )
        } else if self.is_reachable() {
            (Verdict::Good, "Peers everywhere reach this one directly.")
        } else {
            self.behind_a_router()
        };
        (verdict, words.into())
    }

    fn behind_a_router(&self) -> (Verdict, &'static str) {
        let relay = self.holds_a_relay();
        match (self.reach.nat, relay) {
            (Nat::Cone | Nat::None, true) if !self.reach.udp_blocked => (
                Verdict::Good,
                "Peers everywhere reach this one, nearly all of them directly.",
            ),
            (_, true) => (
                Verdict::Limited,
                "Peers everywhere reach this one, but some only through a relay, which is slower.",
            ),
            (Nat::Cone | Nat::None, false) => (
                Verdict::Limited,
                "Some peers elsewhere cannot reach this one: there is no relay to help.",
            ),
            (_, false) => (
                Verdict::Limited,
                "Many peers elsewhere cannot reach this one: your router lets nothing in, and there is no relay to help.",
            ),
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![self.address()];
        if self.status.listen.is_empty() {
            // All else follows from that, and would only hide it: but for a server on this very
            // machine.
            let joined = self.servers.iter().filter(|server| is_connected(server));
            facts.extend(joined.map(rendezvous));
            return facts;
        }
        if !self.servers.is_empty() {
            facts.extend([self.reachable(), self.nat()]);
            facts.extend([self.mapping(), self.relay()]);
            facts.extend(self.servers.iter().map(rendezvous));
        }
        facts.push(self.multicast());
        for fact in &mut facts {
            fact.items.truncate(MAX_ITEMS);
        }
        facts
    }

    fn address(&self) -> Fact {
        let items = lines(&self.status.listen);
        if items.is_empty() {
            return fact("address", Verdict::Broken, "This machine")
                .detail("It has no address in any network.")
                .remedy("Connect it to a network: Wi-Fi or cable.");
        }
        fact("address", Verdict::Good, "This machine")
            .detail("It is in a network, and others in it can reach this peer.")
            .items(items)
    }

    fn reachable(&self) -> Fact {
        let fact = fact("reachable", Verdict::Good, "Calls from outside");
        let tested = |addrs: &[_], arrived: &str| -> Vec<_> {
            lines(addrs)
                .into_iter()
                .map(|addr| format!("{addr} {arrived}"))
                .collect()
        };
        let mut items = tested(&self.reach.confirmed, "arrives");
        items.extend(tested(&self.reach.unreachable, "does not arrive"));
        let port = self.status.port;
        match (self.reach.confirmed.is_empty(), self.reach.unreachable.is_empty()) {
            (false, _) if self.is_reachable() => fact
                .detail("Another machine called this peer from outside, and got through.")
                .items(items),
            (false, _) => fact
                .detail("A server called this peer from outside and got through. Your router may not let in everybody so easily.")
                .items(items),
            (true, false) => Fact { verdict: Verdict::Limited, ..fact }
                .detail("Another machine called this peer from outside, and did not get through: your router or a firewall lets in only answers. Peers who want to visit you are called back instead.")
                .remedy(format!("Nothing, if visits work. For the fastest way, let the router pass port {port} (TCP and UDP) on to this machine, or allow Goop2 in this machine's firewall."))
                .items(items),
            (true, true) => Fact { verdict: Verdict::Limited, ..fact }.detail(
                if self.servers.iter().any(is_connected) {
                    "No call from outside has arrived so far. A server may still be trying: that takes up to a minute."
                } else {
                    "Not known: no rendezvous answers that could call this peer."
                },
            ),
        }
    }

    fn nat(&self) -> Fact {
        let seen = self.reach.observed.iter();
        let items: Vec<_> = seen
            .map(|seen| match seen.observers {
                1 => format!("{} seen by one other", seen.addr),
                n => format!("{} seen by {n} others", seen.addr),
            })
            .collect();
        let port = self.status.port;
        let forward = format!(
            "Switch on UPnP or NAT-PMP in the router, or let it pass port {port} (TCP and UDP) on to this machine."
        );
        let fact = fact("nat", Verdict::Limited, "Your router").items(items);
        let fact = match self.reach.nat {
            Nat::Unknown => fact.detail("What it does with calls is not known: no server has seen this peer yet."),
            Nat::None => Fact { verdict: Verdict::Good, ..fact }
                .detail("There is none in between: this machine is on the Internet itself."),
            Nat::Cone => Fact { verdict: Verdict::Good, ..fact }
                .detail("It hides this machine, but in a way that others can get through once both sides want it."),
            Nat::Changed => fact
                .detail("It hides this machine behind another port. Most peers get through nevertheless; some need a relay.")
                .remedy(forward),
            Nat::Symmetric => fact
                .detail("It hides this machine behind a new port for every other machine, so that nobody can be told where to call. Peers behind such routers meet only through a relay.")
                .remedy(forward),
        };
        if !self.reach.udp_blocked {
            return fact;
        }
        Fact { verdict: Verdict::Limited, ..fact }
            .detail("Something in between, the router or a firewall, lets no UDP through. Connections use TCP instead: they work, but fewer are direct.")
            .remedy("Allow UDP in the firewall, if it is yours; networks of companies and hotels often do not.")
    }

    fn mapping(&self) -> Fact {
        let fact = fact("mapping", Verdict::Good, "Port mapping");
        let harmless = self.is_reachable();
        let port = self.status.port;
        match &self.reach.mapping {
            Mapping::Mapped(addrs) => fact
                .detail("The router passes on what comes to this peer.")
                .items(lines(addrs)),
            Mapping::Asking => fact.detail("The router is being asked."),
            Mapping::Off if harmless => fact.detail("Not needed: calls from outside arrive."),
            Mapping::Off if !self.may_map => Fact { verdict: Verdict::Limited, ..fact }
                .detail("Switched off: the router is not asked to let calls in.")
                .remedy("Switch it on in the settings (p2p.port_mapping)."),
            Mapping::Off => fact.detail("Not asked for: every rendezvous joined is on this machine."),
            Mapping::NotFound if harmless => {
                fact.detail("The router maps no ports; calls from outside arrive without.")
            }
            Mapping::NotFound => Fact { verdict: Verdict::Limited, ..fact }
                .detail("The router was asked to let calls in, and does not know how, or does not want to.")
                .remedy(format!("Switch on UPnP or NAT-PMP in the router's settings, or let it pass port {port} (TCP and UDP) on to this machine.")),
        }
    }

    fn relay(&self) -> Fact {
        let state = |state: &Reservation| match state {
            Reservation::NotNeeded => "not needed".to_owned(),
            Reservation::Asking => "is being asked".to_owned(),
            Reservation::Held(_) => "keeps a place for this peer".to_owned(),
            Reservation::Failed { reason, .. } => reason.clone(),
        };
        let relays = &self.reach.relays;
        let items = relays
            .iter()
            .map(|relay| format!("{}: {}", relay.label, state(&relay.state)))
            .collect();
        let fact = fact("relay", Verdict::Good, "Relay").items(items);
        let limited = || Fact {
            verdict: Verdict::Limited,
            ..fact.clone()
        };
        if relays.is_empty() {
            let fact = if self.is_reachable() {
                fact.clone()
            } else {
                limited()
            };
            let asked = self.servers.iter().any(is_connected);
            return match (self.is_reachable(), asked) {
                (true, _) => fact.detail("None is offered, and none is needed."),
                (false, true) => fact
                    .detail("No rendezvous of yours has one. Two peers whose routers both let nothing in cannot meet without.")
                    .remedy("Ask whoever runs the rendezvous to switch its relay on (presence.relay_port), or join another one that has it."),
                (false, false) => fact.detail("Not known: no rendezvous answers."),
            };
        }
        if self.holds_a_relay() {
            fact.detail("It passes on, encrypted, what cannot go directly, and helps two peers to find a direct way.")
        } else if relays
            .iter()
            .any(|relay| relay.state == Reservation::NotNeeded)
        {
            fact.detail("Not needed: peers reach this one directly.")
        } else if relays
            .iter()
            .any(|relay| relay.state == Reservation::Asking)
        {
            fact.detail("It is being asked to keep a place for this peer.")
        } else {
            limited()
                .detail("It does not answer or keeps no place for this peer. Peers whose routers let nothing in cannot reach it meanwhile. It is asked again every few seconds.")
                .remedy("If this lasts, tell whoever runs the rendezvous that its relay cannot be reached.")
        }
    }

    fn multicast(&self) -> Fact {
        let fact = fact("multicast", Verdict::Good, "This network");
        match &self.status.multicast {
            Multicast::Working => fact.detail("Peers on this network find each other by themselves."),
            Multicast::Starting => fact.detail("Peers on this network are being looked for."),
            Multicast::Off(why) => Fact { verdict: Verdict::Limited, ..fact }
                .detail(format!(
                    "Peers on this network are not found by themselves: {why}."
                ))
                .remedy("Visit a peer by its address, or join a rendezvous. If this machine has a firewall, let it pass UDP port 5353; in a guest network, devices are often kept apart."),
        }
    }

    fn holds_a_relay(&self) -> bool {
        self.reach
            .relays
            .iter()
            .any(|relay| matches!(relay.state, Reservation::Held(_)))
    }

    /// As the node decides it: it keeps no place at relays then.
    fn is_reachable(&self) -> bool {
        self.reach.reachable
    }
}

fn rendezvous(server: &Server) -> Fact {
    let Server { label, state } = server;
    let fact = fact("rendezvous", Verdict::Good, format!("Rendezvous {label}"));
    let broken = || Fact {
        verdict: Verdict::Broken,
        ..fact.clone()
    };
    match (&state.link, &state.refusal) {
        (Link::Connected { .. }, None) => {
            let others = match state.peers {
                0 => "nobody else is".to_owned(),
                1 => "one other peer is".to_owned(),
                n => format!("{n} other peers are"),
            };
            fact.detail(format!("Connected; {others} there."))
        }
        (Link::Connected { .. }, Some(reason)) => Fact { verdict: Verdict::Limited, ..fact }
            .detail(format!(
                "Connected, but it does not show this peer to others: {reason}."
            ))
            .remedy("Its page says what it asks for; open it in a browser."),
        (Link::Connecting, _) => fact.detail("Being connected to."),
        (Link::Refused { reason, .. }, _) => broken()
            .detail(format!("It does not let this peer in: {reason}."))
            .remedy("Check its address in the settings, or ask whoever runs it."),
        (Link::Retrying { reason, .. }, _) => broken()
            .detail(format!(
                "It cannot be reached: {reason}. It is tried again all the time."
            ))
            .remedy("Check that this machine is on the Internet. If other pages open, the server is down: ask whoever runs it."),
    }
}

fn is_connected(server: &Server) -> bool {
    matches!(server.state.link, Link::Connected { .. })
}

fn lines(addrs: &[goop2_proto::Multiaddr]) -> Vec<String> {
    addrs.iter().map(ToString::to_string).collect()
}

fn fact(code: &str, verdict: Verdict, title: impl Into<String>) -> Fact {
    Fact {
        code: code.into(),
        verdict,
        title: title.into(),
        detail: String::new(),
        remedy: None,
        items: Vec::new(),
    }
}

impl Fact {
    fn detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    fn items(self, items: Vec<String>) -> Self {
        Self { items, ..self }
    }
}
