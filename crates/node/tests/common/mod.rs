//! Real nodes on loopback, port 0.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod relay;
pub(crate) mod swarm;

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use goop2_node::{Config, Event, InboundStream, Keypair, Node};
use goop2_proto::{
    Multiaddr, PeerId,
    presence::{Kind, Presence},
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

pub(crate) const TOPIC: &str = "goop.presence.v1";
pub(crate) const ECHO: &str = "/test/echo/1.0.0";

/// Longer than anything here takes on a loaded computer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    pub(crate) node: Node,
    pub(crate) inbound: mpsc::Receiver<InboundStream>,
    pub(crate) events: mpsc::Receiver<Event>,
}

pub(crate) fn config() -> Config {
    Config {
        keypair: Keypair::generate_ed25519(),
        listen_port: 0,
        mdns_tag: None,
        topic: TOPIC.into(),
        protocols: vec![ECHO],
    }
}

pub(crate) async fn start() -> Peer {
    start_with(config()).await
}

pub(crate) async fn start_with(config: Config) -> Peer {
    let (node, inbound, events) = goop2_node::spawn(config).await.unwrap();
    Peer {
        node,
        inbound,
        events,
    }
}

impl Peer {
    pub(crate) fn id(&self) -> PeerId {
        self.node.peer_id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.node.status().borrow().port
    }

    pub(crate) fn tcp(&self) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.port(), self.id())
            .parse()
            .unwrap()
    }

    pub(crate) fn quic(&self) -> Multiaddr {
        format!(
            "/ip4/127.0.0.1/udp/{}/quic-v1/p2p/{}",
            self.port(),
            self.id()
        )
        .parse()
        .unwrap()
    }

    /// Waits for an event that the test cares about.
    pub(crate) async fn event<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the node runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, search).await.expect("the event happens")
    }

    pub(crate) async fn connected(&mut self, to: PeerId) {
        self.event(|e| (*e == Event::Connected(to)).then_some(()))
            .await;
    }

    pub(crate) async fn subscribed(&mut self, by: PeerId) {
        self.event(|e| (*e == Event::Subscribed(by)).then_some(()))
            .await;
    }

    pub(crate) async fn presence(&mut self) -> Presence {
        self.event(|e| match e {
            Event::Presence(presence) => Some(presence.clone()),
            _ => None,
        })
        .await
    }
}

pub(crate) fn presence(peer: PeerId, kind: Kind) -> Presence {
    Presence {
        kind,
        peer,
        label: "someone".into(),
        email: String::new(),
        avatar_hash: String::new(),
        video_disabled: false,
        addrs: Vec::new(),
        ts: 1_795_423_273_770,
    }
}

/// Answers each stream with a length and the bytes it got, until the node stops.
pub(crate) async fn echo(mut inbound: mpsc::Receiver<InboundStream>) {
    let mut tasks = JoinSet::new();
    while let Some(mut inbound) = inbound.recv().await {
        tasks.spawn(async move {
            let mut len = [0; 4];
            inbound.stream.read_exact(&mut len).await?;
            let mut body = vec![0; u32::from_be_bytes(len) as usize];
            inbound.stream.read_exact(&mut body).await?;
            inbound.stream.write_all(&len).await?;
            inbound.stream.write_all(&body).await?;
            inbound.stream.close().await
        });
        while tasks.try_join_next().is_some() {}
    }
}

/// One request to [`echo`].
pub(crate) async fn ask(node: &Node, peer: PeerId, body: &[u8]) -> Result<(), String> {
    let mut stream = node.open(peer, ECHO).await.map_err(|e| e.to_string())?;
    let exchange = async {
        stream.write_all(&(body.len() as u32).to_be_bytes()).await?;
        stream.write_all(body).await?;
        stream.flush().await?;
        let mut len = [0; 4];
        stream.read_exact(&mut len).await?;
        let mut answer = vec![0; u32::from_be_bytes(len) as usize];
        stream.read_exact(&mut answer).await?;
        stream.close().await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = exchange.await.map_err(|e| e.to_string())?;
    (answer == body)
        .then_some(())
        .ok_or_else(|| "another body came back".into())
}
