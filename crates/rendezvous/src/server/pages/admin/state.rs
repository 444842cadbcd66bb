//! The state that the page shows; its script polls it.

use std::{
    cmp::Reverse,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use goop2_proto::{bucket::Rate, presence::shorten};
use serde::{Deserialize, Serialize};

use super::{administrator::Administrator, relay::ShownRelay};
use crate::{
    mail::Figures,
    registration::{Record, Registrations},
    server::{app::App, clock::unix_millis_of, config::Limits, presence::table::Entry},
};

/// Peers, and registrations, in one answer to the page: more than anyone scrolls through. The
/// search finds the rest.
const MAX_SHOWN: usize = 300;
/// Longest label in the list of the page.
const MAX_LABEL: usize = 200;

/// What the page shows; the types are the ones `assets/admin.js` reads.
#[derive(Serialize)]
struct Shown {
    peers: Vec<ShownPeer>,
    matching: usize,
    total: usize,
    proved: usize,
    subscribers: usize,
    delivered: u64,
    throttled: u64,
    uptime_seconds: u64,
    relay: Option<ShownRelay>,
    limits: Vec<(&'static str, String)>,
    blocked: Vec<String>,
    /// Whether they are still blocked after the next start.
    blocks_stay: bool,
    registrations: Vec<ShownRecord>,
    registered: usize,
    /// None without a mail server.
    mail: Option<ShownMail>,
    log: Vec<String>,
}

#[derive(Serialize)]
struct ShownPeer {
    id: String,
    label: String,
    email: String,
    verified: bool,
    /// Two programs publish under its identity.
    twin: bool,
    addrs: Vec<String>,
    from: String,
    since: i64,
    last_seen: i64,
}

#[derive(Serialize)]
struct ShownMail {
    sent: u64,
    failed: u64,
    /// Why the last one failed.
    last: Option<String>,
}

#[derive(Serialize)]
struct ShownRecord {
    email: String,
    created_at: i64,
    verified_at: i64,
    peer: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

pub(super) async fn state(
    State(app): State<Arc<App>>,
    _: Administrator,
    Query(Search { q }): Query<Search>,
) -> Response {
    let mut answer = Json(Shown::new(&app, &q.to_lowercase())).into_response();
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

impl Shown {
    fn new(app: &App, wanted: &str) -> Self {
        let clock = (app.clock)();
        let (peers, matching, total, proved) = {
            let table = app.hub.table();
            let mut found: Vec<_> = table
                .entries()
                .filter(|entry| matches(entry, wanted))
                .collect();
            found.sort_by_key(|entry| Reverse(entry.since));
            let newest = found
                .iter()
                .take(MAX_SHOWN)
                .map(|entry| shown(entry, table.seen(entry), clock));
            (newest.collect(), found.len(), table.len(), table.proved())
        };
        let (records, registered) = match &app.registrations {
            Some(registrations) => registrations.find(wanted, MAX_SHOWN),
            None => Default::default(),
        };
        let counters = &app.hub.counters;
        Self {
            peers,
            matching,
            total,
            proved,
            subscribers: app.subscribers.taken(),
            delivered: counters.delivered.load(Relaxed),
            throttled: counters.throttled.load(Relaxed),
            uptime_seconds: app.started.elapsed().as_secs(),
            relay: app.relay().map(|relay| ShownRelay::new(relay, MAX_SHOWN)),
            limits: limits(&app.config.limits),
            blocked: blocked(app),
            blocks_stay: app.registrations.is_some(),
            registrations: records.into_iter().map(shown_record).collect(),
            registered,
            mail: app
                .registrations
                .as_ref()
                .and_then(Registrations::mails)
                .map(shown_mail),
            log: app.log.lines(),
        }
    }
}

fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    let rate = |rate: Rate| format!("{} per {} s", rate.burst, rate.per.as_secs());
    vec![
        ("Peers", limits.peers.to_string()),
        ("Event streams", limits.subscribers.to_string()),
        (
            "Event streams per address",
            limits.subscribers_each.to_string(),
        ),
        ("Messages per address", rate(limits.publish)),
        ("Messages per peer", rate(limits.publish_peer)),
        (
            "A peer expires after",
            format!("{} s", limits.ttl.as_secs()),
        ),
    ]
}

fn blocked(app: &App) -> Vec<String> {
    let blocked = app.hub.blocked();
    let mut blocked: Vec<_> = blocked.iter().map(|peer| peer.to_base58()).collect();
    blocked.sort();
    blocked
}

fn matches(entry: &Entry, wanted: &str) -> bool {
    wanted.is_empty()
        || entry.message.label.to_lowercase().contains(wanted)
        || entry.message.email.to_lowercase().contains(wanted)
        || entry
            .message
            .peer
            .to_base58()
            .to_lowercase()
            .contains(wanted)
}

fn shown(entry: &Entry, seen: Instant, clock: i64) -> ShownPeer {
    ShownPeer {
        id: entry.message.peer.to_base58(),
        label: shorten(&entry.message.label, MAX_LABEL).into(),
        email: entry.message.email.clone(),
        verified: entry.proved,
        twin: entry.is_twin(Instant::now()),
        addrs: entry.message.addrs.clone(),
        from: entry
            .from
            .map_or_else(|| "another server".into(), |client| client.to_string()),
        since: unix_millis_of(entry.since, clock),
        last_seen: unix_millis_of(seen, clock),
    }
}

fn shown_mail(figures: Figures) -> ShownMail {
    ShownMail {
        sent: figures.sent,
        failed: figures.failed.iter().map(|(_, count)| count).sum(),
        last: figures.last,
    }
}

fn shown_record(record: Record) -> ShownRecord {
    ShownRecord {
        peer: record.owner().map(|(peer, _)| peer.to_base58()),
        email: record.email,
        created_at: record.created_at,
        verified_at: record.verified_at,
    }
}
