//! Tables that a template brings along: what its `schema.sql` does is tried on an empty database
//! first, under an authorizer that knows only the tables the script itself makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{
    Batch, Connection, OptionalExtension, Statement,
    config::DbConfig,
    fallible_iterator::FallibleIterator,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
};

use super::{
    Database,
    catalog::{self, quoted},
    fault,
    sandbox::{MAX_OWN_TIME, within},
    schema::POLICIES,
    stop::Stop,
};

/// Bytes of a script.
pub(crate) const MAX_SQL: usize = 1024 * 1024;
/// Tables of one template.
const MAX_TABLES: usize = 64;
/// Pages of 4 KiB that its tables may fill: 64 MiB, whatever a script multiplies.
const MAX_PAGES: u32 = 16 * 1024;
/// Bytes of one value.
const MAX_VALUE: i32 = 1024 * 1024;
/// Numbers that are tried for the name of a table that is kept.
const MAX_KEPT: u32 = 100;

/// What a script may call: in defaults, checks and values.
const FUNCTIONS: [&str; 23] = [
    "abs",
    "coalesce",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "glob",
    "ifnull",
    "instr",
    "julianday",
    "length",
    "like",
    "lower",
    "nullif",
    "random",
    "round",
    "strftime",
    "substr",
    "time",
    "trim",
    "upper",
    "unixepoch",
];

/// A script that was tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    sql: String,
    /// The tables it makes, with the statements that make them.
    tables: Vec<(String, String)>,
}

/// What became of the tables, to be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    tables: Vec<MadeTable>,
}

#[derive(Clone, Debug)]
struct MadeTable {
    name: String,
    /// Rows it began with.
    rows: i64,
    /// The name of the table that was there, and its indexes.
    kept: Option<(String, Vec<String>)>,
}

/// What the authorizer knows.
#[derive(Debug, Default)]
struct Wall {
    /// Tables of the script, in lower case.
    tables: BTreeSet<String>,
    /// Whether the script may make more.
    makes: bool,
    /// Our own statements.
    open: bool,
}

impl Script {
    /// Tries a script; `Err` says what it does that a template may not.
    pub(crate) fn new(sql: &str) -> Result<Self, String> {
        if sql.len() > MAX_SQL {
            return Err("schema.sql is larger than 1 MiB.".into());
        }
        let mut conn = Connection::open_in_memory().map_err(fault::answer)?;
        conn.pragma_update(None, "max_page_count", MAX_PAGES)
            .map_err(fault::answer)?;
        let wall = Arc::new(Mutex::new(Wall {
            makes: true,
            ..Wall::default()
        }));
        let run = |conn: &Connection| run(conn, sql);
        confined(&mut conn, &wall, &Stop::default(), run)?.map_err(refused)?;
        let mut listed = conn
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@'")
            .map_err(fault::answer)?;
        let tables = listed
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?.to_lowercase(), row.get(1)?))
            })
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(fault::answer)?;
        Ok(Self {
            sql: sql.into(),
            tables,
        })
    }

    /// Names of its tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|(name, _)| name.as_str())
    }
}

impl Database {
    /// Makes the tables of a script, all or none. A table that has the name of one is kept under
    /// another.
    pub(crate) fn make_tables(
        &self,
        script: &Script,
        policies: &BTreeMap<String, String>,
    ) -> Result<Made, String> {
        self.usage().forget();
        let mut conn = self.writer();
        let wall = Arc::new(Mutex::new(Wall {
            tables: script.tables().map(str::to_owned).collect(),
            makes: false,
            open: true,
        }));
        confined(&mut conn, &wall, &self.stop, |conn| {
            let transaction = conn.unchecked_transaction().map_err(fault::answer)?;
            let mut tables = vec![];
            for name in script.tables() {
                tables.push(MadeTable {
                    name: name.into(),
                    rows: 0,
                    kept: keep(conn, name)?,
                });
            }
            locked(&wall).open = false;
            let ran = run(conn, &script.sql);
            locked(&wall).open = true;
            ran.map_err(refused)?;
            for (table, (name, sql)) in tables.iter_mut().zip(&script.tables) {
                register(conn, name, sql, policies.get(name).map(String::as_str))?;
                table.rows = count(conn, name)?;
            }
            transaction.commit().map_err(fault::answer)?;
            Ok(Made { tables })
        })?
    }

    /// Takes [`Database::make_tables`] back. A table that has other rows by now is kept under
    /// another name: somebody wrote them.
    pub(crate) fn unmake_tables(&self, made: &Made) -> Result<(), String> {
        self.usage().forget();
        let conn = self.writer();
        let transaction = conn.unchecked_transaction().map_err(fault::answer)?;
        for MadeTable { name, rows, kept } in &made.tables {
            if exists(&conn, name)? {
                if count(&conn, name)? == *rows {
                    execute(&conn, &format!("DROP TABLE {}", quoted(name)))?;
                    execute(
                        &conn,
                        &format!("DELETE FROM _tables WHERE name = '{name}' COLLATE NOCASE"),
                    )?;
                } else {
                    keep(&conn, name)?;
                }
            }
            if let Some((kept, indexes)) = kept {
                rename(&conn, kept, name)?;
                for index in indexes {
                    execute(&conn, index)?;
                }
            }
        }
        transaction.commit().map_err(fault::answer)
    }

    /// The owner's tables: name, the statement that makes it, and policy.
    pub(crate) fn definitions(&self) -> Result<Vec<(String, String, String)>, String> {
        let conn = self.writer();
        let mut listed = conn
            .prepare(
                "SELECT t.name, s.sql, coalesce(t.insert_policy, 'owner') FROM _tables t \
                 JOIN sqlite_schema s ON s.type = 'table' AND s.name = t.name COLLATE NOCASE \
                 WHERE t.name NOT LIKE '@_%' ESCAPE '@' ORDER BY t.rowid",
            )
            .map_err(fault::answer)?;
        listed
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(fault::answer)
    }
}

/// Gives a table that is there another name, and takes its indexes away, whose names may be needed.
fn keep(conn: &Connection, name: &str) -> Result<Option<(String, Vec<String>)>, String> {
    if !exists(conn, name)? {
        return Ok(None);
    }
    let mut free = None;
    for number in 1..=MAX_KEPT {
        let kept = format!(
            "{name}_old{}",
            if number == 1 {
                String::new()
            } else {
                number.to_string()
            }
        );
        if !exists(conn, &kept)? {
            free = Some(kept);
            break;
        }
    }
    let free = free.ok_or_else(|| format!("There are too many copies of the table {name}."))?;
    let mut listed = conn
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL")
        .map_err(fault::answer)?;
    let indexes = listed
        .query_map([name], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(fault::answer)?;
    drop(listed);
    for (index, _) in &indexes {
        execute(
            conn,
            &format!("DROP INDEX \"{}\"", index.replace('"', "\"\"")),
        )?;
    }
    rename(conn, name, &free)?;
    Ok(Some((
        free,
        indexes.into_iter().map(|(_, sql)| sql).collect(),
    )))
}

fn rename(conn: &Connection, from: &str, to: &str) -> Result<(), String> {
    execute(
        conn,
        &format!("ALTER TABLE {} RENAME TO {}", quoted(from), quoted(to)),
    )?;
    execute(
        conn,
        &format!("UPDATE _tables SET name = '{to}' WHERE name = '{from}' COLLATE NOCASE"),
    )
}

fn register(conn: &Connection, name: &str, sql: &str, policy: Option<&str>) -> Result<(), String> {
    let policy = policy
        .filter(|policy| POLICIES.contains(policy))
        .unwrap_or("owner");
    conn.execute(
        "INSERT OR REPLACE INTO _tables (name, schema, insert_policy) VALUES (?, ?, ?)",
        [name, sql, policy],
    )
    .map(drop)
    .map_err(fault::answer)
}

fn exists(conn: &Connection, name: &str) -> Result<bool, String> {
    conn.query_row(
        "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE",
        [name],
        |_| Ok(()),
    )
    .optional()
    .map(|found| found.is_some())
    .map_err(fault::answer)
}

fn count(conn: &Connection, name: &str) -> Result<i64, String> {
    conn.query_row(
        &format!("SELECT count(*) FROM {}", quoted(name)),
        [],
        |row| row.get(0),
    )
    .map_err(fault::answer)
}

fn execute(conn: &Connection, sql: &str) -> Result<(), String> {
    conn.execute(sql, []).map(drop).map_err(fault::answer)
}

/// One statement after the other.
fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut batch = Batch::new(conn, sql);
    while let Some(mut statement) = batch.next()? {
        step(&mut statement)?;
    }
    Ok(())
}

fn step(statement: &mut Statement<'_>) -> rusqlite::Result<()> {
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn refused(error: rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(failure, _)
            if failure.code == rusqlite::ErrorCode::AuthorizationForStatementDenied =>
        {
            "schema.sql does something a template may not. It may only create tables and indexes, and insert rows into its own tables.".into()
        }
        error => format!("schema.sql doesn’t work: {}.", fault::text(error)),
    }
}

/// Runs `operation` behind the wall, for a bounded time.
fn confined<T>(
    conn: &mut Connection,
    wall: &Arc<Mutex<Wall>>,
    stop: &Stop,
    operation: impl FnOnce(&Connection) -> T,
) -> Result<T, String> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
        .map_err(fault::answer)?;
    let length = conn
        .set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE)
        .map_err(fault::answer)?;
    let asked = Arc::clone(wall);
    let authorize = move |context: AuthContext<'_>| locked(&asked).authorize(&context.action);
    let result = conn
        .authorizer(Some(authorize))
        .and_then(|()| within(conn, MAX_OWN_TIME, stop, operation));
    conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
        .map_err(fault::answer)?;
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, length)
        .map_err(fault::answer)?;
    result.map_err(fault::answer)
}

fn locked(wall: &Mutex<Wall>) -> MutexGuard<'_, Wall> {
    wall.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wall {
    fn authorize(&mut self, action: &AuthAction<'_>) -> Authorization {
        let allowed = self.open
            || match action {
                AuthAction::CreateTable { table_name } => self.may_make(table_name),
                AuthAction::CreateIndex {
                    table_name,
                    index_name,
                } => self.knows(table_name) && !index_name.starts_with('_'),
                AuthAction::Insert { table_name } => {
                    is_schema(table_name) || self.knows(table_name)
                }
                // SQLite notes in its own table what was made.
                AuthAction::Update { table_name, .. } => is_schema(table_name),
                AuthAction::Read { table_name, .. } => {
                    is_schema(table_name) || self.knows(table_name)
                }
                AuthAction::Reindex { .. } | AuthAction::Select => true,
                AuthAction::Function { function_name } => FUNCTIONS
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(function_name)),
                _ => false,
            };
        if allowed {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }

    fn may_make(&mut self, name: &str) -> bool {
        // Made by SQLite for AUTOINCREMENT; no script can.
        if name == "sqlite_sequence" {
            return true;
        }
        let name = name.to_lowercase();
        if !self.makes {
            return self.tables.contains(&name);
        }
        let is_own = catalog::check_table_name(&name).is_ok() && !catalog::is_internal(&name);
        let may = is_own && !name.starts_with("sqlite_") && self.tables.len() < MAX_TABLES;
        if may {
            self.tables.insert(name);
        }
        may
    }

    fn knows(&self, table: &str) -> bool {
        self.tables.contains(&table.to_lowercase())
    }
}

fn is_schema(table: &str) -> bool {
    ["sqlite_master", "sqlite_schema"].contains(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_makes_tables_and_fills_them() {
        let script = Script::new(
            "-- a comment\nCREATE TABLE Posts (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, \
             made DATETIME DEFAULT CURRENT_TIMESTAMP, title TEXT CHECK (length(title) < 9));\n\
             CREATE INDEX by_title ON posts (title);\nCREATE TABLE IF NOT EXISTS other (a, b UNIQUE);\n\
             INSERT INTO posts (_owner, title) VALUES ('', 'one'), ('', 'two;');\n\
             INSERT INTO other SELECT _id, title FROM posts;",
        )
        .unwrap();
        assert_eq!(script.tables().collect::<Vec<_>>(), ["posts", "other"]);
        assert!(Script::new("").unwrap().tables().next().is_none());
    }

    #[test]
    fn a_script_does_nothing_else() {
        for sql in [
            "CREATE TABLE _peers (a)",
            "CREATE TABLE sqlite_x (a)",
            "CREATE TABLE \"a b\" (a)",
            "CREATE TEMP TABLE a (b)",
            "CREATE TABLE a (b); CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; END",
            "CREATE TABLE a (b); CREATE VIEW v AS SELECT * FROM a",
            "CREATE VIRTUAL TABLE a USING fts5(b)",
            "ATTACH 'x.db' AS x",
            "PRAGMA writable_schema = 1",
            "PRAGMA user_version",
            "VACUUM INTO 'x.db'",
            "BEGIN",
            "SAVEPOINT a",
            "DROP TABLE a",
            "CREATE TABLE a (b); DROP TABLE a",
            "CREATE TABLE a (b); ALTER TABLE a RENAME TO c",
            "CREATE TABLE a (b); DELETE FROM a",
            "CREATE TABLE a (b); UPDATE a SET b = 1",
            "CREATE TABLE a (b); INSERT INTO a SELECT load_extension('x')",
            "CREATE TABLE a (b); INSERT INTO a SELECT readfile('/etc/passwd')",
            "CREATE TABLE a (b DEFAULT (randomblob(9))); INSERT INTO a DEFAULT VALUES",
            "INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)",
            "INSERT INTO _tables VALUES (1, 2, 3, 4)",
            "UPDATE sqlite_master SET sql = ''",
            "CREATE TABLE a (b INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO sqlite_sequence VALUES ('x', 9)",
            "CREATE TABLE a (b); WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) INSERT INTO a SELECT n FROM r",
            "CREATE TABLE a (b); INSERT INTO a SELECT * FROM pragma_database_list",
            "REINDEX; ANALYZE",
            "nonsense",
            "CREATE TABLE a (b",
        ] {
            assert!(Script::new(sql).is_err(), "{sql}");
        }
        let many: String = (0..=MAX_TABLES)
            .map(|n| format!("CREATE TABLE t{n} (a);"))
            .collect();
        assert!(Script::new(&many).is_err());
        assert!(Script::new(&" ".repeat(MAX_SQL + 1)).is_err());
        let grows = format!(
            "CREATE TABLE a (b); INSERT INTO a VALUES ('{}');{}",
            "x".repeat(1000),
            "INSERT INTO a SELECT * FROM a;".repeat(30)
        );
        let Err(why) = Script::new(&grows) else {
            panic!()
        };
        assert!(why.contains("full") || why.contains("too long"), "{why}");
    }
}
