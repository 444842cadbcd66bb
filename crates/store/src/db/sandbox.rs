//! The second wall: connections that cannot write, and an authorizer that knows one table.
//!
//! SQLite asks the authorizer about everything a statement would touch, after it has understood the
//! statement itself: what the condition's own check might have misread is caught here. Limits bound
//! what one statement may cost.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, OpenFlags,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
};

use super::{
    condition::{self, Cost},
    migrate,
    stop::Stop,
};

/// Longest time of one query of a stranger (§5 weakness 5), less the second that the last row may
/// take.
pub(super) const MAX_TIME: Duration = Duration::from_secs(4);
/// Longest time of one query of the owner, whose pages are trusted but may be wrong.
pub(super) const MAX_OWN_TIME: Duration = Duration::from_secs(60);
/// Most instructions of SQLite's machine: a scan of some millions of rows, whatever the clock does.
const MAX_STEPS: u64 = 200_000_000;
/// Instructions between two looks at the clock. SQLite looks at the end of a row at the earliest:
/// this is about one row under a condition that costs anything.
const STEPS_PER_LOOK: u32 = 50;
/// Bytes that the condition on one row may load, compare or copy, each as often as its [`Cost`]
/// says: within a row SQLite cannot be interrupted. Half a second on a slow computer.
const MAX_ROW_WORK: usize = 1024 * 1024 * 1024;
/// Longest value, and the least to which that is cut for a costly condition: a row that a stranger
/// may write always fits.
const VALUE_BYTES: std::ops::RangeInclusive<usize> = 256 * 1024..=8 * 1024 * 1024;
/// Page cache of one reader in KiB: the system's own cache is behind it.
const CACHE_KIB: i32 = 512;

/// What SQLite itself refuses a stranger.
const LIMITS: &[(Limit, i32)] = &[
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

/// Reads `table` and nothing else while `operation` runs, whose condition costs this much.
pub(super) fn confined<T>(
    conn: &mut Connection,
    table: &str,
    cost: Cost,
    stop: &Stop,
    operation: impl FnOnce(&Connection) -> T,
) -> rusqlite::Result<T> {
    let value = (MAX_ROW_WORK / cost.0.max(1)).clamp(*VALUE_BYTES.start(), *VALUE_BYTES.end());
    let value = i32::try_from(value).unwrap_or(i32::MAX);
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, value)?;
    let table = table.to_owned();
    conn.authorizer(Some(move |context: AuthContext<'_>| {
        authorize(&table, context.action)
    }))?;
    let result = within(conn, MAX_TIME, stop, operation);
    conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    result
}

/// Interrupts what `operation` runs when it takes too long, or when the database stops.
pub(super) fn within<T>(
    conn: &mut Connection,
    time: Duration,
    stop: &Stop,
    operation: impl FnOnce(&Connection) -> T,
) -> rusqlite::Result<T> {
    within_steps(conn, time, MAX_STEPS, stop, operation)
}

/// As [`within`], after so many instructions too.
pub(super) fn within_steps<T>(
    conn: &mut Connection,
    time: Duration,
    steps: u64,
    stop: &Stop,
    operation: impl FnOnce(&Connection) -> T,
) -> rusqlite::Result<T> {
    let deadline = Instant::now() + time;
    let mut looks = steps / u64::from(STEPS_PER_LOOK);
    let stop = stop.clone();
    let too_long = move || {
        looks = looks.saturating_sub(1);
        looks == 0 || stop.is_stopped() || Instant::now() >= deadline
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

/// A connection that only reads, for strangers.
pub(super) fn open_confined(path: &Path) -> rusqlite::Result<Connection> {
    let conn = open_reader(path)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    for (limit, value) in LIMITS {
        conn.set_limit(*limit, *value)?;
    }
    Ok(conn)
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
            confined(&mut conn, "a", Cost(1), &Stop::default(), |conn| {
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
        let result = within(
            &mut conn,
            Duration::from_millis(50),
            &Stop::default(),
            |conn| conn.query_row(endless, [], |_| Ok(())),
        )
        .unwrap();
        assert_eq!(
            super::super::fault::text(result.unwrap_err()),
            "the operation took too long"
        );
    }
}
