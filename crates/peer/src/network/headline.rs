//! The verdict on the network, in one sentence. It says nothing that no fact below it says: what is
//! not known yet is said to be so.

use goop2_node::{Multicast, Nat, Reservation};
use goop2_rendezvous::client::Link;

use crate::{api::network::Verdict, network::state::State};

type Headline = (Verdict, &'static str);

pub(super) fn headline(state: &State) -> Headline {
    if state.status.listen.is_empty() {
        (
            Verdict::Broken,
            "This computer is not connected to a network.",
        )
    } else if state.servers.is_empty() {
        this_network_only(state)
    } else if !state.is_connected() {
        without_a_server(state)
    } else if !state.is_listed() {
        (
            Verdict::Limited,
            "Your rendezvous doesn't show you to others, so people on other networks can't find you.",
        )
    } else if state.is_reachable() {
        (
            Verdict::Good,
            "Others can reach you from anywhere, and connect directly.",
        )
    } else if state.has_reservation() {
        with_a_relay(state)
    } else {
        without_a_relay(state)
    }
}

fn this_network_only(state: &State) -> Headline {
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

fn without_a_server(state: &State) -> Headline {
    let any = |wanted: fn(&Link) -> bool| {
        state
            .servers
            .iter()
            .any(|server| wanted(&server.state.link))
    };
    if any(|link| matches!(link, Link::Connecting)) {
        (Verdict::Good, "Connecting to a rendezvous.")
    } else if any(|link| matches!(link, Link::Refused { .. })) {
        (
            Verdict::Limited,
            "No rendezvous can be used, so people on other networks can't find you.",
        )
    } else {
        (
            Verdict::Limited,
            "No rendezvous responds, so people on other networks can't find you.",
        )
    }
}

fn with_a_relay(state: &State) -> Headline {
    match state.reach.nat {
        Nat::Unknown => (
            Verdict::Good,
            "Others can reach you from anywhere, through a relay where they can't connect directly.",
        ),
        Nat::Cone | Nat::None if !state.reach.udp_blocked => (
            Verdict::Good,
            "Others can reach you from anywhere, almost always directly.",
        ),
        Nat::Cone | Nat::None | Nat::Changed | Nat::Symmetric => (
            Verdict::Limited,
            "Others can reach you from anywhere, but some only through a relay, which is slower.",
        ),
    }
}

fn without_a_relay(state: &State) -> Headline {
    let relays = &state.reach.relays;
    let asking = relays
        .iter()
        .any(|relay| relay.state == Reservation::Asking);
    if asking || state.reach.testing {
        return (
            Verdict::Good,
            "Connected. How people on other networks reach you is still being tested.",
        );
    }
    let text = match (state.reach.nat, relays.is_empty()) {
        (Nat::Unknown, _) => {
            "It isn't known whether people on other networks can reach you: nobody has tried yet."
        }
        (Nat::Symmetric, true) => {
            "Many people on other networks may not reach you: there is no relay to help."
        }
        (Nat::Symmetric, false) => {
            "Many people on other networks may not reach you: no relay has a reservation for you."
        }
        (Nat::Cone | Nat::None | Nat::Changed, true) => {
            "Some people on other networks may not reach you: there is no relay to help."
        }
        (Nat::Cone | Nat::None | Nat::Changed, false) => {
            "Some people on other networks may not reach you: no relay has a reservation for you."
        }
    };
    (Verdict::Limited, text)
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use goop2_node::{Reach, Relay, Status};
    use goop2_proto::PeerId;
    use goop2_rendezvous::client;

    use super::*;
    use crate::network::{facts, state::Server};

    const NATS: [Nat; 5] = [
        Nat::Unknown,
        Nat::None,
        Nat::Cone,
        Nat::Changed,
        Nat::Symmetric,
    ];

    fn relay(state: Reservation) -> Relay {
        Relay {
            peer: PeerId::random(),
            label: "meet.example".into(),
            state,
        }
    }

    fn server(link: Link, refusal: Option<&str>) -> Server {
        Server {
            label: "meet.example".into(),
            state: client::State {
                link,
                peers: 0,
                relay: None,
                refusal: refusal.map(Into::into),
                registration: None,
                clock: None,
                twin: false,
            },
        }
    }

    fn connected() -> Link {
        Link::Connected {
            since: SystemTime::UNIX_EPOCH,
            changes: true,
        }
    }

    /// The headline and the text of all facts.
    fn told(reach: Reach, servers: &[Server]) -> (&'static str, String) {
        let status = Status {
            listen: vec!["/ip4/192.0.2.7/tcp/4001".parse().unwrap()],
            reach,
            ..Status::default()
        };
        let state = State {
            status: &status,
            reach: &status.reach,
            servers,
            may_map: true,
        };
        let facts = facts::facts(&state).into_iter();
        let facts: Vec<_> = facts
            .map(|fact| format!("{}: {}", fact.title, fact.detail))
            .collect();
        (headline(&state).1, facts.join("\n"))
    }

    #[test]
    fn a_headline_claims_nothing_that_no_fact_supports() {
        let held = Reservation::Held(Instant::now());
        let failed = Reservation::Failed {
            reason: "it does not respond".into(),
            next: Instant::now(),
        };
        let relays = [
            vec![],
            vec![relay(Reservation::Asking)],
            vec![relay(held)],
            vec![relay(failed)],
        ];
        for (nat, relays) in NATS
            .iter()
            .flat_map(|nat| relays.iter().map(move |relays| (*nat, relays)))
        {
            for (reachable, testing) in [(false, false), (false, true), (true, false)] {
                let reach = Reach {
                    nat,
                    reachable,
                    testing,
                    relays: relays.clone(),
                    ..Reach::default()
                };
                let (headline, facts) = told(reach, &[server(connected(), None)]);
                let situation = format!("{nat:?}, {relays:?}: {headline}\n{facts}");
                let is_held = matches!(
                    relays.as_slice(),
                    [Relay {
                        state: Reservation::Held(_),
                        ..
                    }]
                );
                assert!(!headline.contains("router"), "{situation}");
                assert!(
                    !headline.contains("no relay to help") || relays.is_empty(),
                    "{situation}"
                );
                assert!(
                    !headline.contains("from anywhere") || reachable || is_held,
                    "{situation}"
                );
                assert!(
                    !headline.contains("may not reach") || nat != Nat::Unknown && !testing,
                    "{situation}"
                );
                assert!(
                    !headline.starts_with("Many") || nat == Nat::Symmetric,
                    "{situation}"
                );
                assert!(
                    !headline.contains("isn't known") || facts.contains("Unknown"),
                    "{situation}"
                );
            }
        }
    }

    #[test]
    fn a_server_that_is_being_asked_or_refuses_is_not_called_silent() {
        let at = |link, refusal| told(Reach::default(), &[server(link, refusal)]).0;
        let (reason, next) = ("no".to_owned(), SystemTime::UNIX_EPOCH);
        assert!(at(Link::Connecting, None).starts_with("Connecting"));
        assert!(
            at(
                Link::Refused {
                    reason: reason.clone(),
                    next
                },
                None
            )
            .contains("can be used")
        );
        assert!(at(Link::Retrying { reason, next }, None).contains("responds"));
        assert!(at(connected(), Some("it wants an email address")).contains("doesn't show you"));
    }
}
