//! The swarm: which protocols a connection carries, over which transports, within which limits.

use std::{error::Error, num::NonZeroU8, time::Duration};

use libp2p::{
    Swarm, SwarmBuilder,
    allow_block_list::{self, BlockedPeers},
    connection_limits, dcutr, gossipsub, identify,
    identity::Keypair,
    memory_connection_limits, noise, ping, quic, relay,
    swarm::NetworkBehaviour,
};

use crate::{
    gossip,
    net::households,
    outside::autonat,
    reach::superseded,
    stream::behaviour::Behaviour as Streams,
    transport::{self, muxer, optimistic, tls},
};

/// Connections in all: at about 90 KB each this is 50 MB, and a LAN this large gossips well with
/// fewer.
const MAX_CONNECTIONS: u32 = 512;

/// Of those, made by others: they cannot use up the ones we need to reach anybody.
const MAX_INCOMING: u32 = 384;

/// To one peer: both dialed at once over TCP and QUIC, and one relayed.
const MAX_PER_PEER: u32 = 8;

/// Handshakes at a time. They cost a key exchange each, so strangers get no more of them than a
/// start on a busy LAN needs.
const MAX_PENDING: u32 = 64;

/// Dials at a time. The dialer limits how many are started; each peer may have four at once.
const MAX_DIALING: u32 = 256;

/// Memory of the process above which no connection is added.
const MAX_MEMORY_BYTES: usize = 1 << 30;

/// How long a connection without streams stays: existing peers keep theirs open for good, and a
/// visitor who reads a page for some minutes should not wait for a handshake on the next click.
const IDLE: Duration = Duration::from_secs(600);

/// Inbound streams being negotiated on one connection, for at most 10 s each; more wait in the
/// muxer. Those of a page that is opened over a slow line take a round trip for each so many.
const MAX_NEGOTIATING: usize = 32;

/// What a QUIC connection may be sent before it is read, in bytes: 20 MB/s over 100 ms.
const QUIC_WINDOW: u32 = 2 * 1024 * 1024;

/// What all QUIC connections that others make may be sent before it is read, in bytes. With what
/// keeps it, half as much again is used.
const QUIC_UNREAD: u32 = 320 * 1024 * 1024;

/// So many there are of them at the most. Who is refused comes in over TCP, where the room for
/// unread data is shared by stream.
const MAX_INCOMING_QUIC: u32 = QUIC_UNREAD / QUIC_WINDOW;

/// Streams that others have opened, on all QUIC connections together: as many as over TCP, for what
/// each costs apart from its data.
const QUIC_INBOUND: usize = 2048;

/// How often the round trip is measured, and how long an answer may take.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a dial may take, handshakes included.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses of a peer dialed at a time: all that hole punching may name, for those dialed later
/// are too late.
const AT_ONCE: NonZeroU8 = NonZeroU8::new(20).expect("it is not zero");

/// How often an address that others saw is tested by a dial from outside.
const TEST_EVERY: Duration = Duration::from_secs(2);

/// Asked first, so that a denied connection has not been seen by the others.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) blocked: allow_block_list::Behaviour<BlockedPeers>,
    limits: connection_limits::Behaviour,
    households: households::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(crate) superseded: superseded::Behaviour,
    streams: Streams,
    pub(crate) gossip: gossipsub::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    relay: relay::client::Behaviour,
    punching: dcutr::Behaviour,
    pub(crate) test: autonat::Behaviour,
}

pub(crate) fn swarm(
    key: &Keypair,
    topic: &gossipsub::IdentTopic,
    streams: Streams,
) -> Result<Swarm<Behaviour>, Box<dyn Error + Send + Sync>> {
    let behaviour = |relay| behaviour(key, topic, streams, relay);
    // In this order, as existing peers do.
    let security = (tls::Config::new, noise::Config::new);
    let muxer = optimistic::Config(muxer::Config::new());
    let muxing = || muxer.clone();
    let transports = || {
        let builder = SwarmBuilder::with_existing_identity(key.clone()).with_tokio();
        let builder = builder.with_other_transport(|key| transport::tcp(key, muxing()))?;
        let quic =
            builder.with_other_transport(|key| transport::quic(quic_config(key), QUIC_INBOUND));
        Ok::<_, Box<dyn Error + Send + Sync>>(quic.unwrap_or_else(|never| match never {}))
    };
    let tune = |config: libp2p::swarm::Config| {
        config
            .with_idle_connection_timeout(IDLE)
            .with_dial_concurrency_factor(AT_ONCE)
            .with_max_negotiating_inbound_streams(MAX_NEGOTIATING)
    };
    // Without a usable resolver configuration names cannot be dialed, but everything else works.
    Ok(match transports()?.with_dns() {
        Ok(builder) => builder
            .with_relay_client(security, muxing)?
            .with_behaviour(|_, relay| behaviour(relay))?
            .with_swarm_config(tune)
            .with_connection_timeout(DIAL_TIMEOUT)
            .build(),
        Err(error) => {
            tracing::debug!(%error, "addresses with names cannot be dialed");
            transports()?
                .with_relay_client(security, muxing)?
                .with_behaviour(|_, relay| behaviour(relay))?
                .with_swarm_config(tune)
                .with_connection_timeout(DIAL_TIMEOUT)
                .build()
        }
    })
}

/// Everything is registered here, before the first connection: HEAD peers disconnect from any peer
/// that does not serve `/goop/content/1.0.0` at once (§12.5).
fn behaviour(
    key: &Keypair,
    topic: &gossipsub::IdentTopic,
    streams: Streams,
    relay: relay::client::Behaviour,
) -> Result<Behaviour, Box<dyn Error + Send + Sync>> {
    Ok(Behaviour {
        blocked: allow_block_list::Behaviour::default(),
        limits: connection_limits::Behaviour::new(
            connection_limits::ConnectionLimits::default()
                .with_max_established(Some(MAX_CONNECTIONS))
                .with_max_established_incoming(Some(MAX_INCOMING))
                .with_max_established_per_peer(Some(MAX_PER_PEER))
                .with_max_pending_incoming(Some(MAX_PENDING))
                .with_max_pending_outgoing(Some(MAX_DIALING)),
        ),
        households: households::Behaviour::new(households::Places {
            handshakes: MAX_PENDING,
            connections: MAX_INCOMING,
            over_quic: MAX_INCOMING_QUIC,
        }),
        memory: memory_connection_limits::Behaviour::with_max_bytes(MAX_MEMORY_BYTES),
        superseded: superseded::Behaviour::default(),
        streams,
        gossip: gossip::behaviour(key, topic)?,
        identify: identify::Behaviour::new(
            identify::Config::new("/goop/1.0.0".into(), key.public())
                .with_agent_version(format!("goop2/{}", env!("CARGO_PKG_VERSION")))
                .with_push_listen_addr_updates(true)
                // The address book is ours: `reach::address_book`.
                .with_cache_size(0),
        ),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(PING_EVERY)
                .with_timeout(PING_TIMEOUT),
        ),
        relay,
        punching: dcutr::Behaviour::new(key.public().to_peer_id()),
        test: autonat::Behaviour::new(autonat::Config::default().with_probe_interval(TEST_EVERY)),
    })
}

fn quic_config(key: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(key);
    config.max_stream_data = QUIC_WINDOW;
    config.max_connection_data = QUIC_WINDOW;
    config
}
