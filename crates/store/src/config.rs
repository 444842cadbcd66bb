//! `goop.json` (§10.2): every key of existing peers, with their defaults.
//!
//! The file belongs to the owner, and to other versions of the program that may use the same
//! folder. So the JSON itself is kept next to the typed form: keys we do not know stay where they
//! are, and a save changes only the values that differ.

mod check;
mod document;
#[cfg(test)]
mod reference;

use serde::{Deserialize, Serialize};

pub use check::Problem;
pub(crate) use check::is_secret;
pub(crate) use document::Document;

/// The settings of one peer. Relative paths start at the peer folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Config {
    /// Who the peer is.
    pub identity: Identity,
    /// Where its site is.
    pub paths: Paths,
    /// How it finds and reaches others.
    pub p2p: P2p,
    /// Who is online, and the rendezvous server.
    pub presence: Presence,
    /// What others see of it.
    pub profile: Profile,
    /// The local pages.
    pub viewer: Viewer,
    /// The site's scripts.
    pub lua: Lua,
    /// What happens to open pages, and what is counted.
    pub site: Site,
}

/// Section `identity`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Identity {
    /// File with the peer's private key; created if missing.
    pub key_file: String,
}

/// Section `paths`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Paths {
    /// Folder that is published.
    pub site_root: String,
    /// Used by existing peers only.
    pub site_source: String,
    /// Used by existing peers only.
    pub site_stage: String,
}

/// Section `p2p`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct P2p {
    /// TCP and UDP port for incoming connections; 0 = any free one.
    pub listen_port: u16,
    /// Peers on the same network find each other only if their tags are equal.
    pub mdns_tag: String,
    /// Find peers on the same network. Existing peers ignore this key.
    pub mdns: bool,
    /// Ask the router for an open port (UPnP, NAT-PMP, PCP) once a rendezvous is joined. Existing
    /// peers ignore this key.
    pub port_mapping: bool,
}

/// Section `presence`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Presence {
    /// GossipSub topic for presence.
    pub topic: String,
    /// How long a peer counts as online after its last message.
    pub ttl_seconds: u32,
    /// How often the peer announces that it is online.
    pub heartbeat_seconds: u32,
    /// Run a rendezvous server.
    pub rendezvous_host: bool,
    /// HTTP port of the server.
    pub rendezvous_port: u16,
    /// IP address the server listens on; empty = all, IPv4 and IPv6. Existing peers read empty as
    /// 127.0.0.1.
    pub rendezvous_bind: String,
    /// URL of the rendezvous to join; empty = this network only.
    pub rendezvous_wan: String,
    /// More rendezvous servers to join at the same time. Existing peers ignore this key.
    pub rendezvous_wans: Vec<String>,
    /// Run the server without a peer.
    pub rendezvous_only: bool,
    /// Password for the administration page; empty = the page is off.
    pub admin_password: String,
    /// Used by existing peers only.
    pub templates_dir: String,
    /// Used by existing peers only.
    pub templates_dirs: Option<Vec<String>>,
    /// File for the server's registrations; empty = memory only.
    pub peer_db_path: String,
    /// Public URL of the server; empty = none.
    pub external_url: String,
    /// Where people get Goop2, for the server's public page; empty = it doesn't say. Existing peers
    /// ignore this key.
    pub download_url: String,
    /// NATS server that joins several rendezvous servers into one, `nats://host:4222`; empty = no
    /// cluster. Existing peers ignore this key.
    pub cluster_url: String,
    /// Addresses or networks of proxies whose `X-Forwarded-For` is trusted; null = this host.
    /// Existing peers ignore this key.
    pub trusted_proxies: Option<Vec<String>>,
    /// The server refuses peers that do not sign their presence. Existing peers ignore this key.
    pub require_signed: bool,
    /// Only peers with a verified email address can be discovered through the server.
    pub registration_required: bool,
    /// URL that is called for each registration; empty = none.
    pub registration_webhook: String,
    /// The relay next to the server.
    #[serde(flatten)]
    pub relay: Relay,
    /// Mail server for verification links; empty = they go to the log.
    pub smtp_host: String,
    /// Port of the mail server; 0 = 587, or 465 if `smtp_tls` is `implicit`.
    pub smtp_port: u16,
    /// When TLS begins: `implicit` = from the start, `starttls` = by STARTTLS, `auto` = from the
    /// start on port 465 and others that end like it. Existing peers ignore this key.
    pub smtp_tls: SmtpTls,
    /// User name at the mail server.
    pub smtp_username: String,
    /// Password at the mail server.
    pub smtp_password: String,
    /// Sender of the mails.
    pub smtp_from: String,
}

/// `presence.smtp_tls`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// As the port says.
    #[default]
    Auto,
    /// From the start.
    Implicit,
    /// By STARTTLS.
    StartTls,
}

/// The relay's part of section `presence`: the keys that begin with `relay_`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Relay {
    /// TCP and UDP port of the relay next to the server; 0 = no relay.
    #[serde(rename = "relay_port")]
    pub port: u16,
    /// File with the relay's private key; created if missing.
    #[serde(rename = "relay_key_file")]
    pub key_file: String,
    /// Where the relay can be reached from outside; empty = the host of `external_url`, or this
    /// host's addresses. Existing peers ignore this key and the limits below.
    #[serde(rename = "relay_external_addrs")]
    pub external_addrs: Vec<String>,
    /// Most bytes of one circuit, both directions together; 0 = no limit.
    #[serde(rename = "relay_max_circuit_bytes")]
    pub max_circuit_bytes: u64,
    /// Longest lifetime of a circuit.
    #[serde(rename = "relay_max_circuit_seconds")]
    pub max_circuit_seconds: u32,
    /// Most circuits at a time.
    #[serde(rename = "relay_max_circuits")]
    pub max_circuits: u32,
    /// Most circuits of one peer at a time.
    #[serde(rename = "relay_max_circuits_per_peer")]
    pub max_circuits_per_peer: u32,
    /// Most reservations at a time.
    #[serde(rename = "relay_max_reservations")]
    pub max_reservations: u32,
    /// Most reservations of one peer at a time.
    #[serde(rename = "relay_max_reservations_per_peer")]
    pub max_reservations_per_peer: u32,
    /// Most bytes per second that the relay forwards; 0 = no limit.
    #[serde(rename = "relay_bytes_per_second")]
    pub bytes_per_second: u64,
    /// Most bytes per second that one peer sends and receives through the relay; 0 = no limit.
    #[serde(rename = "relay_bytes_per_second_per_peer")]
    pub bytes_per_second_per_peer: u64,
}

/// Section `profile`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Profile {
    /// Name that others see.
    pub label: String,
    /// Email address that others see; empty = none.
    pub email: String,
}

/// Section `viewer`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Viewer {
    /// Address of the local pages; empty = 127.0.0.1:8080, or the next free port.
    pub http_addr: String,
    /// Used by existing peers only.
    pub debug: bool,
    /// Used by existing peers only.
    pub theme: Theme,
    /// Used by existing peers only.
    pub preferred_cam: String,
    /// Used by existing peers only.
    pub preferred_mic: String,
    /// Tell others that this peer takes no video calls.
    pub video_disabled: bool,
    /// Extra origins that your own site may load from on this computer, such as
    /// `http://192.168.1.20:8123`. Visitors' browsers may not.
    pub site_sources: Vec<String>,
}

/// `viewer.theme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Lua {
    /// Used by existing peers only.
    pub enabled: bool,
    /// Folder of the site's scripts, which is never served. Goop2 does not run them.
    pub script_dir: String,
    /// Used by existing peers only.
    pub timeout_seconds: u32,
    /// Used by existing peers only.
    pub max_memory_mb: u32,
    /// Used by existing peers only.
    pub rate_limit_per_peer: u32,
    /// Used by existing peers only.
    pub rate_limit_global: u32,
    /// Used by existing peers only.
    pub http_enabled: bool,
    /// Used by existing peers only.
    pub kv_enabled: bool,
}

/// Section `site`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Site {
    /// Pages that are open reload when a file they use changes. Existing peers ignore this key.
    pub reload: bool,
    /// Count visits to the site on this computer: numbers only, never who. Existing peers ignore
    /// this key.
    pub count_visits: bool,
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
            download_url: String::new(),
            cluster_url: String::new(),
            trusted_proxies: None,
            require_signed: false,
            registration_required: false,
            registration_webhook: String::new(),
            relay: Relay::default(),
            smtp_host: String::new(),
            smtp_port: 0,
            smtp_tls: SmtpTls::Auto,
            smtp_username: String::new(),
            smtp_password: String::new(),
            smtp_from: String::new(),
        }
    }
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            port: 0,
            key_file: "data/relay.key".into(),
            external_addrs: Vec::new(),
            // A rate bounds what a relay carries; a limit in bytes would only cut off long
            // transfers.
            max_circuit_bytes: 0,
            // Half a working day; a peer that stays longer dials again.
            max_circuit_seconds: 6 * 60 * 60,
            max_circuits: 1024,
            max_circuits_per_peer: 64,
            max_reservations: 1024,
            // A connection lost silently counts until it times out, and there are two transports.
            max_reservations_per_peer: 4,
            // A line of 1 Gbit/s, and a fifth of it.
            bytes_per_second: 125_000_000,
            bytes_per_second_per_peer: 25_000_000,
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

impl Default for Site {
    fn default() -> Self {
        Self {
            reload: true,
            count_visits: true,
        }
    }
}
