//! Saves the peer table for tools that read it from `peer_db_path` (§6.9).
//!
//! Nothing is read back: after a restart, peers that are online publish again within a heartbeat,
//! and others should not appear. Existing servers write at every message; here the table may be
//! half a minute old.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    registration::Peer,
    server::{app::App, clock::unix_millis_of},
};

const PAUSE: Duration = Duration::from_secs(30);

pub(crate) async fn run(app: Arc<App>) {
    let Some(registrations) = &app.registrations else {
        return;
    };
    let mut tick = interval(PAUSE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        registrations.save_peers(online(&app));
    }
}

fn online(app: &App) -> Vec<Peer> {
    let clock = (app.clock)();
    let table = app.hub.table();
    let entries = table.entries().map(|entry| Peer {
        id: entry.message.peer.to_base58(),
        kind: entry.message.kind.as_str(),
        label: entry.message.label.clone(),
        email: entry.message.email.clone(),
        avatar_hash: entry.message.avatar_hash.clone(),
        ts: entry.message.ts,
        last_seen: unix_millis_of(table.seen(entry), clock),
        bytes_sent: entry.sent,
        bytes_received: table.received(entry),
    });
    entries.collect()
}
