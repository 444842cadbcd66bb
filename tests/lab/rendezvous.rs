//! Networks without multicast between them: peers find each other only through `goop2 rendezvous`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    PATIENCE, inside, measured,
    support::{
        lab::{Host, Lan},
        millis,
        peer::{Folder, Peer, is},
        promise,
    },
};

/// From the signal until the others know.
const GOODBYE: Duration = Duration::from_secs(1);
/// For a goodbye that arrives at all: after 20 s without one, a peer counts as offline anyway.
const HEARD: Duration = Duration::from_secs(10);
/// The default TTL, and some time for a busy host.
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
fn two_connect_visit_and_say_goodbye_through_a_rendezvous() {
    measured(
        "rendezvous::two_connect_visit_and_say_goodbye_through_a_rendezvous",
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
            promise::time("a goodbye through a rendezvous", offline, GOODBYE);

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
fn a_peer_that_dies_is_gone_after_the_ttl() {
    inside("rendezvous::a_peer_that_dies_is_gone_after_the_ttl", || {
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
            .wait_from(before, "that it is offline", PATIENCE, |event| {
                is(event, &id, "offline")
            })
            .at
            - killed;
        let what = "offline to the others after kill -9, through a rendezvous";
        promise::time(what, offline, FORGOTTEN);
    });
}

#[test]
fn two_servers_that_share_a_nats_are_one_rendezvous() {
    inside(
        "rendezvous::two_servers_that_share_a_nats_are_one_rendezvous",
        || {
            let mut lans = [1, 2].map(Lan::routed);
            let hosts = lans.each_mut().map(Lan::host_ipv4);
            let store = Folder::with(&json!({}));
            let _nats = Nats::start(&hosts[0], &store);
            let cluster = format!("nats://{}:4222", hosts[0].address());
            let servers = hosts.each_ref().map(|host| {
                let folder = Folder::with(&json!({ "presence": { "cluster_url": cluster } }));
                (Peer::rendezvous(&folder, Some(host)), folder)
            });
            // Each peer knows the server that is not on its own network.
            let folders = [("left", 1), ("right", 0)].map(|(label, server)| {
                joined(label, &format!("http://{}:8787", hosts[server].address()))
            });
            let [left, right] = [0, 1].map(|at| {
                let host = lans[at].host_ipv4();
                Peer::start(&folders[at], Some(&host))
            });
            let met = right.sees(&left.id(), PATIENCE);
            left.sees(&right.id(), PATIENCE);
            assert_eq!(met.event["source"], "wan");
            visit_each_other(&left, &right);

            let (before, id) = (right.mark(), left.id());
            left.stop();
            right.wait_from(before, "its goodbye at the other server", HEARD, |event| {
                is(event, &id, "offline")
            });
            right.stop();
            for (server, _) in servers {
                server.stop();
            }
        },
    );
}

/// Debian's NATS on a host, with its store in a folder. Killed when dropped.
struct Nats(Child);

impl Nats {
    fn start(host: &Host, store: &Folder) -> Self {
        let nats = host
            .command("/usr/sbin/nats-server")
            .args(["-a", host.address(), "-p", "4222", "-js", "-sd"])
            .arg(store.path())
            .stderr(Stdio::piped())
            .spawn();
        let mut nats = Self(nats.expect("nats-server is installed"));
        let log = BufReader::new(nats.0.stderr.take().expect("piped above"));
        let mut lines = log.lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains("Server is ready")),
            "nats-server has ended"
        );
        // It goes on writing, and somebody has to read.
        thread::spawn(move || lines.for_each(drop));
        nats
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}
