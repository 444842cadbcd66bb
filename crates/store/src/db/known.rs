//! Peers this one remembers: who was seen, and what the owner noted about them. A table of ours,
//! which existing peers keep and never show (§5.5). Peers with a note of the owner stay until it is
//! removed; of the others only the newest do.

use goop2_proto::PeerId;
use rusqlite::{Connection, Row, TransactionBehavior, named_params};

use super::{Database, fault};
use crate::error::Error;

/// Peers remembered only because they were seen: more than anyone looks through.
pub const MAX_SEEN: usize = 256;
/// Most peers with a note of the owner; further ones are refused. Each is a row read at every
/// start.
pub const MAX_NOTED: usize = 4096;

/// What is remembered of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name when it was last seen.
    pub label: String,
    /// The email address it announced; empty = none.
    pub email: String,
    /// Of its picture; empty = none.
    pub avatar_hash: String,
    /// Whether it is known that the peer itself said this.
    pub verified: bool,
    /// Multiaddrs it announced.
    pub addrs: Vec<String>,
    /// Unix time in milliseconds; 0 = never seen, only noted.
    pub last_seen: i64,
    /// The owner's name for it; empty = its own name.
    pub name: String,
    /// Listed first.
    pub favourite: bool,
    /// Neither connected, served nor shown.
    pub blocked: bool,
    /// Its site may see who else is online.
    pub sees_peers: bool,
}

impl Known {
    /// Whether the owner noted anything about it.
    pub fn is_noted(&self) -> bool {
        !self.name.is_empty() || self.favourite || self.blocked || self.sees_peers
    }
}

impl Database {
    /// Everybody remembered.
    pub fn known_peers(&self) -> Result<Vec<(PeerId, Known)>, Error> {
        all(&self.writer()).map_err(|why| self.broken(why))
    }

    /// Remembers these as they are now, and forgets the longest unseen that are too many.
    pub fn remember_peers(&self, peers: &[(PeerId, Known)]) -> Result<(), Error> {
        save(&mut self.writer(), peers).map_err(|why| self.broken(why))
    }

    fn broken(&self, why: rusqlite::Error) -> Error {
        Error::Database {
            path: self.path.clone(),
            why: fault::text(why),
        }
    }
}

fn all(conn: &Connection) -> rusqlite::Result<Vec<(PeerId, Known)>> {
    let mut rows = conn.prepare("SELECT * FROM _goop2_peers ORDER BY peer")?;
    let known = rows.query_map([], |row| {
        Ok((row.get::<_, String>("peer")?.parse(), known(row)?))
    })?;
    // A row without a peer id is ignored; the next save leaves it alone.
    known
        .filter_map(|row| match row {
            Ok((Ok(peer), known)) => Some(Ok((peer, known))),
            Ok((Err(_), _)) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    let addrs: String = row.get("addrs")?;
    Ok(Known {
        label: row.get("label")?,
        email: row.get("email")?,
        avatar_hash: row.get("avatar_hash")?,
        verified: row.get("verified")?,
        addrs: addrs.lines().map(Into::into).collect(),
        last_seen: row.get("last_seen")?,
        name: row.get("name")?,
        favourite: row.get("favourite")?,
        blocked: row.get("blocked")?,
        sees_peers: row.get("sees_peers")?,
    })
}

fn save(conn: &mut Connection, peers: &[(PeerId, Known)]) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut row = transaction.prepare(
            "INSERT OR REPLACE INTO _goop2_peers (peer, label, email, avatar_hash, verified, addrs, last_seen, name, favourite, blocked, sees_peers)
             VALUES (:peer, :label, :email, :avatar_hash, :verified, :addrs, :last_seen, :name, :favourite, :blocked, :sees_peers)",
        )?;
        for (peer, known) in peers {
            row.execute(named_params! {
                ":peer": peer.to_base58(),
                ":label": known.label,
                ":email": known.email,
                ":avatar_hash": known.avatar_hash,
                ":verified": known.verified,
                ":addrs": known.addrs.join("\n"),
                ":last_seen": known.last_seen,
                ":name": known.name,
                ":favourite": known.favourite,
                ":blocked": known.blocked,
                ":sees_peers": known.sees_peers,
            })?;
        }
    }
    transaction.execute(
        "DELETE FROM _goop2_peers WHERE name = '' AND favourite + blocked + sees_peers = 0 AND peer NOT IN (
             SELECT peer FROM _goop2_peers WHERE name = '' AND favourite + blocked + sees_peers = 0 AND last_seen > 0
             ORDER BY last_seen DESC, peer LIMIT ?)",
        [i64::try_from(MAX_SEEN).unwrap_or(i64::MAX)],
    )?;
    transaction.commit()
}
