//! Settings as a skin sees them, and those that take effect only after a restart.

use std::path::Path;

use goop2_store::Config;

use crate::api::settings::Settings;

/// The settings in this configuration of the folder `dir`; `text` is its `goop.json`.
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

/// Sets everything in `config` that takes effect only after a restart back to what the run
/// `started` with.
pub fn keep_until_restart(config: &mut Config, started: &Config) {
    config.identity.clone_from(&started.identity);
    config.p2p.listen_port = started.p2p.listen_port;
    config.p2p.mdns = started.p2p.mdns;
    config.p2p.mdns_tag.clone_from(&started.p2p.mdns_tag);
    config.presence.topic.clone_from(&started.presence.topic);
    config.presence.ttl_seconds = started.presence.ttl_seconds;
    let http_addr = &started.viewer.http_addr;
    config.viewer.http_addr.clone_from(http_addr);
}
