//! The library itself, for what is to share nothing with our node.

use std::time::Duration;

use libp2p::{
    Swarm, SwarmBuilder, identity::Keypair, noise, relay, swarm::NetworkBehaviour, tcp, yamux,
};

/// Speaks TCP and QUIC, and goes through relays; its connections end when nothing is said on them
/// for so long.
pub(crate) fn swarm<B: NetworkBehaviour>(
    key: Keypair,
    idle: Duration,
    behaviour: impl FnOnce(&Keypair, relay::client::Behaviour) -> B,
) -> Swarm<B> {
    SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_quic()
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(idle))
        .build()
}
