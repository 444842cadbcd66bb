//! Far away is near: what a page will load is asked for while the page is still on its way to the
//! browser, and over more streams than the six connections of a browser. The browser's own request
//! then takes the answer that is there or on its way, so each file is asked for once.
//!
//! Only for pages that a person opens, only on the same site, and never for data. A browser that has
//! been given a file before may have kept it: then its owner is asked whether it has changed, and
//! nothing is transferred if not. Everything is bounded: files, bytes, streams and time.

mod links;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use axum::{
    body::{Body, BodyDataStream, Bytes},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
            IF_MODIFIED_SINCE, IF_NONE_MATCH,
        },
        request,
    },
};
use futures::{FutureExt, StreamExt, stream};
use goop2_peer::{Error, Peer};
use goop2_proto::PeerId;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinSet,
    time::timeout,
};
use url::Url;

use crate::{
    door::guard,
    site::{headers, is_api, target::Target},
};

/// Files that are asked for ahead at a time, over all sites: those of most pages at once, and half of
/// the streams that may be open to one peer.
const AT_A_TIME: usize = 64;
/// Files that wait for a browser, or to be asked for, over all sites.
const MAX_AHEAD: usize = 512;
/// How long an answer waits for the browser to ask for it: a page that is slow to build asks within
/// seconds, and what nobody asks for is dropped.
const HOLD: Duration = Duration::from_secs(10);
/// Of one file, what is read before the browser asks; most files are smaller. The rest of a larger
/// one stays with its owner.
const SMALL: usize = 64 * 1024;
/// Files of which as much is held at a time: 4 MiB.
const HELD: usize = 64;
/// Of a page, what is looked through, as it comes and unpacked. The head of a page and its first
/// pictures are there.
const MAX_PAGE: usize = 256 * 1024;
/// Files that are known to have been given to a browser.
const MAX_SEEN: usize = 4096;

const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// A file: whose, and its path and query.
type Key = (PeerId, String);

/// See the module.
pub(crate) struct Prefetches(Arc<Shared>);

struct Shared {
    peer: Peer,
    state: Mutex<State>,
    at_a_time: Arc<Semaphore>,
    held: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    ahead: HashMap<Key, Ahead>,
    seen: HashMap<Key, Seen>,
    tasks: JoinSet<()>,
    /// Distinguishes those that were asked for under the same key.
    number: u64,
}

/// A file that was asked for ahead.
struct Ahead {
    number: u64,
    /// What was asked, apart from conditions.
    headers: HeaderMap,
    answer: oneshot::Receiver<Answer>,
    /// Dropped when the browser waits for it.
    _patience: oneshot::Sender<()>,
}

/// An answer, and the room that it takes until the browser has it.
struct Answer {
    response: Response<Body>,
    _room: Vec<OwnedSemaphorePermit>,
}

/// What is known about a file that a browser asked for.
struct Seen {
    asked: Instant,
    copy: Kept,
    /// The browser asked last as one that has none, although one was given a copy.
    forgotten: bool,
}

/// Whether a browser that was given a file has kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    No,
    /// It asks whether this version is still the current one.
    Version(HeaderValue),
    /// It uses it without asking.
    Fresh,
}

impl Prefetches {
    pub(crate) fn new(peer: Peer) -> Self {
        Self(Arc::new(Shared {
            peer,
            state: Mutex::default(),
            at_a_time: Arc::new(Semaphore::new(AT_A_TIME)),
            held: Arc::new(Semaphore::new(HELD)),
        }))
    }

    /// What the owner answers, or has answered already.
    pub(super) async fn fetch(
        &self,
        target: &Target,
        request: request::Parts,
    ) -> Result<Response<Body>, Error> {
        let key = (target.peer, target.resource());
        let whole = request.method == Method::GET;
        let response = match self.take(&key, &request).await {
            Some(response) => response,
            None => {
                let answer = self.0.peer.fetch(target.peer, request).await?;
                answer.map(Body::new)
            }
        };
        if whole {
            self.0.state().note(&key, &response);
        }
        Ok(response)
    }

    /// The body of a page, passed on unchanged. What it will load is asked for at once.
    pub(super) fn page(
        &self,
        target: &Target,
        browser: &HeaderMap,
        answer: &HeaderMap,
        body: Body,
    ) -> Body {
        let by_person = guard::is_document(browser) && !browser.contains_key(SEC_PURPOSE);
        if target.peer == self.0.peer.id() || !by_person {
            return body;
        }
        let Ok(address) = Url::parse(&format!("http://site{}", target.address())) else {
            return body;
        };
        let encoding = answer.get(CONTENT_ENCODING);
        let page = Page {
            shared: Arc::clone(&self.0),
            peer: target.peer,
            address,
            icons: !guard::is_frame(browser),
            headers: file_headers(browser),
            encoding: encoding.map(|name| name.to_str().unwrap_or("?").to_ascii_lowercase()),
            opened: Instant::now(),
            forgotten: self
                .0
                .state()
                .is_forgotten(&(target.peer, target.resource())),
            bytes: Vec::new(),
            scanned: 0,
            found: HashSet::new(),
        };
        page.watch(body.into_data_stream())
    }

    /// An answer to this very request that was asked for ahead.
    async fn take(&self, key: &Key, request: &request::Parts) -> Option<Response<Body>> {
        let plain = unconditional(&request.headers);
        let ahead = {
            let mut state = self.0.state();
            state.asked(key, plain != request.headers);
            let fits = |ahead: &Ahead| request.method == Method::GET && ahead.headers == plain;
            if !state.ahead.get(key).is_some_and(fits) {
                return None;
            }
            state.ahead.remove(key)?
        };
        drop(ahead._patience);
        let answer = ahead.answer.await.ok()?;
        fitting(answer.response, &request.headers)
    }
}

/// The headers with which a browser asks for a file of the page that it asked for with these.
fn file_headers(browser: &HeaderMap) -> HeaderMap {
    let encodings = browser.get(ACCEPT_ENCODING);
    let file = encodings.map(|encodings| (ACCEPT_ENCODING, encodings.clone()));
    headers::request(&file.into_iter().collect())
}

fn unconditional(headers: &HeaderMap) -> HeaderMap {
    let mut plain = headers.clone();
    plain.remove(IF_NONE_MATCH);
    plain.remove(IF_MODIFIED_SINCE);
    plain
}

/// The answer that a request with these conditions gets; `None` if that is for its owner to say.
fn fitting(mut response: Response<Body>, conditions: &HeaderMap) -> Option<Response<Body>> {
    let kept = response
        .headers()
        .get(ETAG)
        .is_some_and(|etag| names(conditions, etag.as_bytes()));
    match response.status() {
        StatusCode::NOT_MODIFIED => kept.then_some(response),
        StatusCode::OK if kept => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
            for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
                response.headers_mut().remove(name);
            }
            Some(response)
        }
        _ => Some(response),
    }
}

/// Whether `If-None-Match` names this version (RFC 9110 §13.1.2), compared weakly.
fn names(conditions: &HeaderMap, etag: &[u8]) -> bool {
    let strong = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let wanted = conditions.get_all(IF_NONE_MATCH).into_iter();
    wanted
        .flat_map(|list| list.as_bytes().split(|byte| *byte == b','))
        .any(|tag| strong(tag.trim_ascii()) == strong(etag))
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a file that a page names, unless the browser was faster.
    fn want(self: &Arc<Self>, key: Key, mut request: request::Parts, page: &Page) {
        let mut state = self.state();
        if state.ahead.contains_key(&key) || state.ahead.len() >= MAX_AHEAD {
            return;
        }
        let headers = request.headers.clone();
        if let Some(seen) = state.seen.get(&key) {
            if seen.asked >= page.opened {
                return;
            }
            match &seen.copy {
                _ if page.forgotten => {}
                Kept::Fresh => return,
                Kept::Version(etag) => {
                    request.headers.insert(IF_NONE_MATCH, etag.clone());
                }
                Kept::No => {}
            }
        }
        state.number += 1;
        let number = state.number;
        let (sender, answer) = oneshot::channel();
        let (patience, hurry) = oneshot::channel();
        let ahead = Ahead {
            number,
            headers,
            answer,
            _patience: patience,
        };
        state.ahead.insert(key.clone(), ahead);
        while state.tasks.try_join_next().is_some() {}
        let shared = Arc::clone(self);
        state.tasks.spawn(async move {
            let mut hurry = hurry;
            if let Some(answer) = shared.ask(key.0, request, &mut hurry).await {
                let _browser_is_gone = sender.send(answer);
                if !hurry.is_terminated() {
                    let _taken = timeout(HOLD, hurry).await;
                }
            }
            shared.state().forget(&key, number);
        });
    }

    /// When its turn comes, or at once when the browser waits for it.
    async fn ask(
        &self,
        peer: PeerId,
        request: request::Parts,
        hurry: &mut oneshot::Receiver<()>,
    ) -> Option<Answer> {
        let turn = tokio::select! {
            turn = Arc::clone(&self.at_a_time).acquire_owned() => turn.ok(),
            _ = &mut *hurry => None,
        };
        let answer = self.peer.fetch(peer, request).await;
        let (head, body) = answer.ok()?.into_parts();
        let room = Arc::clone(&self.held).try_acquire_owned();
        let room = room.ok().filter(|_| turn.is_some());
        let limit = if room.is_some() { SMALL } else { 0 };
        let (body, whole) = read(Body::new(body), limit, hurry).await?;
        // A stream stays taken for a body that has more.
        let turn = turn.filter(|_| !whole);
        Some(Answer {
            response: Response::from_parts(head, body),
            _room: turn.into_iter().chain(room).collect(),
        })
    }
}

/// Reads up to `limit` bytes, or what has come when the browser wants it; and whether that is all.
async fn read(body: Body, limit: usize, hurry: &mut oneshot::Receiver<()>) -> Option<(Body, bool)> {
    let mut rest = body.into_data_stream();
    let (mut chunks, mut len) = (Vec::new(), 0);
    while len < limit {
        let chunk = tokio::select! {
            chunk = rest.next() => chunk,
            _ = &mut *hurry => break,
        };
        match chunk {
            None => return Some((Body::from(chunks.concat()), true)),
            Some(chunk) => {
                let chunk = chunk.ok()?;
                len += chunk.len();
                chunks.push(chunk);
            }
        }
    }
    let read = stream::iter(chunks.into_iter().map(Ok));
    Some((Body::from_stream(read.chain(rest)), false))
}

impl State {
    fn forget(&mut self, key: &Key, number: u64) {
        if self
            .ahead
            .get(key)
            .is_some_and(|ahead| ahead.number == number)
        {
            self.ahead.remove(key);
        }
    }

    /// A browser asks for this file now.
    fn asked(&mut self, key: &Key, conditionally: bool) {
        if self.seen.len() >= MAX_SEEN && !self.seen.contains_key(key) {
            // The next visit of each transfers it once more.
            self.seen.clear();
        }
        let asked = Instant::now();
        let seen = self.seen.entry(key.clone());
        let unknown = Seen {
            asked,
            copy: Kept::No,
            forgotten: false,
        };
        let seen = seen.or_insert(unknown);
        seen.asked = asked;
        seen.forgotten = !conditionally && matches!(seen.copy, Kept::Version(_));
    }

    /// Whether a browser that was given this page before has forgotten it, or is another one: then it
    /// has no files of it either.
    fn is_forgotten(&self, key: &Key) -> bool {
        self.seen.get(key).is_some_and(|seen| seen.forgotten)
    }

    /// A browser gets this answer.
    fn note(&mut self, key: &Key, response: &Response<Body>) {
        let copy = match response.status() {
            StatusCode::NOT_MODIFIED => return,
            StatusCode::OK => kept(response.headers()),
            _ => Kept::No,
        };
        if let Some(seen) = self.seen.get_mut(key) {
            seen.copy = copy;
        }
    }
}

fn kept(answer: &HeaderMap) -> Kept {
    let passed = headers::answer(answer, false);
    let control = passed
        .get(CACHE_CONTROL)
        .and_then(|value| value.to_str().ok());
    let control = control.unwrap_or_default().to_ascii_lowercase();
    let says = |word: &str| control.split(',').any(|one| one.trim().starts_with(word));
    if says("no-store") {
        Kept::No
    } else if says("max-age") && !says("no-cache") && !says("max-age=0") {
        Kept::Fresh
    } else {
        let etag = passed.get(ETAG).cloned();
        etag.map_or(Kept::No, Kept::Version)
    }
}

/// A page on its way to the browser.
struct Page {
    shared: Arc<Shared>,
    peer: PeerId,
    address: Url,
    icons: bool,
    /// With which each of its files is asked for.
    headers: HeaderMap,
    encoding: Option<String>,
    opened: Instant,
    /// Its browser has none of the files that were given out before.
    forgotten: bool,
    /// What has come of it.
    bytes: Vec<u8>,
    /// How much of that has been looked through.
    scanned: usize,
    found: HashSet<Url>,
}

impl Page {
    fn watch(self, body: BodyDataStream) -> Body {
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
        for link in links::of(&html, &self.address, self.icons) {
            if self.found.len() < links::MAX_LINKS && self.found.insert(link.clone()) {
                self.want(&link);
            }
        }
    }

    fn want(&self, link: &Url) {
        let resource = &link[url::Position::BeforePath..];
        let Ok(uri) = resource.parse::<Uri>() else {
            return;
        };
        let target = match Target::of_peer(&uri) {
            Some(target) if target.peer == self.peer && target.canonical => target,
            Some(_) => return,
            None if is_api(uri.path()) => return,
            None => Target::of_root(self.peer, &uri),
        };
        let resource = target.resource();
        let Ok(uri) = resource.parse::<Uri>() else {
            return;
        };
        let (mut request, ()) = Request::new(()).into_parts();
        request.uri = uri;
        request.headers = self.headers.clone();
        self.shared.want((self.peer, resource), request, self);
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
