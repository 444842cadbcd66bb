//! What `goop.json` may say, and how a mistake in it is reported: the key, its value, and what it
//! must be.

use std::{fmt, net::IpAddr};

use goop2_proto::{Multiaddr, mdns};
use serde::Serialize;
use serde_json::{Value, error::Category};
use url::{Host, Url};

use super::{Config, Lua, Paths, Presence};

/// Longest part of a wrong value repeated in the message.
const SHOWN_CHARS: usize = 80;

/// Servers joined at once: each costs a connection and a message every heartbeat.
pub(super) const MAX_WANS: usize = 16;
/// Origins that your own site may use: a policy of a few lines.
pub(super) const MAX_SOURCES: usize = 16;
/// Addresses of a relay: more than a host with several names and lines has.
pub(super) const MAX_RELAY_ADDRS: usize = 16;

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file is not JSON.
    Json {
        /// Where the parser stopped, from 1 on.
        line: usize,
        /// In the line, from 1 on.
        column: usize,
        /// What to do there.
        remedy: String,
    },
    /// The file is JSON, but not an object.
    NoObject,
    /// There is no such key.
    Unknown(String),
    /// A key has a value that it cannot have.
    Value {
        /// `section.key`.
        key: String,
        /// The value as it is in the file; none where it may be a secret.
        value: Option<String>,
        /// What it must be.
        must: String,
    },
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, value: &impl Serialize, must: &str) -> Self {
        let key = key.into();
        let value = (!is_secret(&key)).then(|| shown(value));
        let must = must.into();
        Self::Value { key, value, must }
    }

    pub(super) fn of_json(error: &serde_json::Error) -> Self {
        Self::Json {
            line: error.line().max(1),
            column: error.column().max(1),
            remedy: remedy(error),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json {
                line,
                column,
                remedy,
            } => write!(f, "Line {line}, column {column}: {remedy}"),
            Self::NoObject => f.write_str("the file must contain a JSON object { … }"),
            Self::Unknown(key) => write!(f, "{key} is not a setting"),
            Self::Value { key, value, must } => match value {
                Some(value) => write!(f, "{key} is {value}, but must be {must}"),
                None => write!(f, "{key} must be {must}"),
            },
        }
    }
}

impl std::error::Error for Problem {}

/// What the parser says, as advice.
fn remedy(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(text, _)| text);
    match text {
        "trailing characters" => "remove what follows the last }.".into(),
        "trailing comma" => "remove the comma before the bracket.".into(),
        "expected `,` or `}`" => "a comma or } is missing before this.".into(),
        "expected `,` or `]`" => "a comma or ] is missing before this.".into(),
        "expected `:`" => "a colon is missing after the key.".into(),
        "key must be a string" => "put the key in double quotes.".into(),
        "expected value" | "expected ident" => "this is not a JSON value.".into(),
        _ if error.classify() == Category::Eof => "the file ends too early.".into(),
        _ => format!("{text}."),
    }
}

impl Config {
    /// The rules of §10.2 that a type cannot say.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let key_file = &self.identity.key_file;
        require(!key_file.is_empty(), "identity.key_file", key_file)?;
        self.paths.check()?;
        let tag = &self.p2p.mdns_tag;
        require(mdns::Tag::parse(tag).is_some(), "p2p.mdns_tag", tag)?;
        self.presence.check()?;
        self.check_relay()?;
        let sources = &self.viewer.site_sources;
        require(
            sources.len() <= MAX_SOURCES && sources.iter().all(|text| is_source(text)),
            "viewer.site_sources",
            sources,
        )?;
        if self.lua.enabled {
            self.lua.check()?;
        }
        Ok(())
    }

    fn check_relay(&self) -> Result<(), Problem> {
        let (presence, relay) = (&self.presence, &self.presence.relay);
        let port = relay.port;
        require(
            port == 0
                || presence.rendezvous_host
                    && port != presence.rendezvous_port
                    && port != self.p2p.listen_port,
            "presence.relay_port",
            &port,
        )?;
        let key_file = &relay.key_file;
        require(
            port == 0 || !key_file.is_empty() && *key_file != self.identity.key_file,
            "presence.relay_key_file",
            key_file,
        )?;
        let addrs = &relay.external_addrs;
        require(
            addrs.len() <= MAX_RELAY_ADDRS && addrs.iter().all(|addr| is_relay_addr(addr.trim())),
            "presence.relay_external_addrs",
            addrs,
        )?;
        for (key, number) in [
            ("max_circuit_seconds", relay.max_circuit_seconds),
            ("max_circuits", relay.max_circuits),
            ("max_circuits_per_peer", relay.max_circuits_per_peer),
            ("max_reservations", relay.max_reservations),
            ("max_reservations_per_peer", relay.max_reservations_per_peer),
        ] {
            require(number > 0, &format!("presence.relay_{key}"), &number)?;
        }
        Ok(())
    }
}

impl Paths {
    fn check(&self) -> Result<(), Problem> {
        let (root, source, stage) = (&self.site_root, &self.site_source, &self.site_stage);
        require(!root.is_empty(), "paths.site_root", root)?;
        require(!source.is_empty(), "paths.site_source", source)?;
        require(
            !stage.is_empty() && stage != source,
            "paths.site_stage",
            stage,
        )
    }
}

impl Presence {
    fn check(&self) -> Result<(), Problem> {
        let (ttl, beat) = (self.ttl_seconds, self.heartbeat_seconds);
        require(!self.topic.is_empty(), "presence.topic", &self.topic)?;
        require(ttl > 0, "presence.ttl_seconds", &ttl)?;
        require(beat > 0 && beat < ttl, "presence.heartbeat_seconds", &beat)?;
        let (host, port, bind) = (
            self.rendezvous_host,
            self.rendezvous_port,
            &self.rendezvous_bind,
        );
        require(!host || port > 0, "presence.rendezvous_port", &port)?;
        require(
            !host || bind.is_empty() || bind.parse::<IpAddr>().is_ok(),
            "presence.rendezvous_bind",
            bind,
        )?;
        let (wan, wans) = (&self.rendezvous_wan, &self.rendezvous_wans);
        require_without_login(
            wan.trim().is_empty() || is_server_url(wan.trim()),
            "presence.rendezvous_wan",
            wan,
        )?;
        require_without_login(
            wans.len() <= MAX_WANS && wans.iter().all(|url| is_server_url(url.trim())),
            "presence.rendezvous_wans",
            wans,
        )?;
        let download = &self.download_url;
        require(
            download.trim().is_empty() || is_server_url(download.trim()),
            "presence.download_url",
            download,
        )?;
        let cluster = &self.cluster_url;
        require(
            cluster.is_empty() || cluster.split(',').all(|url| is_nats_url(url.trim())),
            "presence.cluster_url",
            cluster,
        )?;
        let only = self.rendezvous_only;
        require(!only || host, "presence.rendezvous_only", &only)
    }
}

impl Lua {
    fn check(&self) -> Result<(), Problem> {
        let (timeout, memory) = (self.timeout_seconds, self.max_memory_mb);
        let (each, all) = (self.rate_limit_per_peer, self.rate_limit_global);
        require(
            !self.script_dir.is_empty(),
            "lua.script_dir",
            &self.script_dir,
        )?;
        require((1..=60).contains(&timeout), "lua.timeout_seconds", &timeout)?;
        require((1..=1024).contains(&memory), "lua.max_memory_mb", &memory)?;
        require(each > 0, "lua.rate_limit_per_peer", &each)?;
        require(all > 0, "lua.rate_limit_global", &all)
    }
}

/// What a key must hold, for people: the end of "… must be". `default` tells the type where there
/// is nothing more to say.
pub(super) fn must_be(key: &str, default: &Value) -> &'static str {
    let named = MUST_BE.iter().find(|(keys, _)| keys.contains(&key));
    match named {
        Some((_, must)) => must,
        None if default.is_boolean() => "true or false",
        None if default.is_string() => "a string",
        None => "a whole number",
    }
}

const MUST_BE: &[(&[&str], &str)] = &[
    (
        &["identity.key_file"],
        r#"the path of the key file, such as "data/identity.key""#,
    ),
    (
        &["paths.site_root"],
        r#"the path of the folder to publish, such as "site""#,
    ),
    (&["paths.site_source"], "a path, not empty"),
    (
        &["paths.site_stage"],
        "a path, not empty and different from paths.site_source",
    ),
    (
        &["p2p.listen_port"],
        "a port from 0 to 65535 (0: any free one)",
    ),
    (
        &["p2p.mdns_tag"],
        r#"1 to 63 letters, digits, "-" or "_", such as "goop-mdns""#,
    ),
    (
        &["presence.topic"],
        r#"a name, not empty, such as "goop.presence.v1""#,
    ),
    (
        &[
            "presence.ttl_seconds",
            "presence.relay_max_circuit_seconds",
            "presence.relay_max_circuits",
            "presence.relay_max_circuits_per_peer",
            "presence.relay_max_reservations",
            "presence.relay_max_reservations_per_peer",
            "lua.rate_limit_per_peer",
            "lua.rate_limit_global",
        ],
        "a whole number above 0",
    ),
    (
        &["presence.heartbeat_seconds"],
        "a whole number above 0 and below presence.ttl_seconds",
    ),
    (&["presence.rendezvous_port"], "a port from 1 to 65535"),
    (
        &["presence.rendezvous_bind"],
        r#"an IP address, or "" for all"#,
    ),
    (
        &["presence.rendezvous_wan"],
        r#"the http:// or https:// address of a rendezvous without a user name, or "" for none"#,
    ),
    (
        &["presence.rendezvous_wans"],
        "a list of at most 16 http:// or https:// addresses without user names",
    ),
    (
        &["presence.download_url"],
        r#"an http:// or https:// address, or "" for none"#,
    ),
    (
        &["presence.cluster_url"],
        r#"the nats:// or tls:// address of NATS, several separated by commas, or "" for none"#,
    ),
    (
        &["presence.trusted_proxies"],
        "a list of IP addresses or networks, or null",
    ),
    (
        &["presence.rendezvous_only"],
        "false, unless presence.rendezvous_host is true",
    ),
    (
        &["presence.relay_port"],
        "0 for none, or a port from 1 to 65535 that differs from presence.rendezvous_port and \
         p2p.listen_port, with presence.rendezvous_host true",
    ),
    (
        &["presence.relay_key_file"],
        r#"the path of the relay's key file, such as "data/relay.key", and not identity.key_file"#,
    ),
    (
        &["presence.relay_external_addrs"],
        r#"a list of at most 16 IP addresses, host names or addresses such as "/ip4/203.0.113.9/tcp/4002""#,
    ),
    (
        &[
            "presence.relay_max_circuit_bytes",
            "presence.relay_bytes_per_second",
            "presence.relay_bytes_per_second_per_peer",
        ],
        "a whole number of bytes, or 0 for no limit",
    ),
    (&["presence.templates_dirs"], "a list of paths, or null"),
    (&["presence.smtp_port"], "a port from 0 to 65535"),
    (
        &["presence.smtp_tls"],
        r#""auto", "implicit" or "starttls""#,
    ),
    (&["viewer.theme"], r#""light" or "dark""#),
    (
        &["viewer.site_sources"],
        r#"a list of at most 16 origins, such as ["http://192.168.1.20:8123"]"#,
    ),
    (
        &["lua.script_dir"],
        r#"the path of the scripts, such as "site/lua""#,
    ),
    (&["lua.timeout_seconds"], "a whole number from 1 to 60"),
    (&["lua.max_memory_mb"], "a whole number from 1 to 1024"),
];

fn require(holds: bool, key: &str, value: &impl Serialize) -> Result<(), Problem> {
    if holds {
        return Ok(());
    }
    Err(Problem::new(key, value, must_be(key, &Value::Null)))
}

/// As [`require`], of addresses in which a password may be by mistake: then they are not repeated.
fn require_without_login(holds: bool, key: &str, value: &impl Serialize) -> Result<(), Problem> {
    let problem = require(holds, key, value);
    problem.map_err(|problem| match problem {
        Problem::Value { key, value, must } => Problem::Value {
            value: value.filter(|value| !value.contains('@')),
            key,
            must,
        },
        other => other,
    })
}

fn is_server_url(text: &str) -> bool {
    let login = |url: Url| !url.username().is_empty() || url.password().is_some();
    is_url(text, &["http", "https"]) && !Url::parse(text).is_ok_and(login)
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
pub(crate) fn is_secret(key: &str) -> bool {
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
