//! One of a stranger's many keys, at a relay.

use std::time::Duration;

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder,
    identity::Keypair,
    multiaddr::Protocol,
    noise, relay,
    swarm::{ConnectionId, SwarmEvent, dial_opts::DialOpts},
    tcp, yamux,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

/// Nothing ends because nothing is said.
const FOREVER: Duration = Duration::from_secs(3600);

type Call = (PeerId, oneshot::Sender<bool>);

/// Holds a reservation, and circuits.
pub struct Guest {
    id: PeerId,
    calls: mpsc::Sender<Call>,
    _tasks: JoinSet<()>,
}

impl Guest {
    /// None = the relay gives it no reservation.
    pub async fn start(relay: Multiaddr, key: &Keypair) -> Option<Self> {
        let mut swarm = SwarmBuilder::with_existing_identity(key.clone())
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_relay_client(noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_, relay| relay)
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(FOREVER))
            .build();
        let through = relay.with(Protocol::P2pCircuit);
        swarm.listen_on(through.clone()).unwrap();
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { .. } => break,
                SwarmEvent::ListenerClosed { .. } => return None,
                _ => {}
            }
        }
        let (id, (calls, wanted)) = (*swarm.local_peer_id(), mpsc::channel(1));
        let mut tasks = JoinSet::new();
        tasks.spawn(run(swarm, through, wanted));
        Some(Self {
            id,
            calls,
            _tasks: tasks,
        })
    }

    /// Its key's peer.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Opens a circuit to another guest of the relay; whether the relay lets it.
    pub async fn call(&self, other: PeerId) -> bool {
        let (answer, answered) = oneshot::channel();
        self.calls.send((other, answer)).await.is_ok() && answered.await.unwrap_or(false)
    }
}

async fn run(
    mut swarm: Swarm<relay::client::Behaviour>,
    through: Multiaddr,
    mut calls: mpsc::Receiver<Call>,
) {
    let mut calling: Option<(ConnectionId, oneshot::Sender<bool>)> = None;
    loop {
        let (call, made) = tokio::select! {
            Some((other, answer)) = calls.recv() => {
                let dial = DialOpts::from(through.clone().with(Protocol::P2p(other)));
                calling = Some((dial.connection_id(), answer));
                swarm.dial(dial).unwrap();
                continue;
            }
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { connection_id, .. } => (connection_id, true),
                SwarmEvent::OutgoingConnectionError { connection_id, .. } => (connection_id, false),
                _ => continue,
            }
        };
        if let Some((_, answer)) = calling.take_if(|(id, _)| *id == call) {
            let _nobody_waits = answer.send(made);
        }
    }
}
