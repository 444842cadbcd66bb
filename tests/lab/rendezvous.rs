//! Networks without multicast between them: peers meet through `goop2 rendezvous`, and only through it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    PATIENCE, inside_alone,
    support::{
        lab::{Host, Lan, inside},
        millis,
        peer::{Folder, Peer, is},
    },
};

/// From the signal until the others know.
const GOODBYE: Duration = Duration::from_secs(1);
/// The default TTL, and a little for a busy machine.
const FORGOTTEN: Duration = Duration::from_secs(20 + 3);

/// Two networks and the one between them, where the server runs.
struct World {
    hosts: [Host; 2],
    folders: [Folder; 2],
    server: Peer,
    _server_folder: Folder,
}

impl World {
    fn new() -> Self {
        let mut lans = [1, 2, 3].map(Lan::routed);
        let server_host = lans[2].host_ipv4();
        let server_folder = Folder::with(&json!({}));
        let server = Peer::rendezvous(&server_folder, Some(&server_host));
        let url = server.ready().event["connect_urls"][0]
            .as_str()
            .expect("others reach it")
            .to_owned();
        assert_eq!(url, format!("http://{}:8787", server_host.address()));
        let folders = ["left", "right"].map(|label| joined(label, &url));
        Self {
            hosts: [lans[0].host(), lans[1].host()],
            folders,
            server,
            _server_folder: server_folder,
        }
    }

    fn start(&self, index: usize) -> Peer {
        Peer::start(&self.folders[index], Some(&self.hosts[index]))
    }
}

/// A peer's folder that joins a rendezvous.
pub(crate) fn joined(label: &str, url: &str) -> Folder {
    let folder = Folder::with(&json!({
        "profile": { "label": label },
        "presence": { "rendezvous_wan": url },
        "viewer": { "http_addr": "127.0.0.1:0" },
    }));
    folder.write("site/index.html", format!("the site of {label}"));
    folder
}

/// Each visits the other's site, which is in its folder's name.
pub(crate) fn visit_each_other(left: &Peer, right: &Peer) {
    for (visitor, owner, label) in [(left, right, "right"), (right, left, "left")] {
        let answer = visitor.visit(&owner.id(), "").expect("the viewer answers");
        assert_eq!(
            (answer.status, answer.text()),
            (200, format!("the site of {label}"))
        );
    }
}

#[test]
fn two_meet_visit_and_say_goodbye_through_a_rendezvous() {
    inside_alone(
        "rendezvous::two_meet_visit_and_say_goodbye_through_a_rendezvous",
        || {
            let world = World::new();
            let left = world.start(0);
            let right = world.start(1);
            let id = left.id();
            let both = right.ready().at;
            let met = right.sees(&id, PATIENCE);
            let seen = left.sees(&right.id(), PATIENCE).at.max(met.at);
            assert_eq!(met.event["source"], "wan");
            visit_each_other(&left, &right);

            let before = right.mark();
            left.terminate();
            let asked = Instant::now();
            let offline = right
                .wait_from(before, "its goodbye", PATIENCE, |event| {
                    is(event, &id, "offline")
                })
                .at
                - asked;
            println!(
                "through a rendezvous: both see each other {} after the second was ready; SIGTERM: known after {}",
                millis(seen.saturating_duration_since(both)),
                millis(offline)
            );
            assert!(offline < GOODBYE, "limit {GOODBYE:?}");

            let before = right.mark();
            drop(left);
            let again = world.start(0);
            right.wait_from(before, "it is back", PATIENCE, |event| {
                is(event, &id, "online")
            });
            again.stop();
            right.stop();
            world.server.stop();
        },
    );
}

#[test]
fn who_dies_is_gone_when_its_time_is_up() {
    inside("rendezvous::who_dies_is_gone_when_its_time_is_up", || {
        let world = World::new();
        let dying = world.start(0);
        let staying = world.start(1);
        let id = dying.id();
        staying.sees(&id, PATIENCE);
        dying.sees(&staying.id(), PATIENCE);
        let before = staying.mark();
        dying.kill();
        let killed = Instant::now();
        let offline = staying
            .wait_from(before, "that it is offline", FORGOTTEN, |event| {
                is(event, &id, "offline")
            })
            .at
            - killed;
        println!(
            "through a rendezvous, kill -9: offline to the others after {}",
            millis(offline)
        );
    });
}
