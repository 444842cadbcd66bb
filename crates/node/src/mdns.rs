//! Who else is on the local networks under our tag (§2).
//!
//! `Discovery` follows the host's interfaces and keeps one `link` for each that has an address
//! others can reach. A link announces, asks and answers there under its own instance name:
//! existing peers ignore news of an instance they know, so an interface whose addresses change gets
//! a new link, after the goodbye of the old one, and the others are left alone. A host without
//! multicast runs without it; it is tried again whenever an interface changes, and every few
//! seconds.

mod link;
mod socket;

use std::{collections::HashMap, future::pending, io, time::Duration};

use goop2_proto::{
    PeerId,
    mdns::{Found, Service, Tag},
};
use libp2p::multiaddr::Protocol;
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    mdns::link::Link,
    net::interfaces::{Interface, Interfaces},
    status::Multicast,
    transport::port::Port,
};

/// Announcements queued for the event loop; those that do not fit come again with the next answer.
pub(crate) const FOUND: usize = 256;

/// How often an interface that could not be used is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How long a link may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(100);

/// Characters of an instance name: enough that no two are ever the same, in a label that may have
/// 63.
const INSTANCE: usize = 40;

/// Tagged mDNS on all interfaces.
pub(crate) struct Discovery {
    pub(crate) tag: Tag,
    pub(crate) own: PeerId,
    pub(crate) port: Port,
    pub(crate) found: mpsc::Sender<Found>,
    pub(crate) state: watch::Sender<Multicast>,
}

/// By the index of the interface: the links, and the goodbyes of those that ended. An interface that
/// loses its address can no longer send, so the next link there repeats the goodbye of the one
/// before.
#[derive(Default)]
struct Links {
    running: HashMap<u32, Running>,
    goodbyes: HashMap<u32, Vec<u8>>,
    tasks: JoinSet<()>,
}

struct Running {
    interface: Interface,
    stop: CancellationToken,
    task: AbortHandle,
}

impl Discovery {
    /// Runs until stopped, then takes back what it announced.
    pub(crate) async fn run(
        self,
        mut interfaces: watch::Receiver<Interfaces>,
        stop: CancellationToken,
    ) {
        let mut links = Links::default();
        loop {
            let mut wanted = interfaces.borrow_and_update().0.clone();
            wanted.retain(|interface| interface.reachable().next().is_some());
            // First they leave, then others come: other peers must not receive it in the other
            // order.
            links.leave_all_but(&wanted).await;
            let mut refused = None;
            for interface in wanted {
                let name = interface.name.clone();
                if let Err(error) = self.join(interface, &mut links, &stop).await {
                    refused = Some(format!("interface {name}: {error}"));
                }
            }
            self.publish(links.running.is_empty(), refused.as_deref());
            let again = async {
                match refused {
                    Some(_) => tokio::time::sleep(RETRY).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                changed = interfaces.changed() => if changed.is_err() { break },
                // A link that ends without being stopped has lost its socket.
                Some(_) = links.tasks.join_next() => tokio::time::sleep(GOODBYE).await,
                () = again => {}
            }
        }
        let ended = async { while links.tasks.join_next().await.is_some() {} };
        let _ = timeout(GOODBYE, ended).await;
    }

    /// Begins a link on an interface that has none.
    async fn join(
        &self,
        interface: Interface,
        links: &mut Links,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let index = interface.index;
        if links.running.contains_key(&index) {
            return Ok(());
        }
        let service = self.service(&interface);
        let goodbye = service.goodbye();
        let link = Link::open(service, &interface, self.found.clone()).await?;
        tracing::debug!(interface = interface.name, "looking for peers");
        let stop = stop.child_token();
        let last = links.goodbyes.insert(index, goodbye);
        let running = Running {
            task: links.tasks.spawn(link.run(last, stop.clone())),
            interface,
            stop,
        };
        links.running.insert(index, running);
        Ok(())
    }

    /// What is announced on one interface: its own addresses, so that nobody is sent where they
    /// cannot go.
    fn service(&self, interface: &Interface) -> Service {
        let mut addrs: Vec<_> = interface
            .reachable()
            .flat_map(|ip| self.port.addresses(ip))
            .collect();
        // Existing peers speak TCP only, and a packet holds a limited number.
        addrs.sort_by_key(|addr| addr.iter().any(|part| part == Protocol::QuicV1));
        Service {
            tag: self.tag.clone(),
            instance: std::iter::repeat_with(|| char::from_digit(rand::random_range(0..36), 36))
                .take(INSTANCE)
                .flatten()
                .collect(),
            addrs: addrs
                .into_iter()
                .map(|addr| addr.with(Protocol::P2p(self.own)))
                .collect(),
            ips: interface.reachable().collect(),
        }
    }

    fn publish(&self, none: bool, refused: Option<&str>) {
        let state = match (none, refused) {
            (false, _) => Multicast::Working,
            (true, Some(why)) => {
                Multicast::Off(format!("no network interface supports multicast ({why})"))
            }
            (true, None) => Multicast::Off("this computer is not connected to a network".into()),
        };
        self.state.send_if_modified(|old| {
            let changed = *old != state;
            if changed {
                match &state {
                    Multicast::Starting => {}
                    Multicast::Working => tracing::info!("looking for peers on the local network"),
                    Multicast::Off(why) => {
                        tracing::warn!("peers on the local network cannot be found: {why}")
                    }
                }
            }
            *old = state;
            changed
        });
    }
}

impl Links {
    /// Ends those that have lost their socket, or whose interface is not there as it was.
    async fn leave_all_but(&mut self, wanted: &[Interface]) {
        let leaving: Vec<_> = self
            .running
            .extract_if(|_, link| link.task.is_finished() || !wanted.contains(&link.interface))
            .collect();
        for (_, link) in &leaving {
            link.stop.cancel();
        }
        for _ in &leaving {
            let _ = timeout(GOODBYE, self.tasks.join_next()).await;
        }
    }
}
