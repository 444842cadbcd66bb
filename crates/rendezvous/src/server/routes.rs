//! All routes of the server (§6.2), and the handlers for programs.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use goop2_proto::{
    household,
    rendezvous::{Accepted, MAX_BODY, check},
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    app::{App, Publisher},
    connections::{accept::Takeover, client::Client},
    limit::Full,
    metrics,
    pages::{admin, assets, docs, public, register},
    presence::{hub::Audience, subscriber::Subscriber, table::Outcome},
    respond::{NOSNIFF, error, json, method_not_allowed, not_found, too_many},
};

/// A body of 16 KiB takes longer only on purpose.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The newest `ts` known of a peer that published an older one; it continues from there.
const NEWEST_TS: HeaderName = HeaderName::from_static("goop2-newest-ts");
/// Tells a peer that signs whether its address is registered, if that is required. Others get the
/// same answer whether their message is visible or not.
const REGISTRATION: HeaderName = HeaderName::from_static("goop2-registration");

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(public::page))
        .route("/publish", post(publish))
        .route("/events", get(events))
        .route("/relay", get(relay))
        .route("/healthz", any(health))
        .route("/metrics", get(metrics_text))
        .route("/api/templates", get(|| async { json("[]\n") }))
        .route("/register", get(register::form).post(register::request))
        .route("/verify", get(register::link).post(register::confirm))
        .route("/docs", get(docs::index))
        .route("/docs/", get(docs::index))
        .route("/docs/{slug}", get(docs::page))
        .route("/favicon.ico", get(assets::favicon))
        .route("/assets/{name}", get(assets::asset))
        .merge(admin::router())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

async fn publish(
    State(app): State<Arc<App>>,
    Extension(Client(client)): Extension<Client>,
    request: Request,
) -> Response {
    let now = Instant::now();
    if let Err(wait) = app.by_address.take(household::of(client), now) {
        return throttled(&app, wait);
    }
    let body = match read(request).await {
        Ok(body) => body,
        Err((status, text)) => return closing(error(status, text)),
    };
    let accepted = match check(&body, (app.clock)()) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            app.hub.counters.refused.fetch_add(1, Ordering::Relaxed);
            return error(StatusCode::BAD_REQUEST, &refusal.to_string());
        }
    };
    if let Some(refusal) = refusal(&app, &accepted, client, now) {
        return refusal;
    }
    let admitted = app.admits(&accepted);
    let reports = app.config.registration_required && accepted.proved;
    let mut answer = if admitted {
        store(&app, accepted, client, now)
    } else {
        StatusCode::NO_CONTENT.into_response()
    };
    if reports {
        let registration = if admitted { "registered" } else { "required" };
        let registration = HeaderValue::from_static(registration);
        answer.headers_mut().insert(REGISTRATION, registration);
    }
    answer
}

async fn read(request: Request) -> Result<Bytes, (StatusCode, &'static str)> {
    match timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, "body too large"))
        }
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "bad json")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "body too slow")),
    }
}

/// Why a valid message is not accepted from this client or peer.
fn refusal(app: &App, accepted: &Accepted, client: IpAddr, now: Instant) -> Option<Response> {
    let peer = accepted.message.peer;
    let publisher = if accepted.proved {
        Publisher::Proved(peer)
    } else {
        Publisher::Claimed(peer, household::of(client))
    };
    if let Err(wait) = app.by_peer.take(publisher, now) {
        return Some(throttled(app, wait));
    }
    let forbidden = |text| Some(error(StatusCode::FORBIDDEN, text));
    if app.config.require_signed && !accepted.proved {
        return forbidden("signed presence required");
    }
    if app.hub.blocked().contains(&peer) {
        return forbidden("blocked");
    }
    None
}

fn store(app: &App, accepted: Accepted, client: IpAddr, now: Instant) -> Response {
    let peer = accepted.message.peer;
    let outcome = app.hub.publish(accepted, client, now);
    if matches!(outcome, Outcome::Stored { twin: true, .. }) {
        let text = format!("{peer} is online on two computers, or as two copies of one folder");
        app.log.add((app.clock)(), text);
    }
    match outcome {
        Outcome::Stored { .. } | Outcome::Nothing | Outcome::Unproved => {
            StatusCode::NO_CONTENT.into_response()
        }
        Outcome::Replayed { newest } => {
            let mut answer = error(
                StatusCode::CONFLICT,
                "a later message of this peer is known",
            );
            answer
                .headers_mut()
                .insert(NEWEST_TS, HeaderValue::from(newest));
            answer
        }
        Outcome::Full => too_many("too many peers", app.config.limits.ttl),
    }
}

fn throttled(app: &App, wait: Duration) -> Response {
    app.hub.counters.throttled.fetch_add(1, Ordering::Relaxed);
    closing(too_many("rate limit exceeded", wait))
}

/// The unread rest of a body must not be taken for the next request.
fn closing(mut answer: Response) -> Response {
    answer
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[derive(Deserialize)]
struct EventsQuery {
    #[serde(default)]
    changes: String,
}

async fn events(
    State(app): State<Arc<App>>,
    Extension(Client(client)): Extension<Client>,
    Extension(Takeover(takeover)): Extension<Takeover>,
    Query(query): Query<EventsQuery>,
    method: Method,
    version: Version,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET {
        return method_not_allowed().await;
    }
    let slot = match app.subscribers.take(household::of(client)) {
        Ok(slot) => slot,
        Err(full) => {
            let limits = &app.config.limits;
            let text = match full {
                Full::All => format!("too many SSE connections ({})", limits.subscribers),
                Full::Client => format!(
                    "too many SSE connections from {client} ({})",
                    limits.subscribers_each
                ),
            };
            return too_many(&text, limits.ttl);
        }
    };
    let audience = if query.changes == "1" {
        Audience::Changes
    } else {
        Audience::Everything
    };
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let hub = Arc::clone(&app.hub);
    let subscriber = Subscriber::new(hub, audience, last_id, version == Version::HTTP_11, slot);
    // The connection leaves HTTP here, and this future is dropped with the rest of it.
    if takeover.send(subscriber).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    std::future::pending().await
}

async fn relay(State(app): State<Arc<App>>) -> Response {
    match app.relay().filter(|state| !state.relay.addrs.is_empty()) {
        Some(state) => json([state.relay.encode(), b"\n".into()].concat()),
        None => not_found().await,
    }
}

/// Always 200; the text is for monitoring.
async fn health(State(app): State<Arc<App>>) -> &'static str {
    app.health()
}

async fn metrics_text(State(app): State<Arc<App>>) -> Response {
    let content_type = (
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    );
    ([content_type, NOSNIFF], metrics::text(&app)).into_response()
}
