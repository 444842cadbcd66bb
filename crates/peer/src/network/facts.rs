//! The facts about the network, each with what to do if it is not well.

use goop2_node::{Mapping, Multicast, Nat, Reservation};
use goop2_proto::Multiaddr;
use goop2_rendezvous::client::Link;

use crate::{
    api::network::{Fact, Verdict},
    network::state::{Server, State},
};

/// Lines of a fact; more addresses add nothing.
const MAX_ITEMS: usize = 16;

pub(super) fn facts(state: &State) -> Vec<Fact> {
    let mut facts = vec![address(state)];
    if state.status.listen.is_empty() {
        // Everything else follows from that, and would only hide it; except for a server on this
        // computer.
        let joined = state.servers.iter().filter(|server| server.is_connected());
        facts.extend(joined.map(rendezvous));
        return facts;
    }
    if !state.servers.is_empty() {
        facts.extend([reachable(state), nat(state), mapping(state), relay(state)]);
        facts.extend(state.servers.iter().map(rendezvous));
    }
    facts.push(multicast(state));
    for fact in &mut facts {
        fact.items.truncate(MAX_ITEMS);
    }
    facts
}

fn address(state: &State) -> Fact {
    let items = lines(&state.status.listen);
    if items.is_empty() {
        return fact("address", "This computer")
            .verdict(Verdict::Broken)
            .detail("No network address.")
            .remedy("Connect it to a network by Wi-Fi or cable.");
    }
    fact("address", "This computer")
        .detail("Connected. Others on this network can reach you.")
        .items(items)
}

fn reachable(state: &State) -> Fact {
    let tested = |addrs: &[_], result: &'static str| {
        let lines = lines(addrs).into_iter();
        lines.map(move |addr| format!("{addr} {result}"))
    };
    let (confirmed, unreachable) = (&state.reach.confirmed, &state.reach.unreachable);
    let items = tested(confirmed, "reachable").chain(tested(unreachable, "not reachable"));
    let fact = fact("reachable", "Incoming connections").items(items.collect());
    let port = state.status.port;
    match (confirmed.is_empty(), unreachable.is_empty()) {
        (false, _) if state.is_reachable() => {
            fact.detail("Another computer connected to this one from outside.")
        }
        (false, _) => fact.detail(
            "A server connected to this computer from outside. Your router may be stricter with others.",
        ),
        (true, false) => fact
            .verdict(Verdict::Limited)
            .detail("A test connection from outside failed: your router or a firewall blocks it. Goop2 connects back to visitors instead.")
            .remedy(format!("Nothing, if visits work. For faster connections, forward port {port} (TCP and UDP) to this computer in your router, or allow Goop2 in this computer's firewall.")),
        (true, true) => fact.verdict(Verdict::Limited).detail(if state.is_connected() {
            "No connection from outside so far. A server may still be testing, which takes up to a minute."
        } else {
            "Unknown: no rendezvous responds that could test it."
        }),
    }
}

fn nat(state: &State) -> Fact {
    let seen = state.reach.observed.iter();
    let items = seen.map(|seen| match seen.observers {
        1 => format!("{} seen by 1 other", seen.addr),
        n => format!("{} seen by {n} others", seen.addr),
    });
    let fact = fact("nat", "Your router").items(items.collect());
    let port = state.status.port;
    let forward = format!(
        "Turn on UPnP or NAT-PMP in your router, or forward port {port} (TCP and UDP) to this computer."
    );
    let limited = fact.clone().verdict(Verdict::Limited);
    if state.reach.udp_blocked {
        return limited
            .detail("Your router or a firewall blocks UDP. Connections use TCP instead: they work, but fewer are direct.")
            .remedy("Allow UDP in the firewall if it's yours. Company and hotel networks often block it.");
    }
    match state.reach.nat {
        Nat::Unknown => limited.detail("Unknown: no server has seen this peer yet."),
        Nat::None => fact.detail("No router: connected directly to the Internet."),
        Nat::Cone => {
            fact.detail("It hides this computer, but direct connections work once both sides try.")
        }
        Nat::Changed => limited
            .detail("It hides this computer behind a different port. Most peers can still connect directly; some need a relay.")
            .remedy(forward),
        Nat::Symmetric => limited
            .detail("It uses a different port for every connection, so others can't know where to connect. Peers behind routers like this need a relay to connect.")
            .remedy(forward),
    }
}

fn mapping(state: &State) -> Fact {
    let fact = fact("mapping", "Port mapping");
    let limited = fact.clone().verdict(Verdict::Limited);
    let is_needed = !state.is_reachable();
    let port = state.status.port;
    match &state.reach.mapping {
        Mapping::Mapped(addrs) => fact
            .detail("Your router forwards incoming connections to this computer.")
            .items(lines(addrs)),
        Mapping::Asking => fact.detail("Asking your router to open a port."),
        Mapping::Off if !is_needed => fact.detail("Not needed: incoming connections work."),
        Mapping::Off if !state.may_map => limited
            .detail("Turned off: Goop2 doesn't ask your router to open a port.")
            .remedy("Turn it on in Settings (p2p.port_mapping)."),
        Mapping::Off => fact.detail("Not needed: every rendezvous you joined is on this computer."),
        Mapping::NotFound if !is_needed => {
            fact.detail("Your router doesn't map ports, but incoming connections work anyway.")
        }
        Mapping::NotFound => limited
            .detail("The router didn't open a port. UPnP or NAT-PMP may be turned off.")
            .remedy(format!("Turn on UPnP or NAT-PMP in your router's settings, or forward port {port} (TCP and UDP) to this computer.")),
    }
}

fn relay(state: &State) -> Fact {
    let relays = &state.reach.relays;
    let items = relays
        .iter()
        .map(|relay| format!("{}: {}", relay.label, reservation(&relay.state)));
    let fact = fact("relay", "Relay").items(items.collect());
    let any = |wanted: &Reservation| relays.iter().any(|relay| relay.state == *wanted);
    if relays.is_empty() {
        no_relay(state, fact)
    } else if state.has_reservation() {
        fact.detail("Passes on encrypted traffic when a direct connection isn't possible, and helps peers connect directly.")
    } else if any(&Reservation::NotNeeded) {
        fact.detail("Not needed: peers can connect directly.")
    } else if any(&Reservation::Asking) {
        fact.detail("Requesting a reservation.")
    } else {
        fact.verdict(Verdict::Limited)
            .detail("It doesn't respond or has no reservation for this peer. Until it does, peers whose routers block incoming connections can't reach you. Goop2 tries again every few seconds.")
            .remedy("If this continues, tell the administrator of the rendezvous that its relay can't be reached.")
    }
}

fn no_relay(state: &State, fact: Fact) -> Fact {
    let limited = fact.clone().verdict(Verdict::Limited);
    match (state.is_reachable(), state.is_connected()) {
        (true, _) => fact.detail("Not needed, and none is available."),
        (false, true) => limited
            .detail("None of your rendezvous servers has one. Two peers whose routers both block incoming connections need a relay to connect.")
            .remedy("Ask the administrator of the rendezvous to turn on its relay (presence.relay_port), or join one that has a relay."),
        (false, false) => limited.detail("Unknown: no rendezvous responds."),
    }
}

fn reservation(state: &Reservation) -> &str {
    match state {
        Reservation::NotNeeded => "not needed",
        Reservation::Asking => "requesting a reservation",
        Reservation::Held(_) => "reservation for this peer",
        Reservation::Failed { reason, .. } => reason,
    }
}

fn multicast(state: &State) -> Fact {
    let fact = fact("multicast", "This network");
    match &state.status.multicast {
        Multicast::Working => fact.detail("Peers on this network find each other automatically."),
        Multicast::Starting => fact.detail("Looking for peers on this network."),
        Multicast::Off(why) => fact
            .verdict(Verdict::Limited)
            .detail(format!(
                "Peers on this network aren't found automatically: {why}."
            ))
            .remedy("Add a peer by its address, or join a rendezvous. If this computer has a firewall, allow UDP port 5353. Guest networks often keep devices apart."),
    }
}

fn rendezvous(server: &Server) -> Fact {
    let Server { label, state } = server;
    let fact = fact("rendezvous", format!("Rendezvous {label}"));
    match (&state.link, &state.refusal) {
        (Link::Connected { .. }, None) => {
            let others = match state.peers {
                0 => "Nobody else is".to_owned(),
                1 => "1 other peer is".to_owned(),
                n => format!("{n} other peers are"),
            };
            fact.detail(format!("Connected. {others} online there."))
        }
        (Link::Connected { .. }, Some(reason)) => fact
            .verdict(Verdict::Limited)
            .detail(format!("Connected, but it doesn't show you to others: {reason}."))
            .remedy("Open its page in a browser to see what it requires."),
        (Link::Connecting, _) => fact.detail("Connecting."),
        (Link::Refused { reason, .. }, _) => fact
            .verdict(Verdict::Broken)
            .detail(format!("You can't use it: {reason}."))
            .remedy("Check its address, or ask its administrator."),
        (Link::Retrying { reason, .. }, _) => fact
            .verdict(Verdict::Broken)
            .detail(format!("It can't be reached: {reason}. Goop2 keeps trying."))
            .remedy("Check that this computer is on the Internet. If other websites open, the server may be down: ask its administrator."),
    }
}

fn lines(addrs: &[Multiaddr]) -> Vec<String> {
    addrs.iter().map(ToString::to_string).collect()
}

/// A fact that is well, until its verdict says otherwise.
fn fact(code: &str, title: impl Into<String>) -> Fact {
    Fact {
        code: code.into(),
        verdict: Verdict::Good,
        title: title.into(),
        detail: String::new(),
        remedy: None,
        items: Vec::new(),
    }
}

impl Fact {
    fn verdict(self, verdict: Verdict) -> Self {
        Self { verdict, ..self }
    }

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
