//! Registers an email address for a peer (§6.8).

use std::time::Duration;

use goop2_proto::{Keypair, registration};
use serde_json::Value;

use super::{address::Address, answer, http::Http};

/// Longer than the mail server of a rendezvous may take: the answer says what it said.
const PATIENCE: Duration = Duration::from_secs(25);

/// Asks a server to register an address for the peer of this key. Both results are messages for
/// people.
pub async fn register(
    http: &Http,
    server: &Address,
    key: &Keypair,
    email: &str,
    now_unix_ms: i64,
) -> Result<String, String> {
    let request = registration::Request {
        email: registration::email(email)
            .ok_or("that isn't an email address")?
            .to_owned(),
        peer: key.public().to_peer_id(),
        ts: now_unix_ms,
    };
    let answer = http.post_patiently(server.at("register"), request.sign(key), PATIENCE);
    let response = answer.await.map_err(|fault| fault.reason)?;
    let status = response.status();
    let body = answer::body(response, registration::MAX_BODY)
        .await
        .unwrap_or_default();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |key| answer.get(key).and_then(Value::as_str).map(str::to_owned);
    match text("message") {
        Some(message) if status.is_success() => Ok(message),
        _ => Err(text("error")
            .unwrap_or_else(|| "this server doesn't support registration from Goop2".into())),
    }
}
