//! A hosted rendezvous and the relay beside it: the only place that knows both.
//!
//! The rendezvous tells the relay who is here, the relay tells the rendezvous where it is and what
//! it is used for. Either follows the configuration without disturbing the other, and a relay that
//! cannot run is no reason for the rendezvous not to.

use std::{
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
use goop2_store::config;
use tokio::sync::watch;
use url::{Host, Url};

use crate::error::Error;

/// A rendezvous that runs, with its relay if it has one.
#[derive(Debug)]
pub struct Hosted {
    dir: PathBuf,
    /// What the server was started with.
    config: config::Presence,
    server: Server,
    beside: Option<Beside>,
    told: watch::Sender<Option<State>>,
}

/// The relay, or why there is none, and what it was started with.
#[derive(Debug)]
struct Beside {
    config: config::Presence,
    relay: Result<Relay, Error>,
}

impl Hosted {
    /// The server that the `presence` section of a folder's `goop.json` describes, listening, and
    /// its relay.
    pub async fn bind(dir: &Path, config: &config::Presence) -> Result<Self, Error> {
        let (told, relay) = watch::channel(None);
        let server = Server::bind(server_config(dir, config, relay)?, server::system_clock)
            .await
            .map_err(|error| Error::Invalid(error.to_string()))?;
        let mut hosted = Self {
            dir: dir.to_owned(),
            config: of_server(config),
            server,
            beside: None,
            told,
        };
        hosted.follow_relay(config).await;
        Ok(hosted)
    }

    /// Whether this server is the one that is wanted now; its relay may be another.
    pub(crate) fn serves(&self, config: &config::Presence) -> bool {
        self.config == of_server(config)
    }

    /// Starts, stops or replaces the relay.
    pub(crate) async fn follow_relay(&mut self, config: &config::Presence) {
        let wanted = (config.relay.port > 0).then(|| of_relay(config));
        let beside = self.beside.as_ref();
        if beside.map(|beside| &beside.config) == wanted.as_ref() && self.relay_problem().is_none()
        {
            return;
        }
        if let Some(Beside {
            relay: Ok(relay), ..
        }) = self.beside.take()
        {
            relay.shutdown().await;
        }
        if let Some(config) = wanted {
            let relay = self.relay(&config).await;
            self.beside = Some(Beside { config, relay });
        }
    }

    /// Why there is no relay although there should be one.
    pub fn relay_problem(&self) -> Option<&Error> {
        self.beside.as_ref()?.relay.as_ref().err()
    }

    /// Where the relay is reached, with its peer id; nothing without one.
    pub fn relay_addrs(&self) -> Vec<String> {
        let state = self.told.borrow();
        let addrs = state.iter().flat_map(|state| state.relay.named());
        addrs.map(|addr| addr.to_string()).collect()
    }

    /// Where the server listens.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.server.local_addrs()
    }

    /// What others paste to meet here; empty when nobody else can reach it.
    pub fn connect_urls(&self) -> Vec<String> {
        self.server.connect_urls()
    }

    /// How many are here.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.server.status()
    }

    /// Where this machine reaches the server it hosts.
    pub(crate) fn own_address(&self) -> Option<Address> {
        let addr = self.server.local_addrs().first()?;
        let ip = if addr.ip().is_unspecified() {
            IpAddr::from([127, 0, 0, 1])
        } else {
            addr.ip()
        };
        Address::parse(&format!("http://{}", SocketAddr::new(ip, addr.port()))).ok()
    }

    /// Ends in order.
    pub async fn shutdown(self) {
        // Peers on the relay look for another way while the rendezvous still tells them of one.
        if let Some(Beside {
            relay: Ok(relay), ..
        }) = self.beside
        {
            relay.shutdown().await;
        }
        self.server.shutdown().await;
    }

    async fn relay(&self, config: &config::Presence) -> Result<Relay, Error> {
        let keypair = goop2_store::relay_key(&self.dir, &config.relay.key_file)?;
        let guests = self.server.guests();
        let config = relay::Config {
            keypair,
            port: config.relay.port,
            external: externals(config),
            limits: relay_limits(&config.relay),
            ask: Arc::new(move |peer| guests.membership(peer)),
        };
        Relay::bind(config, self.told.clone())
            .await
            .map_err(|error| Error::Invalid(format!("The relay does not run: {error}")))
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

/// What the server depends on: a change of any of it means another server.
fn of_server(config: &config::Presence) -> config::Presence {
    let none = config::Presence::default();
    config::Presence {
        rendezvous_wan: none.rendezvous_wan,
        rendezvous_wans: none.rendezvous_wans,
        relay: none.relay,
        ..config.clone()
    }
}

/// What the operator says, or else the host people know.
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

/// What the section says of the server.
fn server_config(
    dir: &Path,
    config: &config::Presence,
    relay: watch::Receiver<Option<State>>,
) -> Result<server::Config, Error> {
    let problem = |key: &str, why: &dyn std::fmt::Display| {
        Error::Invalid(format!("presence.{key} in goop.json: {why}"))
    };
    let bind = Some(config.rendezvous_bind.trim()).filter(|bind| !bind.is_empty());
    let bind = bind
        .map(str::parse::<IpAddr>)
        .transpose()
        .map_err(|error| problem("rendezvous_bind", &error))?;
    let trusted_proxies = match &config.trusted_proxies {
        None => Net::LOOPBACK.to_vec(),
        Some(nets) => nets
            .iter()
            .map(|net| net.parse())
            .collect::<Result<_, _>>()
            .map_err(|error| problem("trusted_proxies", &error))?,
    };
    let cluster = Some(config.cluster_url.trim()).filter(|url| !url.is_empty());
    let cluster = cluster
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
        trusted_proxies,
        require_signed: config.require_signed,
        registration_required: config.registration_required,
        registration: (!config.peer_db_path.is_empty()).then(|| registration::Config {
            path: dir.join(&config.peer_db_path),
            webhook: config.registration_webhook.clone(),
            mail: mail::Config {
                host: config.smtp_host.clone(),
                port: config.smtp_port,
                username: config.smtp_username.clone(),
                password: config.smtp_password.clone(),
                from: config.smtp_from.clone(),
            },
        }),
        // Guests hear only changes: how long the silent count as online is decided here, as it is
        // nearby.
        limits: Limits {
            ttl: Duration::from_secs(config.ttl_seconds.into()),
            ..Limits::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_word_has_the_limits_of_the_relay() {
        assert_eq!(
            relay_limits(&config::Relay::default()),
            relay::Limits::default()
        );
    }

    #[test]
    fn the_relay_is_where_the_operator_says_or_where_people_meet() {
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
                port: 4002,
                max_circuits: 7,
                ..before.relay.clone()
            },
            ..before.clone()
        };
        assert_eq!(of_server(&before), of_server(&after));
        assert_ne!(of_relay(&before), of_relay(&after));
    }
}
