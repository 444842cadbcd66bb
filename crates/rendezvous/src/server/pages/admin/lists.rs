//! The lists that existing servers have, for tools.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use goop2_proto::{go_json, presence::Kind};
use serde::Serialize;

use super::administrator::Administrator;
use crate::{
    registration::{Record, Registrations},
    server::{app::App, clock::unix_millis_of, respond::json},
};

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

pub(super) async fn peers(State(app): State<Arc<App>>, _: Administrator) -> Response {
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
            last_seen: unix_millis_of(table.seen(entry), clock),
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

pub(super) async fn logs(State(app): State<Arc<App>>, _: Administrator) -> Response {
    json([go_json::to_vec(&app.log.lines()), b"\n".into()].concat())
}

/// Metadata is a text that holds JSON, as existing servers list it; without anyone the answer is
/// `null`.
pub(super) async fn registrations(State(app): State<Arc<App>>, _: Administrator) -> Response {
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
