//! Asks the server for its relay (`/relay`).

use std::time::Duration;

use goop2_proto::relay::{self, Relay};
use reqwest::{StatusCode, header::HeaderMap};
use tokio::time::sleep;

use super::{answer, config::Config, fault::Fault, session::Session};

/// How often the relay is asked for without a reconnect.
const RELAY_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Asks now, whenever a stream was opened, and every few minutes.
pub(super) async fn run(session: &Session) {
    let mut opened = session.opened.subscribe();
    loop {
        match ask(session).await {
            Ok(relay) => session.update(|state| state.relay = relay),
            Err(fault) => tracing::debug!(fault.reason, "the relay is not known"),
        }
        tokio::select! {
            changed = opened.changed() => if changed.is_err() { return },
            () = sleep(RELAY_AGAIN.mul_f64(0.5 + rand::random::<f64>() / 2.0)) => {}
        }
    }
}

/// None if the server has none.
async fn ask(session: &Session) -> Result<Option<Relay>, Fault> {
    let Config { address, http, .. } = &session.config;
    let response = http
        .get(session.address().at("relay"), HeaderMap::new())
        .await?;
    session.answered(&response);
    match response.status() {
        StatusCode::OK => {
            let body = answer::body(response, relay::MAX_BODY).await;
            Ok(body.and_then(|body| Relay::decode(&body)))
        }
        StatusCode::NOT_FOUND | StatusCode::BAD_GATEWAY => Ok(None),
        _ => Err(Fault::of(response, address).await),
    }
}
