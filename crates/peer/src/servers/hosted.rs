//! A hosted rendezvous server and its relay: the only module that knows both.
//!
//! The server tells the relay which peers are its members; the relay tells the server its addresses
//! and its figures. Each follows the configuration without disturbing the other, and the server
//! runs even if the relay cannot.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use goop2_node::relay::{self, External, Relay};
use goop2_proto::relay::State;
use goop2_rendezvous::{
    client::Address,
    cluster, mail, registration,
    server::{self, Limits, Net, Server, Status},
};
use goop2_store::config::{self, SmtpTls};
use tokio::sync::watch;
use url::{Host, Url};

use crate::error::Error;

/// A running rendezvous server, with its relay if it has one.
#[derive(Debug)]
pub struct Hosted {
    dir: PathBuf,
    /// The configuration the server was started with.
    config: config::Presence,
    server: Server,
    relay: Option<HostedRelay>,
    relay_state: watch::Sender<Option<State>>,
}

/// The relay, or why there is none, and the configuration it was started with.
#[derive(Debug)]
struct HostedRelay {
    config: config::Presence,
    running: Result<Relay, Error>,
}

impl Hosted {
    /// Starts the server that the `presence` section of a folder's `goop.json` describes, and its
    /// relay. Returns once the server listens; [`Error::Invalid`] says why it cannot. A relay that
    /// cannot run is a [`Hosted::relay_problem`].
    pub async fn bind(dir: &Path, config: &config::Presence) -> Result<Self, Error> {
        let (relay_state, relay) = watch::channel(None);
        let server = Server::bind(server_config(dir, config, relay)?, server::system_clock)
            .await
            .map_err(|error| Error::Invalid(error.to_string()))?;
        let mut hosted = Self {
            dir: dir.to_owned(),
            config: of_server(config),
            server,
            relay: None,
            relay_state,
        };
        hosted.follow_relay(config).await;
        Ok(hosted)
    }

    /// Whether this server is the one that the configuration asks for; its relay may differ.
    pub(crate) fn serves(&self, config: &config::Presence) -> bool {
        self.config == of_server(config)
    }

    /// Starts, stops or replaces the relay.
    pub(crate) async fn follow_relay(&mut self, config: &config::Presence) {
        let wanted = (config.relay.port > 0).then(|| of_relay(config));
        let current = self.relay.as_ref().map(|relay| &relay.config);
        if current == wanted.as_ref() && self.relay_problem().is_none() {
            return;
        }
        if let Some(relay) = self.relay.take() {
            relay.shutdown().await;
        }
        if let Some(config) = wanted {
            let running = self.bind_relay(&config).await;
            self.relay = Some(HostedRelay { config, running });
        }
    }

    /// Why there is no relay although there should be one.
    pub fn relay_problem(&self) -> Option<&Error> {
        self.relay.as_ref()?.running.as_ref().err()
    }

    /// The addresses of the relay, with its peer id; empty without a relay.
    pub fn relay_addrs(&self) -> Vec<String> {
        let state = self.relay_state.borrow();
        let addrs = state.iter().flat_map(|state| state.relay.named());
        addrs.map(|addr| addr.to_string()).collect()
    }

    /// Where the server listens.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.server.local_addrs()
    }

    /// The URLs that others paste to join; empty when nobody else can connect.
    pub fn connect_urls(&self) -> Vec<String> {
        self.server.connect_urls()
    }

    /// The figures of the server.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.server.status()
    }

    /// The address of the server from this computer.
    pub(crate) fn own_address(&self) -> Option<Address> {
        let addr = self.server.local_addrs().first()?;
        let ip = if addr.ip().is_unspecified() {
            IpAddr::from([127, 0, 0, 1])
        } else {
            addr.ip()
        };
        Address::parse(&format!("http://{}", SocketAddr::new(ip, addr.port()))).ok()
    }

    /// Stops the relay, then the server.
    pub async fn shutdown(self) {
        // Peers on the relay look for another connection while the server still lists the others.
        if let Some(relay) = self.relay {
            relay.shutdown().await;
        }
        self.server.shutdown().await;
    }

    async fn bind_relay(&self, config: &config::Presence) -> Result<Relay, Error> {
        let keypair = goop2_store::relay_key(&self.dir, &config.relay.key_file)?;
        let members = self.server.members();
        let config = relay::Config {
            keypair,
            port: config.relay.port,
            external: externals(config),
            limits: relay_limits(&config.relay),
            ask: Arc::new(move |peer| members.membership(peer)),
        };
        Relay::bind(config, self.relay_state.clone())
            .await
            .map_err(|error| Error::Invalid(format!("The relay can't start: {error}")))
    }
}

impl HostedRelay {
    async fn shutdown(self) {
        if let Ok(relay) = self.running {
            relay.shutdown().await;
        }
    }
}

/// The part of the section that only the relay reads.
fn of_relay(config: &config::Presence) -> config::Presence {
    config::Presence {
        external_url: config.external_url.clone(),
        relay: config.relay.clone(),
        ..config::Presence::default()
    }
}

/// The part that the server reads: a change of any of it needs a new server.
fn of_server(config: &config::Presence) -> config::Presence {
    let none = config::Presence::default();
    config::Presence {
        rendezvous_wan: none.rendezvous_wan,
        rendezvous_wans: none.rendezvous_wans,
        relay: none.relay,
        ..config.clone()
    }
}

/// The addresses that the operator configured, or else the host in `external_url`.
fn externals(config: &config::Presence) -> Vec<External> {
    if !config.relay.external_addrs.is_empty() {
        let said = config.relay.external_addrs.iter();
        return said.filter_map(|text| External::parse(text)).collect();
    }
    let url = Url::parse(config.external_url.trim()).ok();
    let host = match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => Some(name.to_owned()),
        Some(Host::Ipv4(ip)) if !ip.is_loopback() => Some(ip.to_string()),
        Some(Host::Ipv6(ip)) if !ip.is_loopback() => Some(ip.to_string()),
        _ => None,
    };
    host.map(External::Host).into_iter().collect()
}

fn relay_limits(config: &config::Relay) -> relay::Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    relay::Limits {
        circuit_bytes: config.max_circuit_bytes,
        circuit: Duration::from_secs(config.max_circuit_seconds.into()),
        circuits: count(config.max_circuits),
        circuits_per_peer: count(config.max_circuits_per_peer),
        reservations: count(config.max_reservations),
        reservations_per_peer: count(config.max_reservations_per_peer),
        bytes_per_second: config.bytes_per_second,
        bytes_per_second_per_peer: config.bytes_per_second_per_peer,
        ..relay::Limits::default()
    }
}

/// The settings of the server in this section.
fn server_config(
    dir: &Path,
    config: &config::Presence,
    relay: watch::Receiver<Option<State>>,
) -> Result<server::Config, Error> {
    let bind = not_empty(&config.rendezvous_bind)
        .map(str::parse::<IpAddr>)
        .transpose()
        .map_err(|error| problem("rendezvous_bind", &error))?;
    let trusted_proxies = trusted_proxies(config)?;
    let cluster = not_empty(&config.cluster_url)
        .map(cluster::Address::parse)
        .transpose()
        .map_err(|error| problem("cluster_url", &error))?;
    Ok(server::Config {
        bind,
        cluster,
        relay: Some(relay),
        port: config.rendezvous_port,
        admin_password: config.admin_password.clone(),
        external_url: config.external_url.clone(),
        download_url: config.download_url.clone(),
        trusted_proxies,
        require_signed: config.require_signed,
        registration_required: config.registration_required,
        registration: registration_config(dir, config),
        // Guests only learn about changes, so the TTL of a silent peer is applied here, as it is on
        // a local network.
        limits: Limits {
            ttl: Duration::from_secs(config.ttl_seconds.into()),
            ..Limits::default()
        },
    })
}

fn trusted_proxies(config: &config::Presence) -> Result<Vec<Net>, Error> {
    let Some(nets) = &config.trusted_proxies else {
        return Ok(Net::LOOPBACK.to_vec());
    };
    let nets = nets.iter().map(|net| net.parse());
    nets.collect::<Result<_, _>>()
        .map_err(|error| problem("trusted_proxies", &error))
}

fn registration_config(dir: &Path, config: &config::Presence) -> Option<registration::Config> {
    (!config.peer_db_path.is_empty()).then(|| registration::Config {
        path: dir.join(&config.peer_db_path),
        webhook: config.registration_webhook.clone(),
        mail: mail::Config {
            host: config.smtp_host.clone(),
            port: config.smtp_port,
            encryption: match config.smtp_tls {
                SmtpTls::Auto => mail::Encryption::Auto,
                SmtpTls::Implicit => mail::Encryption::Implicit,
                SmtpTls::StartTls => mail::Encryption::StartTls,
            },
            username: config.smtp_username.clone(),
            password: config.smtp_password.clone(),
            from: config.smtp_from.clone(),
        },
    })
}

fn not_empty(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn problem(key: &str, why: &dyn Display) -> Error {
    Error::Invalid(format!("presence.{key} in goop.json: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_configuration_has_the_default_limits_of_the_relay() {
        assert_eq!(
            relay_limits(&config::Relay::default()),
            relay::Limits::default()
        );
    }

    #[test]
    fn the_relay_is_where_the_operator_says_or_at_the_external_url() {
        let of = |url: &str, addrs: &[&str]| {
            externals(&config::Presence {
                external_url: url.into(),
                relay: config::Relay {
                    external_addrs: addrs.iter().map(ToString::to_string).collect(),
                    ..config::Relay::default()
                },
                ..config::Presence::default()
            })
        };
        let host = |host: &str| vec![External::Host(host.into())];
        assert_eq!(of("", &[]), []);
        assert_eq!(
            of("https://meet.example.org/", &[]),
            host("meet.example.org")
        );
        assert_eq!(of("http://[2001:db8::1]:8787", &[]), host("2001:db8::1"));
        assert_eq!(of("http://127.0.0.1:8787", &[]), []);
        assert_eq!(
            of("https://meet.example.org", &["203.0.113.9"]),
            host("203.0.113.9")
        );
    }

    #[test]
    fn the_relays_settings_do_not_touch_the_server() {
        let before = config::Presence::default();
        let after = config::Presence {
            relay: config::Relay {
                port: goop2_proto::relay::USUAL_PORT,
                max_circuits: 7,
                ..before.relay.clone()
            },
            ..before.clone()
        };
        assert_eq!(of_server(&before), of_server(&after));
        assert_ne!(of_relay(&before), of_relay(&after));
    }
}
