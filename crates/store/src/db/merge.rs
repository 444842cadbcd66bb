//! Moves what was written from the write-ahead log into the database, on its own thread.
//!
//! Left to itself, SQLite does that in the commit that fills the log: one visitor then waits for the
//! disk twice, and so does everyone who writes in that time. Here writing goes on. Only
//! a log that grew all the same, because there is never a pause in which it could begin again, is
//! merged by a commit, of which the thread has left little to do.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, OpenFlags};

use super::migrate;

/// Pages that are written before they are merged: as many as SQLite itself waits for, 4 MiB.
const PAGES: u64 = 1000;
/// Pages from which a commit merges them: 64 MiB, some ten seconds of fifty people writing. More would
/// slow down readers, who look for each page in the log first.
const MAX_PAGES: u64 = 16 * 1024;

/// Merges until it is dropped.
pub(super) struct Merging {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Asked>,
    woken: Condvar,
}

#[derive(Default)]
struct Asked {
    merge: bool,
    stop: bool,
}

impl Merging {
    /// Merges what `writer` writes to this database.
    pub(super) fn start(path: &Path, writer: &mut Connection) -> rusqlite::Result<Self> {
        let conn = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        conn.busy_timeout(migrate::BUSY)?;
        let shared = Arc::<Shared>::default();
        let asked = Arc::clone(&shared);
        let mut log = Log::default();
        writer.wal_hook(Some(move |wal: &mut rusqlite::hooks::Wal, pages| {
            match log.grew(u64::try_from(pages).unwrap_or_default()) {
                Due::Nothing => Ok(()),
                Due::Soon => {
                    asked.ask(|asked| asked.merge = true);
                    Ok(())
                }
                // What others read may keep it from being merged completely: it is tried again later.
                Due::Now => wal.checkpoint().or(Ok(())),
            }
        }))?;
        let working = Arc::clone(&shared);
        let merge = move || {
            while working.wait() {
                if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                {
                    tracing::debug!(%error, "the log was not merged into the database");
                }
            }
        };
        let thread = thread::Builder::new().name("merge".into()).spawn(merge);
        Ok(Self {
            shared,
            // Without a thread, commits merge what would be too much.
            thread: thread.ok(),
        })
    }
}

/// How long the log is, and from where on something is due.
#[derive(Default)]
struct Log {
    pages: u64,
    soon: u64,
    now: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// By the thread.
    Soon,
    /// By the commit.
    Now,
}

impl Log {
    /// After a commit, with which it has so many pages.
    fn grew(&mut self, pages: u64) -> Due {
        // It began again, as all of it was merged.
        if pages < self.pages || self.soon == 0 {
            (self.soon, self.now) = (PAGES, MAX_PAGES);
        }
        self.pages = pages;
        if pages >= self.now {
            (self.soon, self.now) = (pages + PAGES, pages + PAGES);
            Due::Now
        } else if pages >= self.soon {
            self.soon = pages + PAGES;
            Due::Soon
        } else {
            Due::Nothing
        }
    }
}

impl Shared {
    /// Returns when there is something to merge; false at the end.
    fn wait(&self) -> bool {
        let idle = |asked: &mut Asked| !asked.merge && !asked.stop;
        let mut asked = self
            .woken
            .wait_while(self.asked(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        asked.merge = false;
        !asked.stop
    }

    fn ask(&self, what: impl FnOnce(&mut Asked)) {
        what(&mut self.asked());
        self.woken.notify_one();
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Merging {
    fn drop(&mut self) {
        self.shared.ask(|asked| asked.stop = true);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for Merging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Merging")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn the_thread_is_asked_now_and_then_and_the_commit_only_when_that_did_not_help() {
        let mut log = Log::default();
        assert_eq!(log.grew(1), Due::Nothing);
        assert_eq!(log.grew(PAGES + 5), Due::Soon);
        assert_eq!(log.grew(PAGES + 6), Due::Nothing);
        assert_eq!(log.grew(2 * PAGES + 5), Due::Soon);
        assert_eq!(log.grew(MAX_PAGES), Due::Now);
        assert_eq!(log.grew(MAX_PAGES + 1), Due::Nothing);
        assert_eq!(log.grew(MAX_PAGES + PAGES), Due::Now);
        // It began again.
        assert_eq!(log.grew(3), Due::Nothing);
        assert_eq!(log.grew(PAGES), Due::Soon);
    }

    #[test]
    fn what_is_written_gets_into_the_database_without_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let mut writer = migrate::open(&path).unwrap();
        let merging = Merging::start(&path, &mut writer).unwrap();
        writer.execute_batch("CREATE TABLE t (a)").unwrap();
        let mut insert = writer
            .prepare("INSERT INTO t VALUES (zeroblob(?))")
            .unwrap();
        let bytes = 2 * PAGES * 4096;
        insert.execute([bytes.cast_signed()]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while fs::metadata(&path).unwrap().len() < bytes {
            assert!(Instant::now() < deadline, "it is merged");
            thread::yield_now();
        }
        drop(insert);
        // A reader keeps the log from beginning again. That must not fail.
        let reader = Connection::open(&path).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM t")
            .unwrap();
        let mut insert = writer
            .prepare("INSERT INTO t VALUES (zeroblob(?))")
            .unwrap();
        insert
            .execute([(2 * MAX_PAGES * 4096).cast_signed()])
            .unwrap();
        insert.execute([4096]).unwrap();
        drop(merging);
    }
}
