//! The settings of a running peer. They are `goop.json`, checked by its rules; what can change
//! while the peer runs does so before a call returns. Anything else makes this run outdated: the
//! owner of the [`Peer`] then restarts it.

use bytes::Bytes;
use goop2_store::{Config, Folder};
use serde_json::{Map, Value};

use crate::{
    api::settings::Settings,
    disk::blocking,
    error::Error,
    peer::Peer,
    settings::{keep_until_restart, shown},
};

impl Peer {
    /// The configuration in `goop.json`, of which parts may take effect only after a restart.
    pub fn config(&self) -> Config {
        self.0.controls.config.borrow().clone()
    }

    /// Changes `goop.json`; what can take effect at once has done so when this returns.
    pub async fn update_config(
        &self,
        change: impl FnOnce(&mut Config) + Send + 'static,
    ) -> Result<(), Error> {
        let config = blocking(&self.0.folder, move |folder| folder.update_config(change)).await??;
        self.apply(config);
        Ok(())
    }

    /// All settings.
    pub async fn settings(&self) -> Result<Settings, Error> {
        let text = blocking(&self.0.folder, |folder| folder.config_text()).await??;
        Ok(Settings {
            blocked: self.0.known.blocked(),
            restarting: *self.0.outdated.borrow(),
            ..shown(self.config(), self.0.folder.dir(), text)
        })
    }

    /// Changes single settings, named `section.key` as in `goop.json`: all of them, or none and
    /// the reason as [`Error::Setting`].
    pub async fn change_settings(&self, values: Map<String, Value>) -> Result<Settings, Error> {
        let config = blocking(&self.0.folder, move |folder| folder.set_config(&values)).await??;
        self.apply(config);
        self.settings().await
    }

    /// Replaces `goop.json` by `text`, which was made from `before`. [`Error::Invalid`] if the file
    /// has changed since.
    pub async fn replace_settings(&self, before: String, text: String) -> Result<Settings, Error> {
        let replace = move |folder: &Folder| folder.replace_config(&before, &text);
        let config = blocking(&self.0.folder, replace).await??;
        self.apply(config);
        self.settings().await
    }

    /// Changes your own picture: a PNG of at most 256 KiB ([`goop2_store::MAX_PICTURE`]), or none.
    /// Returns its hash, 16 hex digits, empty for none.
    pub async fn set_avatar(&self, png: Option<Bytes>) -> Result<String, Error> {
        let set = move |folder: &Folder| folder.set_avatar(png.as_deref());
        let hash = blocking(&self.0.folder, set).await??;
        self.0.controls.avatar.send_replace(hash.clone());
        Ok(hash)
    }

    /// Makes another identity for this folder, with which it starts again; the key of this one is
    /// kept next to it.
    pub async fn renew_identity(&self) -> Result<(), Error> {
        let kept = blocking(&self.0.folder, Folder::renew_identity).await??;
        tracing::info!(?kept, "the identity was renewed; the old key was kept");
        self.restart();
        Ok(())
    }

    /// Has the owner of this restart the peer.
    pub(super) fn restart(&self) {
        self.0.outdated.send_replace(true);
    }

    /// The configuration this run started with.
    pub fn started_with(&self) -> &Config {
        &self.0.started
    }

    /// Resolves when settings were changed that take effect only after a restart of the peer.
    pub async fn outdated(&self) {
        let mut outdated = self.0.outdated.subscribe();
        // The sender belongs to this peer, and lives as long.
        let _ended = outdated.wait_for(|outdated| *outdated).await;
    }

    /// Lets changed settings take effect.
    pub(super) fn apply(&self, config: Config) {
        let mut in_effect = config.clone();
        keep_until_restart(&mut in_effect, &self.0.started);
        self.0.outdated.send_replace(in_effect != config);
        self.0.controls.config.send_replace(config);
    }
}
