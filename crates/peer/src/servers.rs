//! The rendezvous servers that this peer has joined, and the one it hosts. Both follow the
//! configuration while the peer runs, and their state is shown as it changes.

pub(crate) mod hosted;
mod view;

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use futures::future::{self, select_all};
use goop2_node::{Node, RelayOffer};
use goop2_proto::{presence::Presence, roster::Source};
use goop2_rendezvous::{
    client::{self, Address, Client, Event, Http, State},
    server::Status,
};
use goop2_store::{Config, Folder, Keypair, config};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        notice::Notice,
        rendezvous::{self, Rendezvous},
    },
    network::state::Server,
    notices::Notices,
    sentence::sentence,
    servers::hosted::Hosted,
};

/// Updates on their way to the presence task; while that many wait, servers are not read.
pub(crate) const MAX_UPDATES: usize = 1024;
/// A stream that is silent for longer is dead: servers send something every 25 s (§6.4).
const SILENCE: Duration = Duration::from_secs(60);

/// The source of what a peer on another network says itself over a connection to it, without a
/// server in between.
pub(crate) const DIRECT: Source = Source::Wan(u16::MAX);

/// The servers, and the task that owns them.
pub(crate) struct Servers {
    node: Node,
    dir: PathBuf,
    key: Keypair,
    http: Http,
    channels: Channels,
    /// Events of all clients.
    events: mpsc::Sender<Event>,
    received: mpsc::Receiver<Event>,
    /// By URL.
    joined: BTreeMap<String, (Source, Client)>,
    hosted: Option<Hosted>,
    /// Why nothing is hosted although the configuration asks for it.
    problem: Option<String>,
    leaving: JoinSet<()>,
    /// The number of the next server joined: never used twice in a run.
    next: u16,
}

/// What the task follows (`config`, `announced`) and what it reports.
pub(crate) struct Channels {
    pub(crate) config: watch::Receiver<Config>,
    /// What this peer announced last.
    pub(crate) announced: watch::Receiver<Option<Presence>>,
    pub(crate) notices: Notices,
    pub(crate) updates: mpsc::Sender<Update>,
    /// The state of each server joined, whose relays the node uses.
    pub(crate) states: watch::Sender<Vec<Server>>,
    pub(crate) view: watch::Sender<Rendezvous>,
}

/// What the presence task learns from servers.
pub(crate) enum Update {
    /// From one of the servers joined.
    Event(Event),
    /// Nothing more comes from this source.
    Left(Source),
}

/// Why `Servers::keep_up` returns.
enum Next {
    Reconfigured,
    Stopped,
}

impl Servers {
    pub(crate) fn new(folder: &Folder, node: Node, http: Http, channels: Channels) -> Self {
        let (events, received) = mpsc::channel(MAX_UPDATES);
        Self {
            node,
            dir: folder.dir().to_owned(),
            key: folder.keypair().clone(),
            http,
            channels,
            events,
            received,
            joined: BTreeMap::new(),
            hosted: None,
            problem: None,
            leaving: JoinSet::new(),
            next: 0,
        }
    }

    /// Joins, leaves and hosts as the configuration says, and passes on the announcements of this
    /// peer, until `stop` is canceled; then says goodbye to all servers at once.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let config = self.channels.config.borrow_and_update().clone();
            self.follow(&config.presence).await;
            let map_ports = config.p2p.port_mapping && self.serves_other_computers();
            self.node.set_port_mapping(map_ports).await;
            match self.keep_up(&config.presence, &stop).await {
                Next::Reconfigured => {}
                Next::Stopped => return self.end().await,
            }
        }
    }

    /// Passes on what happens at the servers until the configuration changes.
    async fn keep_up(&mut self, config: &config::Presence, stop: &CancellationToken) -> Next {
        let mut states: Vec<_> = self.joined.values().map(|(_, c)| c.state()).collect();
        let mut hosted = self.hosted.as_ref().map(Hosted::status);
        self.pass_on_states().await;
        self.show(config);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Next::Stopped,
                Ok(()) = self.channels.config.changed() => return Next::Reconfigured,
                Ok(()) = self.channels.announced.changed() => {
                    self.announce();
                    // The addresses of a hosted server change with those of this peer.
                    self.show(config);
                }
                Some(event) = self.received.recv() => self.report(Update::Event(event)).await,
                Some(_) = self.leaving.join_next() => {}
                () = any_change(&mut states) => {
                    self.pass_on_states().await;
                    self.show(config);
                }
                () = next(&mut hosted) => self.show(config),
            }
        }
    }

    /// Joins and leaves servers, and starts or stops the hosted one.
    async fn follow(&mut self, config: &config::Presence) {
        self.host(config).await;
        let hosted = self.hosted.iter().filter_map(Hosted::own_address);
        let wanted: BTreeMap<_, _> = hosted
            .chain(listed(config))
            .map(|address| (address.to_string(), address))
            .collect();
        let left: Vec<_> = self
            .joined
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .cloned()
            .collect();
        for name in left {
            if let Some((source, client)) = self.joined.remove(&name) {
                self.leaving.spawn(client.shutdown());
                self.report(Update::Left(source)).await;
            }
        }
        for (name, address) in wanted {
            if !self.joined.contains_key(&name) {
                let joined = self.join(address, config);
                self.joined.insert(name, joined);
            }
        }
    }

    /// Whether a server is joined or hosted that peers on other computers can use.
    fn serves_other_computers(&self) -> bool {
        let others = self.joined.keys().any(|url| {
            let host = host_of(url);
            let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
            host != "localhost" && !ip.is_ok_and(|ip| ip.is_loopback())
        });
        let open = |hosted: &Hosted| {
            let addrs = hosted.local_addrs();
            addrs.iter().any(|addr| !addr.ip().is_loopback())
        };
        others || self.hosted.as_ref().is_some_and(open)
    }

    /// Reports the states of the servers, and has the node use their relays.
    async fn pass_on_states(&self) {
        let joined = self.joined.iter().map(|(url, (_, client))| Server {
            label: host_of(url),
            state: client.state().borrow().clone(),
        });
        let joined: Vec<_> = joined.collect();
        self.tell_of_clock(joined.iter().map(|server| &server.state));
        let offers = |joined: &[Server]| -> Vec<_> {
            let mut known = HashSet::new();
            let offer = |Server { label, state }: &Server| {
                let State { relay, .. } = state;
                let relay = relay.clone()?;
                known.insert(relay.peer).then(|| RelayOffer {
                    peer: relay.peer,
                    addrs: relay.addrs,
                    label: label.clone(),
                })
            };
            joined.iter().filter_map(offer).collect()
        };
        let now = offers(&joined);
        let is_news = now != offers(&self.channels.states.borrow());
        self.channels.states.send_if_modified(|states| {
            let changed = *states != joined;
            *states = joined;
            changed
        });
        if is_news {
            self.node.set_relays(now).await;
        }
    }

    /// Updates what skins show.
    fn show(&self, config: &config::Presence) {
        let mut joined: Vec<rendezvous::Joined> = Vec::new();
        for url in listed(config).map(|address| address.to_string()) {
            if let Some((_, client)) = self.joined.get(&url)
                && joined.iter().all(|joined| joined.url != url)
            {
                joined.push(view::joined(&url, &client.state().borrow()));
            }
        }
        let next = Rendezvous {
            joined,
            hosting: view::hosting(config, self.hosted.as_ref(), self.problem.as_deref()),
        };
        self.channels.view.send_if_modified(|shown| {
            let changed = *shown != next;
            *shown = next;
            changed
        });
    }

    fn join(&mut self, address: Address, config: &config::Presence) -> (Source, Client) {
        let source = Source::Wan(self.next);
        self.next = self.next.wrapping_add(1);
        let client = Client::spawn(
            client::Config {
                address,
                source,
                key: self.key.clone(),
                heartbeat: Duration::from_secs(config.heartbeat_seconds.into()),
                silence: SILENCE,
                http: self.http.clone(),
            },
            self.events.clone(),
        );
        if let Some(presence) = self.channels.announced.borrow().clone() {
            client.publish(presence);
        }
        (source, client)
    }

    /// Starts, stops or replaces the hosted server and its relay. If one cannot start, a notice
    /// says why, and everything else goes on.
    async fn host(&mut self, config: &config::Presence) {
        let stays = |hosted: &Hosted| config.rendezvous_host && hosted.serves(config);
        if !self.hosted.as_ref().is_some_and(stays) {
            self.unhost().await;
            self.channels.notices.clear("rendezvous-host");
            self.problem = None;
            if config.rendezvous_host {
                match Hosted::bind(&self.dir, config).await {
                    Ok(hosted) => self.hosted = Some(hosted),
                    Err(error) => {
                        self.problem = Some(error.to_string());
                        self.warn("rendezvous-host", error.to_string());
                    }
                }
            }
        } else if let Some(hosted) = &mut self.hosted {
            hosted.follow_relay(config).await;
        }
        match self.hosted.as_ref().and_then(Hosted::relay_problem) {
            Some(problem) => self.warn("relay-host", problem.to_string()),
            None => self.channels.notices.clear("relay-host"),
        }
    }

    async fn unhost(&mut self) {
        let Some(hosted) = self.hosted.take() else {
            return;
        };
        // Its guests learn that this peer leaves while the server can still tell them.
        let own = hosted
            .own_address()
            .and_then(|own| self.joined.remove(&own.to_string()));
        if let Some((source, client)) = own {
            client.shutdown().await;
            self.report(Update::Left(source)).await;
        }
        hosted.shutdown().await;
    }

    /// With a wrong clock nobody at a server sees this peer, and what it signs may be refused
    /// anywhere.
    fn tell_of_clock<'a>(&self, mut states: impl Iterator<Item = &'a State>) {
        match states.find_map(State::clock_problem) {
            Some(problem) => self.warn(
                "clock",
                format!(
                    "{} Set the clock so that others can see you.",
                    sentence(&problem)
                ),
            ),
            None => self.channels.notices.clear("clock"),
        }
    }

    fn warn(&self, code: &str, message: String) {
        self.channels.notices.show(Notice {
            code: code.into(),
            message,
        });
    }

    fn announce(&mut self) {
        if let Some(presence) = &*self.channels.announced.borrow_and_update() {
            for (_, client) in self.joined.values() {
                client.publish(presence.clone());
            }
        }
    }

    async fn report(&self, update: Update) {
        // Nobody receives it only when presence is ending.
        let _ending = self.channels.updates.send(update).await;
    }

    /// Clients first: the hosted server passes on the goodbye of this peer.
    async fn end(mut self) {
        for (_, client) in std::mem::take(&mut self.joined).into_values() {
            self.leaving.spawn(client.shutdown());
        }
        while self.leaving.join_next().await.is_some() {}
        if let Some(hosted) = self.hosted.take() {
            hosted.shutdown().await;
        }
    }
}

/// The servers that the configuration names, in its order.
fn listed(config: &config::Presence) -> impl Iterator<Item = Address> {
    [&config.rendezvous_wan]
        .into_iter()
        .chain(&config.rendezvous_wans)
        .filter_map(|url| Address::parse(url).ok())
}

/// Resolves when one of the states changes.
async fn any_change(states: &mut [watch::Receiver<State>]) {
    let changes: Vec<_> = states
        .iter_mut()
        .map(|state| Box::pin(state.changed()))
        .collect();
    match changes.is_empty() {
        true => future::pending().await,
        false => drop(select_all(changes).await),
    }
}

/// Resolves when the status of the server, if there is one, changes.
async fn next(status: &mut Option<watch::Receiver<Status>>) {
    let changed = match status {
        Some(status) => status.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        future::pending().await
    }
}

/// The host in the address of a server, for people.
fn host_of(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.unwrap_or("a server").to_owned()
}
