//! The data API (PROTOCOL §9.4): a suffix and a JSON body make one operation on one peer's
//! database.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use goop2_peer::Error;
use goop2_proto::{PeerId, data, exact, go_json};
use serde_json::{Map, Value, json};

use crate::{answer, app::App, body::Input, door::origin::Visitor};

/// Suffix, operation (§5.1), and its method in the local API; `None` if the local API lacks it.
const OPERATIONS: [(&str, &str, Option<Method>); 16] = [
    ("tables", "tables", Some(Method::GET)),
    ("tables/create", "create-table", Some(Method::POST)),
    ("tables/describe", "describe", Some(Method::POST)),
    ("tables/delete", "delete-table", Some(Method::POST)),
    ("tables/add-column", "add-column", Some(Method::POST)),
    ("tables/drop-column", "drop-column", Some(Method::POST)),
    ("tables/rename", "rename-table", Some(Method::POST)),
    ("insert", "insert", Some(Method::POST)),
    ("query", "query", Some(Method::POST)),
    ("update", "update", Some(Method::POST)),
    ("delete", "delete", Some(Method::POST)),
    ("usage", "usage", Some(Method::GET)),
    ("remove-rows", "remove-rows", Some(Method::POST)),
    ("compact", "compact", Some(Method::POST)),
    ("lua/call", "lua-call", None),
    ("lua/list", "lua-list", None),
];

/// `/api/data/<suffix>`: the user's own database, without restrictions.
pub(crate) async fn local(
    State(app): State<Arc<App>>,
    Path(suffix): Path<String>,
    method: Method,
    Input(body): Input,
) -> Response {
    match &*suffix {
        "tables/set-policy" if method == Method::POST => set_policy(&app, &body).await,
        "tables/set-policy" => answer::wrong_method().await,
        _ => match local_operation(&suffix) {
            Some((op, wanted)) if wanted == method => run_local(&app, op, &body).await,
            Some(_) => answer::wrong_method().await,
            None => unknown(),
        },
    }
}

fn local_operation(suffix: &str) -> Option<(&'static str, Method)> {
    let (_, op, wanted) = OPERATIONS.iter().find(|(name, ..)| *name == suffix)?;
    Some((op, wanted.clone()?))
}

async fn run_local(app: &App, op: &str, body: &[u8]) -> Response {
    match request(op, body) {
        Ok(request) => told(app.peer.data(app.peer.id(), request).await, locally_missing),
        Err(error) => answer::text(StatusCode::BAD_REQUEST, &format!("invalid json: {error}")),
    }
}

fn unknown() -> Response {
    answer::text(StatusCode::NOT_FOUND, "unknown data operation")
}

/// `/api/p/<peer>/data/<suffix>`: that peer's database under its owner's policy; the user's own as
/// above, or under its policy for a stranger.
pub(crate) async fn proxy(
    app: &App,
    visitor: Visitor,
    peer: PeerId,
    suffix: &str,
    body: &[u8],
) -> Response {
    let Some((_, op, _)) = OPERATIONS.iter().find(|(name, ..)| *name == suffix) else {
        return unknown();
    };
    match request(op, body) {
        Ok(request) => told(app.data(visitor, peer, request).await, |_| false),
        Err(error) => answer::text(StatusCode::BAD_REQUEST, &error),
    }
}

/// An operation's own error is 500 with its text, a lost connection to the peer 502 (§9.4).
pub(crate) fn status(error: &Error) -> StatusCode {
    match answer::status(error) {
        StatusCode::GATEWAY_TIMEOUT => StatusCode::BAD_GATEWAY,
        status => status,
    }
}

fn told(answer: Result<Option<Value>, Error>, incomplete: fn(&str) -> bool) -> Response {
    match answer {
        Ok(value) => line(&value.unwrap_or(Value::Null)),
        Err(Error::Data(text)) if incomplete(&text) => answer::text(StatusCode::BAD_REQUEST, &text),
        Err(error) => answer::text(status(&error), &error.to_string()),
    }
}

/// The local API distinguishes missing fields from failed operations (§9.4); the texts of the
/// former all end alike (§5.4).
fn locally_missing(error: &str) -> bool {
    error.ends_with(" required")
}

fn line(value: &Value) -> Response {
    let mut text = go_json::to_vec(value);
    text.push(b'\n');
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

async fn set_policy(app: &App, body: &[u8]) -> Response {
    let object: Map<String, Value> = match serde_json::from_slice(body) {
        Ok(object) => object,
        Err(error) => {
            return answer::text(StatusCode::BAD_REQUEST, &format!("invalid json: {error}"));
        }
    };
    let field = |name| {
        object
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (table, policy) = (field("table"), field("policy"));
    match app.peer.set_policy(table, policy.clone()).await {
        Ok(()) => line(&json!({"status": "updated", "policy": policy})),
        Err(error) => answer::text(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// The body is the operation's request without its name; two suffixes spell a field differently.
fn request(op: &str, body: &[u8]) -> Result<data::Request, String> {
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    if let Some(problem) = exact::problem(body) {
        return Err(problem);
    }
    let mut object: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match op {
        "create-table" => {
            if let Some(columns) = object.shift_remove("columns") {
                object.insert("column_defs".into(), columns);
            }
        }
        "drop-column" => {
            if let Some(Value::String(name)) = object.get("column") {
                object["column"] = json!({ "name": name });
            }
        }
        _ => {}
    }
    let request = data::Request::from_value(Value::Object(object)).map_err(|invalid| invalid.0)?;
    Ok(data::Request {
        op: op.into(),
        ..request
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_become_requests() {
        let request = |op, body: &str| request(op, body.as_bytes());
        assert_eq!(
            request("tables", "").unwrap(),
            data::Request {
                op: "tables".into(),
                ..Default::default()
            }
        );
        let create = request(
            "create-table",
            r#"{"name":"t","columns":[{"name":"a","type":"TEXT"}]}"#,
        )
        .unwrap();
        assert_eq!(
            (create.name.as_str(), create.column_defs[0].name.as_str()),
            ("t", "a")
        );
        let drop = request("drop-column", r#"{"table":"t","column":"a"}"#).unwrap();
        assert_eq!(drop.column.unwrap().name, "a");
        let query = request("query", r#"{"op":"delete-table","Op":"x","table":"t","columns":["a"],"where":"a = ?","args":[1]}"#).unwrap();
        assert_eq!((query.op.as_str(), query.columns.len()), ("query", 1));
        let exact = request("insert", r#"{"data":{"n":9223372036854775807}}"#).unwrap();
        assert_eq!(exact.data["n"], json!(i64::MAX));
        let rounded = request("insert", r#"{"data":{"n":123456789012345678901}}"#);
        assert!(rounded.unwrap_err().contains("send it as text"));
        for body in ["{", "[]", "1", r#"{"id":"1"}"#, "\u{fffd}"] {
            assert!(request("query", body).is_err(), "{body}");
        }
    }
}
