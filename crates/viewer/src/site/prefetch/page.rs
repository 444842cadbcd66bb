//! A page that passes through, and the requests for what it loads.

use std::{collections::HashSet, sync::Arc, time::Instant};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use axum::{
    body::{Body, BodyDataStream, Bytes},
    http::{HeaderMap, HeaderValue, Request, Uri, request},
};
use futures::{FutureExt, StreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

use super::{Key, Shared, links};
use crate::site::{is_api, target::Target};

/// Of a page, what is looked through, as it comes and unpacked. The head of a page and its first
/// pictures are there.
const MAX_PAGE: usize = 256 * 1024;

/// A page on its way to the browser.
pub(super) struct Page {
    pub(super) shared: Arc<Shared>,
    pub(super) key: Key,
    /// `None` if its owner does not say.
    pub(super) version: Option<HeaderValue>,
    pub(super) address: Url,
    pub(super) icons: bool,
    /// With which each of its files is asked for.
    pub(super) headers: HeaderMap,
    pub(super) encoding: Option<String>,
    pub(super) opened: Instant,
    /// Its browser has none of the files that were given out before.
    pub(super) forgotten: bool,
    /// What has come of it.
    pub(super) bytes: Vec<u8>,
    /// How much of that has been looked through.
    pub(super) scanned: usize,
    pub(super) found: HashSet<Url>,
    /// The same, in order.
    pub(super) links: Vec<Url>,
}

impl Page {
    pub(super) fn watch(self, body: BodyDataStream) -> Body {
        let passed = stream::unfold((Some(self), body), async |(mut page, mut body)| {
            let chunk = body.next().await;
            if let Some(watching) = &mut page {
                match &chunk {
                    Some(Ok(bytes)) if watching.bytes.len() < MAX_PAGE => watching.add(bytes),
                    _ => {
                        watching.scan();
                        page = None;
                    }
                }
            }
            Some((chunk?, (page, body)))
        });
        Body::from_stream(passed)
    }

    fn add(&mut self, bytes: &Bytes) {
        let room = MAX_PAGE - self.bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        // Each byte is looked at twice on average, however small the chunks are.
        if self.bytes.len() >= 2 * self.scanned {
            self.scan();
        }
    }

    fn scan(&mut self) {
        if self.bytes.len() == self.scanned {
            return;
        }
        self.scanned = self.bytes.len();
        let Some(html) = unpacked(&self.bytes, self.encoding.as_deref()) else {
            return;
        };
        let html = String::from_utf8_lossy(&html);
        let mut wanted = Vec::new();
        for link in links::of(&html, &self.address, self.icons) {
            if self.found.len() < links::MAX_LINKS && self.found.insert(link.clone()) {
                wanted.extend(self.request(&link));
                self.links.push(link);
            }
        }
        self.shared.want(wanted, self);
        self.shared.state().remember(self);
    }

    /// The request for a file of the site.
    pub(super) fn request(&self, link: &Url) -> Option<(Key, request::Parts)> {
        let resource = &link[url::Position::BeforePath..];
        let uri = resource.parse::<Uri>().ok()?;
        let target = match Target::of_peer(&uri) {
            Some(target) if target.peer == self.key.0 && target.canonical => target,
            Some(_) => return None,
            None if is_api(uri.path()) => return None,
            None => Target::of_root(self.key.0, &uri),
        };
        let resource = target.resource();
        let (mut request, ()) = Request::new(()).into_parts();
        request.uri = resource.parse().ok()?;
        request.headers = self.headers.clone();
        Some(((self.key.0, resource), request))
    }
}

/// As much of a page as can be read; `None` in an unknown encoding.
fn unpacked(bytes: &[u8], encoding: Option<&str>) -> Option<Vec<u8>> {
    Some(match encoding {
        None => bytes.to_vec(),
        Some("br") => read_all(BrotliDecoder::new(bytes)),
        Some("gzip") => read_all(GzipDecoder::new(bytes)),
        Some("zstd") => read_all(ZstdDecoder::new(bytes)),
        Some(_) => return None,
    })
}

fn read_all(unpacking: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut text = Vec::new();
    // It never waits, since all is in memory. An error means that the rest has not come yet.
    let _cut = unpacking
        .take(MAX_PAGE as u64)
        .read_to_end(&mut text)
        .now_or_never();
    text
}
