//! Settings as a skin sees them, of a peer that runs or does not.

use std::path::{Path, PathBuf};

use goop2_store::{Config, Resting};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use crate::{api::settings::Settings, error::Error};

/// The settings of the peer in this folder, which does not run.
pub async fn settings_at_rest(dir: PathBuf) -> Result<Settings, Error> {
    at_rest(dir, |_| Ok(())).await
}

/// As [`crate::Peer::change_settings`], of a peer that does not run.
pub async fn change_at_rest(dir: PathBuf, values: Map<String, Value>) -> Result<Settings, Error> {
    at_rest(dir, move |resting| resting.set_config(&values)).await
}

/// As [`crate::Peer::replace_settings`], of a peer that does not run, also where it cannot start.
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

pub(crate) fn shown(config: Config, dir: &Path, text: String) -> Settings {
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
