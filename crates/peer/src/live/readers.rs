//! Who reads the site now, and how often it is visited, for its owner.
//!
//! A visitor reads while a page of theirs listens for changes, or for a moment after they opened one
//! that does not. Coming back within half an hour is the same visit, and a page that reloads is the
//! same page. Who reads is kept in memory and only while they do; what lasts are numbers, in the
//! database.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::PeerId;
use goop2_store::{Config, Folder, NewVisits, Visits};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::live::{Live, LivePage},
    disk::blocking,
};

/// After this time without a request, a visitor who comes again visits again.
const VISIT: Duration = Duration::from_secs(30 * 60);
/// How long somebody reads a page that does not listen for changes.
const READING: Duration = Duration::from_secs(2 * 60);
/// Visitors that are remembered; who came first is forgotten first.
const MAX_VISITORS: usize = 4096;
/// Pages counted between two times the numbers are written; see `store`, which keeps 500 a month.
const MAX_PAGES: usize = 500;
/// Pages shown.
const MAX_SHOWN: usize = 20;
/// Between two updates of what is shown, and of what is written.
const PACE: Duration = Duration::from_secs(1);
/// Readers leave, and days end, without anything happening.
const TICK: Duration = Duration::from_secs(30);

/// The readers of one run of the peer.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Inner>);

struct Inner {
    config: watch::Receiver<Config>,
    state: Mutex<State>,
    changed: Notify,
    shown: watch::Sender<Live>,
}

#[derive(Default)]
struct State {
    visitors: HashMap<PeerId, Visitor>,
    new: NewVisits,
    counted: Visits,
}

struct Visitor {
    /// When a page was opened last.
    opened: Instant,
    page: String,
    /// Open change streams.
    streams: usize,
}

impl Visitor {
    fn reads(&self, now: Instant) -> bool {
        self.streams > 0 || now.duration_since(self.opened) < READING
    }
}

/// A page that listens for changes, until it is dropped.
pub(crate) struct Listening {
    readers: Readers,
    peer: PeerId,
}

impl Readers {
    pub(super) fn new(config: watch::Receiver<Config>) -> Self {
        Self(Arc::new(Inner {
            config,
            state: Mutex::default(),
            changed: Notify::new(),
            shown: watch::Sender::default(),
        }))
    }

    /// What the owner sees.
    pub(crate) fn shown(&self) -> watch::Receiver<Live> {
        self.0.shown.subscribe()
    }

    /// A visitor opened a page, at this decoded path.
    pub(crate) fn opened(&self, peer: PeerId, path: &str, now: Instant) {
        let page = path.strip_suffix("index.html").unwrap_or(path);
        let counts = self.0.config.borrow().site.count_visits;
        let mut state = self.state();
        let known = state.visitors.get(&peer);
        let recent =
            known.filter(|known| known.streams > 0 || now.duration_since(known.opened) < VISIT);
        let same_visit = recent.is_some();
        let same_page = recent.is_some_and(|known| known.page == page);
        if counts && !same_visit {
            state.new.site = state.new.site.saturating_add(1);
        }
        if counts && !same_page {
            count_page(&mut state.new.pages, page);
        }
        let visitor = state.visitor(peer, now);
        visitor.opened = now;
        page.clone_into(&mut visitor.page);
        drop(state);
        self.0.changed.notify_one();
    }

    /// A page of a visitor listens for changes.
    pub(crate) fn listening(&self, peer: PeerId, now: Instant) -> Listening {
        self.state().visitor(peer, now).streams += 1;
        self.0.changed.notify_one();
        Listening {
            readers: self.clone(),
            peer,
        }
    }

    /// Shows and writes the numbers, until `stop` is canceled.
    pub(crate) async fn run(self, folder: Arc<Folder>, stop: CancellationToken) {
        self.write(&folder).await;
        let following = async {
            loop {
                self.show(Instant::now());
                let _tick = timeout(TICK, self.0.changed.notified()).await;
                sleep(PACE).await;
                self.write(&folder).await;
            }
        };
        stop.run_until_cancelled(following).await;
    }

    /// Writes what was counted.
    pub(crate) async fn write(&self, folder: &Arc<Folder>) {
        let new = self.state().take(Instant::now());
        let kept = new.clone();
        match blocking(folder, move |folder| folder.database().count_visits(&new)).await {
            Ok(Ok(counted)) => self.state().counted = counted,
            Ok(Err(error)) => {
                tracing::debug!(%error, "visits were not saved");
                self.state().new.add(kept);
            }
            Err(_ending) => {}
        }
    }

    fn show(&self, now: Instant) {
        let live = self.state().live(now);
        self.0.shown.send_if_modified(|shown| {
            let changed = *shown != live;
            *shown = live;
            changed
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What was counted since, forgetting who left.
    fn take(&mut self, now: Instant) -> NewVisits {
        self.visitors
            .retain(|_, known| known.streams > 0 || now.duration_since(known.opened) < VISIT);
        mem::take(&mut self.new)
    }

    /// The visitor, who may be new.
    fn visitor(&mut self, peer: PeerId, now: Instant) -> &mut Visitor {
        if self.visitors.len() >= MAX_VISITORS && !self.visitors.contains_key(&peer) {
            self.visitors
                .retain(|_, known| known.streams > 0 || now.duration_since(known.opened) < VISIT);
            let idle = self.visitors.iter().filter(|(_, known)| known.streams == 0);
            let oldest = idle.min_by_key(|(_, known)| known.opened);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer)
                && self.visitors.len() >= MAX_VISITORS
            {
                self.visitors.remove(&oldest);
            }
        }
        self.visitors.entry(peer).or_insert_with(|| Visitor {
            opened: now,
            page: String::new(),
            streams: 0,
        })
    }

    fn live(&self, now: Instant) -> Live {
        let mut pages: BTreeMap<&str, LivePage> = BTreeMap::new();
        let mut readers = 0;
        for visitor in self.visitors.values().filter(|visitor| visitor.reads(now)) {
            readers += 1;
            if !visitor.page.is_empty() {
                pages.entry(&visitor.page).or_default().readers += 1;
            }
        }
        for (path, visits) in &self.counted.pages {
            pages.entry(path).or_default().visits = *visits;
        }
        let mut pages: Vec<LivePage> = pages
            .into_iter()
            .map(|(path, page)| LivePage {
                path: path.into(),
                ..page
            })
            .collect();
        pages.sort_by_key(|page| Reverse((page.readers, page.visits)));
        pages.truncate(MAX_SHOWN);
        Live {
            readers,
            today: self.counted.today,
            month: self.counted.month,
            pages,
            ..Live::default()
        }
    }
}

fn count_page(pages: &mut BTreeMap<String, u32>, page: &str) {
    if let Some(visits) = pages.get_mut(page) {
        *visits = visits.saturating_add(1);
    } else if pages.len() < MAX_PAGES {
        pages.insert(page.into(), 1);
    }
}

/// What is shown while nothing is counted: who reads now.
pub(crate) fn uncounted(live: Live) -> Live {
    let pages = live.pages.into_iter().filter(|page| page.readers > 0);
    Live {
        today: 0,
        month: 0,
        pages: pages.map(|page| LivePage { visits: 0, ..page }).collect(),
        ..live
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = self.readers.state();
        if let Some(visitor) = state.visitors.get_mut(&self.peer) {
            visitor.streams = visitor.streams.saturating_sub(1);
            // Gone with its last page.
            if visitor.streams == 0 {
                visitor.opened = visitor
                    .opened
                    .checked_sub(READING)
                    .unwrap_or(visitor.opened);
            }
        }
        drop(state);
        self.readers.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers() -> (watch::Sender<Config>, Readers) {
        let (sender, config) = watch::channel(Config::default());
        (sender, Readers::new(config))
    }

    #[test]
    fn coming_back_is_one_visit_and_reloading_one_page() {
        let (_config, readers) = readers();
        let (peer, start) = (PeerId::random(), Instant::now());
        readers.opened(peer, "/index.html", start);
        readers.opened(peer, "/", start);
        readers.opened(peer, "/photos/", start + Duration::from_secs(60));
        readers.opened(PeerId::random(), "/", start);
        readers.opened(peer, "/photos/", start + 2 * VISIT);
        let state = readers.state();
        assert_eq!(state.new.site, 3);
        let pages = [("/".to_owned(), 2), ("/photos/".to_owned(), 2)].into();
        assert_eq!(state.new.pages, pages);
    }

    #[test]
    fn a_reader_is_there_while_a_page_listens_or_was_opened_just_now() {
        let (_config, readers) = readers();
        let (one, other, start) = (PeerId::random(), PeerId::random(), Instant::now());
        readers.opened(one, "/", start);
        readers.opened(other, "/a", start);
        let listening = readers.listening(one, start);
        let count = |now| {
            let live = readers.state().live(now);
            (live.readers, live.pages)
        };
        let page = |path: &str| LivePage {
            path: path.into(),
            readers: 1,
            visits: 0,
        };
        assert_eq!(count(start), (2, vec![page("/"), page("/a")]));
        assert_eq!(count(start + READING), (1, vec![page("/")]));
        drop(listening);
        assert_eq!(count(start + READING), (0, vec![]));
    }

    #[test]
    fn nothing_is_counted_when_the_owner_says_so_and_strangers_fill_no_memory() {
        let (config, readers) = readers();
        config.send_modify(|config| config.site.count_visits = false);
        readers.opened(PeerId::random(), "/", Instant::now());
        assert_eq!(readers.state().new, NewVisits::default());
        config.send_modify(|config| config.site.count_visits = true);
        for number in 0..2 * MAX_VISITORS {
            readers.opened(PeerId::random(), &format!("/{number}"), Instant::now());
        }
        assert_eq!(readers.state().visitors.len(), MAX_VISITORS);
        assert_eq!(readers.state().new.pages.len(), MAX_PAGES);
        readers.show(Instant::now());
        assert_eq!(readers.shown().borrow().pages.len(), MAX_SHOWN);
    }
}
