//! What the operator sees and does: the lists that existing servers have, the state that the page
//! shows, and its buttons.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use goop2_proto::{
    PeerId, go_json, id,
    presence::{Kind, shorten},
};
use serde::{Deserialize, Serialize};

use crate::registration::{Record, Registrations};

use super::{
    super::{
        App, Rate, page, register,
        routes::{error, json},
        table::Entry,
    },
    Operator,
    relay::ShownRelay,
};

/// Peers, and registrations, in one answer to the page: more than anyone scrolls through; the
/// search finds the others.
pub(super) const MAX_SHOWN: usize = 300;
/// Longest label in the list of the page.
const MAX_LABEL: usize = 200;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/admin", get(dashboard))
        .route("/admin/state.json", get(state))
        .route("/admin/kick", post(kick))
        .route("/admin/block", post(block))
        .route("/admin/unblock", post(unblock))
        .route("/admin/unregister", post(unregister))
        .route("/peers.json", get(peers))
        .route("/logs.json", get(logs))
        .route("/registrations.json", get(registrations))
}

async fn dashboard(_: Operator) -> Response {
    page::admin()
}

/// A peer as existing servers list it: here the keys have underscores.
#[derive(Serialize)]
struct Listed<'a> {
    peer_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    avatar_hash: &'a str,
    ts: i64,
    last_seen: i64,
    bytes_sent: u64,
    bytes_received: u64,
}

async fn peers(State(app): State<Arc<App>>, _: Operator) -> Response {
    let clock = (app.clock)();
    let table = app.hub.table();
    let mut listed: Vec<_> = table
        .entries()
        .map(|entry| Listed {
            peer_id: entry.message.peer.to_base58(),
            kind: entry.message.kind.as_str(),
            content: &entry.message.label,
            email: &entry.message.email,
            avatar_hash: &entry.message.avatar_hash,
            ts: entry.message.ts,
            last_seen: at(table.seen(entry), clock),
            bytes_sent: entry.sent,
            bytes_received: table.received(entry),
        })
        .collect();
    listed.sort_by_key(|peer| {
        let online = peer.kind == Kind::Online.as_str();
        (!online, std::cmp::Reverse(peer.last_seen))
    });
    json([go_json::to_vec(&listed), b"\n".into()].concat())
}

async fn logs(State(app): State<Arc<App>>, _: Operator) -> Response {
    json([go_json::to_vec(&app.log.lines()), b"\n".into()].concat())
}

/// Metadata is a text that holds JSON, as existing servers list it; without anyone the answer is
/// `null`.
async fn registrations(State(app): State<Arc<App>>, _: Operator) -> Response {
    let listed = |record: Record| {
        serde_json::json!({
            "email": record.email,
            "created_at": record.created_at,
            "verified_at": record.verified_at,
            "metadata": serde_json::Value::Object(record.metadata).to_string(),
        })
    };
    let body = match app.registrations.as_ref().map(Registrations::list) {
        None => b"[]".to_vec(),
        Some(records) if records.is_empty() => b"null".to_vec(),
        Some(records) => go_json::to_vec(&records.into_iter().map(listed).collect::<Vec<_>>()),
    };
    let content_type = (header::CONTENT_TYPE, "application/json");
    ([content_type], body).into_response()
}

#[derive(Deserialize)]
struct Registered {
    email: String,
}

async fn unregister(
    State(app): State<Arc<App>>,
    _: Operator,
    Json(Registered { email }): Json<Registered>,
) -> Response {
    let Some(registrations) = &app.registrations else {
        return error(StatusCode::NOT_FOUND, "registration requires database");
    };
    match registrations.remove(&email).await {
        Ok(true) => {
            app.log
                .add((app.clock)(), format!("the operator removed {email}"));
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(false) => error(StatusCode::NOT_FOUND, "not registered"),
        Err(why) => error(register::status(&why), &why.to_string()),
    }
}

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
    log: Vec<String>,
}

#[derive(Serialize)]
struct ShownPeer {
    id: String,
    label: String,
    email: String,
    verified: bool,
    addrs: Vec<String>,
    from: String,
    since: i64,
    last_seen: i64,
}

#[derive(Serialize)]
struct ShownRecord {
    email: String,
    created_at: i64,
    verified_at: i64,
    peer: Option<String>,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn state(
    State(app): State<Arc<App>>,
    _: Operator,
    Query(Search { q }): Query<Search>,
) -> Response {
    let clock = (app.clock)();
    let wanted = q.to_lowercase();
    let counters = &app.hub.counters;
    let (peers, matching, total, proved) = {
        let table = app.hub.table();
        let mut found: Vec<_> = table
            .entries()
            .filter(|entry| matches(entry, &wanted))
            .collect();
        found.sort_by_key(|entry| std::cmp::Reverse(entry.since));
        let matching = found.len();
        let shown = found
            .iter()
            .take(MAX_SHOWN)
            .map(|entry| shown(entry, table.seen(entry), clock));
        (shown.collect(), matching, table.len(), table.proved())
    };
    let mut blocked: Vec<_> = app
        .hub
        .blocked()
        .iter()
        .map(|peer| peer.to_base58())
        .collect();
    blocked.sort();
    let (records, registered) = match &app.registrations {
        Some(registrations) => registrations.find(&wanted, MAX_SHOWN),
        None => Default::default(),
    };
    let limits = &app.config.limits;
    let rate = |rate: Rate| format!("{} in {} s", rate.burst, rate.per.as_secs());
    let shown = Shown {
        peers,
        matching,
        total,
        proved,
        subscribers: app.seats.taken(),
        delivered: counters
            .delivered
            .load(std::sync::atomic::Ordering::Relaxed),
        throttled: counters
            .throttled
            .load(std::sync::atomic::Ordering::Relaxed),
        uptime_seconds: app.started.elapsed().as_secs(),
        relay: app.relay().map(ShownRelay::new),
        limits: vec![
            ("Peers", limits.peers.to_string()),
            ("Event streams", limits.subscribers.to_string()),
            (
                "Event streams of one address",
                limits.subscribers_each.to_string(),
            ),
            ("Messages of one address", rate(limits.publish)),
            ("Messages of one peer", rate(limits.publish_peer)),
            (
                "Silent peers are gone after",
                format!("{} s", limits.ttl.as_secs()),
            ),
        ],
        blocked,
        blocks_stay: app.registrations.is_some(),
        registrations: records.into_iter().map(shown_record).collect(),
        registered,
        log: app.log.lines(),
    };
    let mut answer = Json(shown).into_response();
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
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
        addrs: entry.message.addrs.clone(),
        from: entry
            .from
            .map_or_else(|| "another instance".into(), |client| client.to_string()),
        since: at(entry.since, clock),
        last_seen: at(seen, clock),
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

/// A moment of the monotonic clock on the other one.
pub(crate) fn at(moment: Instant, clock: i64) -> i64 {
    clock - i64::try_from(moment.elapsed().as_millis()).unwrap_or(0)
}

#[derive(Deserialize)]
struct Subject {
    peer: String,
}

async fn kick(
    State(app): State<Arc<App>>,
    _: Operator,
    Json(Subject { peer }): Json<Subject>,
) -> Response {
    act(&app, &peer, "removed", |peer, clock| {
        app.hub.kick(&peer, clock)
    })
}

async fn block(
    State(app): State<Arc<App>>,
    _: Operator,
    Json(Subject { peer }): Json<Subject>,
) -> Response {
    let done = act(&app, &peer, "blocked", |peer, clock| {
        app.hub.block(peer, clock)
    });
    remember(&app, &peer, true, done).await
}

async fn unblock(
    State(app): State<Arc<App>>,
    _: Operator,
    Json(Subject { peer }): Json<Subject>,
) -> Response {
    let done = act(&app, &peer, "unblocked", |peer, _| app.hub.unblock(&peer));
    remember(&app, &peer, false, done).await
}

/// A block that was made or taken back stays so at the next start, where there is a database.
async fn remember(app: &App, peer: &str, blocked: bool, done: Response) -> Response {
    let (Some(registrations), Some(peer), true) = (
        &app.registrations,
        id::parse(peer),
        done.status().is_success(),
    ) else {
        return done;
    };
    match registrations.block(peer, blocked).await {
        Ok(()) => done,
        Err(_) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "done, but it could not be written down for the next start",
        ),
    }
}

fn act(app: &App, peer: &str, done: &str, act: impl FnOnce(PeerId, i64) -> bool) -> Response {
    let Some(peer) = id::parse(peer) else {
        return error(StatusCode::BAD_REQUEST, "not a peer id");
    };
    let clock = (app.clock)();
    if !act(peer, clock) {
        return error(StatusCode::NOT_FOUND, "nothing to do");
    }
    app.log.add(clock, format!("{peer} {done} by the operator"));
    StatusCode::NO_CONTENT.into_response()
}
