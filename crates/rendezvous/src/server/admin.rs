//! The operator's side (§6.6): the password, the session that stands for it, and what can be seen and done with either.
//!
//! Tools send the password with each request, as existing servers ask for it. A browser gets a form instead, and after it a
//! session: a cookie that no script can read and that no other site's request carries. What changes something needs, besides,
//! a header that a foreign page cannot send.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Extension, Form, Json, Router,
    extract::{FromRequestParts, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use goop2_proto::{
    PeerId, go_json, id,
    presence::{Kind, shorten},
};
use multibase::Base;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::registration::{Record, Registrations};

use super::{
    App,
    accept::Client,
    address::household,
    page,
    routes::{error, json, too_many},
    table::Entry,
};

/// How long a browser need not ask again: a working day.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// Browsers that are signed in; the oldest is signed out for the next.
const MAX_SESSIONS: usize = 64;
const COOKIE: &str = "goop2-admin";
/// The wait after a wrong password, doubled by each that follows.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// No longer than this: the operator mistypes too.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A client that fails no more is forgotten.
const FORGIVE: Duration = Duration::from_secs(15 * 60);
/// Clients whose failures are remembered; when all of them are recent, nobody may try.
const MAX_FAILING: usize = 4096;
/// Peers in one answer to the page: more than anyone scrolls through; the search finds the others.
const MAX_SHOWN: usize = 300;
/// Longest label in the list of the page.
const MAX_LABEL: usize = 200;
/// What only a page of this server's origin can send.
const INTENT: HeaderName = HeaderName::from_static("goop2-admin");

pub(crate) struct Admin {
    /// None = no password is set and nobody gets in.
    password: Option<[u8; 32]>,
    sessions: Mutex<HashMap<String, Instant>>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    count: u32,
    last: Instant,
}

/// Proof that the request is the operator's.
pub(crate) struct Operator;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/admin", get(dashboard))
        .route("/admin/login", post(login))
        .route("/admin/logout", post(logout))
        .route("/admin/state.json", get(state))
        .route("/admin/kick", post(kick))
        .route("/admin/block", post(block))
        .route("/admin/unblock", post(unblock))
        .route("/admin/unregister", post(unregister))
}

impl Admin {
    pub(crate) fn new(password: &str) -> Self {
        Self {
            password: (!password.is_empty()).then(|| Sha256::digest(password).into()),
            sessions: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Compares in constant time; a client that was wrong waits before it may try again.
    fn check(&self, password: &str, client: IpAddr, now: Instant) -> Result<bool, Duration> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, failed| now.saturating_duration_since(failed.last) < FORGIVE);
        let client = household(client);
        if failures.len() >= MAX_FAILING && !failures.contains_key(&client) {
            return Err(LONGEST_DELAY);
        }
        if let Some(failed) = failures.get(&client) {
            let until = failed.last + failed.delay();
            if now < until {
                return Err(until - now);
            }
        }
        // Hashes of equal length: the comparison tells nothing about the length either.
        let given: [u8; 32] = Sha256::digest(password).into();
        let right = self
            .password
            .is_some_and(|expected| expected.ct_eq(&given).into());
        if right {
            failures.remove(&client);
        } else {
            let failed = failures.entry(client).or_insert(Failures {
                count: 0,
                last: now,
            });
            failed.count += 1;
            failed.last = now;
        }
        Ok(right)
    }

    fn open(&self, now: Instant) -> String {
        let token = Base::Base64Url.encode(rand::random::<[u8; 32]>());
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, until| *until > now);
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, until)| **until);
            if let Some(oldest) = oldest.map(|(token, _)| token.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(token.clone(), now + SESSION);
        token
    }

    fn holds(&self, headers: &HeaderMap, now: Instant) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        tokens(headers).any(|token| sessions.get(token).is_some_and(|until| *until > now))
    }

    fn close(&self, headers: &HeaderMap) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for token in tokens(headers) {
            sessions.remove(token);
        }
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Failures {
    fn delay(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.count.saturating_sub(1));
        FIRST_DELAY.saturating_mul(doubled).min(LONGEST_DELAY)
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        if app.admin.password.is_none() {
            return Err(error(StatusCode::FORBIDDEN, "admin panel disabled"));
        }
        let (headers, now) = (&parts.headers, Instant::now());
        let safe = parts.method.is_safe();
        if !safe && !headers.contains_key(INTENT) {
            return Err(error(StatusCode::FORBIDDEN, "not from the admin page"));
        }
        if app.admin.holds(headers, now) {
            return Ok(Self);
        }
        let client = parts.extensions.get::<Client>().map(|client| client.0);
        let (Some(password), Some(client)) = (basic(headers), client) else {
            return Err(unauthorized(headers));
        };
        match app.admin.check(&password, client, now) {
            Ok(true) => Ok(Self),
            Ok(false) => Err(unauthorized(headers)),
            Err(wait) => Err(too_many("too many attempts", wait)),
        }
    }
}

/// The password of user `admin`.
fn basic(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = given.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Base::Base64Pad.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let password = text.strip_prefix("admin:");
    // Another user is a wrong password, and counts as one.
    Some(password.unwrap_or_default().to_owned())
}

fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// A person gets the form; a tool is asked for the password.
fn unauthorized(headers: &HeaderMap) -> Response {
    if wants_page(headers) {
        return page::login(StatusCode::UNAUTHORIZED, "");
    }
    let mut answer = error(StatusCode::UNAUTHORIZED, "unauthorized");
    answer.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"Goop2 Admin\""),
    );
    answer
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

#[derive(Deserialize)]
struct Login {
    password: String,
}

async fn login(
    State(app): State<Arc<App>>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    Form(Login { password }): Form<Login>,
) -> Response {
    if app.admin.password.is_none() {
        return error(StatusCode::FORBIDDEN, "admin panel disabled");
    }
    let now = Instant::now();
    match app.admin.check(&password, client, now) {
        Ok(true) => {
            app.log.add((app.clock)(), "the operator signed in");
            let secure = headers
                .get("x-forwarded-proto")
                .is_some_and(|proto| proto == "https");
            let secure = if secure { "; Secure" } else { "" };
            let cookie = format!(
                "{COOKIE}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
                app.admin.open(now),
                SESSION.as_secs()
            );
            ([(header::SET_COOKIE, cookie)], Redirect::to("/admin")).into_response()
        }
        Ok(false) => {
            app.log.add((app.clock)(), "a wrong admin password");
            page::login(StatusCode::UNAUTHORIZED, "That is not the password.")
        }
        Err(wait) => {
            let text = format!("Too many attempts. Try again in {} s.", wait.as_secs() + 1);
            let mut answer = page::login(StatusCode::TOO_MANY_REQUESTS, &text);
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            answer
        }
    }
}

async fn logout(State(app): State<Arc<App>>, _: Operator, headers: HeaderMap) -> Response {
    app.admin.close(&headers);
    let cookie = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response()
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

pub(crate) async fn peers(State(app): State<Arc<App>>, _: Operator) -> Response {
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
            last_seen: at(entry.seen, clock),
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

pub(crate) async fn logs(State(app): State<Arc<App>>, _: Operator) -> Response {
    json([go_json::to_vec(&app.log.lines()), b"\n".into()].concat())
}

/// Metadata is a text that holds JSON, as existing servers list it; without anyone the answer is `null`.
pub(crate) async fn registrations(State(app): State<Arc<App>>, _: Operator) -> Response {
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
        Err(why) => error(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
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
    relay: Option<super::Relay>,
    limits: Vec<(&'static str, String)>,
    blocked: Vec<String>,
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
            .map(|entry| shown(entry, clock));
        (shown.collect(), matching, table.len(), table.proved())
    };
    let mut blocked: Vec<_> = app
        .hub
        .blocked()
        .iter()
        .map(|peer| peer.to_base58())
        .collect();
    blocked.sort();
    let limits = &app.config.limits;
    let rate = |rate: super::Rate| format!("{} in {} s", rate.burst, rate.per.as_secs());
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
        relay: app
            .config
            .relay
            .as_ref()
            .and_then(|relay| relay.borrow().clone()),
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

fn shown(entry: &Entry, clock: i64) -> ShownPeer {
    ShownPeer {
        id: entry.message.peer.to_base58(),
        label: shorten(&entry.message.label, MAX_LABEL).into(),
        email: entry.message.email.clone(),
        verified: entry.proved,
        addrs: entry.message.addrs.clone(),
        from: entry.from.to_string(),
        since: at(entry.since, clock),
        last_seen: at(entry.seen, clock),
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
    act(&app, &peer, "blocked", |peer, clock| {
        app.hub.block(peer, clock)
    })
}

async fn unblock(
    State(app): State<Arc<App>>,
    _: Operator,
    Json(Subject { peer }): Json<Subject>,
) -> Response {
    act(&app, &peer, "unblocked", |peer, _| app.hub.unblock(&peer))
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

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    #[test]
    fn a_wrong_password_makes_the_next_attempt_wait_and_longer_each_time() {
        let (admin, mut now) = (Admin::new("right"), Instant::now());
        for delay in [500, 1000, 2000, 4000] {
            assert_eq!(admin.check("wrong", CLIENT, now), Ok(false));
            let wait = Duration::from_millis(delay);
            assert_eq!(admin.check("right", CLIENT, now), Err(wait));
            let elsewhere = [198, 51, 100, 1].into();
            assert_eq!(admin.check("right", elsewhere, now), Ok(true));
            now += wait;
        }
        assert_eq!(admin.check("right", CLIENT, now), Ok(true));
        assert_eq!(admin.check("wrong", CLIENT, now), Ok(false));
        assert_eq!(
            admin.check("right", CLIENT, now),
            Err(Duration::from_millis(500))
        );
    }

    #[test]
    fn the_wait_has_an_end() {
        let failed = Failures {
            count: u32::MAX,
            last: Instant::now(),
        };
        assert_eq!(failed.delay(), LONGEST_DELAY);
    }

    #[test]
    fn without_a_password_no_password_is_right() {
        let admin = Admin::new("");
        assert_eq!(admin.check("", CLIENT, Instant::now()), Ok(false));
    }

    #[test]
    fn sessions_end_and_are_few() {
        let (admin, now) = (Admin::new("x"), Instant::now());
        let cookie = |token: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("a=b; {COOKIE}={token}");
            headers.insert(header::COOKIE, value.parse().unwrap());
            headers
        };
        let first = cookie(&admin.open(now));
        assert!(admin.holds(&first, now));
        assert!(!admin.holds(&first, now + SESSION));
        assert!(!admin.holds(&cookie(""), now));
        for later in 1..=MAX_SESSIONS {
            admin.open(now + Duration::from_millis(later as u64));
        }
        assert!(!admin.holds(&first, now));
        let last = cookie(&admin.open(now + Duration::from_secs(1)));
        admin.close(&last);
        assert!(!admin.holds(&last, now));
    }

    #[test]
    fn the_password_of_a_tool_is_read() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            basic(&headers)
        };
        assert_eq!(of("Basic YWRtaW46cGE6c3M="), Some("pa:ss".into()));
        assert_eq!(of("basic YWRtaW46"), Some(String::new()));
        assert_eq!(of("Basic cm9vdDpwYXNz"), Some(String::new()));
        assert_eq!(of("Bearer x"), None);
        assert_eq!(of("Basic !"), None);
    }
}
