//! The login page of a network (a captive portal), which answers in place of every server.
//!
//! Only requests without TLS can be answered by another. A page that answers a path that no server
//! has, too, or sends it to the same place, is taken for one: asking a known server of the Internet
//! instead, as browsers do, would tell that server about every user.

use std::time::Duration;

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, LOCATION},
};
use tokio::time::timeout;
use url::Url;

use super::{address::Address, http::Http};

/// The second question; a login page is near.
const AGAIN: Duration = Duration::from_secs(3);

/// What a login page does with any request.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Page,
    /// Sends it to another place, whatever was asked for.
    Elsewhere(Option<String>),
}

/// If the answer, which is not the one of a rendezvous, may be one of a login page: what to say.
pub(super) async fn asks_to_log_in(
    http: &Http,
    address: &Address,
    response: &Response,
) -> Option<String> {
    let log_in = format!("this network asks you to log in. Open {address} in a browser");
    if response.status() == StatusCode::NETWORK_AUTHENTICATION_REQUIRED {
        return Some(log_in);
    }
    let kind = kind(response, "events").filter(|_| address.is_plain())?;
    let nowhere = format!("goop2-{:016x}", rand::random::<u64>());
    let asking = http.get(address.at(&nowhere), HeaderMap::new());
    let again = timeout(AGAIN, asking).await.ok()?.ok()?;
    if self::kind(&again, &nowhere)? != kind {
        return None;
    }
    Some(match kind {
        Kind::Elsewhere(_) => log_in,
        Kind::Page => format!(
            "this network asks you to log in, or there is no rendezvous at {address}. Open that address in a browser to see"
        ),
    })
}

/// A server that has moved keeps the path.
fn kind(response: &Response, asked: &str) -> Option<Kind> {
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let location: Url = response.url().join(location).ok()?;
        let host = location.host_str().map(str::to_owned);
        return (!location.path().ends_with(asked)).then_some(Kind::Elsewhere(host));
    }
    let page = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    (status.is_success() && page).then_some(Kind::Page)
}
