//! What `goop.json` may say, and how a mistake in it is told: the key, its value, and what is
//! allowed.

use std::{fmt, net::IpAddr};

use goop2_proto::{Multiaddr, mdns};
use serde::Serialize;
use serde_json::Value;
use url::{Host, Url};

use super::Config;

/// Longest part of a wrong value repeated in the message.
const SHOWN_CHARS: usize = 80;

/// Servers joined at once: each costs a connection and a message every heartbeat.
const MAX_WANS: usize = 16;
/// Origins that the own site may use: a policy of a few lines.
const MAX_SOURCES: usize = 16;

/// Addresses of a relay: more than a machine with several names and lines has.
const MAX_RELAY_ADDRS: usize = 16;

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`; empty when the file as a whole is meant.
    pub key: String,
    /// The value as it stands in the file.
    pub value: String,
    /// What it could be.
    pub allowed: String,
}

impl Problem {
    pub(super) fn new(
        key: impl Into<String>,
        value: &impl Serialize,
        allowed: impl Into<String>,
    ) -> Self {
        let key = key.into();
        let value = if is_secret(&key) {
            "not right".into()
        } else {
            shown(value)
        };
        Self {
            key,
            value,
            allowed: allowed.into(),
        }
    }

    pub(super) fn of_file(value: impl Into<String>) -> Self {
        let allowed = "a JSON object in UTF-8".into();
        Self {
            key: String::new(),
            value: value.into(),
            allowed,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_empty() {
            "the file"
        } else {
            &self.key
        };
        write!(f, "{key} is {}; allowed is {}", self.value, self.allowed)
    }
}

impl std::error::Error for Problem {}

impl Config {
    /// The rules of §10.2 that a type cannot say.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let Self {
            identity,
            paths,
            p2p,
            presence,
            viewer,
            lua,
            ..
        } = self;
        let host = presence.rendezvous_host;
        require(
            !identity.key_file.is_empty(),
            "identity.key_file",
            &identity.key_file,
        )?;
        require(
            !paths.site_root.is_empty(),
            "paths.site_root",
            &paths.site_root,
        )?;
        require(
            !paths.site_source.is_empty(),
            "paths.site_source",
            &paths.site_source,
        )?;
        let stage = &paths.site_stage;
        require(
            !stage.is_empty() && *stage != paths.site_source,
            "paths.site_stage",
            stage,
        )?;
        require(
            mdns::Tag::parse(&p2p.mdns_tag).is_some(),
            "p2p.mdns_tag",
            &p2p.mdns_tag,
        )?;
        require(
            !presence.topic.is_empty(),
            "presence.topic",
            &presence.topic,
        )?;
        require(
            presence.ttl_seconds > 0,
            "presence.ttl_seconds",
            &presence.ttl_seconds,
        )?;
        let beat = presence.heartbeat_seconds;
        require(
            beat > 0 && beat < presence.ttl_seconds,
            "presence.heartbeat_seconds",
            &beat,
        )?;
        require(
            !host || presence.rendezvous_port > 0,
            "presence.rendezvous_port",
            &presence.rendezvous_port,
        )?;
        let bind = &presence.rendezvous_bind;
        require(
            !host || bind.is_empty() || bind.parse::<IpAddr>().is_ok(),
            "presence.rendezvous_bind",
            bind,
        )?;
        let wan = &presence.rendezvous_wan;
        require(
            wan.trim().is_empty() || is_server_url(wan.trim()),
            "presence.rendezvous_wan",
            wan,
        )?;
        let wans = &presence.rendezvous_wans;
        require(
            wans.len() <= MAX_WANS && wans.iter().all(|url| is_server_url(url.trim())),
            "presence.rendezvous_wans",
            wans,
        )?;
        let cluster = &presence.cluster_url;
        require(
            cluster.is_empty() || cluster.split(',').all(|url| is_nats_url(url.trim())),
            "presence.cluster_url",
            cluster,
        )?;
        require(
            !presence.rendezvous_only || host,
            "presence.rendezvous_only",
            &presence.rendezvous_only,
        )?;
        self.check_relay()?;
        let sources = &viewer.site_sources;
        require(
            sources.len() <= MAX_SOURCES && sources.iter().all(|text| is_source(text)),
            "viewer.site_sources",
            sources,
        )?;
        if lua.enabled {
            require(
                !lua.script_dir.is_empty(),
                "lua.script_dir",
                &lua.script_dir,
            )?;
            require(
                (1..=60).contains(&lua.timeout_seconds),
                "lua.timeout_seconds",
                &lua.timeout_seconds,
            )?;
            require(
                (1..=1024).contains(&lua.max_memory_mb),
                "lua.max_memory_mb",
                &lua.max_memory_mb,
            )?;
            require(
                lua.rate_limit_per_peer > 0,
                "lua.rate_limit_per_peer",
                &lua.rate_limit_per_peer,
            )?;
            require(
                lua.rate_limit_global > 0,
                "lua.rate_limit_global",
                &lua.rate_limit_global,
            )?;
        }
        Ok(())
    }

    fn check_relay(&self) -> Result<(), Problem> {
        let Self {
            identity,
            p2p,
            presence,
            ..
        } = self;
        let relay = &presence.relay;
        let port = relay.port;
        require(
            port == 0
                || presence.rendezvous_host
                    && port != presence.rendezvous_port
                    && port != p2p.listen_port,
            "presence.relay_port",
            &port,
        )?;
        require(
            port == 0 || !relay.key_file.is_empty() && relay.key_file != identity.key_file,
            "presence.relay_key_file",
            &relay.key_file,
        )?;
        let addrs = &relay.external_addrs;
        require(
            addrs.len() <= MAX_RELAY_ADDRS && addrs.iter().all(|addr| is_relay_addr(addr.trim())),
            "presence.relay_external_addrs",
            addrs,
        )?;
        for (key, number) in [
            (
                "presence.relay_max_circuit_seconds",
                relay.max_circuit_seconds,
            ),
            ("presence.relay_max_circuits", relay.max_circuits),
            (
                "presence.relay_max_circuits_per_peer",
                relay.max_circuits_per_peer,
            ),
            ("presence.relay_max_reservations", relay.max_reservations),
            (
                "presence.relay_max_reservations_per_peer",
                relay.max_reservations_per_peer,
            ),
        ] {
            require(number > 0, key, &number)?;
        }
        Ok(())
    }
}

/// What a key may hold, for people. `default` tells the type where there is nothing more to say.
pub(super) fn allowed(key: &str, default: &Value) -> &'static str {
    match key {
        "identity.key_file" => "the path of the key file, e.g. \"data/identity.key\"",
        "paths.site_root" => "the path of the folder to serve, e.g. \"site\"",
        "paths.site_source" => "a path, not empty",
        "paths.site_stage" => "a path, not empty and other than paths.site_source",
        "p2p.listen_port" => "a port from 0 to 65535 (0: any free one)",
        "p2p.mdns_tag" => "1 to 63 letters, digits, \"-\" and \"_\", e.g. \"goop-mdns\"",
        "presence.topic" => "a name, not empty, e.g. \"goop.presence.v1\"",
        "presence.ttl_seconds" => "a whole number above 0",
        "presence.heartbeat_seconds" => "a whole number above 0 and below presence.ttl_seconds",
        "presence.rendezvous_port" => "a port from 1 to 65535",
        "presence.rendezvous_bind" => "an IP address, or \"\" for all",
        "presence.rendezvous_wan" => {
            "the http:// or https:// address of a rendezvous, or \"\" for none"
        }
        "presence.rendezvous_wans" => "a list of at most 16 http:// or https:// addresses",
        "presence.cluster_url" => {
            "the nats:// or tls:// address of NATS, several with commas between them, or \"\" for none"
        }
        "presence.trusted_proxies" => "a list of IP addresses or networks, or null",
        "presence.rendezvous_only" => "true only together with presence.rendezvous_host",
        "presence.relay_port" => {
            "a port from 1 to 65535, other than presence.rendezvous_port and p2p.listen_port and together with presence.rendezvous_host, or 0 for none"
        }
        "presence.relay_key_file" => {
            "the path of the relay's key file, other than identity.key_file, e.g. \"data/relay.key\""
        }
        "presence.relay_external_addrs" => {
            "a list of at most 16 IP addresses, host names or addresses such as \"/ip4/203.0.113.9/tcp/4002\""
        }
        "presence.relay_max_circuit_bytes"
        | "presence.relay_bytes_per_second"
        | "presence.relay_bytes_per_second_per_peer" => {
            "a whole number of bytes, or 0 for no limit"
        }
        "presence.relay_max_circuit_seconds"
        | "presence.relay_max_circuits"
        | "presence.relay_max_circuits_per_peer"
        | "presence.relay_max_reservations"
        | "presence.relay_max_reservations_per_peer" => "a whole number above 0",
        "presence.templates_dirs" => "a list of paths, or null",
        "presence.smtp_port" => "a port from 0 to 65535",
        "viewer.theme" => "\"light\" or \"dark\"",
        "viewer.site_sources" => {
            "a list of at most 16 origins, e.g. [\"http://192.168.1.20:8123\"]"
        }
        "lua.script_dir" => "the path of the scripts, e.g. \"site/lua\"",
        "lua.timeout_seconds" => "a whole number from 1 to 60",
        "lua.max_memory_mb" => "a whole number from 1 to 1024",
        "lua.rate_limit_per_peer" | "lua.rate_limit_global" => "a whole number above 0",
        _ if default.is_boolean() => "true or false",
        _ if default.is_string() => "a text in quotes",
        _ => "a whole number",
    }
}

fn require(holds: bool, key: &str, value: &impl Serialize) -> Result<(), Problem> {
    if holds {
        Ok(())
    } else {
        Err(Problem::new(key, value, allowed(key, &Value::Null)))
    }
}

fn is_server_url(text: &str) -> bool {
    is_url(text, &["http", "https"])
}

fn is_nats_url(text: &str) -> bool {
    is_url(text, &["nats", "tls"])
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let named = match url.host() {
        Some(Host::Domain(name)) => !name.is_empty(),
        Some(Host::Ipv4(ip)) => !ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => !ip.is_unspecified(),
        None => false,
    };
    named && schemes.contains(&url.scheme()) && url.port() != Some(0)
}

/// An origin as a browser writes it. It becomes part of a policy, where nothing in it may begin
/// another rule.
fn is_source(text: &str) -> bool {
    let plain = |host: &str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    Url::parse(text).is_ok_and(|url| {
        ["http", "https", "ws", "wss"].contains(&url.scheme())
            && url.host_str().is_some_and(plain)
            && url.port() != Some(0)
            && url.origin().ascii_serialization() == text
    })
}

/// A multiaddress, an IP address, or the name of a host.
fn is_relay_addr(text: &str) -> bool {
    if text.starts_with('/') {
        return text.parse::<Multiaddr>().is_ok();
    }
    text.parse::<IpAddr>().is_ok() || matches!(Host::parse(text), Ok(Host::Domain(_)))
}

/// A password may be in it.
fn is_secret(key: &str) -> bool {
    ["password", "token", "private", "cluster_url"]
        .iter()
        .any(|word| key.contains(word))
}

fn shown(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
