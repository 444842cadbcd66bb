//! A relay on loopback, a rendezvous that is a table, and peers that are plain swarms: they share
//! nothing with our node.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt;
use goop2_node::relay::{Config, External, Limits, Relay};
use goop2_proto::{
    Multiaddr, PeerId,
    relay::{Membership, State, Usage},
};
use libp2p::{
    Swarm,
    core::transport::ListenerId,
    identify,
    identity::Keypair,
    multiaddr::Protocol,
    ping, relay,
    swarm::{
        ConnectionId, DialError, NetworkBehaviour, SwarmEvent, behaviour::toggle::Toggle,
        dial_opts::DialOpts,
    },
};
use tokio::{
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    pipe::{self, Pipes},
    swarm::swarm,
};

/// Longer than anything here takes on a loaded computer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Who is at the rendezvous.
#[derive(Clone, Default)]
pub(crate) struct Here(Arc<Mutex<HashMap<PeerId, Membership>>>);

impl Here {
    pub(crate) fn publish(&self, peer: PeerId, membership: Membership) {
        self.0.lock().unwrap().insert(peer, membership);
    }

    pub(crate) fn leave(&self, peer: PeerId) {
        self.0.lock().unwrap().remove(&peer);
    }
}

/// How peers come to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Quic,
}

/// Who measures a share of time, or loads the computer with all it has, does it alone; all others
/// run side by side.
pub(crate) static MEASURING: RwLock<()> = RwLock::const_new(());

enum Turn {
    Beside(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

pub(crate) struct World {
    _turn: Option<Turn>,
    pub(crate) here: Here,
    pub(crate) relay: Relay,
    pub(crate) state: watch::Receiver<Option<State>>,
    key: Keypair,
    limits: Limits,
}

impl World {
    pub(crate) async fn new(limits: Limits) -> Self {
        let turn = Turn::Beside(MEASURING.read().await);
        Self::within(Some(turn), limits).await
    }

    /// While no other test of this program runs.
    pub(crate) async fn alone(limits: Limits) -> Self {
        let turn = Turn::Alone(MEASURING.write().await);
        Self::within(Some(turn), limits).await
    }

    /// Another one in the same test.
    pub(crate) async fn another(&self, limits: Limits) -> Self {
        Self::within(None, limits).await
    }

    async fn within(turn: Option<Turn>, limits: Limits) -> Self {
        let (here, key) = (Here::default(), Keypair::generate_ed25519());
        let (relay, state) = bind(&here, &key, 0, &limits).await;
        Self {
            _turn: turn,
            here,
            relay,
            state,
            key,
            limits,
        }
    }

    /// The same relay again, on the same port.
    pub(crate) async fn restart(self) -> Self {
        let port = self.relay.port();
        self.relay.shutdown().await;
        assert_eq!(*self.state.borrow(), None);
        let (relay, state) = bind(&self.here, &self.key, port, &self.limits).await;
        Self {
            relay,
            state,
            ..self
        }
    }

    /// A peer that signs.
    pub(crate) async fn guest(&self) -> Client {
        let client = Client::start();
        self.here.publish(client.id, Membership::Proved);
        client
    }

    pub(crate) fn addr(&self, over: Over) -> Multiaddr {
        let port = self.relay.port();
        let at = match over {
            Over::Tcp => format!("/ip4/127.0.0.1/tcp/{port}"),
            Over::Quic => format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
        };
        let addr: Multiaddr = at.parse().unwrap();
        addr.with(Protocol::P2p(self.relay.peer_id()))
    }

    pub(crate) async fn reserve(&self, client: &Client, over: Over) -> Result<(), String> {
        client.reserve(self.addr(over)).await
    }

    /// Over TCP at another address of this host, as from another household.
    pub(crate) async fn reserve_from(&self, client: &Client, at: &Multiaddr) -> Result<(), String> {
        let addr = at.clone().with(Protocol::Tcp(self.relay.port()));
        client
            .reserve(addr.with(Protocol::P2p(self.relay.peer_id())))
            .await
    }

    pub(crate) async fn connect(
        &self,
        client: &Client,
        to: &Client,
        over: Over,
    ) -> Result<(), String> {
        let through = self.addr(over).with(Protocol::P2pCircuit);
        client.dial(through.with(Protocol::P2p(to.id))).await
    }

    pub(crate) fn usage(&self) -> Usage {
        let state = self.state.borrow();
        state.as_ref().expect("the relay runs").usage.clone()
    }

    /// Waits until the relay tells what is wanted.
    pub(crate) async fn told(&self, wanted: impl Fn(&Usage) -> bool) -> Usage {
        let mut state = self.state.clone();
        let told = state.wait_for(|state| state.as_ref().is_some_and(|state| wanted(&state.usage)));
        match timeout(PATIENCE, told).await {
            Ok(state) => {
                state
                    .expect("the relay runs")
                    .clone()
                    .expect("just seen")
                    .usage
            }
            Err(_) => panic!("not told; at last: {:?}", self.usage()),
        }
    }
}

async fn bind(
    here: &Here,
    key: &Keypair,
    port: u16,
    limits: &Limits,
) -> (Relay, watch::Receiver<Option<State>>) {
    let (told, state) = watch::channel(None);
    let table = here.0.clone();
    let config = Config {
        keypair: key.clone(),
        port,
        external: vec![External::parse("127.0.0.1").unwrap()],
        limits: limits.clone(),
        ask: Arc::new(move |peer| {
            let table = table.lock().unwrap();
            table.get(peer).copied().unwrap_or(Membership::Absent)
        }),
    };
    (Relay::bind(config, told).await.unwrap(), state)
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: Toggle<relay::client::Behaviour>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pipe: pipe::Behaviour,
}

type Answer = oneshot::Sender<Result<(), String>>;

enum Command {
    Listen(Multiaddr, Answer),
    Dial(Multiaddr, Answer),
}

/// A peer behind a NAT, as far as others can tell: it listens nowhere but at the relay.
pub(crate) struct Client {
    pub(crate) id: PeerId,
    pub(crate) pipes: Pipes,
    /// Connections, relayed ones included.
    pub(crate) connections: watch::Receiver<usize>,
    commands: mpsc::Sender<Command>,
    _task: AbortOnDropHandle<()>,
}

impl Client {
    pub(crate) fn start() -> Self {
        Self::with_key(Keypair::generate_ed25519())
    }

    pub(crate) fn with_key(key: Keypair) -> Self {
        Self::with(key, false)
    }

    /// One that accepts circuits and never answers on them.
    pub(crate) fn silent() -> Self {
        Self::with(Keypair::generate_ed25519(), true)
    }

    fn with(key: Keypair, silent: bool) -> Self {
        let pipes = Pipes::default();
        let swarm = swarm(key, PATIENCE * 10, |key, relay| Behaviour {
            relay: (!silent).then_some(relay).into(),
            identify: identify::Behaviour::new(identify::Config::new(
                "/goop/1.0.0".into(),
                key.public(),
            )),
            ping: ping::Behaviour::default(),
            pipe: pipe::Behaviour {
                pipes: pipes.clone(),
                silent,
            },
        });
        let (commands, wanted) = mpsc::channel(16);
        let (told, connections) = watch::channel(0);
        Self {
            id: *swarm.local_peer_id(),
            pipes,
            connections,
            commands,
            _task: AbortOnDropHandle::new(tokio::spawn(run(swarm, wanted, told))),
        }
    }

    pub(crate) async fn reserve(&self, relay: Multiaddr) -> Result<(), String> {
        let at = relay.with(Protocol::P2pCircuit);
        self.ask(|answer| Command::Listen(at, answer)).await
    }

    pub(crate) async fn dial(&self, addr: Multiaddr) -> Result<(), String> {
        self.ask(|answer| Command::Dial(addr, answer)).await
    }

    /// Waits until all connections have ended.
    pub(crate) async fn alone(&mut self) {
        let none = self.connections.wait_for(|count| *count == 0);
        timeout(PATIENCE, none).await.expect("in time").unwrap();
    }

    async fn ask(&self, command: impl FnOnce(Answer) -> Command) -> Result<(), String> {
        let (answer, result) = oneshot::channel();
        self.commands.send(command(answer)).await.ok().unwrap();
        timeout(PATIENCE, result).await.expect("in time").unwrap()
    }
}

async fn run(
    mut swarm: Swarm<Behaviour>,
    mut commands: mpsc::Receiver<Command>,
    told: watch::Sender<usize>,
) {
    let mut listening = HashMap::<ListenerId, Answer>::new();
    let mut dialing = HashMap::<ConnectionId, Answer>::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                None => return,
                Some(Command::Listen(addr, answer)) => match swarm.listen_on(addr) {
                    Ok(listener) => drop(listening.insert(listener, answer)),
                    Err(error) => drop(answer.send(Err(error.to_string()))),
                },
                Some(Command::Dial(addr, answer)) => {
                    let opts = DialOpts::from(addr);
                    let id = opts.connection_id();
                    match swarm.dial(opts) {
                        Ok(()) => drop(dialing.insert(id, answer)),
                        Err(error) => drop(answer.send(Err(error.to_string()))),
                    }
                }
            },
            event = swarm.select_next_some() => match event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    if let Some(answer) = listening.remove(&listener_id) {
                        let _gone = answer.send(Ok(()));
                    }
                }
                SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                    if let Some(answer) = listening.remove(&listener_id) {
                        let _gone = answer.send(Err(format!("{reason:?}")));
                    }
                }
                SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                    told.send_modify(|count| *count += 1);
                    if let Some(answer) = dialing.remove(&connection_id) {
                        let _gone = answer.send(Ok(()));
                    }
                }
                SwarmEvent::ConnectionClosed { .. } => told.send_modify(|count| *count -= 1),
                SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                    if let Some(answer) = dialing.remove(&connection_id) {
                        let _gone = answer.send(Err(explain(&error)));
                    }
                }
                _ => {}
            },
        }
    }
}

fn explain(error: &DialError) -> String {
    match error {
        DialError::Transport(errors) => format!("{errors:?}"),
        other => other.to_string(),
    }
}
