//! Peers behind routers of every kind, a rendezvous with its relay between them: who reaches whom,
//! by which path, how fast, and whether what the peers say of it is true. `docs/reach.md` says how
//! to read what is printed here.

mod again;
mod diagnosis;
mod heal;
mod live;
mod mapping;
mod matrix;
mod observer;
mod probe;
pub(crate) mod relayed;
mod reservations;
mod transfer;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use goop2_node::Keypair;
use goop2_proto::{
    presence::{Kind, Presence},
    relay::Relay,
};
use serde_json::{Value, json};

use crate::{
    PATIENCE, RETRY,
    support::{
        http,
        lab::{
            Host,
            internet::{Internet, Nat, Site},
        },
        peer::{Folder, Peer},
        promise,
    },
};

/// Where the relay of the rendezvous listens.
const RELAY_PORT: u16 = 4002;
/// The viewer gives up on a visit after 10 s; a busy host may be late.
const DEADLINE: Duration = Duration::from_secs(12);

/// The Internet with a rendezvous and its relay.
pub(crate) struct World {
    pub(crate) internet: Arc<Internet>,
    site: Site,
    pub(crate) server: Peer,
    folder: Folder,
}

impl World {
    fn new() -> Self {
        Self::on(Arc::new(Internet::new()))
    }

    fn on(internet: Arc<Internet>) -> Self {
        Self::with(internet, &json!({}))
    }

    /// With more settings of the rendezvous and its relay.
    pub(crate) fn with(internet: Arc<Internet>, settings: &Value) -> Self {
        let site = internet.site(Nat::DualStack);
        let external: Vec<_> = site.public.iter().flat_map(relay_addresses).collect();
        let mut presence = json!({
            "rendezvous_host": true, "relay_port": RELAY_PORT, "relay_external_addrs": external,
        });
        for (key, value) in settings.as_object().expect("settings by name") {
            presence[key] = value.clone();
        }
        let folder = Folder::with(&json!({ "presence": presence }));
        let server = Peer::rendezvous(&folder, Some(site.host()));
        Self {
            internet,
            site,
            server,
            folder,
        }
    }

    /// The server that was killed, again.
    fn restart(&mut self) {
        self.server = Peer::rendezvous(&self.folder, Some(self.site.host()));
    }

    /// What peers at such a site call the rendezvous.
    pub(crate) fn url(&self, nat: Nat) -> String {
        let server = self.site.public[usize::from(nat == Nat::Ipv6Only)];
        format!("http://{}", std::net::SocketAddr::new(server, 8787))
    }

    /// A peer's folder that joins the rendezvous, by an address that its site can reach.
    pub(crate) fn joined(&self, label: &str, nat: Nat) -> Folder {
        Folder::with(&json!({
            "profile": { "label": label },
            "presence": { "rendezvous_wan": self.url(nat) },
            "viewer": { "http_addr": "127.0.0.1:0" },
        }))
    }
}

/// Says at a rendezvous, from this host, that the peer with this key is online: the relay serves
/// only those.
pub(crate) fn announce(host: &Host, rendezvous: &str, key: &Keypair) {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let peer = key.public().to_peer_id();
    let presence = Presence {
        kind: Kind::Online,
        ..Presence::offline(peer, now.try_into().unwrap())
    };
    let mut message = presence.message();
    message.sign(key);
    let url = format!("{rendezvous}/publish");
    let publish = |client: &reqwest::Client| client.post(url).body(message.encode());
    let answer = host.enter(|| http::send(publish)).unwrap();
    assert!(answer.status < 300, "{}", answer.text());
}

/// The relay of a rendezvous, asked from this host.
pub(crate) fn relay_of(host: &Host, rendezvous: &str) -> Relay {
    let url = format!("{rendezvous}/relay");
    let answer = host.enter(|| http::send(|client| client.get(url))).unwrap();
    Relay::decode(&answer.body).expect("it has a relay")
}

fn relay_addresses(ip: &std::net::IpAddr) -> [String; 2] {
    let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
    ["tcp/PORT", "udp/PORT/quic-v1"].map(|rest| {
        format!(
            "/{family}/{ip}/{}",
            rest.replace("PORT", &RELAY_PORT.to_string())
        )
    })
}

/// Two connected peers behind routers of the same kind.
pub(crate) struct Pair {
    sites: [Site; 2],
    visitor: Peer,
    owner: Peer,
    _folders: [Folder; 2],
}

impl Pair {
    /// `furnish` gets the owner's folder.
    pub(crate) fn new(world: &World, nat: Nat, furnish: impl FnOnce(&Folder)) -> Self {
        let sites = [(); 2].map(|()| world.internet.site(nat));
        Self::with(world, sites, furnish, Peer::launch)
    }

    /// At these sites, with what they do in detail in their logs.
    fn talkative(world: &World, sites: [Site; 2], furnish: impl FnOnce(&Folder)) -> Self {
        Self::with(world, sites, furnish, Peer::talkative)
    }

    fn with(
        world: &World,
        sites: [Site; 2],
        furnish: impl FnOnce(&Folder),
        start: fn(&Folder, Option<&Host>) -> Peer,
    ) -> Self {
        let nat = sites[0].nat;
        let folders = ["visitor", "owner"].map(|label| world.joined(label, nat));
        furnish(&folders[1]);
        let [visitor, owner] =
            [0, 1].map(|index| start(&folders[index], Some(sites[index].host())));
        let pair = Self {
            sites,
            visitor,
            owner,
            _folders: folders,
        };
        pair.visitor.sees(&pair.owner.id(), PATIENCE);
        pair.visited(PATIENCE);
        pair
    }

    /// Both leave in an orderly way.
    pub(crate) fn stop(self) {
        self.visitor.stop();
        self.owner.stop();
    }

    /// How long until the owner's page comes. No request takes longer than it may.
    fn visited(&self, within: Duration) -> Duration {
        let (started, owner) = (Instant::now(), self.owner.id());
        loop {
            let asked = Instant::now();
            let answer = self.visitor.visit(&owner, "").expect("the viewer answers");
            let took = asked.elapsed();
            assert!(
                took < promise::allowed(DEADLINE),
                "a request hung for {took:?}"
            );
            if answer.status == 200 {
                return started.elapsed();
            }
            assert!(
                started.elapsed() < within,
                "still {} after {within:?}: {}\nVisitor: {}\nOwner: {}",
                answer.status,
                answer.text(),
                self.visitor.errors(),
                self.owner.errors()
            );
            thread::sleep(RETRY);
        }
    }
}

/// Waits until the peer's Network page says this in one of its facts, in an event after the first
/// `from` ones.
fn says(
    peer: &Peer,
    from: usize,
    what: &str,
    code: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Instant {
    let said = peer.wait_from(from, what, PATIENCE * 2, |event| {
        let facts = event["network"]["facts"].as_array();
        let mut facts = facts.into_iter().flatten();
        facts.any(|fact| fact["code"] == code && wanted(fact))
    });
    said.at
}
