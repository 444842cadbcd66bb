//! Beyond the local network: the rendezvous servers this peer joins, and the one it hosts. Both
//! follow the configuration live, and how it stands with them is shown as it changes.

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
use goop2_store::{Config, Keypair, config};
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
    network::Joined,
    notices::Notices,
    servers::hosted::Hosted,
};

/// What servers tell, under way to the controller; while it is full they are not read.
pub(crate) const EVENTS: usize = 1024;
/// A stream that is silent for longer is dead: servers say something every 25 s (§6.4).
const SILENCE: Duration = Duration::from_secs(60);

/// Heard from a peer itself over a connection to it, without a server in between.
pub(crate) const BY_ITSELF: Source = Source::Wan(u16::MAX);

/// The servers, and the task that owns them.
pub(crate) struct Servers {
    node: Node,
    dir: PathBuf,
    key: Keypair,
    http: Http,
    notices: Notices,
    /// Heard from all servers; `None` says that a source was left.
    heard: mpsc::Sender<Update>,
    events: mpsc::Sender<Event>,
    joined: BTreeMap<String, (Source, Client)>,
    /// How it stands with each, of which the node uses the relays.
    states: watch::Sender<Vec<Joined>>,
    hosted: Option<Hosted>,
    /// Why nothing is hosted that should be.
    problem: Option<String>,
    shown: watch::Sender<Rendezvous>,
    leaving: JoinSet<()>,
    /// The number of the next server joined: never used twice in a run.
    next: u16,
}

/// What the controller hears of servers.
pub(crate) enum Update {
    Event(Event),
    /// Nothing more comes from this source.
    Left(Source),
}

impl Servers {
    /// Joins, leaves and hosts as the configuration says, and passes on what this peer says, until
    /// told to stop; then says goodbye everywhere at once.
    #[expect(clippy::too_many_arguments, reason = "one call, which names them")]
    pub(crate) async fn run(
        node: Node,
        dir: PathBuf,
        key: Keypair,
        http: Http,
        notices: Notices,
        states: watch::Sender<Vec<Joined>>,
        shown: watch::Sender<Rendezvous>,
        mut config: watch::Receiver<Config>,
        mut said: watch::Receiver<Option<Presence>>,
        heard: mpsc::Sender<Update>,
        stop: CancellationToken,
    ) {
        let (events, mut told) = mpsc::channel(EVENTS);
        let mut servers = Self {
            node,
            states,
            dir,
            key,
            http,
            notices,
            heard,
            events,
            joined: BTreeMap::new(),
            hosted: None,
            problem: None,
            shown,
            leaving: JoinSet::new(),
            next: 0,
        };
        loop {
            let now = config.borrow_and_update().clone();
            servers.follow(&now.presence, &said).await;
            servers
                .node
                .set_port_mapping(now.p2p.port_mapping && servers.meets_others())
                .await;
            let mut states: Vec<_> = servers.joined.values().map(|(_, c)| c.state()).collect();
            let mut hosted = servers.hosted.as_ref().map(Hosted::status);
            servers.pass_on_states().await;
            servers.show(&now.presence);
            loop {
                let changes = states.iter_mut().map(|state| Box::pin(state.changed()));
                let changes: Vec<_> = changes.collect();
                let changed = async {
                    match changes.is_empty() {
                        true => future::pending().await,
                        false => drop(select_all(changes).await),
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => return servers.end().await,
                    Ok(()) = config.changed() => break,
                    Ok(()) = said.changed() => {
                        servers.say(&mut said);
                        // With its addresses, those of a hosted server have changed.
                        servers.show(&now.presence);
                    }
                    Some(event) = told.recv() => servers.tell(Update::Event(event)).await,
                    Some(_) = servers.leaving.join_next() => {}
                    () = changed => {
                        servers.pass_on_states().await;
                        servers.show(&now.presence);
                    }
                    () = next(&mut hosted) => servers.show(&now.presence),
                }
            }
        }
    }

    async fn follow(
        &mut self,
        config: &config::Presence,
        said: &watch::Receiver<Option<Presence>>,
    ) {
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
                self.tell(Update::Left(source)).await;
            }
        }
        for (name, address) in wanted {
            if !self.joined.contains_key(&name) {
                let joined = self.join(address, config, said);
                self.joined.insert(name, joined);
            }
        }
    }

    /// Whether a server is joined through which peers of other machines come.
    fn meets_others(&self) -> bool {
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

    /// Shows how it stands with the servers, and has the node use their relays.
    async fn pass_on_states(&self) {
        let joined = self.joined.iter().map(|(url, (_, client))| Joined {
            label: host_of(url),
            state: client.state().borrow().clone(),
        });
        let joined: Vec<_> = joined.collect();
        let offers = |joined: &[Joined]| -> Vec<_> {
            let mut known = HashSet::new();
            let offer = |Joined { label, state }: &Joined| {
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
        let news = now != offers(&self.states.borrow());
        self.states.send_if_modified(|states| {
            let changed = *states != joined;
            *states = joined;
            changed
        });
        if news {
            self.node.set_relays(now).await;
        }
    }

    /// Shows all of it to the user.
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
        self.shown.send_if_modified(|shown| {
            let changed = *shown != next;
            *shown = next;
            changed
        });
    }

    fn join(
        &mut self,
        address: Address,
        config: &config::Presence,
        said: &watch::Receiver<Option<Presence>>,
    ) -> (Source, Client) {
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
        if let Some(presence) = said.borrow().clone() {
            client.publish(presence);
        }
        (source, client)
    }

    /// Starts, stops or replaces the hosted server and its relay; why one cannot start is shown,
    /// and all else goes on.
    async fn host(&mut self, config: &config::Presence) {
        let stays = |hosted: &Hosted| config.rendezvous_host && hosted.serves(config);
        if !self.hosted.as_ref().is_some_and(stays) {
            self.unhost().await;
            self.notices.clear("rendezvous-host");
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
            None => self.notices.clear("relay-host"),
        }
    }

    async fn unhost(&mut self) {
        let Some(hosted) = self.hosted.take() else {
            return;
        };
        // Its guests hear that this peer leaves while it is still there to say so.
        let own = hosted
            .own_address()
            .and_then(|own| self.joined.remove(&own.to_string()));
        if let Some((source, client)) = own {
            client.shutdown().await;
            self.tell(Update::Left(source)).await;
        }
        hosted.shutdown().await;
    }

    fn warn(&self, code: &str, message: String) {
        self.notices.show(Notice {
            code: code.into(),
            message,
        });
    }

    fn say(&self, said: &mut watch::Receiver<Option<Presence>>) {
        if let Some(presence) = &*said.borrow_and_update() {
            for (_, client) in self.joined.values() {
                client.publish(presence.clone());
            }
        }
    }

    /// Only a controller that is ending does not listen.
    async fn tell(&self, update: Update) {
        let _ending = self.heard.send(update).await;
    }

    /// Clients first: the hosted server passes on the goodbye of this very peer.
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

/// Until the server, if there is one, tells something new.
async fn next(status: &mut Option<watch::Receiver<Status>>) {
    let told = match status {
        Some(status) => status.changed().await.is_ok(),
        None => false,
    };
    if !told {
        future::pending().await
    }
}

/// The host in the address of a server, for people.
fn host_of(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.unwrap_or("a server").to_owned()
}
