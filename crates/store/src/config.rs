//! `goop.json` (§10.2): every key of existing peers, with their defaults.
//!
//! The file belongs to the owner, and to other versions of the program that may use the same
//! folder. So the JSON itself is kept beside the typed form: keys we do not know stay where they
//! are, and a save changes only the values that differ.

mod check;
mod document;

use serde::{Deserialize, Serialize};

pub use check::Problem;
pub(crate) use document::Document;

/// The settings of one peer. Relative paths start at the peer folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Who the peer is.
    pub identity: Identity,
    /// Where its site lies.
    pub paths: Paths,
    /// How it meets others nearby.
    pub p2p: P2p,
    /// Who is online, and the rendezvous server.
    pub presence: Presence,
    /// What others see of it.
    pub profile: Profile,
    /// The local pages.
    pub viewer: Viewer,
    /// Scripts of the site.
    pub lua: Lua,
}

/// Section `identity`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The private key; made when there is none.
    pub key_file: String,
}

/// Section `paths`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Paths {
    /// The folder that is served.
    pub site_root: String,
    /// Kept for existing peers; unused.
    pub site_source: String,
    /// Kept for existing peers; unused.
    pub site_stage: String,
}

/// Section `p2p`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct P2p {
    /// TCP and UDP port; 0 = any free one.
    pub listen_port: u16,
    /// Peers with another tag never see each other nearby.
    pub mdns_tag: String,
    /// Whether peers nearby are looked for at all. A key of ours.
    pub mdns: bool,
    /// Whether the router may be asked to let calls in (UPnP, NAT-PMP, PCP), once a rendezvous is
    /// joined. A key of ours.
    pub port_mapping: bool,
}

/// Section `presence`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Presence {
    /// GossipSub topic.
    pub topic: String,
    /// How long a peer counts as online without a message.
    pub ttl_seconds: u32,
    /// How often we say that we are online.
    pub heartbeat_seconds: u32,
    /// Run a rendezvous server.
    pub rendezvous_host: bool,
    /// Its HTTP port.
    pub rendezvous_port: u16,
    /// The address it listens on; empty = all, IPv4 and IPv6. Existing peers take empty for
    /// 127.0.0.1, although they promise to be reachable.
    pub rendezvous_bind: String,
    /// Connect URL of the rendezvous to join; empty = LAN only.
    pub rendezvous_wan: String,
    /// More of them, all joined at once. A key of ours: existing peers ignore it.
    pub rendezvous_wans: Vec<String>,
    /// A server without a peer.
    pub rendezvous_only: bool,
    /// Password of the admin page; empty = no admin page.
    pub admin_password: String,
    /// Extra store templates.
    pub templates_dir: String,
    /// More of them.
    pub templates_dirs: Option<Vec<String>>,
    /// Registrations of the server; empty = memory only.
    pub peer_db_path: String,
    /// Public URL of the server; empty = none.
    pub external_url: String,
    /// NATS that joins several servers to one, `nats://host:4222`; empty = this is the only one. A
    /// key of ours.
    pub cluster_url: String,
    /// Addresses or networks of the proxies whose `X-Forwarded-For` is believed; null = this
    /// machine. A key of ours.
    pub trusted_proxies: Option<Vec<String>>,
    /// The server refuses peers that do not sign their presence. A key of ours.
    pub require_signed: bool,
    /// Only peers with a verified e-mail are discoverable.
    pub registration_required: bool,
    /// Called at each registration; empty = none.
    pub registration_webhook: String,
    /// Port of the relay; 0 = no relay.
    pub relay_port: u16,
    /// Private key of the relay; made when there is none.
    pub relay_key_file: String,
    /// Where the relay is reached from outside: addresses, host names or multiaddresses; empty =
    /// the host of `external_url`, or else the addresses of this machine. This key and the relay's
    /// limits below are ours.
    pub relay_external_addrs: Vec<String>,
    /// Bytes of one circuit, both ways; 0 = no limit.
    pub relay_max_circuit_bytes: u64,
    /// Longest life of a circuit.
    pub relay_max_circuit_seconds: u32,
    /// Circuits at a time.
    pub relay_max_circuits: u32,
    /// Of them, those one peer may take part in when it opens another.
    pub relay_max_circuits_per_peer: u32,
    /// Reservations at a time.
    pub relay_max_reservations: u32,
    /// Of them, those of one peer.
    pub relay_max_reservations_per_peer: u32,
    /// Bytes a second that the relay forwards in all; 0 = no limit.
    pub relay_bytes_per_second: u64,
    /// Bytes a second that one peer sends and receives through it; 0 = no limit.
    pub relay_bytes_per_second_per_peer: u64,
    /// Mail server; empty = verification links go to the log.
    pub smtp_host: String,
    /// Its port; 0 = not set.
    pub smtp_port: u16,
    /// Login name there.
    pub smtp_username: String,
    /// Password there.
    pub smtp_password: String,
    /// Sender of the mails.
    pub smtp_from: String,
}

/// Section `profile`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Display name.
    pub label: String,
    /// Announced with it; empty = none.
    pub email: String,
}

/// Section `viewer`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Viewer {
    /// Where the local pages are served; empty = 127.0.0.1:8080 or the next free port.
    pub http_addr: String,
    /// Show more of what goes on inside.
    pub debug: bool,
    /// Light or dark.
    pub theme: Theme,
    /// Camera chosen for calls; empty = the system's.
    pub preferred_cam: String,
    /// Microphone chosen for calls; empty = the system's.
    pub preferred_mic: String,
    /// No video calls.
    pub video_disabled: bool,
    /// Origins beside the https web that the own site may use where its owner looks at it, as
    /// `http://192.168.1.20:8123`. Whoever visits it has none of them.
    pub site_sources: Vec<String>,
}

/// `viewer.theme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Light text on dark ground.
    #[default]
    Dark,
    /// Dark text on light ground.
    Light,
}

/// Section `lua`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lua {
    /// Run the site's scripts.
    pub enabled: bool,
    /// Where they lie; never served as files.
    pub script_dir: String,
    /// Longest run of one call.
    pub timeout_seconds: u32,
    /// Most memory of one call, in MiB.
    pub max_memory_mb: u32,
    /// Calls a minute of one visitor.
    pub rate_limit_per_peer: u32,
    /// Calls a minute of all visitors.
    pub rate_limit_global: u32,
    /// Scripts may make web requests.
    pub http_enabled: bool,
    /// Scripts may keep values.
    pub kv_enabled: bool,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            key_file: "data/identity.key".into(),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            site_root: "site".into(),
            site_source: "site/src".into(),
            site_stage: "site/stage".into(),
        }
    }
}

impl Default for P2p {
    fn default() -> Self {
        Self {
            listen_port: 0,
            mdns_tag: "goop-mdns".into(),
            mdns: true,
            port_mapping: true,
        }
    }
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            topic: "goop.presence.v1".into(),
            ttl_seconds: 20,
            heartbeat_seconds: 5,
            rendezvous_host: false,
            rendezvous_port: 8787,
            rendezvous_bind: String::new(),
            rendezvous_wan: String::new(),
            rendezvous_wans: Vec::new(),
            rendezvous_only: false,
            admin_password: String::new(),
            templates_dir: "templates".into(),
            templates_dirs: None,
            peer_db_path: String::new(),
            external_url: String::new(),
            cluster_url: String::new(),
            trusted_proxies: None,
            require_signed: false,
            registration_required: false,
            registration_webhook: String::new(),
            relay_port: 0,
            relay_key_file: "data/relay.key".into(),
            relay_external_addrs: Vec::new(),
            // A rate bounds what a relay carries; a limit in bytes only cuts off whoever loads
            // much.
            relay_max_circuit_bytes: 0,
            // A visit of a working day's half; who is still there dials again.
            relay_max_circuit_seconds: 6 * 60 * 60,
            relay_max_circuits: 1024,
            relay_max_circuits_per_peer: 64,
            relay_max_reservations: 1024,
            // A connection lost without a word is there until it times out, and there are two
            // transports.
            relay_max_reservations_per_peer: 4,
            // A line of 1 Gbit/s, and a fifth of it.
            relay_bytes_per_second: 125_000_000,
            relay_bytes_per_second_per_peer: 25_000_000,
            smtp_host: String::new(),
            smtp_port: 0,
            smtp_username: String::new(),
            smtp_password: String::new(),
            smtp_from: String::new(),
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            label: "hello".into(),
            email: String::new(),
        }
    }
}

impl Default for Lua {
    fn default() -> Self {
        Self {
            enabled: false,
            script_dir: "site/lua".into(),
            timeout_seconds: 5,
            max_memory_mb: 10,
            rate_limit_per_peer: 30,
            rate_limit_global: 120,
            http_enabled: true,
            kv_enabled: true,
        }
    }
}
