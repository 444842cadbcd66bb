//! HTTP to a rendezvous: bounded answers, restricted redirects, and errors in plain words.

use std::time::Duration;

use reqwest::{
    Method, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION},
    redirect,
};

use rustls::pki_types::CertificateDer;

use super::{
    address::authority,
    fault::{Fault, describe},
};
use crate::tls;

/// Time for name, connection and TLS on a slow line.
const CONNECT: Duration = Duration::from_secs(10);
/// Until the head of the answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A stream may be silent for long; a lost network should be noticed sooner.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Redirects within one server; more is a loop.
const MAX_HOPS: usize = 3;
/// Shared by all clients of a process, so that certificates are loaded once and connections reused.
#[derive(Clone, Debug)]
pub struct Http(reqwest::Client);

impl Http {
    /// Trusts what the system trusts (on Linux `SSL_CERT_FILE` can add your own authority). Without
    /// any certificates, servers without TLS can still be reached.
    pub fn new() -> Self {
        Self::trusting(Vec::new())
    }

    /// Trusts these, too.
    fn trusting(more: Vec<CertificateDer<'static>>) -> Self {
        Self(client(redirect::Policy::custom(within_the_server), more))
    }

    /// Asks, and waits for the head of the answer, whatever its status.
    pub(super) async fn get(&self, url: Url, headers: HeaderMap) -> Result<Response, Fault> {
        let request = Request {
            method: Method::GET,
            headers,
            body: None,
        };
        within(ANSWER, self.send(url, request)).await
    }

    /// Sends JSON, and waits for the head of the answer, whatever its status.
    pub(super) async fn post(&self, url: Url, body: Vec<u8>) -> Result<Response, Fault> {
        self.post_patiently(url, body, ANSWER).await
    }

    /// As [`Self::post`], of something that takes the server longer.
    pub(super) async fn post_patiently(
        &self,
        url: Url,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<Response, Fault> {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let request = Request {
            method: Method::POST,
            headers,
            body: Some(body),
        };
        within(patience, self.send(url, request)).await
    }

    /// A server that sends its clients to its own encrypted port gets the same request there.
    async fn send(&self, url: Url, request: Request) -> Result<Response, Fault> {
        let answer = self.send_once(url.clone(), request.clone()).await?;
        match encrypted(&url, &answer) {
            Some(url) => self.send_once(url, request).await,
            None => Ok(answer),
        }
    }

    async fn send_once(&self, url: Url, request: Request) -> Result<Response, Fault> {
        let plain = url.scheme() == "http";
        let host = authority(&url);
        let mut sent = self.0.request(request.method, url).headers(request.headers);
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let answer = sent.send().await;
        answer.map_err(|error| Fault::unreachable(describe(&error, &host, plain)))
    }
}

/// What is sent, perhaps twice.
#[derive(Clone)]
struct Request {
    method: Method,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

async fn within(
    patience: Duration,
    answer: impl Future<Output = Result<Response, Fault>>,
) -> Result<Response, Fault> {
    let answer = tokio::time::timeout(patience, answer).await;
    answer.unwrap_or_else(|_| Err(Fault::unreachable("the server doesn't answer".into())))
}

/// Where a server without TLS sends its clients for the same with TLS: the library would not follow
/// to another port, nor send a body again.
fn encrypted(asked: &Url, answer: &Response) -> Option<Url> {
    let location = answer.headers().get(LOCATION)?.to_str().ok()?;
    let location = asked.join(location).ok()?;
    let same = (asked.host(), asked.path()) == (location.host(), location.path());
    let better = asked.scheme() == "http" && location.scheme() == "https";
    (answer.status().is_redirection() && same && better).then_some(location)
}

/// An HTTP client with a policy for redirects, which trusts what the system trusts, and `more`.
pub(crate) fn client(
    redirects: redirect::Policy,
    more: Vec<CertificateDer<'static>>,
) -> reqwest::Client {
    let builder = || {
        reqwest::Client::builder()
            .user_agent(concat!("goop2/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .tcp_keepalive(KEEP_ALIVE)
            // The IP address of the server decides which of our addresses it gets; a proxy would
            // hide it.
            .no_proxy()
    };
    match tls::config(more) {
        Ok(tls) => builder()
            .redirect(redirects)
            .tls_backend_preconfigured(tls)
            .build()
            .expect("with its certificates a client needs nothing else from the system"),
        Err(error) => {
            tracing::warn!(%error, "no certificates found; only servers without TLS can be reached");
            let bare = builder()
                .redirect(redirect::Policy::none())
                .tls_certs_only([])
                .build();
            bare.expect("without certificates a client needs nothing from the system")
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

/// A server may redirect within itself but not to another: what we publish is meant for this one.
fn within_the_server(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let origin = attempt.previous().first().map(Url::origin);
    if attempt.previous().len() > MAX_HOPS || origin != Some(attempt.url().origin()) {
        attempt.stop()
    } else {
        attempt.follow()
    }
}

#[cfg(test)]
mod tests;
