//! `peer_db_path` (§6.9): the tables of existing servers, and two of our own.
//!
//! All data is in memory while the server runs ([`super::records`]); one thread owns the connection
//! and writes the file, and a change counts when it is written. Existing servers store tokens as
//! mailed; ours replaces them with hashes, so that someone who reads the file cannot confirm
//! anything.

use std::{fs, io, path::Path, thread, time::Duration};

use goop2_proto::{PeerId, id};
use rusqlite::{Connection, OpenFlags, Transaction, params};
use tokio::sync::{mpsc, oneshot};

use super::{
    config::Error,
    record::{Hash, Pending, Record, Write, hash},
};

/// How long to wait for another program that locks the database; as existing servers.
const BUSY: Duration = Duration::from_secs(5);
/// Changes that wait for the disk; beyond it callers wait too.
const MAX_WAITING: usize = 64;
/// The first two tables are exactly those of existing servers.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS peers (
        peer_id TEXT PRIMARY KEY, type TEXT, content TEXT, email TEXT, avatar_hash TEXT,
        ts INTEGER, last_seen INTEGER, bytes_sent INTEGER, bytes_received INTEGER
    );
    CREATE TABLE IF NOT EXISTS registrations (
        email TEXT PRIMARY KEY, token TEXT NOT NULL, created_at INTEGER NOT NULL,
        verified_at INTEGER DEFAULT 0, metadata TEXT DEFAULT '{}'
    );
    CREATE TABLE IF NOT EXISTS _goop2_pending (
        token_hash BLOB NOT NULL PRIMARY KEY, email TEXT NOT NULL, peer_id TEXT NOT NULL DEFAULT '',
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS _goop2_blocked (peer_id TEXT NOT NULL PRIMARY KEY) STRICT;
";

#[derive(Debug)]
enum Order {
    Write(Vec<Write>, oneshot::Sender<Result<(), String>>),
    Peers(Vec<Peer>),
    Close(oneshot::Sender<()>),
}

/// One peer that is online, as existing servers store it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) label: String,
    pub(crate) email: String,
    pub(crate) avatar_hash: String,
    pub(crate) ts: i64,
    pub(crate) last_seen: i64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

/// Everything that a server reads from the file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Contents {
    pub(super) records: Vec<Record>,
    pub(super) pending: Vec<(Hash, Pending)>,
    pub(super) blocked: Vec<PeerId>,
}

#[derive(Debug)]
pub(super) struct Database {
    orders: mpsc::Sender<Order>,
}

impl Database {
    /// Blocking. Creates the folder and the file; a file that is not such a database is left alone.
    pub(super) fn open(path: &Path) -> Result<(Self, Contents), Error> {
        let broken = |why: &dyn ToString| Error::Database {
            path: path.to_owned(),
            why: why.to_string(),
        };
        let mut conn = create(path)
            .map_err(|error| broken(&error))
            .and_then(|()| connect(path).map_err(|error| broken(&error)))?;
        let contents = load(&mut conn).map_err(|error| broken(&error))?;
        let (orders, incoming) = mpsc::channel(MAX_WAITING);
        thread::Builder::new()
            .name("registrations".into())
            .spawn(move || serve(conn, incoming))
            .map_err(|error| broken(&error))?;
        Ok((Self { orders }, contents))
    }

    /// Returns when all of it is on disk.
    pub(super) async fn write(&self, writes: Vec<Write>) -> Result<(), String> {
        if writes.is_empty() {
            return Ok(());
        }
        let closed = || "the database is closed".to_owned();
        let (done, written) = oneshot::channel();
        let order = Order::Write(writes, done);
        self.orders.send(order).await.map_err(|_| closed())?;
        written.await.map_err(|_| closed())?
    }

    /// Queues it; false if too much is waiting.
    pub(super) fn write_soon(&self, write: Write) -> bool {
        let order = Order::Write(vec![write], oneshot::channel().0);
        self.orders.try_send(order).is_ok()
    }

    /// Queues who is online, replacing those before; skipped if too much is waiting.
    pub(super) fn save_peers(&self, peers: Vec<Peer>) {
        let _next_time = self.orders.try_send(Order::Peers(peers));
    }

    /// Returns when everything queued is on disk and the file is closed.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.orders.send(Order::Close(done)).await.is_ok() {
            // An error means that the thread has already ended.
            let _ = closed.await;
        }
    }
}

fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    // It contains personal data.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY)?;
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // Deleted data, such as tokens and removed people, is overwritten.
    conn.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    conn.execute_batch(SCHEMA)?;
    Ok(conn)
}

fn load(conn: &mut Connection) -> rusqlite::Result<Contents> {
    let changes = conn.transaction()?;
    adopt(&changes)?;
    let records = changes
        .prepare("SELECT email, created_at, verified_at, metadata FROM registrations")?
        .query_map([], |row| {
            let metadata: Option<String> = row.get(3)?;
            Ok(Record {
                email: row.get(0)?,
                created_at: row.get(1)?,
                verified_at: row.get::<_, Option<i64>>(2)?.unwrap_or(0),
                metadata: metadata
                    .and_then(|text| serde_json::from_str(&text).ok())
                    .unwrap_or_default(),
            })
        })?
        .collect::<Result<_, _>>()?;
    let pending = changes
        .prepare("SELECT token_hash, email, peer_id, created_at FROM _goop2_pending")?
        .query_map([], |row| {
            let peer: String = row.get(2)?;
            let pending = Pending {
                email: row.get(1)?,
                peer: id::parse(&peer),
                created_at: row.get(3)?,
            };
            Ok((row.get(0)?, pending))
        })?
        .collect::<Result<_, _>>()?;
    let blocked = changes
        .prepare("SELECT peer_id FROM _goop2_blocked")?
        .query_map([], |row| Ok(id::parse(&row.get::<_, String>(0)?)))?
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    changes.commit()?;
    Ok(Contents {
        records,
        pending,
        blocked,
    })
}

/// Links that an existing server has mailed stay valid, but their tokens are removed from the file.
fn adopt(changes: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut mailed = changes.prepare(
        "SELECT token, email, created_at FROM registrations WHERE token <> '' AND coalesce(verified_at, 0) = 0",
    )?;
    let mut rows = mailed.query([])?;
    while let Some(row) = rows.next()? {
        let (token, email, created_at): (String, String, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let pending = Pending {
            email,
            peer: None,
            created_at,
        };
        apply(changes, Write::Pending(hash(&token), pending))?;
    }
    changes.execute("UPDATE registrations SET token = '' WHERE token <> ''", [])?;
    Ok(())
}

/// Owns the connection until it is closed or all senders are gone.
fn serve(mut conn: Connection, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.blocking_recv() {
        match order {
            Order::Write(writes, done) => {
                let written = write(&mut conn, writes).map_err(|error| error.to_string());
                if let Err(why) = &written {
                    tracing::error!(why, "registrations could not be written");
                }
                // The caller may have stopped waiting.
                let _ = done.send(written);
            }
            Order::Peers(peers) => {
                if let Err(error) = replace(&mut conn, &peers) {
                    tracing::warn!(%error, "the peer table could not be written");
                }
            }
            Order::Close(done) => {
                drop(conn);
                let _ = done.send(());
                return;
            }
        }
    }
}

fn replace(conn: &mut Connection, peers: &[Peer]) -> rusqlite::Result<()> {
    let changes = conn.transaction()?;
    changes.execute("DELETE FROM peers", [])?;
    {
        let mut insert = changes.prepare(
            "INSERT INTO peers (peer_id, type, content, email, avatar_hash, ts, last_seen, bytes_sent, bytes_received)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let whole = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        for peer in peers {
            let (sent, received) = (whole(peer.bytes_sent), whole(peer.bytes_received));
            insert.execute(params![
                peer.id,
                peer.kind,
                peer.label,
                peer.email,
                peer.avatar_hash,
                peer.ts,
                peer.last_seen,
                sent,
                received
            ])?;
        }
    }
    changes.commit()
}

fn write(conn: &mut Connection, writes: Vec<Write>) -> rusqlite::Result<()> {
    let changes = conn.transaction()?;
    for write in writes {
        apply(&changes, write)?;
    }
    changes.commit()
}

fn apply(changes: &Transaction<'_>, write: Write) -> rusqlite::Result<()> {
    match write {
        Write::Record(Record { email, created_at, verified_at, metadata }) => {
            let metadata = serde_json::Value::Object(metadata).to_string();
            changes.execute(
                "INSERT INTO registrations (email, token, created_at, verified_at, metadata) VALUES (?1, '', ?2, ?3, ?4)
                 ON CONFLICT (email) DO UPDATE SET token = '', created_at = ?2, verified_at = ?3, metadata = ?4",
                params![email, created_at, verified_at, metadata],
            )
        }
        Write::NoRecord { email } => changes.execute("DELETE FROM registrations WHERE email = ?1", params![email]),
        Write::Pending(token, Pending { email, peer, created_at }) => changes.execute(
            "INSERT OR REPLACE INTO _goop2_pending (token_hash, email, peer_id, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![token, email, peer.map(|peer| peer.to_base58()).unwrap_or_default(), created_at],
        ),
        Write::NoPending(token) => changes.execute("DELETE FROM _goop2_pending WHERE token_hash = ?1", params![token]),
        Write::Block(peer) => changes.execute("INSERT OR IGNORE INTO _goop2_blocked (peer_id) VALUES (?1)", params![peer.to_base58()]),
        Write::NoBlock(peer) => changes.execute("DELETE FROM _goop2_blocked WHERE peer_id = ?1", params![peer.to_base58()]),
    }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use goop2_proto::Keypair;

    use super::*;

    /// A database of an existing server.
    const EXISTING: &str = "
        CREATE TABLE peers (peer_id TEXT PRIMARY KEY, type TEXT, content TEXT, email TEXT, avatar_hash TEXT,
            ts INTEGER, last_seen INTEGER, bytes_sent INTEGER, bytes_received INTEGER);
        CREATE TABLE registrations (email TEXT PRIMARY KEY, token TEXT NOT NULL, created_at INTEGER NOT NULL,
            verified_at INTEGER DEFAULT 0, metadata TEXT DEFAULT '{}');
        INSERT INTO registrations VALUES ('ann@example.org', 'ann-token', 1, 5, '{\"plan\":\"x\"}');
        INSERT INTO registrations (email, token, created_at) VALUES ('bob@example.org', 'bob-token', 2);
    ";

    #[tokio::test]
    async fn a_database_of_an_existing_server_is_taken_over_without_its_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch(EXISTING)
            .unwrap();
        let (
            database,
            Contents {
                records, pending, ..
            },
        ) = Database::open(&path).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(
            (records[0].verified_at, &records[0].metadata["plan"]),
            (5, &"x".into())
        );
        assert_eq!(pending.len(), 1);
        assert_eq!(
            (pending[0].0, &*pending[0].1.email),
            (hash("bob-token"), "bob@example.org")
        );
        database.close().await;
        let everything = fs::read(&path).unwrap();
        let holds = |text: &[u8]| everything.windows(text.len()).any(|part| part == text);
        assert!(holds(b"bob@example.org") && !holds(b"-token"));
    }

    #[tokio::test]
    async fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/peers.db");
        let (database, contents) = Database::open(&path).unwrap();
        assert_eq!(contents, Contents::default());
        let record = Record {
            email: "ann@example.org".into(),
            created_at: 1,
            verified_at: 2,
            metadata: serde_json::Map::from_iter([("a".into(), 1.into())]),
        };
        let pending = Pending {
            email: "ann@example.org".into(),
            peer: None,
            created_at: 3,
        };
        let peer = Keypair::generate_ed25519().public().to_peer_id();
        let writes = vec![
            Write::Record(record.clone()),
            Write::Pending([7; 32], pending.clone()),
            Write::Block(peer),
            Write::Block(peer),
        ];
        database.write(writes).await.unwrap();
        assert!(database.write_soon(Write::NoRecord {
            email: "nobody@example.org".into()
        }));
        database.close().await;
        let (database, contents) = Database::open(&path).unwrap();
        let written = Contents {
            records: vec![record],
            pending: vec![([7; 32], pending)],
            blocked: vec![peer],
        };
        assert_eq!(contents, written);
        let gone = vec![
            Write::NoRecord {
                email: "ann@example.org".into(),
            },
            Write::NoPending([7; 32]),
            Write::NoBlock(peer),
        ];
        database.write(gone).await.unwrap();
        database.close().await;
        assert_eq!(Database::open(&path).unwrap().1, Contents::default());
    }

    #[tokio::test]
    async fn the_list_of_peers_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.db");
        let (database, _) = Database::open(&path).unwrap();
        let peer = |id: &str| Peer {
            id: id.into(),
            kind: "update",
            label: "Ann".into(),
            email: String::new(),
            avatar_hash: String::new(),
            ts: 1,
            last_seen: 2,
            bytes_sent: 3,
            bytes_received: u64::MAX,
        };
        database.save_peers(vec![peer("a"), peer("b")]);
        database.save_peers(vec![peer("b"), peer("c")]);
        database.close().await;
        let conn = Connection::open(&path).unwrap();
        let ids: String = conn
            .query_row(
                "SELECT group_concat(peer_id, '') FROM (SELECT peer_id FROM peers ORDER BY 1)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(ids, "bc");
    }

    #[test]
    fn a_file_that_is_not_a_database_prevents_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.db");
        fs::write(&path, "not a database, but something somebody may need").unwrap();
        let error = Database::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("peers.db") && error.contains("not a database"),
            "{error}"
        );
        let below = path.join("peers.db");
        assert!(Database::open(&below).is_err());
    }
}
