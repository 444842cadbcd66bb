//! The settings of a peer. They are `goop.json`, checked by its rules, and what can change live
//! does before a call returns. What only a start reads makes this run outdated: whoever started the
//! peer then starts it again.

use bytes::Bytes;
use goop2_store::Config;
use serde_json::{Map, Value};

use crate::{
    api::settings::Settings,
    disk::blocking,
    error::Error,
    peer::Peer,
    settings::{shown, take_back},
};

impl Peer {
    /// All settings.
    pub async fn settings(&self) -> Result<Settings, Error> {
        let text = blocking(&self.0.folder, |folder| folder.config_text()).await??;
        Ok(Settings {
            blocked: self.0.known_peers.blocked(),
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
