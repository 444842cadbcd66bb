//! Reports each verified address to another program (`presence.registration_webhook`).
//!
//! Confirming does not wait for it: calls go through a queue and one task. Redirects are not
//! followed, since the data is meant for the configured address only.

use std::time::Duration;

use reqwest::{Url, redirect};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::record::Record;
use crate::client::http;

/// Waiting calls: an hour of registrations while the other program is down.
const MAX_WAITING: usize = 600;
/// The time for one call.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The waits before the second and the third, last attempt.
const AGAIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];

#[derive(Debug)]
pub(super) struct Webhook {
    calls: mpsc::Sender<Vec<u8>>,
    _task: AbortOnDropHandle<()>,
}

impl Webhook {
    pub(super) fn spawn(url: Url) -> Self {
        let (calls, waiting) = mpsc::channel(MAX_WAITING);
        let client = http::client(redirect::Policy::none(), Vec::new());
        Self {
            calls,
            _task: AbortOnDropHandle::new(tokio::spawn(run(url, client, waiting))),
        }
    }

    pub(super) fn notify(&self, record: &Record) {
        let body = json!({"email": record.email, "verified_at": record.verified_at}).to_string();
        if self.calls.try_send(body.into_bytes()).is_err() {
            tracing::warn!("too many webhook calls are waiting; one was dropped");
        }
    }
}

async fn run(url: Url, client: reqwest::Client, mut waiting: mpsc::Receiver<Vec<u8>>) {
    while let Some(body) = waiting.recv().await {
        let mut again = AGAIN.into_iter();
        while let Err(why) = call(&url, &client, body.clone()).await {
            let Some(wait) = again.next() else {
                tracing::warn!(why, "the registration webhook could not be reached");
                break;
            };
            sleep(wait).await;
        }
    }
}

async fn call(url: &Url, client: &reqwest::Client, body: Vec<u8>) -> Result<(), String> {
    let request = client
        .post(url.clone())
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(body)
        .send();
    match timeout(TIMEOUT, request).await {
        Ok(Ok(response)) if response.status().is_success() => Ok(()),
        Ok(Ok(response)) => Err(response.status().to_string()),
        Ok(Err(error)) => Err(error.without_url().to_string()),
        Err(_) => Err("no answer in time".into()),
    }
}
