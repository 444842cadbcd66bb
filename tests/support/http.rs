//! One HTTP request from the calling thread, and so from the network namespace that thread is in.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, header::HeaderMap, redirect::Policy};
use serde_json::Value;
use tokio::runtime::Builder;

/// Longer than any answer of the viewer may take (a visit gives up after 10 s, a data operation
/// after 15 s), and than what the lab fetches slowly on purpose (26 s).
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| {
            value.to_str().expect("headers of ours are ASCII")
        })
    }
}

/// An answer, and how long it took from the request on.
pub(crate) struct Timed {
    pub(crate) answer: Answer,
    /// To the first byte of the body.
    pub(crate) first_byte: Duration,
    pub(crate) whole: Duration,
}

/// Sends on connections of its own, follows no redirect, uses no proxy.
pub(crate) fn send(
    request: impl FnOnce(&Client) -> RequestBuilder,
) -> Result<Answer, reqwest::Error> {
    timed(request).map(|timed| timed.answer)
}

pub(crate) fn timed(
    request: impl FnOnce(&Client) -> RequestBuilder,
) -> Result<Timed, reqwest::Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs no more than a few handles");
    runtime.block_on(async {
        let started = Instant::now();
        let mut response = request(&client()).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (mut body, mut first_byte) = (Vec::new(), None);
        while let Some(chunk) = response.chunk().await? {
            first_byte.get_or_insert_with(|| started.elapsed());
            body.extend_from_slice(&chunk);
        }
        let whole = started.elapsed();
        Ok(Timed {
            answer: Answer {
                status,
                headers,
                body,
            },
            first_byte: first_byte.unwrap_or(whole),
            whole,
        })
    })
}

/// As a script would be: no redirects followed, no proxy of the environment in between.
pub(crate) fn client() -> Client {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .expect("no TLS, nothing that can be missing")
}
