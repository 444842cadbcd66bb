//! The state of the servers, as skins show it.

use goop2_proto::time::unix_millis;
use goop2_rendezvous::client::{self, Link, State};
use goop2_store::config;

use crate::{
    api::rendezvous::{Hosting, HostingState, Joined, JoinedState, Registration, RelayState},
    sentence::sentence,
    servers::hosted::Hosted,
};

pub(super) fn joined(url: &str, state: &State) -> Joined {
    let (link, reason, since, next) = match &state.link {
        Link::Connecting => (JoinedState::Connecting, None, None, None),
        Link::Connected { since, .. } => (JoinedState::Connected, None, Some(*since), None),
        Link::Refused { reason, next } => (JoinedState::Refused, Some(reason), None, Some(*next)),
        Link::Retrying { reason, next } => (JoinedState::Lost, Some(reason), None, Some(*next)),
    };
    // Connected, but this peer is not listed there.
    let (link, reason) = match &state.refusal {
        Some(refusal) if link == JoinedState::Connected => (JoinedState::Refused, Some(refusal)),
        _ => (link, reason),
    };
    Joined {
        url: url.into(),
        name: name(url).into(),
        state: link,
        reason: reason.map(|reason| sentence(reason)),
        peers: count(state.peers),
        relay: match &state.relay {
            None => RelayState::None,
            Some(_) => RelayState::Offered,
        },
        relay_peer: state.relay.as_ref().map(|relay| relay.peer),
        since: since.map(unix_millis),
        next: next.map(unix_millis),
        registration: match state.registration {
            None => Registration::None,
            Some(client::Registration::Required) => Registration::Required,
            Some(client::Registration::Registered) => Registration::Registered,
        },
    }
}

/// `hosted` is `None` while nothing is hosted; `problem` says why, if the configuration asks for
/// it.
pub(super) fn hosting(
    config: &config::Presence,
    hosted: Option<&Hosted>,
    problem: Option<&str>,
) -> Hosting {
    let hosting = Hosting {
        state: match problem {
            Some(_) => HostingState::Failed,
            None => HostingState::Off,
        },
        problem: problem.map(|problem| sentence(without_key(problem))),
        port: config.rendezvous_port,
        bind: config.rendezvous_bind.trim().into(),
        relay_port: config.relay.port,
        ..Hosting::default()
    };
    match hosted {
        Some(hosted) => running(hosting, hosted),
        None => hosting,
    }
}

fn running(hosting: Hosting, hosted: &Hosted) -> Hosting {
    let status = *hosted.status().borrow();
    let connect_urls = hosted.connect_urls();
    let out_of_reach = connect_urls.is_empty().then(|| out_of_reach(hosted).into());
    let own = hosted.own_address();
    let page = |path: &str| own.as_ref().map(|own| own.at(path).to_string());
    Hosting {
        state: HostingState::On,
        problem: out_of_reach.or_else(|| {
            let problem = hosted.relay_problem()?.to_string();
            Some(sentence(without_key(&problem)))
        }),
        connect_urls,
        public_page: page("").unwrap_or_default(),
        admin_page: page("admin").unwrap_or_default(),
        peers: count(status.peers),
        relayed: status.relayed.map(count),
        messages_per_second: u32::try_from(status.delivered_per_second).unwrap_or(u32::MAX),
        ..hosting
    }
}

fn out_of_reach(hosted: &Hosted) -> &'static str {
    let everywhere = |addr: &std::net::SocketAddr| addr.ip().is_unspecified();
    if hosted.local_addrs().iter().any(everywhere) {
        "This computer is not connected to a network, so nobody else can connect. Once it is, they can."
    } else {
        "It listens on this computer only, so nobody else can connect. To let others in, listen on all addresses."
    }
}

/// As people write it, without the scheme.
fn name(url: &str) -> &str {
    url.strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or(url)
}

/// Errors of a server begin with the key of `goop.json`; the window has a field for it instead.
fn without_key(problem: &str) -> &str {
    match problem.split_once(": ") {
        Some((key, rest)) if key.starts_with("presence.") && !key.contains(' ') => rest,
        _ => problem,
    }
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn state(link: Link) -> State {
        State {
            link,
            peers: 3,
            relay: None,
            refusal: None,
            registration: None,
            clock: None,
            twin: false,
        }
    }

    fn connected() -> Link {
        Link::Connected {
            since: UNIX_EPOCH + std::time::Duration::from_millis(7),
            changes: true,
        }
    }

    #[test]
    fn a_server_that_lists_this_peer_is_connected_and_one_that_does_not_refuses() {
        let well = joined("https://meet.example", &state(connected()));
        assert_eq!(
            (well.name.as_str(), well.state, well.reason, well.since),
            ("meet.example", JoinedState::Connected, None, Some(7))
        );
        let refused = State {
            refusal: Some("the operator of this rendezvous has blocked this peer".into()),
            ..state(connected())
        };
        let refused = joined("http://192.168.1.20:8787", &refused);
        assert_eq!(
            (refused.name.as_str(), refused.state, refused.reason),
            (
                "192.168.1.20:8787",
                JoinedState::Refused,
                Some("The operator of this rendezvous has blocked this peer.".into())
            )
        );
        let away = state(Link::Retrying {
            reason: "the name meet.example was not found".into(),
            next: UNIX_EPOCH,
        });
        let away = joined("https://meet.example", &away);
        assert_eq!((away.state, away.next), (JoinedState::Lost, Some(0)));
    }

    #[test]
    fn a_server_that_does_not_start_says_why_without_the_name_of_a_key() {
        let config = config::Presence::default();
        let problem = "presence.rendezvous_port: port 8787 is used by another program. Choose another one, or stop that program.";
        let failed = hosting(&config, None, Some(problem));
        assert_eq!(failed.state, HostingState::Failed);
        assert_eq!(
            failed.problem.as_deref(),
            Some("Port 8787 is used by another program. Choose another one, or stop that program.")
        );
        assert_eq!(hosting(&config, None, None).state, HostingState::Off);
    }
}
