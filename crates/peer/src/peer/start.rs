//! How a peer goes online and offline: its tasks, and the channels between them.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use goop2_node::{Event, InboundStream, Node};
use goop2_proto::{Keypair, mdns::Tag};
use goop2_rendezvous::client::Http;
use goop2_store::{Config, Folder};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    api::{notice::Notice, rendezvous::Rendezvous},
    disk::blocking,
    error::Error,
    known_peers::KnownPeers,
    live::{self, Live, readers::Readers},
    notices::Notices,
    peer::{Controls, Inner, Peer, Running},
    presence::{self, roster::SharedRoster},
    servers::{self, Servers},
    sites::{
        absent::Absent,
        http::client::Client,
        owners::Owners,
        serve::{PROTOCOLS, Responder},
        tables, trouble,
    },
    supervisor::Supervisor,
};

/// Time for a whole shutdown; what has not ended by then is aborted.
const SHUTDOWN: Duration = Duration::from_millis(1700);

impl Peer {
    /// Goes online with this folder; returns once everything listens.
    pub async fn start(folder: Folder) -> Result<Self, Error> {
        let folder = Arc::new(folder);
        blocking(&folder, tables::create_missing).await??;
        let config = node_config(&folder, &folder.config());
        let network = goop2_node::spawn(config).await?;
        Self::run(folder, network, true).await
    }

    /// Serves this folder to its owner alone: no other computer learns of it, or reaches it.
    pub async fn start_offline(folder: Folder) -> Result<Self, Error> {
        let folder = Arc::new(folder);
        blocking(&folder, tables::create_missing).await??;
        let network = goop2_node::offline(folder.peer_id());
        Self::run(folder, network, false).await
    }

    /// `joins`: it talks to rendezvous servers, and hosts its own.
    async fn run(folder: Arc<Folder>, network: Network, joins: bool) -> Result<Self, Error> {
        let config = folder.config();
        let avatar = blocking(&folder, avatar_hash).await?;
        let known = KnownPeers::open(&folder).await?;
        let (node, inbound, events) = network;
        known.introduce(&node).await;
        let roster = SharedRoster::new(node.peer_id(), config.presence.ttl_seconds);
        let http = Http::new();
        let channels = Channels::new(config.clone(), avatar);
        let (presence, live) = (channels.presence, channels.live);
        let presence = presence::Task::new(node.clone(), roster.clone(), known.clone(), presence);
        let snapshot = presence.snapshot();
        let tasks = Tasks {
            presence,
            servers: joins
                .then(|| Servers::new(&folder, node.clone(), http.clone(), channels.servers)),
            responder: Responder::new(Arc::clone(&folder), roster.clone(), live.clone()),
            watching: live::folder::Task::new(
                Arc::clone(&folder),
                live.changes.clone(),
                channels.controls.notices.clone(),
            ),
            readers: (live.readers.clone(), Arc::clone(&folder)),
        };
        let supervisor = Supervisor::new();
        let running = tasks.spawn(&supervisor, events, inbound);
        let released = CancellationToken::new();
        folder.keep_until_closed(released.clone().drop_guard());
        let notices = channels.controls.notices.clone();
        if let Some(path) = blocking(&folder, Folder::exposed_key).await? {
            notices.show(exposed_key(&path));
        }
        folder
            .database()
            .on_trouble(move |trouble| trouble::show(&notices, trouble));
        Ok(Self(Arc::new(Inner {
            folder,
            client: Client::new(node.clone()),
            node,
            http,
            roster,
            known,
            snapshot,
            controls: channels.controls,
            started: config,
            outdated: watch::Sender::new(false),
            running: Mutex::new(Some(running)),
            supervisor,
            stranger: Keypair::generate_ed25519().public().to_peer_id(),
            owners: Owners::default(),
            live,
            absent: Absent::default(),
            released,
            leaving: CancellationToken::new(),
        })))
    }

    /// Goes offline in order: says goodbye, stops answering, closes the connections. Takes at most
    /// two seconds. A second call does nothing.
    pub async fn shutdown(&self) {
        let running = &self.0.running;
        let running = running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut running) = running else {
            return;
        };
        self.0.leaving.cancel();
        self.0.live.readers.write(&self.0.folder).await;
        // What still runs in the database would keep the folder locked.
        self.0.folder.database().stop();
        // The goodbyes go out, here and at every rendezvous, while the connections that carry them
        // still stand.
        running.presence.cancel();
        let orderly = async {
            let _ended = (&mut running.announcing).await;
            running.serving.cancel();
            let tasks = async { while running.tasks.join_next().await.is_some() {} };
            tokio::join!(tasks, self.0.node.clone().shutdown());
        };
        if timeout(SHUTDOWN, orderly).await.is_err() {
            tracing::warn!("shutdown timed out");
        }
    }
}

/// The node, and what comes in through it.
type Network = (Node, mpsc::Receiver<InboundStream>, mpsc::Receiver<Event>);

/// The tasks of a peer, ready to run.
struct Tasks {
    presence: presence::Task,
    servers: Option<Servers>,
    responder: Responder,
    watching: live::folder::Task,
    readers: (Readers, Arc<Folder>),
}

impl Tasks {
    fn spawn(
        self,
        supervisor: &Supervisor,
        events: mpsc::Receiver<Event>,
        inbound: mpsc::Receiver<InboundStream>,
    ) -> Running {
        let (presence, serving) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let responder = self.responder.run(inbound, serving.clone());
        tasks.spawn(supervisor.watch("The site server", serving.clone(), responder));
        let announcing = self.presence.run(events, presence.clone());
        let announcing = supervisor.watch("Presence", presence.clone(), announcing);
        let announcing = AbortOnDropHandle::new(tokio::spawn(announcing));
        if let Some(servers) = self.servers {
            let servers = servers.run(presence.clone());
            tasks.spawn(supervisor.watch("The rendezvous client", presence.clone(), servers));
        }
        let watching = self.watching.run(serving.clone());
        tasks.spawn(supervisor.watch("The watcher of the site", serving.clone(), watching));
        let (readers, folder) = self.readers;
        let readers = readers.run(folder, serving.clone());
        tasks.spawn(supervisor.watch("The counting of visits", serving.clone(), readers));
        Running {
            presence,
            announcing,
            serving,
            tasks,
        }
    }
}

/// Every channel between the façade and its tasks, by who holds which ends.
struct Channels {
    controls: Controls,
    presence: presence::Channels,
    servers: servers::Channels,
    live: Live,
}

impl Channels {
    fn new(config: Config, avatar: String) -> Self {
        let (config, config_changes) = watch::channel(config);
        let live = Live::new(config_changes.clone());
        let (avatar, avatar_changes) = watch::channel(avatar);
        let (notices, shown_notices) = Notices::new();
        let (announced, announcements) = watch::channel(None);
        let (updates, server_updates) = mpsc::channel(servers::MAX_UPDATES);
        let (states, server_states) = watch::channel(Vec::new());
        let (view, server_view) = watch::channel(Rendezvous::default());
        Self {
            presence: presence::Channels {
                config: config_changes.clone(),
                avatar: avatar_changes,
                notices: shown_notices,
                server_updates,
                server_states,
                server_view,
                live: live.readers.shown(),
                announced,
            },
            live,
            servers: servers::Channels {
                config: config_changes,
                announced: announcements,
                notices: notices.clone(),
                updates,
                states,
                view,
            },
            controls: Controls {
                config,
                avatar,
                notices,
            },
        }
    }
}

fn node_config(folder: &Folder, config: &Config) -> goop2_node::Config {
    goop2_node::Config {
        keypair: folder.keypair().clone(),
        listen_port: config.p2p.listen_port,
        mdns_tag: Tag::parse(&config.p2p.mdns_tag).filter(|_| config.p2p.mdns),
        topic: config.presence.topic.clone(),
        protocols: PROTOCOLS.to_vec(),
    }
}

fn avatar_hash(folder: &Folder) -> String {
    match folder.avatar() {
        Ok(avatar) => avatar.map(|avatar| avatar.hash).unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "avatar not readable");
            String::new()
        }
    }
}

/// Other users of this computer can read the key in this file.
fn exposed_key(path: &Path) -> Notice {
    Notice {
        code: "exposed-key".into(),
        message: format!(
            "Other users of this computer can read your identity key, and anyone who has it can pass \
             for you. Make it private: chmod 600 {}",
            path.display()
        ),
    }
}
