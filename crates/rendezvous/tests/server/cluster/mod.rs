//! Several instances on a real NATS.

mod killed;
mod nats;
mod presence;
mod registrations;

use std::{net::SocketAddr, time::Duration};

use goop2_rendezvous::server::{Config, Limits, Server};
use tokio::time::{sleep, timeout};

use crate::world::{Answer, Events, addr, config, get, limits, start};
use nats::Nats;

/// Longer than anything here takes on a busy host.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause when polling.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The configuration of an instance with that NATS.
fn joined(nats: &Nats) -> Config {
    Config {
        cluster: Some(nats.address()),
        ..config()
    }
}

fn with_ttl(config: Config, ttl: Duration) -> Config {
    Config {
        limits: Limits { ttl, ..limits() },
        ..config
    }
}

/// Instances that are connected to each other.
async fn instances<const N: usize>(config: &Config) -> [Server; N] {
    let mut servers = Vec::new();
    for _ in 0..N {
        servers.push(start(config.clone()).await);
    }
    for server in &servers {
        hears(addr(server), N - 1).await;
    }
    servers.try_into().map_err(drop).unwrap()
}

/// Waits until the instance knows so many others.
async fn hears(server: SocketAddr, others: usize) {
    until("all instances hear each other", async || {
        figure(server, "cluster_instances").await == others as u64
    })
    .await;
}

/// Waits until `/healthz` says so.
async fn is(server: SocketAddr, health: &str) {
    until(health, async || {
        get(server, "/healthz").await.body == health
    })
    .await;
}

async fn figure(server: SocketAddr, name: &str) -> u64 {
    let Answer { body, .. } = get(server, "/metrics").await;
    let prefix = format!("goop2_rendezvous_{name} ");
    let line = body.lines().find_map(|line| line.strip_prefix(&*prefix));
    line.unwrap().parse().unwrap()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(LOOK_AGAIN).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "never: {what}");
}

/// A subscription to changes after its snapshot, and the peers in the snapshot.
async fn watch(server: SocketAddr) -> (Events, Vec<String>) {
    let mut events = Events::open(server, "/events?changes=1", &[]).await;
    let seen = events.snapshot().await;
    let id = |message: &serde_json::Value| message["peerId"].as_str().unwrap().to_owned();
    let seen = seen.iter().map(id).collect();
    (events, seen)
}
