//! Changes as server-sent events, the body of an answer (`docs/protocol-v2.md`).

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use goop2_proto::http::CHANGES;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
    request::Parts,
};
use tokio::time::timeout;

use crate::{
    live::changes::{Message, Since, Subscriber},
    sites::http::{Body, of_stream},
};

/// The media type of events.
const EVENTS: &str = "text/event-stream";
/// Between comments on a quiet stream: less than readers wait for a byte.
const QUIET: Duration = Duration::from_secs(25);

/// An answer that takes longer came through a new connection.
pub(crate) const SOON: Duration = Duration::from_millis(200);

/// What a page says about itself: how old it is in milliseconds (`age`), and the last event that it
/// heard (`last`). Without either, it loads now.
pub(crate) fn since(query: &str) -> Since {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    };
    let age = value("age").and_then(|age| age.parse().ok());
    let last = value("last").and_then(|last| {
        let (run, number) = last.split_once('-')?;
        Some((u64::from_str_radix(run, 16).ok()?, number.parse().ok()?))
    });
    Since {
        age: Duration::from_millis(age.unwrap_or_default()),
        last,
    }
}

/// The request for such an answer.
pub(crate) fn request(since: Since) -> Parts {
    let mut address = format!("{CHANGES}?age={}", since.age.as_millis());
    if let Some((run, number)) = since.last {
        address = format!("{address}&last={run:x}-{number}");
    }
    let mut request = Request::get(address);
    if let Some(headers) = request.headers_mut() {
        headers.insert(ACCEPT, HeaderValue::from_static(EVENTS));
    }
    let request = request
        .body(())
        .expect("a path and a number are an address");
    request.into_parts().0
}

/// Whether this is one.
pub(crate) fn is_one<B>(response: &Response<B>) -> bool {
    let mime = response.headers().get(CONTENT_TYPE);
    let mime = mime.and_then(|mime| mime.to_str().ok()).unwrap_or_default();
    response.status() == StatusCode::OK && mime.starts_with(EVENTS)
}

/// The answer that goes on as long as the subscriber reads. What `held` holds is dropped with it.
pub(crate) fn answer(mut subscriber: Subscriber, held: impl Send + 'static) -> Response<Body> {
    let first = event(&subscriber.first());
    let events = stream::unfold((Some(first), subscriber), move |(first, mut subscriber)| {
        let _as_long_as_the_stream = &held;
        async move {
            if let Some(first) = first {
                return Some((Ok(first), (None, subscriber)));
            }
            let bytes = match timeout(QUIET, subscriber.next()).await {
                Ok(message) => event(&message?),
                Err(_quiet) => Bytes::from_static(b": quiet\n\n"),
            };
            Some((Ok(bytes), (None, subscriber)))
        }
    });
    let mut response = Response::new(of_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn event(message: &Message) -> Bytes {
    let json = serde_json::to_string(message).expect("text and flags always encode");
    format!("id: {:x}-{}\ndata: {json}\n\n", message.run, message.number).into()
}
