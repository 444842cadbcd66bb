//! The settings of a peer. They are `goop.json`, checked by its rules, and what can change live
//! does before a call returns. What only a start reads makes this run outdated: whoever started the
//! peer then starts it again.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use goop2_store::{Config, Resting};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use super::{Peer, blocking};
use crate::{Error, api::Settings};

impl Peer {
    /// All settings.
    pub async fn settings(&self) -> Result<Settings, Error> {
        let text = blocking(&self.0.folder, |folder| folder.config_text()).await??;
        Ok(Settings {
            blocked: self.0.book.blocked(),
            restarting: *self.0.outdated.borrow(),
            ..shown(self.config(), self.0.folder.dir(), text)
        })
    }

    /// Changes single settings, named `section.key` as in `goop.json`. All of them or, with the
    /// reason, none.
    pub async fn change_settings(&self, values: Map<String, Value>) -> Result<Settings, Error> {
        let config = blocking(&self.0.folder, move |folder| folder.set_config(&values)).await??;
        self.apply(config);
        self.settings().await
    }

    /// Replaces `goop.json` by `text`, which was made from `before`.
    pub async fn replace_settings(&self, before: String, text: String) -> Result<Settings, Error> {
        let replace = move |folder: &goop2_store::Folder| folder.replace_config(&before, &text);
        let config = blocking(&self.0.folder, replace).await??;
        self.apply(config);
        self.settings().await
    }

    /// Changes the own picture: a PNG of at most 256 KiB, or none. Answers its hash.
    pub async fn set_avatar(&self, png: Option<Bytes>) -> Result<String, Error> {
        let set = move |folder: &goop2_store::Folder| folder.set_avatar(png.as_deref());
        let hash = blocking(&self.0.folder, set).await??;
        self.0.avatar.send_replace(hash.clone());
        Ok(hash)
    }

    /// The settings this run was started with.
    pub fn started_with(&self) -> &Config {
        &self.0.started
    }

    /// Resolves when settings were changed that only another start of the peer puts in force.
    pub async fn outdated(&self) {
        let mut outdated = self.0.outdated.subscribe();
        // The sender is this peer's own: it is there as long as the peer is.
        let _ended = outdated.wait_for(|outdated| *outdated).await;
    }

    /// Puts changed settings in force.
    pub(super) fn apply(&self, config: Config) {
        let mut in_force = config.clone();
        take_back(&mut in_force, &self.0.started);
        self.0.outdated.send_replace(in_force != config);
        self.0.config.send_replace(config);
    }
}

/// The settings of the peer in this folder, which does not run.
pub async fn settings_at_rest(dir: PathBuf) -> Result<Settings, Error> {
    at_rest(dir, |_| Ok(())).await
}

/// As [`Peer::change_settings`], of a peer that does not run.
pub async fn change_at_rest(dir: PathBuf, values: Map<String, Value>) -> Result<Settings, Error> {
    at_rest(dir, move |resting| resting.set_config(&values)).await
}

/// As [`Peer::replace_settings`], of a peer that does not run, also where it cannot start.
pub async fn replace_at_rest(
    dir: PathBuf,
    before: String,
    text: String,
) -> Result<Settings, Error> {
    at_rest(dir, move |resting| resting.replace_config(&before, &text)).await
}

async fn at_rest(
    dir: PathBuf,
    change: impl FnOnce(&Resting) -> Result<(), goop2_store::Error> + Send + 'static,
) -> Result<Settings, Error> {
    let work = move || {
        let resting = Resting::open(&dir)?;
        change(&resting)?;
        let text = resting.config_text()?;
        Ok(match resting.config() {
            Ok(config) => shown(config, resting.dir(), text),
            Err(error) => Settings {
                problem: Some(Error::from(error).to_string()),
                ..shown(Config::default(), resting.dir(), text)
            },
        })
    };
    spawn_blocking(work).await.map_err(|_| Error::Closed)?
}

fn shown(config: Config, dir: &Path, text: String) -> Settings {
    Settings {
        label: config.profile.label,
        email: config.profile.email,
        mdns: config.p2p.mdns,
        mdns_tag: config.p2p.mdns_tag,
        listen_port: config.p2p.listen_port,
        port_mapping: config.p2p.port_mapping,
        http_addr: config.viewer.http_addr,
        site_sources: config.viewer.site_sources,
        folder: dir.display().to_string(),
        text,
        blocked: Vec::new(),
        problem: None,
        restarting: false,
    }
}

/// Takes back what only a start puts in force: the rest of the settings stays.
pub fn take_back(config: &mut Config, started: &Config) {
    config.identity.clone_from(&started.identity);
    config.paths.clone_from(&started.paths);
    config.p2p.listen_port = started.p2p.listen_port;
    config.p2p.mdns = started.p2p.mdns;
    config.p2p.mdns_tag.clone_from(&started.p2p.mdns_tag);
    config.presence.topic.clone_from(&started.presence.topic);
    config.presence.ttl_seconds = started.presence.ttl_seconds;
    config
        .viewer
        .http_addr
        .clone_from(&started.viewer.http_addr);
    config.lua.script_dir.clone_from(&started.lua.script_dir);
}
