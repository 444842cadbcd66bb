//! The settings of a peer that is not running, also of one that cannot start.

use std::path::PathBuf;

use goop2_store::{Config, Resting};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use crate::{api::settings::Settings, error::Error, settings::shown};

/// The settings of the peer in this folder.
///
/// Errors, here and below: [`Error::Store`] if the folder cannot be read or is used by a running
/// peer.
pub async fn settings(dir: PathBuf) -> Result<Settings, Error> {
    change_with(dir, |_| Ok(())).await
}

/// Like [`crate::Peer::change_settings`].
pub async fn change_settings(dir: PathBuf, values: Map<String, Value>) -> Result<Settings, Error> {
    change_with(dir, move |folder| folder.set_config(&values)).await
}

/// Like [`crate::Peer::replace_settings`].
pub async fn replace_settings(
    dir: PathBuf,
    before: String,
    text: String,
) -> Result<Settings, Error> {
    change_with(dir, move |folder| folder.replace_config(&before, &text)).await
}

async fn change_with(
    dir: PathBuf,
    change: impl FnOnce(&Resting) -> Result<(), goop2_store::Error> + Send + 'static,
) -> Result<Settings, Error> {
    let work = move || {
        let folder = Resting::open(&dir)?;
        change(&folder)?;
        let text = folder.config_text()?;
        Ok(match folder.config() {
            Ok(config) => shown(config, folder.dir(), text),
            Err(error) => Settings {
                problem: Some(Error::from(error).to_string()),
                ..shown(Config::default(), folder.dir(), text)
            },
        })
    };
    spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
