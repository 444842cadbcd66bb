//! One HTTP request from the calling thread, and so from the network namespace that thread is in.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, header::HeaderMap, redirect::Policy};
use serde_json::Value;
use tokio::runtime::Builder;

/// Longer than any answer of the viewer may take (a visit gives up after 10 s, a data operation after 15 s).
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Sends on connections of its own, follows no redirect, uses no proxy.
pub(crate) fn send(
    request: impl FnOnce(&Client) -> RequestBuilder,
) -> Result<Answer, reqwest::Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs no more than a few handles");
    runtime.block_on(async {
        let answer = request(&client()).send().await?;
        Ok(Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.bytes().await?.into(),
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
