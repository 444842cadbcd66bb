//! Watches the site folder and the database, and tells what changed.
//!
//! A program that saves writes a file in several steps, and one that builds a site writes hundreds.
//! So a change is published when it has been quiet for a moment, and at the latest after [`LONGEST`]. A
//! folder that the system does not watch is looked at every few seconds, and of it only what open
//! pages use.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::{PeerId, SitePath};
use goop2_store::{Folder, Reading, Seen, Unwatchable, Watch, Written};
use tokio::{
    sync::Notify,
    time::{self, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::notice::Notice,
    disk::blocking,
    live::{
        changes::{Change, Changes, Shown, Table},
        served::Served,
    },
    notices::Notices,
};

/// How long nothing must have changed before a file is published that was saved and is the only one:
/// programs that write several begin the next one sooner.
const QUIET_SAVED: Duration = Duration::from_millis(20);
/// The same for anything else: longer than an editor takes from removing a file to putting another
/// in its place.
const QUIET: Duration = Duration::from_millis(50);
/// The same, once [`FEW`] files have changed, as a program is writing and not a person, and while a
/// file is being written: a part of it is nothing to show.
const QUIET_AFTER_MANY: Duration = Duration::from_millis(300);
/// Files that one action of a person changes.
const FEW: usize = 4;
/// A change is published after this time even if others go on: a log file may grow all day.
const LONGEST: Duration = Duration::from_secs(2);
/// Names of changed files that are kept until they are published; with more, the whole site changed.
const MAX_SEEN: usize = 256;
/// Between two looks at a folder that is missing, or that is only looked at.
const LOOK: Duration = Duration::from_secs(3);
/// Between two checks that a watched folder is still the same one.
const CHECK: Duration = Duration::from_secs(30);
/// A disk that takes long to answer is left alone for this many times as long.
const REST: u32 = 10;

const CODE: &str = "site-not-watched";

/// Finds out what changes, for [`Changes`].
pub(crate) struct Task {
    folder: Arc<Folder>,
    changes: Changes,
    notices: Notices,
    noted: Arc<Noted>,
    served: Served,
}

/// What was noted and not yet published.
#[derive(Default)]
struct Noted {
    news: Mutex<News>,
    woken: Notify,
}

#[derive(Default)]
struct News {
    paths: BTreeSet<SitePath>,
    /// Those of them that are complete, as far as the system says so.
    saved: BTreeSet<SitePath>,
    /// Those that are being written.
    open: BTreeSet<SitePath>,
    everything: bool,
    root: bool,
    blind: bool,
    /// By table, who wrote: as many as the schema has, with at most [`MAX_SEEN`] authors each.
    tables: HashMap<String, BTreeSet<PeerId>>,
}

impl News {
    fn quiet(&self) -> Duration {
        if self.everything || self.paths.len() > FEW || !self.open.is_empty() {
            QUIET_AFTER_MANY
        } else if self.tables.is_empty() && self.paths.len() == 1 && self.paths == self.saved {
            QUIET_SAVED
        } else {
            QUIET
        }
    }
}

impl Noted {
    fn see(&self, seen: Seen) {
        let mut news = self.news();
        match seen {
            Seen::Path(_) | Seen::Saved(_) | Seen::Writing(_) if news.everything => {}
            Seen::Saved(path) => {
                news.saved.insert(path);
            }
            Seen::Writing(path) => {
                news.open.insert(path);
            }
            Seen::Path(path) => {
                news.saved.remove(&path);
                news.open.remove(&path);
                news.paths.insert(path);
                if news.paths.len() > MAX_SEEN {
                    news.paths.clear();
                    news.saved.clear();
                    news.open.clear();
                    news.everything = true;
                }
            }
            Seen::Everything => news.everything = true,
            Seen::Root => news.root = true,
            Seen::Blind => news.blind = true,
        }
        self.woken.notify_one();
    }

    fn wrote(&self, Written { table, author }: Written) {
        let mut news = self.news();
        let authors = news.tables.entry(table).or_default();
        if authors.len() < MAX_SEEN {
            authors.extend(author);
        }
        self.woken.notify_one();
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when something was noted, and then nothing for a moment.
    async fn settled(&self) {
        self.woken.notified().await;
        let latest = time::Instant::now() + LONGEST;
        loop {
            let quiet = self.news().quiet();
            let quiet = (time::Instant::now() + quiet).min(latest);
            let more = timeout_at(quiet, self.woken.notified()).await.is_ok();
            if !more || time::Instant::now() >= latest {
                return;
            }
        }
    }
}

/// How the folder is watched.
enum Mode {
    Watched(Arc<Watch>),
    /// The system reports nothing.
    LookedAt,
    Missing,
}

impl Task {
    pub(crate) fn new(folder: Arc<Folder>, changes: Changes, notices: Notices) -> Self {
        let noted = Arc::<Noted>::default();
        let listener = Arc::clone(&noted);
        folder
            .database()
            .on_written(move |written| listener.wrote(written));
        let listener = Arc::clone(&noted);
        folder.on_site(move || listener.see(Seen::Root));
        Self {
            folder,
            served: changes.served(),
            changes,
            notices,
            noted,
        }
    }

    /// Watches until `stop` is canceled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.watch()).await;
    }

    async fn watch(self) {
        let mut mode = self.begin().await;
        let mut pause = CHECK;
        loop {
            tokio::select! {
                () = self.noted.settled() => {}
                () = sleep(pause) => {}
            }
            let news = mem::take(&mut *self.noted.news());
            mode = self.checked(mode, &news).await;
            let begun = Instant::now();
            self.tell(news, &mode).await;
            pause = match mode {
                Mode::Watched(_) => CHECK,
                Mode::LookedAt | Mode::Missing => LOOK.max(begun.elapsed() * REST),
            };
        }
    }

    async fn begin(&self) -> Mode {
        let noted = Arc::clone(&self.noted);
        let begun = blocking(&self.folder, move |folder| {
            folder.site().watch(move |seen| noted.see(seen))
        });
        match begun.await {
            Ok(Ok(watch)) => {
                self.notices.clear(CODE);
                Mode::Watched(Arc::new(watch))
            }
            Ok(Err(Unwatchable::Missing)) | Err(_) => Mode::Missing,
            Ok(Err(why)) => {
                tracing::info!(%why, "the site folder is not watched");
                if matches!(why, Unwatchable::Full) {
                    self.notices.show(full());
                }
                Mode::LookedAt
            }
        }
    }

    /// Watches again when the folder is another one, or has more folders than are watched.
    async fn checked(&self, mode: Mode, news: &News) -> Mode {
        match mode {
            Mode::Watched(watch) if news.blind => {
                drop(watch);
                self.notices.show(full());
                Mode::LookedAt
            }
            Mode::Watched(watch) => {
                let known = Arc::clone(&watch);
                let current =
                    blocking(&self.folder, move |folder| known.is_current(&folder.site()));
                if current.await.unwrap_or(true) {
                    return Mode::Watched(watch);
                }
                drop(watch);
                self.again(news).await
            }
            Mode::Missing => self.again(news).await,
            // The owner chose another folder.
            Mode::LookedAt if news.root => self.again(news).await,
            Mode::LookedAt => Mode::LookedAt,
        }
    }

    async fn again(&self, news: &News) -> Mode {
        let mode = self.begin().await;
        // With the folder itself, everything counts as changed anyway, and once.
        if !matches!(mode, Mode::Missing) && !news.root {
            self.noted.see(Seen::Everything);
        }
        mode
    }

    async fn tell(&self, news: News, mode: &Mode) {
        let mut change = Change {
            everything: news.everything || news.root,
            ..Change::default()
        };
        let looks = matches!(mode, Mode::LookedAt) && self.changes.is_awaited();
        let watch = match mode {
            Mode::Watched(watch) => Some(Arc::clone(watch)),
            Mode::LookedAt | Mode::Missing => None,
        };
        let served = self.served.clone();
        let found = blocking(&self.folder, move |folder| {
            let paths = match watch {
                Some(watch) if !news.paths.is_empty() => {
                    folder.site().addresses(&news.paths, &watch)
                }
                _ if looks => Some(served.changed(folder)),
                _ => Some(Vec::new()),
            };
            let tables = news.tables.into_iter();
            let tables = tables.map(|(name, authors)| {
                let readers = match folder.database().reading(&name) {
                    Reading::All => Shown::All,
                    Reading::Own => Shown::Authors(authors),
                    Reading::Nothing => Shown::Authors(BTreeSet::new()),
                };
                Table { name, readers }
            });
            (paths, tables.collect())
        });
        let Ok((paths, tables)) = found.await else {
            return;
        };
        change.everything |= paths.is_none();
        change.paths.extend(paths.into_iter().flatten());
        change.tables = tables;
        self.changes.publish(change);
    }
}

fn full() -> Notice {
    Notice {
        code: CODE.into(),
        message:
            "Your site has more folders than this computer can watch, so open pages reload a few \
                  seconds after a change. On Linux, raise fs.inotify.max_user_watches."
                .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: usize) -> Seen {
        Seen::Path(SitePath::parse(&format!("{number}.css")).unwrap())
    }

    #[tokio::test]
    async fn what_a_person_saves_is_published_sooner_than_what_a_program_writes() {
        let noted = Noted::default();
        noted.see(file(0));
        noted.wrote(Written {
            table: "book".into(),
            author: None,
        });
        noted.settled().await;
        let news = mem::take(&mut *noted.news());
        assert_eq!((news.paths.len(), news.tables.len()), (1, 1));
        assert_eq!(news.quiet(), QUIET);
        for number in 0..=FEW {
            noted.see(file(number));
        }
        assert_eq!(noted.news().quiet(), QUIET_AFTER_MANY);
        noted.settled().await;
    }

    #[test]
    fn a_file_that_was_saved_waits_for_no_other() {
        let path = |number: usize| match file(number) {
            Seen::Path(path) => path,
            _ => unreachable!(),
        };
        let noted = Noted::default();
        noted.see(file(1));
        assert_eq!(noted.news().quiet(), QUIET);
        noted.see(Seen::Saved(path(1)));
        assert_eq!(noted.news().quiet(), QUIET_SAVED);
        // It is written again: a part of it is not published.
        noted.see(file(1));
        noted.see(Seen::Writing(path(1)));
        assert_eq!(noted.news().quiet(), QUIET_AFTER_MANY);
        noted.see(file(1));
        noted.see(Seen::Saved(path(1)));
        assert_eq!(noted.news().quiet(), QUIET_SAVED);
        // It is removed, and put back with another one.
        noted.see(file(1));
        assert_eq!(noted.news().quiet(), QUIET);
        noted.see(Seen::Saved(path(1)));
        noted.see(file(2));
        noted.see(Seen::Saved(path(2)));
        assert_eq!(noted.news().quiet(), QUIET);
    }

    #[tokio::test]
    async fn what_never_ends_is_published_now_and_then_and_names_are_bounded() {
        let noted = Noted::default();
        let endless = async {
            for number in 0.. {
                noted.see(file(number));
                sleep(QUIET / 10).await;
            }
        };
        tokio::select! {
            () = endless => unreachable!(),
            () = noted.settled() => {}
        }
        for number in 0..2 * MAX_SEEN {
            noted.see(file(number));
        }
        let news = noted.news();
        assert!(news.everything && news.paths.is_empty());
    }
}
