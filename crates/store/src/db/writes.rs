//! Writes that carry an id (protocol-v2.md, Data): asking again never makes a second row.
//!
//! What a write answered is kept in the same transaction as its row, so it survives the death of
//! the process exactly as the row does. An id belongs to the peer that used it.

use goop2_proto::data::Request;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fault;

/// Writes of one peer that are remembered: more than it can have unanswered at once.
const MAX_OF_PEER: u32 = 64;
/// Writes remembered of all peers; the oldest go first.
const MAX: u32 = 8192;
/// Seconds a write is remembered: nobody asks again after that.
const KEPT: u32 = 24 * 60 * 60;

/// The answer this write got before, if it was here.
pub(super) fn earlier(
    conn: &Connection,
    peer: &str,
    id: &str,
    request: &Request,
) -> Result<Option<Value>, String> {
    let found = conn
        .prepare_cached("SELECT request, answer FROM _goop2_writes WHERE peer = ? AND id = ?")
        .and_then(|mut find| {
            find.query_row([peer, id], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
            })
            .optional()
        })
        .map_err(fault::answer)?;
    match found {
        None => Ok(None),
        Some((digest, _)) if digest != digest_of(request) => {
            Err("this write id was used for another write".into())
        }
        Some((_, answer)) => serde_json::from_str(&answer)
            .map(Some)
            .map_err(|error| error.to_string()),
    }
}

/// Remembers the answer, and forgets the oldest that are too many.
pub(super) fn remember(
    conn: &Connection,
    peer: &str,
    id: &str,
    request: &Request,
    answer: &Value,
) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO _goop2_writes (peer, id, request, answer, at) VALUES (?, ?, ?, ?, unixepoch())",
    )?
    .execute((peer, id, digest_of(request), answer.to_string()))?;
    conn.prepare_cached(
        "DELETE FROM _goop2_writes WHERE number IN (
             SELECT number FROM _goop2_writes WHERE peer = ? ORDER BY number DESC LIMIT -1 OFFSET ?)",
    )?
    .execute((peer, MAX_OF_PEER))?;
    conn.prepare_cached(
        "DELETE FROM _goop2_writes WHERE at < unixepoch() - ?
         OR number <= (SELECT max(number) FROM _goop2_writes) - ?",
    )?
    .execute((KEPT, MAX))?;
    Ok(())
}

/// Of what is to be written, without its id.
fn digest_of(request: &Request) -> Vec<u8> {
    let plain = Request {
        extra: None,
        ..request.clone()
    };
    Sha256::digest(plain.encode()).to_vec()
}
