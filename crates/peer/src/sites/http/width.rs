//! Which answers come through a wide window ([`goop2_node::Stream::widen`]): those that may be large. It
//! is decided before anything is known of the file, because what comes first is already a round trip
//! away.

use std::time::Duration;

use http::{Method, request::Parts};

/// What counts as far, from the request to the head of the answer. Over less, the window of a stream
/// grows to what most lines hold before anybody notices.
pub(super) const FAR: Duration = Duration::from_millis(15);

/// Answers that come through wide windows at a time, over all peers: 32 MiB wait here when nobody reads
/// them. More come in pieces.
pub(super) const MAX_WIDE: usize = 4;

/// Kinds of files, by the end of their names, that are hardly ever larger than the window that a stream
/// begins with, or compressed by their owner. They share streams that are open.
const SMALL: [&str; 24] = [
    "avif",
    "cjs",
    "css",
    "gif",
    "htm",
    "html",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "json",
    "map",
    "md",
    "mjs",
    "otf",
    "png",
    "svg",
    "ttf",
    "txt",
    "vtt",
    "webmanifest",
    "webp",
    "woff2",
    "xml",
];

/// Whether the answer may be many times what is sent in a round trip.
pub(super) fn may_be_large(request: &Parts) -> bool {
    let name = request.uri.path().rsplit('/').next().unwrap_or_default();
    let kind = name.rsplit_once('.').map(|(_, kind)| kind);
    request.method == Method::GET
        && kind.is_some_and(|kind| !SMALL.contains(&kind.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn what_may_be_large_is_known_by_its_name() {
        let table = [
            ("GET", "/film.mp4", true),
            ("GET", "/a/data.BIN?x", true),
            ("HEAD", "/film.mp4", false),
            ("GET", "/", false),
            ("GET", "/about", false),
            ("GET", "/a.b/c", false),
            ("GET", "/style.CSS", false),
        ];
        for (method, uri, large) in table {
            let request = Request::builder().method(method).uri(uri);
            let (request, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(may_be_large(&request), large, "{method} {uri}");
        }
    }
}
