//! Asks the router to pass on what comes to one of its ports: UPnP, NAT-PMP and PCP, for TCP and
//! UDP.
//!
//! One task, which follows a wish: whether to, and in which network. A network that changed is
//! asked again, since it has another router; what was mapped is given back at the end. Nobody is
//! asked before somebody wishes it: a peer that only connects to neighbors opens nothing.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU16,
    time::Duration,
};

use goop2_proto::Multiaddr;
use libp2p::multiaddr::Protocol;
use netwatch::interfaces::HomeRouter;
use portmapper::{Client, Config, Protocol as Ip};
use tokio::{
    net::UdpSocket,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{status::Mapping, transport::port::Port};

/// How long routers may take before the status says that none maps ports. It is found
/// nevertheless when it answers later.
const ANSWER: Duration = Duration::from_secs(5);

/// How often a network that mapped nothing is asked again: a router may be restarted or set up.
const AGAIN: Duration = Duration::from_secs(5 * 60);

/// How long giving back may take; the lease expires anyway.
const RELEASE: Duration = Duration::from_millis(500);

/// Where routers take NAT-PMP (RFC 6886 §1.1).
const NAT_PMP: u16 = 5351;

/// What is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) on: bool,
    /// Counts the changes of network.
    pub(crate) network: u64,
}

/// Follows the wish until stopped; then gives everything back.
pub(crate) async fn follow(
    port: Port,
    mut wish: watch::Receiver<Wish>,
    state: watch::Sender<Mapping>,
    stop: CancellationToken,
) {
    let Some(number) = NonZeroU16::new(port.number) else {
        return;
    };
    loop {
        let on = wish.borrow_and_update().on;
        let mapped = on.then(|| Mapped::new(port, number));
        state.send_replace(match mapped {
            Some(_) => Mapping::Asking,
            None => Mapping::Off,
        });
        let ended = tokio::select! {
            () = stop.cancelled() => true,
            changed = wish.changed() => changed.is_err(),
            () = watch(mapped.as_ref(), &state) => false,
        };
        if let Some(mapped) = mapped {
            mapped.release().await;
        }
        if ended {
            return;
        }
    }
}

/// Keeps the state up to date; never ends.
async fn watch(mapped: Option<&Mapped>, state: &watch::Sender<Mapping>) {
    let Some(mapped) = mapped else {
        return std::future::pending().await;
    };
    let mut seen: Vec<_> = mapped
        .0
        .iter()
        .map(|(_, client)| client.watch_external_address())
        .collect();
    let mut next = Instant::now() + ANSWER;
    mapped.ask().await;
    loop {
        let changes: Vec<_> = seen
            .iter_mut()
            .map(|seen| Box::pin(seen.changed()))
            .collect();
        let waited = tokio::select! {
            _ = futures::future::select_all(changes) => false,
            () = sleep_until(next) => true,
        };
        let addrs = mapped.addresses();
        let found = !addrs.is_empty();
        if found {
            state.send_if_modified(|old| {
                let new = Mapping::Mapped(addrs);
                let changed = *old != new;
                *old = new;
                changed
            });
        } else if waited || matches!(*state.borrow(), Mapping::Mapped(_)) {
            state.send_if_modified(|old| {
                std::mem::replace(old, Mapping::NotFound) != Mapping::NotFound
            });
        }
        if waited {
            mapped.ask().await;
            next = Instant::now() + AGAIN;
        }
    }
}

/// One client for each transport, and the port they map.
struct Mapped(Vec<(Ip, Client)>, NonZeroU16);

impl Mapped {
    fn new(port: Port, number: NonZeroU16) -> Self {
        let transports = [Ip::Tcp].into_iter().chain(port.quic.then_some(Ip::Udp));
        let clients = transports.map(|protocol| {
            let config = Config {
                protocol,
                ..Config::default()
            };
            (protocol, Client::new(config))
        });
        Self(clients.collect(), number)
    }

    /// Asks for what there is not yet. What the router can do is found out first: otherwise only
    /// UPnP, the slowest, is tried.
    async fn ask(&self) {
        let probes: Vec<_> = self.0.iter().map(|(_, client)| client.probe()).collect();
        futures::future::join_all(probes).await;
        for (_, client) in &self.0 {
            client.update_local_port(self.1);
            client.procure_mapping();
        }
    }

    fn addresses(&self) -> Vec<Multiaddr> {
        let external = |(protocol, client): &(Ip, Client)| {
            let seen = client.watch_external_address();
            let addr: SocketAddrV4 = (*seen.borrow())?;
            let host = Multiaddr::from(*addr.ip());
            Some(match protocol {
                Ip::Tcp => host.with(Protocol::Tcp(addr.port())),
                Ip::Udp => host.with(Protocol::Udp(addr.port())).with(Protocol::QuicV1),
            })
        };
        self.0.iter().filter_map(external).collect()
    }

    async fn release(self) {
        let mapped = !self.addresses().is_empty();
        for (_, client) in &self.0 {
            client.deactivate();
        }
        if !mapped {
            return;
        }
        let gone = async {
            for (protocol, client) in &self.0 {
                let mut seen = client.watch_external_address();
                drop(seen.wait_for(Option::is_none).await);
                if let Err(error) = unmap(*protocol, self.1).await {
                    tracing::debug!("NAT-PMP is not told of the end of a mapping: {error}");
                }
                // Answered only after the router got the message.
                let _taken = timeout(RELEASE / 4, client.probe()).await;
            }
        };
        if timeout(RELEASE, gone).await.is_err() {
            tracing::debug!("the router did not release the ports in time");
        }
    }
}

/// Tells the router that a port of this computer needs no mapping (RFC 6886 §3.4): the client tells
/// it so of UDP alone, whatever was mapped. There is nothing to wait for, and a router that speaks
/// another protocol ignores it.
async fn unmap(protocol: Ip, port: NonZeroU16) -> io::Result<()> {
    let Some(HomeRouter { gateway, .. }) = HomeRouter::new() else {
        return Ok(());
    };
    let opcode = match protocol {
        Ip::Udp => 1,
        Ip::Tcp => 2,
    };
    let [high, low] = port.get().to_be_bytes();
    // Version, opcode, reserved, the port here, that of the router, lifetime.
    let request = [0, opcode, 0, 0, high, low, 0, 0, 0, 0, 0, 0];
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.send_to(&request, (gateway, NAT_PMP)).await?;
    Ok(())
}
