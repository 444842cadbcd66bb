//! Peers behind routers of every kind, a rendezvous with its relay between them: who reaches whom, by which path, how fast, and
//! whether what the peers say of it is true. `docs/reach.md` says how to read what is printed here.

mod matrix;
mod probe;
mod witness;

use std::sync::Arc;

use serde_json::json;

use crate::support::{
    lab::internet::{Internet, Nat, Site},
    peer::{Folder, Peer},
};

/// Where the relay listens, beside the rendezvous.
const RELAY_PORT: u16 = 4002;

/// The Internet with a rendezvous on it, and the relay beside that.
struct World {
    internet: Arc<Internet>,
    site: Site,
    _server: Peer,
    _folder: Folder,
}

impl World {
    fn on(internet: Arc<Internet>) -> Self {
        let site = internet.site(Nat::DualStack);
        let external: Vec<_> = site.public.iter().flat_map(relay_addresses).collect();
        let folder = Folder::with(&json!({ "presence": {
            "rendezvous_host": true, "relay_port": RELAY_PORT, "relay_external_addrs": external,
        }}));
        let server = Peer::rendezvous(&folder, Some(site.host()));
        Self {
            internet,
            site,
            _server: server,
            _folder: folder,
        }
    }

    /// A peer's folder that joins the rendezvous, by an address that its site can reach.
    fn joined(&self, label: &str, nat: Nat) -> Folder {
        let server = self.site.public[usize::from(nat == Nat::Ipv6Only)];
        Folder::with(&json!({
            "profile": { "label": label },
            "presence": { "rendezvous_wan": format!("http://{}", std::net::SocketAddr::new(server, 8787)) },
            "viewer": { "http_addr": "127.0.0.1:0" },
        }))
    }
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
