//! Asks for the stream of events, and looks whether the answer is one.

use reqwest::{
    Response,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

use super::{address::Address, fault::Fault, http::Http, portal};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Waits for the head of the answer, whatever it is.
pub(super) async fn ask(
    http: &Http,
    address: &Address,
    last_id: Option<&str>,
) -> Result<Response, Fault> {
    let mut url = address.at("events");
    url.set_query(Some("changes=1"));
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(LAST_EVENT_ID, id);
    }
    http.get(url, headers).await
}

/// The answer, if it is the stream of a rendezvous.
pub(super) async fn check(
    http: &Http,
    address: &Address,
    response: Response,
) -> Result<Response, Fault> {
    let stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if response.status().is_success() && stream {
        return Ok(response);
    }
    if let Some(reason) = portal::asks_to_log_in(http, address, &response).await {
        return Err(Fault::unreachable(reason));
    }
    if response.status().is_success() {
        let reason = format!("there is no rendezvous at {address}");
        return Err(Fault::refused(reason));
    }
    Err(Fault::of(response, address).await)
}
