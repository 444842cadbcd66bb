//! The peer of this window. The app outlives it: it is started, stopped and replaced, and when it
//! stops unexpectedly, that is shown as a state like any other.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};

use goop2_peer::{
    Error, Local, NotOnline, Peer, Source,
    api::{
        Added, Backup, Denied, Failure, Navigated, Progress, Session, Settings, SiteRequest,
        Template,
    },
};
use goop2_viewer::{Viewer, ports::Ports};
use serde_json::{Map, Value};
use tokio::{
    sync::{Mutex, broadcast, watch},
    task::spawn_blocking,
    time::timeout,
};

use super::{
    shell::{Shell, Stage},
    sites::{Framing, Sites},
};
use crate::{lifecycle, report::words};

/// For calls still in progress on a stopped peer. They fail at once, so this never elapses.
const RELEASE: Duration = Duration::from_secs(3);

/// Whom a run of the peer serves.
#[derive(Clone, Copy)]
enum For {
    Everyone,
    /// Its owner, who looks at the site, its tables and its files while they are offline.
    Owner,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Running(Arc<Inner>);

struct Inner {
    /// Held while anything changes: one start or stop at a time.
    viewer: Mutex<Option<Viewer>>,
    /// A new peer, while its owner chooses what it publishes.
    chosen: std::sync::Mutex<Option<NotOnline>>,
    online: watch::Sender<Option<Online>>,
    shell: watch::Sender<Shell>,
}

/// What commands work on while the peer runs, for everyone or for its owner alone.
#[derive(Clone)]
pub(crate) struct Online {
    pub(crate) peer: Peer,
    pub(crate) session: Session,
    pub(crate) sites: Sites,
    pub(crate) ports: Ports,
    /// To subscribe by.
    pub(crate) navigated: Arc<broadcast::Receiver<Navigated>>,
    pub(crate) denied: Arc<broadcast::Receiver<Denied>>,
}

impl Online {
    /// What the window's document may frame during this run.
    pub(crate) fn framing(&self) -> Framing {
        Framing::new(self.session.peer.clone(), self.sites.clone())
    }
}

impl Running {
    pub(crate) fn new(shell: watch::Sender<Shell>) -> Self {
        Self(Arc::new(Inner {
            viewer: Mutex::new(None),
            chosen: std::sync::Mutex::new(None),
            online: watch::Sender::new(None),
            shell,
        }))
    }

    pub(crate) fn shell(&self) -> &watch::Sender<Shell> {
        &self.0.shell
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<Online>> {
        self.0.online.subscribe()
    }

    pub(crate) fn now(&self) -> Option<Online> {
        self.0.online.borrow().clone()
    }

    /// What a command works on, or why it cannot.
    pub(crate) fn online(&self) -> Result<Online, Failure> {
        self.now().ok_or_else(offline)
    }

    pub(crate) fn peer(&self) -> Result<Peer, Failure> {
        self.online().map(|online| online.peer)
    }

    /// Goes online with this folder instead of the current one.
    async fn start(&self, dir: &Path) {
        let mut viewer = self.0.viewer.lock().await;
        self.stop(&mut viewer).await;
        self.set_chosen(None);
        self.shows(dir, Stage::Starting);
        match self.begin(&mut viewer, For::Everyone).await {
            Ok(()) => self.stage(Stage::Online),
            Err(error) => self.crashed(words(&error)),
        }
    }

    async fn begin(&self, viewer: &mut Option<Viewer>, whom: For) -> anyhow::Result<()> {
        let (online, started) = begin(self.folder(), whom).await?;
        *viewer = Some(started);
        self.0.online.send_replace(Some(online));
        Ok(())
    }

    /// Goes online with this folder, or has its owner choose what it publishes `first`.
    pub(crate) async fn open(&self, dir: &Path, first: bool) {
        if first {
            self.choose(dir).await;
        } else {
            self.start(dir).await;
        }
    }

    /// Has a new peer in this folder wait, not online.
    async fn choose(&self, dir: &Path) {
        let mut viewer = self.0.viewer.lock().await;
        self.stop(&mut viewer).await;
        self.set_chosen(None);
        self.shows(dir, Stage::Starting);
        self.reopen().await;
    }

    /// Opens the folder of the peer that waits, with its settings as they are now.
    async fn reopen(&self) {
        self.set_chosen(None);
        let dir = self.folder();
        let opened = spawn_blocking(move || NotOnline::open(&dir)).await;
        match opened.map_err(|_| Error::Closed).and_then(|opened| opened) {
            Ok(opened) => {
                self.set_chosen(Some(opened));
                self.stage(Stage::Choosing);
            }
            Err(error) => self.crashed(error.to_string()),
        }
    }

    /// Does what the owner wants with the site, online or not yet.
    pub(crate) async fn site(&self, request: SiteRequest) -> Result<Value, Failure> {
        if let Some(online) = self.now() {
            return online.peer.site(request).await.map_err(failure);
        }
        let _stays = self.0.viewer.lock().await;
        let reopens = matches!(request, SiteRequest::Restore { .. });
        let done = self.chosen()?.site(request).await.map_err(failure)?;
        if reopens {
            self.reopen().await;
        }
        Ok(done)
    }

    /// Copies files of this computer into the site.
    pub(crate) async fn add(
        &self,
        files: Local,
        report: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Added, Failure> {
        if let Some(online) = self.now() {
            return online.peer.add(files, report).await.map_err(failure);
        }
        let _stays = self.0.viewer.lock().await;
        self.chosen()?.add(files, report).await.map_err(failure)
    }

    /// Reads a template.
    pub(crate) async fn import_template(&self, path: PathBuf) -> Result<Template, Failure> {
        let source = Source::Path(path);
        if let Some(online) = self.now() {
            return online.peer.import_template(source).await.map_err(failure);
        }
        let _stays = self.0.viewer.lock().await;
        self.chosen()?
            .import_template(source)
            .await
            .map_err(failure)
    }

    /// Reads a backup.
    pub(crate) async fn open_backup(
        &self,
        path: PathBuf,
        passphrase: Option<String>,
    ) -> Result<Backup, Failure> {
        if let Some(online) = self.now() {
            let read = online.peer.open_backup_file(path, passphrase).await;
            return read.map_err(failure);
        }
        let _stays = self.0.viewer.lock().await;
        let read = self.chosen()?.open_backup_file(path, passphrase).await;
        read.map_err(failure)
    }

    /// Where a file of the site is.
    pub(crate) async fn site_file(&self, path: String) -> Result<PathBuf, Failure> {
        if let Some(online) = self.now() {
            return online.peer.site_file(path).await.map_err(failure);
        }
        let _stays = self.0.viewer.lock().await;
        self.chosen()?.site_file(path).await.map_err(failure)
    }

    fn chosen(&self) -> Result<NotOnline, Failure> {
        let chosen = self.0.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.clone().ok_or_else(offline)
    }

    fn set_chosen(&self, peer: Option<NotOnline>) {
        *self.0.chosen.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }

    fn shows(&self, dir: &Path, stage: Stage) {
        let folder = dir.to_string_lossy().into_owned();
        self.0.shell.send_modify(|shell| {
            shell.folder = folder;
            shell.stage = stage;
        });
    }

    /// Starts the current folder, or restarts it if it is running.
    pub(crate) async fn go_online(&self) {
        self.start(&self.folder()).await;
    }

    /// Says goodbye to others, then closes every socket that they can reach.
    pub(crate) async fn go_offline(&self) {
        let mut viewer = self.0.viewer.lock().await;
        if viewer.is_some() && !self.is_offline() {
            self.rest(&mut viewer).await;
        }
    }

    async fn rest(&self, viewer: &mut Option<Viewer>) {
        self.stop(viewer).await;
        if let Err(error) = self.begin(viewer, For::Owner).await {
            tracing::warn!(%error, "the site cannot be shown while offline");
        }
        self.stage(Stage::Offline);
    }

    /// Starts again with settings that apply only then.
    async fn again(&self) {
        let mut viewer = self.0.viewer.lock().await;
        if self.is_offline() {
            return self.rest(&mut viewer).await;
        }
        drop(viewer);
        self.go_online().await;
    }

    /// At the end of the app.
    pub(crate) async fn end(&self) {
        let mut viewer = self.0.viewer.lock().await;
        self.stop(&mut viewer).await;
    }

    fn is_offline(&self) -> bool {
        self.0.shell.borrow().stage == Stage::Offline
    }

    /// The settings of the peer, whether it is running or not.
    pub(crate) async fn settings(&self) -> Result<Settings, Error> {
        let _stays = self.0.viewer.lock().await;
        match self.now() {
            Some(online) => online.peer.settings().await,
            None => goop2_peer::stopped::settings(self.folder()).await,
        }
    }

    pub(crate) async fn change_settings(
        &self,
        values: Map<String, Value>,
    ) -> Result<Settings, Error> {
        let _stays = self.0.viewer.lock().await;
        match self.now() {
            Some(online) => online.peer.change_settings(values).await,
            None => goop2_peer::stopped::change_settings(self.folder(), values).await,
        }
    }

    pub(crate) async fn replace_settings(
        &self,
        before: String,
        text: String,
    ) -> Result<Settings, Error> {
        let _stays = self.0.viewer.lock().await;
        match self.now() {
            Some(online) => online.peer.replace_settings(before, text).await,
            None => goop2_peer::stopped::replace_settings(self.folder(), before, text).await,
        }
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(&self.0.shell.borrow().folder)
    }

    /// Stops a peer that has failed, and restarts one whose settings need it.
    pub(crate) async fn watch_over(self) {
        let mut watched = self.watch();
        loop {
            let online = watched.borrow_and_update().clone();
            let over = async {
                let Some(online) = &online else {
                    return std::future::pending().await;
                };
                tokio::select! {
                    reason = online.peer.failed() => Some(reason),
                    () = online.peer.outdated() => None,
                }
            };
            let over = tokio::select! {
                over = over => Some(over),
                _ = watched.changed() => None,
            };
            // The peer cannot stop while this holds it.
            drop(online);
            match over {
                Some(Some(reason)) => self.failed(reason).await,
                Some(None) => self.again().await,
                None => {}
            }
        }
    }

    async fn failed(&self, reason: String) {
        let mut viewer = self.0.viewer.lock().await;
        if viewer.is_some() {
            self.stop(&mut viewer).await;
            self.crashed(reason);
        }
    }

    async fn stop(&self, viewer: &mut Option<Viewer>) {
        let (Some(viewer), Some(online)) = (viewer.take(), self.now()) else {
            return;
        };
        self.stage(Stage::Stopping);
        self.0.online.send_replace(None);
        let released = online.peer.released();
        lifecycle::stop_in_order(online.peer.clone(), viewer).await;
        drop(online);
        if timeout(RELEASE, released).await.is_err() {
            tracing::warn!("the folder is still in use");
        }
    }

    fn crashed(&self, reason: String) {
        tracing::error!(%reason, "the peer is not running");
        self.stage(Stage::Crashed { reason });
    }

    fn stage(&self, stage: Stage) {
        self.0.shell.send_modify(|shell| shell.stage = stage);
    }
}

fn offline() -> Failure {
    Failure {
        code: "offline".into(),
        message: "Your peer is offline. Go online first.".into(),
    }
}

pub(super) fn failure(error: Error) -> Failure {
    error.failure()
}

async fn begin(dir: PathBuf, whom: For) -> anyhow::Result<(Online, Viewer)> {
    let start = async move {
        match whom {
            For::Everyone => lifecycle::start(&dir).await,
            For::Owner => lifecycle::start_offline(&dir).await,
        }
    };
    // A separate task, so that a panic ends the start and not the app.
    let (peer, viewer) = tokio::spawn(start).await??;
    let mut sites = Sites {
        port: viewer.port(),
        ports: Vec::new(),
    };
    if cfg!(target_os = "macos") {
        sites.ports = viewer.ports().open().await?.to_vec();
    }
    let online = Online {
        session: Session {
            version: env!("CARGO_PKG_VERSION").into(),
            peer: peer.id().to_base58(),
            viewer_port: viewer.port(),
        },
        sites,
        ports: viewer.ports().clone(),
        navigated: Arc::new(viewer.navigated()),
        denied: Arc::new(viewer.denied()),
        peer,
    };
    Ok((online, viewer))
}
