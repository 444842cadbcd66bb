//! What keeps the database from working, for the part of the program that shows it to the owner.

use std::sync::{Mutex, OnceLock, PoisonError};

use goop2_proto::data::Answer;

use super::fault::Trouble;

type Tell = Box<dyn Fn(Option<&Trouble>) + Send + Sync>;

/// The trouble at present, if any.
#[derive(Default)]
pub(super) struct Health {
    trouble: Mutex<Option<Trouble>>,
    tell: OnceLock<Tell>,
}

impl Health {
    /// The first listener hears of it, and no other.
    pub(super) fn tell(&self, tell: Tell) {
        let _second = self.tell.set(tell);
    }

    /// From an answer that went to a caller.
    pub(super) fn learn(&self, answer: &Answer) {
        if let Some(trouble) = answer
            .as_ref()
            .err()
            .and_then(|text| Trouble::told_by(text))
        {
            self.set(Some(trouble));
        }
    }

    /// After a write that succeeded. `pressure`: bytes in use and their limit, when they are many.
    pub(super) fn wrote(&self, pressure: Option<(i64, i64)>) {
        let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
        self.set(pressure.map(|(used, limit)| Trouble::NearlyFull {
            used: bytes(used),
            limit: bytes(limit),
        }));
    }

    fn set(&self, trouble: Option<Trouble>) {
        let mut current = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        // That a few bytes more are in use is not news.
        let same = current.as_ref().map(std::mem::discriminant)
            == trouble.as_ref().map(std::mem::discriminant);
        if same {
            return;
        }
        *current = trouble;
        if let Some(tell) = self.tell.get() {
            tell(current.as_ref());
        }
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Health").field(&self.trouble).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use goop2_proto::{PeerId, data::Request};
    use rusqlite::Connection;
    use serde_json::{Value, json};

    use super::*;
    use crate::db::{Caller, Database};

    fn run(database: &Database, request: Value) -> Answer {
        database.execute(&Caller::Local, &Request::from_value(request).unwrap())
    }

    fn insert(database: &Database) -> Answer {
        let row = json!({"op": "insert", "table": "t", "data": {"a": "x".repeat(100_000)}});
        run(database, row)
    }

    /// Breaks the database in one way, mends it again, and answers what was said of each.
    fn trial(
        broken: impl FnOnce(&Connection, &std::path::Path) -> Option<Connection>,
        mend: impl FnOnce(&Connection),
    ) -> (String, Vec<Option<Trouble>>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let database = Database::open(&path, PeerId::random(), "").unwrap();
        let create =
            json!({"op": "create-table", "name": "t", "column": {"name": "a", "type": "TEXT"}});
        run(&database, create).unwrap();
        let told = Arc::new(Mutex::new(vec![]));
        let tell = Arc::clone(&told);
        database.on_trouble(move |trouble| tell.lock().unwrap().push(trouble.cloned()));
        assert!(insert(&database).is_ok());

        let other = broken(&database.writer(), &path);
        let error = insert(&database).unwrap_err();
        assert_eq!(insert(&database).as_ref(), Err(&error));
        drop(other);
        mend(&database.writer());
        assert!(insert(&database).is_ok());
        let told = told.lock().unwrap().clone();
        (error, told)
    }

    #[test]
    fn trouble_is_said_in_words_and_told_once() {
        let full = trial(
            |conn, _| {
                let pages: i64 = conn
                    .query_row("PRAGMA page_count", [], |row| row.get(0))
                    .unwrap();
                conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
                    .unwrap();
                None
            },
            |conn| {
                conn.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))
                    .unwrap()
            },
        );
        let read_only = trial(
            |conn, _| {
                conn.pragma_update(None, "query_only", true)
                    .map(|()| None)
                    .unwrap()
            },
            |conn| conn.pragma_update(None, "query_only", false).unwrap(),
        );
        let busy = trial(
            |conn, path| {
                conn.busy_timeout(std::time::Duration::ZERO).unwrap();
                let other = Connection::open(path).unwrap();
                other.execute_batch("BEGIN IMMEDIATE").unwrap();
                Some(other)
            },
            |_| {},
        );
        for ((error, told), words, trouble) in [
            (full, "disk", Trouble::DiskFull),
            (read_only, "read-only", Trouble::ReadOnly),
            (busy, "another program", Trouble::Busy),
        ] {
            assert!(error.contains(words) && !error.contains('('), "{error}");
            assert_eq!(told, [Some(trouble), None]);
        }
    }

    #[test]
    fn the_owner_learns_before_there_is_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut database =
            Database::open(&dir.path().join("data.db"), PeerId::random(), "").unwrap();
        database.max_bytes_for_remote_writes = 1024 * 1024;
        let create =
            json!({"op": "create-table", "name": "t", "column": {"name": "a", "type": "TEXT"}});
        run(&database, create).unwrap();
        let told = Arc::new(Mutex::new(0));
        let tell = Arc::clone(&told);
        database.on_trouble(move |trouble| {
            if let Some(Trouble::NearlyFull { used, limit }) = trouble {
                assert!(used > &(limit / 2));
                *tell.lock().unwrap() += 1;
            }
        });
        for _ in 0..12 {
            insert(&database).unwrap();
        }
        assert_eq!(*told.lock().unwrap(), 1);
    }
}
