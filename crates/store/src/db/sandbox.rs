//! The second wall: connections that cannot write, and an authorizer that knows one table.
//!
//! SQLite asks the authorizer about everything a statement would touch, after it has understood the
//! statement itself: what the condition's own check might have misread is caught here. Limits bound
//! what one statement may cost.

use std::{
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::data::Answer;
use rusqlite::{
    Connection, OpenFlags,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
};

use super::{condition, migrate};

/// Longest time of one query of a stranger (§5 weakness 5).
pub(super) const MAX_TIME: Duration = Duration::from_secs(5);
/// Longest time of one query of the owner, whose pages are trusted but may be wrong.
pub(super) const MAX_OWN_TIME: Duration = Duration::from_secs(60);
/// Most instructions of SQLite's machine: a scan of some millions of rows, whatever the clock does.
const MAX_STEPS: u64 = 200_000_000;
/// Instructions between two looks at the clock.
const STEPS_PER_LOOK: u32 = 1000;
/// Queries of strangers that run at once; more wait. Two keep a small host busy, the others
/// bridge a slow one.
const MAX_READERS: usize = 4;
/// How long a query waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Page cache of one reader in KiB: the system's own cache is behind it.
const CACHE_KIB: i32 = 512;

/// What SQLite itself refuses a stranger. `LENGTH` also bounds every value in between.
const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_LENGTH, 8 * 1024 * 1024),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 256 * 1024),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 500),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 1),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 16),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    // The work of one LIKE is text × pattern, within which SQLite cannot be interrupted.
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 256),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Reads `table` and nothing else while `operation` runs.
pub(super) fn confined<T>(
    conn: &mut Connection,
    table: &str,
    operation: impl FnOnce(&Connection) -> T,
) -> rusqlite::Result<T> {
    let table = table.to_owned();
    conn.authorizer(Some(move |context: AuthContext<'_>| {
        authorize(&table, context.action)
    }))?;
    let result = within(conn, MAX_TIME, operation);
    conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    result
}

/// Interrupts what `operation` runs when it takes too long.
pub(super) fn within<T>(
    conn: &mut Connection,
    time: Duration,
    operation: impl FnOnce(&Connection) -> T,
) -> rusqlite::Result<T> {
    let deadline = Instant::now() + time;
    let mut looks = MAX_STEPS / u64::from(STEPS_PER_LOOK);
    let too_long = move || {
        looks = looks.saturating_sub(1);
        looks == 0 || Instant::now() >= deadline
    };
    conn.progress_handler(STEPS_PER_LOOK.cast_signed(), Some(too_long))?;
    let result = operation(conn);
    conn.progress_handler(0, None::<fn() -> bool>)?;
    Ok(result)
}

fn authorize(table: &str, action: AuthAction<'_>) -> Authorization {
    const OPERATORS: &[&str] = &[
        "like",
        "glob",
        "current_date",
        "current_time",
        "current_timestamp",
    ];
    let allowed = match action {
        AuthAction::Select => true,
        AuthAction::Read { table_name, .. } => table_name.eq_ignore_ascii_case(table),
        AuthAction::Function { function_name } => condition::FUNCTIONS
            .iter()
            .chain(OPERATORS)
            .any(|name| name.eq_ignore_ascii_case(function_name)),
        _ => false,
    };
    if allowed {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

/// A connection that only reads, for the owner.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(migrate::BUSY)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(conn)
}

fn open_confined(path: &Path) -> rusqlite::Result<Connection> {
    let conn = open_reader(path)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    for (limit, value) in LIMITS {
        conn.set_limit(*limit, *value)?;
    }
    Ok(conn)
}

/// The connections for strangers: opened when first needed, at most [`MAX_READERS`], each used by
/// one query at a time.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug)]
struct Pool {
    idle: Vec<Connection>,
    /// How many more may be in use at the same time.
    vacancies: usize,
}

/// Frees its slot however the query ends, and the connection too unless it panicked.
struct Turn<'a> {
    readers: &'a Readers,
    conn: Option<Connection>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        let pool = Pool {
            idle: Vec::new(),
            vacancies: MAX_READERS,
        };
        Self {
            path: path.to_owned(),
            pool: Mutex::new(pool),
            returned: Condvar::new(),
        }
    }

    pub(super) fn with(&self, operation: impl FnOnce(&mut Connection) -> Answer) -> Answer {
        let mut turn = self
            .wait()
            .ok_or("too many queries at the moment, try again")?;
        let mut conn = match turn.conn.take() {
            Some(conn) => conn,
            None => open_confined(&self.path).map_err(super::fault::text)?,
        };
        let answer = operation(&mut conn);
        turn.conn = Some(conn);
        answer
    }

    fn wait(&self) -> Option<Turn<'_>> {
        let (mut pool, timeout) = self
            .returned
            .wait_timeout_while(self.pool(), MAX_WAIT, |pool| pool.vacancies == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && pool.vacancies == 0 {
            return None;
        }
        pool.vacancies -= 1;
        Some(Turn {
            readers: self,
            conn: pool.idle.pop(),
        })
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        pool.idle.extend(self.conn.take());
        pool.vacancies += 1;
        self.readers.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wall alone, without the condition's check before it.
    #[test]
    fn the_authorizer_knows_one_table() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let writer = migrate::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE a (x TEXT, y TEXT); CREATE TABLE b (x TEXT); INSERT INTO a VALUES ('1', '2')").unwrap();
        let mut conn = open_confined(&path).unwrap();
        let mut run = |sql: &str| {
            confined(&mut conn, "a", |conn| {
                conn.prepare(sql)
                    .and_then(|mut query| query.query([])?.next().map(drop))
            })
            .unwrap()
        };
        for sql in [
            "SELECT * FROM a",
            "SELECT x FROM (SELECT * FROM a WHERE y = 2) AS a WHERE (x LIKE '1' AND length(x) = 1)",
        ] {
            assert!(run(sql).is_ok(), "{sql}");
        }
        for sql in [
            "SELECT * FROM b",
            "SELECT x FROM a WHERE x IN (SELECT x FROM b)",
            "SELECT x FROM a WHERE x IN b",
            "SELECT sql FROM sqlite_master",
            "SELECT * FROM pragma_table_info('a')",
            "SELECT * FROM json_each('[1]')",
            "SELECT printf('a') FROM a",
            "SELECT load_extension('a')",
            "SELECT randomblob(9) FROM a",
            "SELECT zeroblob(9) FROM a",
            "PRAGMA user_version",
            "ATTACH 'x' AS y",
            "DELETE FROM a",
            "DROP TABLE a",
            "INSERT INTO a VALUES (1, 1)",
            "UPDATE a SET x = 1",
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n FROM r) SELECT n FROM r",
            "SELECT x FROM a UNION SELECT y FROM a",
            "SELECT group_concat(x) FROM a",
            "BEGIN",
            "VACUUM",
            "CREATE TEMP TABLE t (x)",
            "SELECT replace(x, '1', '22') FROM a",
            "SELECT hex(x) FROM a",
            "SELECT * FROM dbstat",
            "EXPLAIN SELECT * FROM b",
        ] {
            assert!(run(sql).is_err(), "{sql}");
        }
        assert!(
            conn.prepare("SELECT * FROM b").is_ok(),
            "the confinement ends with the operation"
        );
    }

    #[test]
    fn time_is_bounded() {
        let mut conn = Connection::open_in_memory().unwrap();
        let endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r";
        let result = within(&mut conn, Duration::from_millis(50), |conn| {
            conn.query_row(endless, [], |_| Ok(()))
        })
        .unwrap();
        assert_eq!(
            super::super::fault::text(result.unwrap_err()),
            "the operation took too long"
        );
    }

    #[test]
    fn a_panic_gives_the_place_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let _writer = migrate::open(&path).unwrap();
        let readers = Readers::new(&path);
        for _ in 0..2 * MAX_READERS {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                readers.with(|_| panic!("on purpose"))
            }));
            assert!(panicked.is_err());
        }
        assert_eq!(readers.with(|_| Ok(None)), Ok(None));
        assert_eq!(readers.pool().vacancies, MAX_READERS);
    }
}
