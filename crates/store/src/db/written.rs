//! Which tables were written, for those who have them open: collected while a transaction runs, and
//! told when it commits.
//!
//! SQLite itself says what changes, so whatever writes through the one connection that may is heard,
//! each row of a long import too. Refused: telling from each operation, of which the next one would
//! be forgotten.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use goop2_proto::PeerId;
use rusqlite::Connection;

use super::catalog;

/// A table that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub table: String,
    /// The visitor who wrote; `None` for the owner.
    pub author: Option<PeerId>,
}

type Tell = Box<dyn Fn(Written) + Send + Sync>;

/// Shared with the hooks of the connection that writes.
#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Shared>);

#[derive(Default)]
struct Shared {
    open: Mutex<Open>,
    tell: OnceLock<Tell>,
}

/// The transaction in progress, which may consist of the writes of several visitors.
#[derive(Default)]
struct Open {
    /// Of each write, as many tables as the schema has.
    written: Vec<Written>,
    /// Where those of the write in progress begin.
    begin: usize,
    author: Option<PeerId>,
}

impl Listener {
    /// Listens to the connection that writes.
    pub(super) fn listen(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let touched = self.clone();
        conn.update_hook(Some(move |_, _: &str, table: &str, _| touched.touch(table)))?;
        let committed = self.clone();
        conn.commit_hook(Some(move || {
            committed.tell_all();
            false
        }))?;
        let undone = self.clone();
        conn.rollback_hook(Some(move || {
            undone.open().take();
        }))
    }

    /// Only the first listener counts.
    pub(super) fn on_written(&self, tell: Tell) {
        let _second = self.0.tell.set(tell);
    }

    /// What is written next is this author's. The connection is locked until [`Self::end`].
    pub(super) fn begin(&self, author: Option<PeerId>) {
        let mut open = self.open();
        open.begin = open.written.len();
        open.author = author;
    }

    /// The write ended. One that was taken back within the transaction did not happen.
    pub(super) fn end(&self, happened: bool) {
        let mut open = self.open();
        if !happened {
            let begin = open.begin;
            open.written.truncate(begin);
        }
        open.begin = open.written.len();
        open.author = None;
    }

    /// A table that was made, changed or removed as a whole: of that, the hooks say nothing.
    pub(super) fn tell(&self, table: &str) {
        if !table.is_empty() && !catalog::is_internal(table) {
            self.tell_of(Written {
                table: table.into(),
                author: None,
            });
        }
    }

    fn touch(&self, table: &str) {
        let mut open = self.open();
        let known = |written: &Written| written.table == table;
        if !catalog::is_internal(table) && !open.written[open.begin..].iter().any(known) {
            let written = Written {
                table: table.into(),
                author: open.author,
            };
            open.written.push(written);
        }
    }

    fn tell_all(&self) {
        let written = self.open().take();
        for written in written {
            self.tell_of(written);
        }
    }

    fn tell_of(&self, written: Written) {
        if let Some(tell) = self.0.tell.get() {
            tell(written);
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn take(&mut self) -> Vec<Written> {
        self.begin = 0;
        mem::take(&mut self.written)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

#[cfg(test)]
mod tests {
    use goop2_proto::data::Request;
    use serde_json::{Value, json};

    use super::*;
    use crate::db::{Caller, Database, Reading};

    fn run(database: &Database, caller: &Caller, request: Value) {
        let request = Request::from_value(request).unwrap();
        let _refused_or_not = database.execute(caller, &request);
    }

    #[test]
    fn what_was_committed_is_passed_on_with_its_author_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let database = Database::open(&path, PeerId::random(), "").unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        database.on_written(move |written| listener.lock().unwrap().push(written));
        let visitor = PeerId::random();
        let remote = Caller::Remote {
            peer: visitor,
            email: String::new(),
        };
        let column = json!({"name": "a", "type": "TEXT", "not_null": true});
        let create = json!({"op": "create-table", "name": "Book", "column": column});
        run(&database, &Caller::Local, create);
        database.set_policy("book", "public").unwrap();
        told.lock().unwrap().clear();

        let insert = |data: Value| json!({"op": "insert", "table": "book", "data": data, "goop2": {"write": "0123456789abcdef"}});
        run(&database, &remote, insert(json!({"a": "x"})));
        run(&database, &Caller::Local, insert(json!({"a": "y"})));
        // Refused, and rolled back.
        run(&database, &remote, insert(json!({"b": 1})));
        let book = |author| Written {
            table: "Book".into(),
            author,
        };
        let expected = [book(Some(visitor)), book(None)];
        assert_eq!(*told.lock().unwrap(), expected);

        assert_eq!(database.reading("BOOK"), Reading::All);
        database.set_policy("book", "open").unwrap();
        assert_eq!(database.reading("book"), Reading::Own);
        assert_eq!(database.reading("_goop2_writes"), Reading::Nothing);
        run(
            &database,
            &Caller::Local,
            json!({"op": "delete-table", "table": "book"}),
        );
        assert_eq!(told.lock().unwrap().last().unwrap().author, None);
        assert_eq!(database.reading("book"), Reading::Nothing);
    }
}
