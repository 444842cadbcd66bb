//! What is read of an answer.

use std::{net::IpAddr, time::Duration};

use reqwest::{Response, header::RETRY_AFTER};
use tokio::time::timeout;

/// The time for a body; all of them are short.
const BODY: Duration = Duration::from_secs(10);

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
    timeout(BODY, read).await.ok()?
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
