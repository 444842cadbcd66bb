//! Far away is near: what a page will load is asked for while the page is still on its way to the
//! browser, and over more streams than the six connections of a browser. The browser's own request
//! then takes the answer that is there or on its way, so each file is asked for once.
//!
//! Only for pages that a person opens, only on the same site, and never for data. A browser that has
//! been given a file before may have kept it: then its owner is asked whether it has changed, and
//! nothing is transferred if not. Everything is bounded: files, bytes, streams and time.

mod kept;
mod links;
mod page;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
            IF_MODIFIED_SINCE, IF_NONE_MATCH,
        },
        request,
    },
};
use futures::{StreamExt, stream};
use goop2_peer::{Error, Peer};
use goop2_proto::PeerId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinSet,
    time::timeout,
};
use url::Url;

use page::Page;

use crate::{
    door::guard,
    site::{headers, target::Target},
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
/// Files that are known to have been given to a browser.
const MAX_SEEN: usize = 4096;

/// Pages whose files are known: what a browser has kept of a page names them. Some 30 KB each.
const MAX_PAGES: usize = 64;

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
    /// What pages load, by the version that was looked through.
    pages: HashMap<Key, (HeaderValue, Vec<Url>)>,
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

/// What is to be asked for, and whom it is for.
struct Wanted {
    key: Key,
    number: u64,
    request: request::Parts,
    sender: oneshot::Sender<Answer>,
    /// Ends when the browser waits for it.
    hurry: oneshot::Receiver<()>,
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
        match self.opened(target, browser, answer) {
            Some(page) => page.watch(body.into_data_stream()),
            None => body,
        }
    }

    /// A page that the browser has kept is shown again. What it loads is asked for at once.
    pub(super) fn page_again(&self, target: &Target, browser: &HeaderMap, answer: &HeaderMap) {
        let Some(page) = self.opened(target, browser, answer) else {
            return;
        };
        let known = self.0.state().pages.get(&page.key).cloned();
        if let Some((version, links)) = known
            && Some(&version) == page.version.as_ref()
        {
            let wanted = links.iter().filter_map(|link| page.request(link));
            self.0.want(wanted.collect(), &page);
        }
    }

    /// `None` if nobody opens this page.
    fn opened(&self, target: &Target, browser: &HeaderMap, answer: &HeaderMap) -> Option<Page> {
        let by_person = guard::is_document(browser) && !browser.contains_key(SEC_PURPOSE);
        if target.peer == self.0.peer.id() || !by_person {
            return None;
        }
        let address = Url::parse(&format!("http://site{}", target.address())).ok()?;
        let encoding = answer.get(CONTENT_ENCODING);
        let key = (target.peer, target.resource());
        let forgotten = self.0.state().is_forgotten(&key);
        Some(Page {
            shared: Arc::clone(&self.0),
            key,
            version: answer.get(ETAG).cloned(),
            address,
            icons: !guard::is_frame(browser),
            headers: file_headers(browser),
            encoding: encoding.map(|name| name.to_str().unwrap_or("?").to_ascii_lowercase()),
            opened: Instant::now(),
            forgotten,
            bytes: Vec::new(),
            scanned: 0,
            found: HashSet::new(),
            links: Vec::new(),
        })
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

    /// Asks for the files that a page names, unless the browser was faster.
    fn want(self: &Arc<Self>, files: Vec<(Key, request::Parts)>, page: &Page) {
        let mut state = self.state();
        let wanted = files
            .into_iter()
            .filter_map(|(key, request)| state.wanted(key, request, page))
            .collect();
        while state.tasks.try_join_next().is_some() {}
        let (kept, others) = kept::together(wanted);
        for wanted in others {
            state.tasks.spawn(Arc::clone(self).serve(wanted));
        }
        for together in kept {
            state.tasks.spawn(Arc::clone(self).serve_kept(together));
        }
    }

    async fn serve(self: Arc<Self>, mut wanted: Wanted) {
        let (peer, request) = (wanted.key.0, wanted.request);
        if let Some(answer) = self.ask(peer, request, &mut wanted.hurry).await {
            let _browser_is_gone = wanted.sender.send(answer);
            if !wanted.hurry.is_terminated() {
                let _taken = timeout(HOLD, wanted.hurry).await;
            }
        }
        self.state().forget(&wanted.key, wanted.number);
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
    /// Notes that a file will be asked for; `None` if that is not needed, or there is no room.
    fn wanted(&mut self, key: Key, mut request: request::Parts, page: &Page) -> Option<Wanted> {
        if self.ahead.contains_key(&key) || self.ahead.len() >= MAX_AHEAD {
            return None;
        }
        let headers = request.headers.clone();
        if let Some(seen) = self.seen.get(&key) {
            if seen.asked >= page.opened {
                return None;
            }
            match &seen.copy {
                _ if page.forgotten => {}
                Kept::Fresh => return None,
                Kept::Version(etag) => {
                    request.headers.insert(IF_NONE_MATCH, etag.clone());
                }
                Kept::No => {}
            }
        }
        self.number += 1;
        let number = self.number;
        let (sender, answer) = oneshot::channel();
        let (patience, hurry) = oneshot::channel();
        let ahead = Ahead {
            number,
            headers,
            answer,
            _patience: patience,
        };
        self.ahead.insert(key.clone(), ahead);
        Some(Wanted {
            key,
            number,
            request,
            sender,
            hurry,
        })
    }

    fn forget(&mut self, key: &Key, number: u64) {
        if self
            .ahead
            .get(key)
            .is_some_and(|ahead| ahead.number == number)
        {
            self.ahead.remove(key);
        }
    }

    /// What a page loads, for when its browser shows it again.
    fn remember(&mut self, page: &Page) {
        let Some(version) = page.version.clone() else {
            return;
        };
        if self.pages.len() >= MAX_PAGES && !self.pages.contains_key(&page.key) {
            self.pages.clear();
        }
        let known = (version, page.links.clone());
        self.pages.insert(page.key.clone(), known);
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
