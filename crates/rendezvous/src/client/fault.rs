//! Why a request to a rendezvous failed, in plain words.

use std::{error, io, time::Duration};

use reqwest::{Response, StatusCode, header::CONTENT_TYPE};

use super::{
    address::{Address, authority},
    answer::{body, retry_after},
};
use crate::tls;

/// What the HTTP client says when a name has no address; it has no type for it.
const NO_NAME: &str = "dns error";
/// How much of an answer's text is shown to people.
const MAX_TEXT: usize = 200;

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
        let host = authority(response.url());
        let text = text(response).await;
        let reason = match (status, location) {
            (_, Some(url)) if status.is_redirection() => match Address::parse(url.as_str()) {
                Ok(other) => format!("the server has moved to {other}"),
                Err(_) => "the server redirects to an invalid address".into(),
            },
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => {
                format!("there is no rendezvous at {address}")
            }
            (StatusCode::BAD_REQUEST, _) if expects_tls(&text) => expects_https(&host),
            _ if status.is_server_error() => failure(status, &text),
            _ => refusal(status, &text),
        };
        Self {
            refused: !status.is_server_error(),
            reason,
            retry_after,
        }
    }
}

/// A server that cannot do what it should; existing and other servers say little about it.
fn failure(status: StatusCode, text: &str) -> String {
    match (status, text) {
        (
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
            "",
        ) => {
            format!("the server is not running right now ({status})")
        }
        (_, "") => format!("the server has a problem ({status})"),
        (_, text) => format!("the server has a problem: {text}"),
    }
}

/// How common web servers answer a request without TLS at a port with TLS.
fn expects_tls(text: &str) -> bool {
    ["HTTPS server", "HTTPS port", "SSL-enabled server port"]
        .iter()
        .any(|words| text.contains(words))
}

fn expects_https(host: &str) -> String {
    format!("{host} expects TLS. Start the address with https:// instead")
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
        _ if text.starts_with("bad message: ts is more than") => {
            "this computer's clock and the server's differ by more than an hour".into()
        }
        _ if text.starts_with("too many SSE connections from") => {
            "too many peers on your network use this rendezvous".into()
        }
        _ if text.starts_with("too many SSE connections") => "this rendezvous is full".into(),
        _ => format!("the server refused: {text}"),
    }
}

/// The first line of a plain-text answer. Of a page, only what says that TLS is expected.
async fn text(response: Response) -> String {
    let plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let refused = response.status() == StatusCode::BAD_REQUEST;
    if !plain && !refused {
        return String::new();
    }
    let body = body(response, 4 * MAX_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let line = if plain {
        text.lines().next().unwrap_or_default()
    } else {
        text.lines()
            .find(|line| expects_tls(line))
            .unwrap_or_default()
    };
    line.chars()
        .filter(|c| !c.is_control())
        .take(MAX_TEXT)
        .collect()
}

/// Why there was no answer. `plain`: the request was without TLS.
pub(super) fn describe(error: &reqwest::Error, host: &str, plain: bool) -> String {
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
    // A server with TLS answers with a message of TLS, which is not HTTP.
    let garbled = |cause: &(dyn error::Error + 'static)| {
        cause.downcast_ref().is_some_and(hyper::Error::is_parse)
    };
    if plain && causes.clone().any(garbled) {
        return expects_https(host);
    }
    // TLS wraps the errors of the socket.
    let io = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    match io
        .map(io::Error::kind)
        .filter(|kind| *kind != io::ErrorKind::Other)
        .last()
    {
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
