//! How much of the database strangers fill, so that no few of them take all of it, and the owner's
//! view of it.
//!
//! What counts is what is in use: pages that a deletion freed are used again. A stranger may store
//! an eighth of the room that is left, and all strangers together may store in one table as much as
//! is left beyond it. So the shares shrink as room gets short, and there is always some for the
//! next: a flood by one leaves more than seven eighths, and a flood by a crowd leaves half for the
//! site's other tables.
//!
//! Rows are counted once per table and run, when a stranger first writes there; after that each
//! write adjusts the count. Refused: a table of counts in the database, which the writes of other
//! programs would falsify.

use std::collections::HashMap;

use goop2_proto::data::{Answer, Request};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    Caller, Database,
    catalog::{self, Column},
    fault,
};

/// Strangers can no longer write once this many bytes are in use: a site's data is not to fill the
/// owner's disk.
pub(super) const MAX_BYTES: i64 = 1024 * 1024 * 1024;
/// What a row takes in addition to its values: key, header and pointer in the page, rounded up.
const ROW_BYTES: i64 = 64;
/// A stranger may store one part in this many of the room left.
const VISITOR_SHARE: i64 = 8;
/// Owners of rows counted per table; the smallest are forgotten first.
const MAX_OWNERS: usize = 4096;
/// Owners of rows shown to the owner, the largest.
const MAX_SHOWN: usize = 20;

/// What one write changes.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The peer id in `_owner` of the row.
    pub(super) owner: String,
    pub(super) bytes: i64,
    pub(super) rows: i64,
}

/// Bytes and rows of one owner in one table.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    bytes: i64,
    rows: i64,
}

#[derive(Debug, Default)]
struct Table {
    /// Of everybody but the database's owner.
    strangers: i64,
    owners: HashMap<String, Used>,
}

/// The counts of this run, by table.
#[derive(Debug, Default)]
pub(super) struct Usage(HashMap<String, Table>);

impl Usage {
    /// Takes a committed write into account.
    pub(super) fn apply(&mut self, table: &str, change: Change, owner: &str) {
        let Some(table) = self.0.get_mut(&table.to_ascii_lowercase()) else {
            return;
        };
        if change.owner != owner {
            table.strangers += change.bytes;
        }
        let used = table.owners.entry(change.owner).or_default();
        used.bytes += change.bytes;
        used.rows += change.rows;
        table.shrink();
    }

    /// Counts again when next asked: tables were changed as a whole.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Counts one table again when next asked.
    pub(super) fn forget_table(&mut self, table: &str) {
        self.0.remove(&table.to_ascii_lowercase());
    }

    /// Bytes of everybody but the database's owner in a table, if they were counted.
    pub(super) fn strangers(&self, table: &str) -> Option<i64> {
        let counted = self.0.get(&table.to_ascii_lowercase());
        counted.map(|table| table.strangers)
    }

    /// A table before a change that is in the database already, but may be taken back.
    fn before(
        &mut self,
        conn: &Connection,
        table: &str,
        change: &Change,
        owner: &str,
    ) -> Result<&Table, String> {
        let key = table.to_ascii_lowercase();
        if !self.0.contains_key(&key) {
            let mut counted = count(conn, table, owner)?;
            if change.owner != owner {
                counted.strangers -= change.bytes;
            }
            if let Some(used) = counted.owners.get_mut(&change.owner) {
                used.bytes -= change.bytes;
                used.rows -= change.rows;
            }
            self.0.insert(key.clone(), counted);
        }
        Ok(&self.0[&key])
    }
}

impl Table {
    fn shrink(&mut self) {
        if self.owners.len() > MAX_OWNERS {
            let smallest = self.owners.iter().min_by_key(|(_, used)| used.bytes);
            if let Some(owner) = smallest.map(|(owner, _)| owner.clone()) {
                self.owners.remove(&owner);
            }
        }
    }
}

/// Whether a stranger may add so many bytes to a table.
pub(super) fn check_room(
    database: &Database,
    conn: &Connection,
    table: &str,
    change: &Change,
) -> Result<(), String> {
    if change.bytes <= 0 {
        return Ok(());
    }
    let room = database.max_bytes_for_remote_writes - in_use(conn).map_err(fault::answer)?;
    if room < 0 {
        return Err(FULL.into());
    }
    let mut usage = database.usage();
    let table = usage.before(conn, table, change, &database.owner.to_base58())?;
    let own = table.owners.get(&change.owner).map_or(0, |used| used.bytes);
    if own + change.bytes > room / VISITOR_SHARE {
        return Err(
            "not allowed: you store as much on this site as one visitor may at the moment; delete \
             something first"
                .into(),
        );
    }
    if table.strangers + change.bytes > room {
        return Err("not allowed: this table is full".into());
    }
    Ok(())
}

/// The part of a table's room that is used when strangers have so many bytes in it: from 1 on,
/// [`check_room`] refuses more.
pub(super) fn fullness(
    database: &Database,
    conn: &Connection,
    strangers: i64,
) -> rusqlite::Result<f64> {
    let room = database.max_bytes_for_remote_writes - in_use(conn)?;
    #[expect(clippy::cast_precision_loss, reason = "shown as a percentage")]
    let part = strangers as f64 / room.max(1) as f64;
    Ok(if room <= 0 { 1.0 } else { part.min(1.0) })
}

/// The answer when there is no room at all.
pub(super) const FULL: &str = "not allowed: the database of this site is full";

/// Bytes of pages that hold something.
pub(super) fn in_use(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached(
        "SELECT (page_count - freelist_count) * page_size
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )?
    .query_row([], |row| row.get(0))
}

fn file_bytes(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?
        .query_row([], |row| row.get(0))
}

/// The bytes of a row as an SQL expression: only its header is read for that, not its values.
pub(super) fn row_bytes(columns: &[Column]) -> String {
    let lengths = columns.iter().map(|column| {
        let name = column.name.replace('"', "\"\"");
        format!(" + coalesce(octet_length(\"{name}\"), 0)")
    });
    format!("{ROW_BYTES}{}", lengths.collect::<String>())
}

fn count(conn: &Connection, table: &str, owner: &str) -> Result<Table, String> {
    let mut counted = Table::default();
    each_owner(conn, table, |name, used| {
        if name != owner {
            counted.strangers += used.bytes;
        }
        if counted.owners.len() < MAX_OWNERS {
            counted.owners.insert(name, used);
        }
    })?;
    Ok(counted)
}

/// The largest first. Rows of a table without `_owner` are nobody's.
fn each_owner(
    conn: &Connection,
    table: &str,
    mut seen: impl FnMut(String, Used),
) -> Result<(), String> {
    let columns = catalog::columns(conn, table)?;
    let sql = format!(
        "SELECT {}, count(*), coalesce(sum({}), 0) FROM {} GROUP BY 1 ORDER BY 3 DESC",
        owner_column(&columns),
        row_bytes(&columns),
        catalog::quoted(table)
    );
    let mut each = || {
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let used = Used {
                rows: row.get(1)?,
                bytes: row.get(2)?,
            };
            let name = row.get_ref(0)?.as_bytes().unwrap_or_default();
            seen(String::from_utf8_lossy(name).into_owned(), used);
        }
        Ok(())
    };
    each().map_err(fault::answer)
}

/// Whose a row is, as an SQL expression; tables that other programs made may not say.
pub(super) fn owner_column(columns: &[Column]) -> &'static str {
    let says = columns
        .iter()
        .any(|column| column.name.eq_ignore_ascii_case("_owner"));
    if says {
        "coalesce(CAST(_owner AS TEXT), '')"
    } else {
        "''"
    }
}

/// `usage`: bytes in use and free, and who fills which table.
pub(super) fn show(database: &Database, conn: &Connection) -> Answer {
    let tables = registered(conn)
        .map_err(fault::answer)?
        .iter()
        .map(|table| show_table(conn, table))
        .collect::<Result<Vec<Value>, String>>()?;
    let (used, file) = in_use(conn)
        .and_then(|used| Ok((used, file_bytes(conn)?)))
        .map_err(fault::answer)?;
    Ok(Some(json!({
        "bytes": used,
        "free": file - used,
        "limit": database.max_bytes_for_remote_writes,
        "tables": tables,
    })))
}

fn show_table(conn: &Connection, table: &str) -> Result<Value, String> {
    let (mut total, mut owners) = (Used::default(), vec![]);
    each_owner(conn, table, |owner, used| {
        total.bytes += used.bytes;
        total.rows += used.rows;
        if owners.len() < MAX_SHOWN {
            owners.push(json!({ "owner": owner, "rows": used.rows, "bytes": used.bytes }));
        }
    })?;
    Ok(json!({ "table": table, "rows": total.rows, "bytes": total.bytes, "owners": owners }))
}

/// Tables of the site that exist.
pub(super) fn registered(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached(
        "SELECT s.name FROM _tables AS t JOIN sqlite_schema AS s
         ON s.type = 'table' AND s.name = t.name COLLATE NOCASE ORDER BY 1",
    )?
    .query_map([], |row| row.get::<_, String>(0))?
    .filter(|name| {
        name.as_ref().is_ok_and(|name| {
            !catalog::is_internal(name) && catalog::check_table_name(name).is_ok()
        })
    })
    .collect()
}

/// The owner's `remove-rows`: everything that a peer (`name`) wrote into one table, or into all.
pub(super) fn remove(database: &Database, conn: &Connection, request: &Request) -> Answer {
    if request.name.is_empty() {
        return Err("name required".into());
    }
    let tables = if request.table.is_empty() {
        registered(conn).map_err(fault::answer)?
    } else {
        let table = catalog::table(conn, &Caller::Local, &request.table)?.name;
        if catalog::is_internal(&table) {
            return Err(format!("invalid table name: {table}"));
        }
        vec![table]
    };
    let transaction = conn.unchecked_transaction().map_err(fault::answer)?;
    let mut removed = 0;
    for table in tables {
        let has_owner = catalog::columns(&transaction, &table)?
            .iter()
            .any(|column| column.name.eq_ignore_ascii_case("_owner"));
        if has_owner {
            let sql = format!("DELETE FROM {} WHERE _owner = ?", catalog::quoted(&table));
            removed += transaction
                .execute(&sql, [&request.name])
                .map_err(fault::answer)?;
        }
    }
    transaction.commit().map_err(fault::answer)?;
    database.usage().forget();
    Ok(Some(json!({ "rows": removed, "status": "removed" })))
}

/// The owner's `compact`: gives what deletions freed back to the disk.
pub(super) fn compact(conn: &Connection) -> Answer {
    let before = file_bytes(conn).map_err(fault::answer)?;
    conn.execute_batch("VACUUM")
        .and_then(|()| conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
        .map_err(fault::answer)?;
    let after = file_bytes(conn).map_err(fault::answer)?;
    Ok(Some(
        json!({ "after": after, "before": before, "status": "compacted" }),
    ))
}

/// Whether so much is in use that the owner should look, and who uses most of it.
pub(super) fn pressure(database: &Database, conn: &Connection) -> Option<(i64, i64)> {
    /// In percent.
    const LOOK: i64 = 80;
    let (used, limit) = (in_use(conn).ok()?, database.max_bytes_for_remote_writes);
    (used >= limit / 100 * LOOK).then_some((used, limit))
}

#[cfg(test)]
mod tests {
    use goop2_proto::PeerId;
    use proptest::prelude::*;

    use super::*;

    /// Small enough to fill in a moment.
    const LIMIT: i64 = 4 * 1024 * 1024;

    fn site(tables: &[&str]) -> (tempfile::TempDir, Database) {
        let dir = tempfile::tempdir().unwrap();
        let owner = PeerId::random();
        let mut database = Database::open(&dir.path().join("data.db"), owner, "").unwrap();
        database.max_bytes_for_remote_writes = LIMIT;
        for table in tables {
            let create = json!({"op": "create-table", "name": table, "column": {"name": "a", "type": "TEXT"}});
            own(&database, &create);
            database.set_policy(table, "open").unwrap();
        }
        (dir, database)
    }

    fn stranger() -> Caller {
        Caller::Remote {
            peer: PeerId::random(),
            email: String::new(),
        }
    }

    fn run(database: &Database, caller: &Caller, request: &Value) -> Answer {
        database.execute(caller, &Request::from_value(request.clone()).unwrap())
    }

    fn own(database: &Database, request: &Value) -> Value {
        run(database, &Caller::Local, request).unwrap().unwrap()
    }

    fn insert(database: &Database, caller: &Caller, table: &str, bytes: usize) -> Answer {
        let row = json!({"op": "insert", "table": table, "data": {"a": "x".repeat(bytes)}});
        run(database, caller, &row)
    }

    /// Inserts until it is refused.
    fn fill(database: &Database, caller: &Caller, table: &str, bytes: usize) -> String {
        (0..10_000)
            .find_map(|_| insert(database, caller, table, bytes).err())
            .expect("it ends")
    }

    #[test]
    fn one_stranger_takes_an_eighth_and_leaves_room_for_others() {
        let (_dir, database) = site(&["t"]);
        let greedy = stranger();
        let refused = fill(&database, &greedy, "t", 10_000);
        assert!(refused.contains("one visitor"), "{refused}");
        let usage = own(&database, &json!({"op": "usage"}));
        let bytes = usage["tables"][0]["bytes"].as_i64().unwrap();
        assert!(bytes > LIMIT / 12 && bytes < LIMIT / 8, "{bytes}");
        // Smaller is not refused for somebody else's sake, deleting and shrinking never.
        assert!(insert(&database, &stranger(), "t", 10_000).is_ok());
        let shrink = json!({"op": "update", "table": "t", "id": 1, "data": {"a": "y"}});
        assert!(run(&database, &greedy, &shrink).is_ok());
        assert!(insert(&database, &greedy, "t", 5_000).is_ok());
        let delete = json!({"op": "delete", "table": "t", "id": 2});
        assert!(run(&database, &greedy, &delete).is_ok());
        assert!(insert(&database, &greedy, "t", 10_000).is_ok());
    }

    #[test]
    fn a_crowd_in_one_table_leaves_room_for_the_others() {
        let (_dir, database) = site(&["flooded", "guestbook"]);
        let mut refused = String::new();
        for _ in 0..100 {
            refused = fill(&database, &stranger(), "flooded", 20_000);
        }
        assert_eq!(refused, "not allowed: this table is full");
        assert!(insert(&database, &stranger(), "guestbook", 20_000).is_ok());
        let usage = own(&database, &json!({"op": "usage"}));
        assert!(usage["bytes"].as_i64().unwrap() < LIMIT * 3 / 4, "{usage}");
    }

    #[test]
    fn after_a_flood_the_owner_sees_who_it_was_and_gets_everything_back() {
        let (dir, database) = site(&["t", "u"]);
        let greedy = stranger();
        for table in ["t", "u"] {
            fill(&database, &greedy, table, 20_000);
        }
        assert!(insert(&database, &stranger(), "t", 10).is_ok());
        let size = || std::fs::metadata(dir.path().join("data.db")).unwrap().len();
        let usage = own(&database, &json!({"op": "usage"}));
        let first = &usage["tables"][0]["owners"][0];
        let Caller::Remote { peer, .. } = &greedy else {
            panic!()
        };
        assert_eq!(first["owner"], json!(peer.to_base58()));
        assert!(first["rows"].as_i64().unwrap() > 10, "{usage}");

        let remove = json!({"op": "remove-rows", "name": peer.to_base58()});
        let removed = own(&database, &remove);
        assert!(removed["rows"].as_i64().unwrap() > 20, "{removed}");
        let after = own(&database, &json!({"op": "usage"}));
        assert!(after["free"].as_i64() > usage["free"].as_i64());
        assert!(after["bytes"].as_i64().unwrap() < 200_000, "{after}");
        // What is free is used again.
        assert!(insert(&database, &greedy, "t", 20_000).is_ok());

        database.checkpoint().unwrap();
        let large = size();
        let compacted = own(&database, &json!({"op": "compact"}));
        assert!(compacted["after"].as_i64() < compacted["before"].as_i64());
        assert!(size() < large / 2, "{} of {large}", size());
        for op in ["usage", "remove-rows", "compact"] {
            let refused = run(&database, &greedy, &json!({"op": op, "name": "x"}));
            assert_eq!(refused, Err(format!("unknown op: {op}")));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However rows come and go, the count of this run is what a new count finds, and nobody
        /// has more than their share of what was free at most.
        #[test]
        fn counts_stay_true(
            steps in proptest::collection::vec((0..4_usize, 0..4_usize, 1..40_i64, 0..60_000_usize), 1..120)
        ) {
            let (_dir, database) = site(&["t"]);
            let callers = [stranger(), stranger(), stranger(), Caller::Local];
            for (op, caller, id, bytes) in steps {
                let op = ["insert", "insert", "update", "delete"][op];
                let data = json!({"a": "x".repeat(bytes)});
                let request = json!({"op": op, "table": "t", "id": id, "data": data});
                let _refused_or_not = run(&database, &callers[caller], &request);
            }
            let owner = database.owner.to_base58();
            let counted = count(&database.writer(), "t", &owner).unwrap();
            for (name, used) in &counted.owners {
                prop_assert!(*name == owner || used.bytes <= LIMIT / VISITOR_SHARE);
            }
            let usage = database.usage();
            if let Some(kept) = usage.0.get("t") {
                prop_assert_eq!(kept.strangers, counted.strangers);
                for (name, used) in &counted.owners {
                    prop_assert_eq!(kept.owners[name].bytes, used.bytes, "{}", name);
                    prop_assert_eq!(kept.owners[name].rows, used.rows, "{}", name);
                }
            }
        }
    }

    #[test]
    fn a_full_database_refuses_strangers_in_words_and_not_the_owner() {
        let (_dir, mut database) = site(&["t"]);
        database.max_bytes_for_remote_writes = 1;
        assert_eq!(
            insert(&database, &stranger(), "t", 9),
            Err("not allowed: the database of this site is full".into())
        );
        assert!(insert(&database, &Caller::Local, "t", 9).is_ok());
    }
}
