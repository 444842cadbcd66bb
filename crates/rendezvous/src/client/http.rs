//! HTTP to a rendezvous: bounded answers, restricted redirects, and errors in plain words.

use std::{io, net::IpAddr, time::Duration};

use reqwest::{
    Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect,
};

use rustls::pki_types::CertificateDer;

use super::address::{Address, authority};
use crate::tls;

/// Time for name, connection and TLS on a slow line.
const CONNECT: Duration = Duration::from_secs(10);
/// Until the head of the answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A stream may be silent for long; a lost network should be noticed sooner.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Redirects within one server; more is a loop.
const MAX_HOPS: usize = 3;
/// What the HTTP client says when a name has no address; it has no type for it.
const NO_NAME: &str = "dns error";
/// How much of an answer's text is shown to people.
const MAX_TEXT: usize = 200;

/// Shared by all clients of a process, so that certificates are loaded once and connections reused.
#[derive(Clone, Debug)]
pub struct Http(reqwest::Client);

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The server refused; otherwise it was not reached or violated the protocol.
    pub(super) refused: bool,
    /// In plain words.
    pub(super) reason: String,
    /// How long the server asks us to wait.
    pub(super) retry_after: Option<Duration>,
}

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

    /// Sends a request and waits for the head of the answer, whatever its status.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
    ) -> Result<Response, Fault> {
        let host = authority(&url);
        let mut request = self.0.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        match tokio::time::timeout(ANSWER, request.send()).await {
            Ok(answer) => answer.map_err(|error| Fault::unreachable(describe(&error, &host))),
            Err(_) => Err(Fault::unreachable("the server doesn't answer".into())),
        }
    }

    pub(super) async fn get(&self, url: Url, headers: HeaderMap) -> Result<Response, Fault> {
        self.send(Method::GET, url, headers, None).await
    }

    pub(super) async fn post(&self, url: Url, body: Vec<u8>) -> Result<Response, Fault> {
        self.send(Method::POST, url, HeaderMap::new(), Some(body))
            .await
    }
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

impl Fault {
    pub(super) fn unreachable(reason: String) -> Self {
        Self {
            refused: false,
            reason,
            retry_after: None,
        }
    }

    pub(super) fn refused(reason: String) -> Self {
        Self {
            refused: true,
            reason,
            retry_after: None,
        }
    }

    /// What a status other than success means.
    pub(super) async fn of(response: Response, address: &Address) -> Self {
        let status = response.status();
        let retry_after = retry_after(&response);
        let location = response
            .headers()
            .get(reqwest::header::LOCATION)
            .and_then(|location| response.url().join(location.to_str().ok()?).ok());
        let text = text(response).await;
        let reason = match (status, location) {
            (_, Some(url)) if status.is_redirection() => match Address::parse(url.as_str()) {
                Ok(other) => format!("the server has moved to {other}"),
                Err(_) => "the server redirects to an invalid address".into(),
            },
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => {
                format!("there is no rendezvous at {address}")
            }
            _ => refusal(status, &text),
        };
        Self {
            refused: !status.is_server_error(),
            reason,
            retry_after,
        }
    }
}

/// The short texts of servers (§6.3, §6.4), in plain words.
fn refusal(status: StatusCode, text: &str) -> String {
    match text {
        "" => format!("the server refused: {status}"),
        "blocked" => "the administrator of this rendezvous has blocked you".into(),
        "signed presence required" => {
            "this rendezvous only accepts peers that sign their presence".into()
        }
        "too many peers" => "this rendezvous is full".into(),
        _ if text.starts_with("too many SSE connections from") => {
            "too many peers on your network use this rendezvous".into()
        }
        _ if text.starts_with("too many SSE connections") => "this rendezvous is full".into(),
        _ => format!("the server refused: {text}"),
    }
}

/// The body; none if it is longer than that or incomplete.
pub(super) async fn body(mut response: Response, max_bytes: usize) -> Option<Vec<u8>> {
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            if body.len() + chunk.len() > max_bytes {
                return None;
            }
            body.extend_from_slice(&chunk);
        }
        Some(body)
    };
    tokio::time::timeout(ANSWER, read).await.ok()?
}

/// The first line of a plain-text answer.
async fn text(response: Response) -> String {
    let plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !plain {
        return String::new();
    }
    let body = body(response, 4 * MAX_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let line = text.lines().next().unwrap_or_default();
    line.chars()
        .filter(|c| !c.is_control())
        .take(MAX_TEXT)
        .collect()
}

/// In seconds, as these servers write it; the form with a date is ignored.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// Where the answer came from.
pub(super) fn ip(response: &Response) -> Option<IpAddr> {
    Some(response.remote_addr()?.ip())
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

pub(super) fn describe(error: &reqwest::Error, host: &str) -> String {
    if let Some(why) = tls::explain(error, host) {
        return if why.ends_with("doesn't use TLS") {
            format!("{why}. Start the address with http:// instead")
        } else {
            why
        };
    }
    let causes = tls::causes(error);
    let innermost = causes.clone().last().map(ToString::to_string);
    if causes.clone().any(|cause| cause.to_string() == NO_NAME) {
        return format!(
            "{host} was not found. Check the spelling, and whether this computer is online"
        );
    }
    // TLS wraps the errors of the socket.
    let io = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    match io.map(io::Error::kind).filter(|kind| *kind != io::ErrorKind::Other).last() {
        Some(io::ErrorKind::ConnectionRefused) => format!("{host} doesn't answer"),
        Some(
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown,
        ) => {
            format!("{host} can't be reached from this network")
        }
        Some(io::ErrorKind::TimedOut) => format!("{host} didn't answer in time"),
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof,
        ) => "the server closed the connection".into(),
        _ if error.is_timeout() => format!("{host} didn't answer in time"),
        _ => innermost.unwrap_or_else(|| error.to_string()),
    }
}

#[cfg(test)]
mod tests;
