//! The connections for strangers: few, shared, and never all for the same few.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use goop2_proto::{PeerId, data::Answer};
use rusqlite::Connection;

use super::{fault, sandbox, stop::Stop};

/// Queries of strangers that run at once; more wait. Two keep a small host busy, the others
/// bridge slow ones.
const MAX_READERS: usize = 6;
/// How many of them stay free when somebody takes a second one: whatever a few visitors ask, the
/// next one is served.
const KEPT_FREE: usize = 2;
/// How long a query waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The connections for strangers: opened when first needed, at most [`MAX_READERS`], each used by
/// one query at a time.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    stop: Stop,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug)]
struct Pool {
    idle: Vec<Connection>,
    /// How many more may be in use at the same time.
    vacancies: usize,
    /// How many each visitor uses.
    in_use: HashMap<PeerId, usize>,
}

impl Pool {
    fn admits(&self, peer: &PeerId) -> bool {
        match self.in_use.get(peer) {
            None => self.vacancies > 0,
            Some(_) => self.vacancies > KEPT_FREE,
        }
    }
}

/// Frees its slot however the query ends, and the connection too unless it panicked.
struct Turn<'a> {
    readers: &'a Readers,
    peer: PeerId,
    conn: Option<Connection>,
}

impl Readers {
    pub(super) fn new(path: &Path, stop: Stop) -> Self {
        let pool = Pool {
            idle: Vec::new(),
            vacancies: MAX_READERS,
            in_use: HashMap::new(),
        };
        Self {
            path: path.to_owned(),
            stop,
            pool: Mutex::new(pool),
            returned: Condvar::new(),
        }
    }

    pub(super) fn with(
        &self,
        peer: &PeerId,
        operation: impl FnOnce(&mut Connection) -> Answer,
    ) -> Answer {
        let mut turn = self
            .wait(peer)
            .ok_or("too many queries at the moment, try again")?;
        let mut conn = match turn.conn.take() {
            Some(conn) => conn,
            None => sandbox::open_confined(&self.path).map_err(fault::answer)?,
        };
        let answer = operation(&mut conn);
        turn.conn = Some(conn);
        answer
    }

    fn wait(&self, peer: &PeerId) -> Option<Turn<'_>> {
        let (mut pool, _) = self
            .returned
            .wait_timeout_while(self.pool(), MAX_WAIT, |pool| {
                !self.stop.is_stopped() && !pool.admits(peer)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if !pool.admits(peer) {
            return None;
        }
        pool.vacancies -= 1;
        *pool.in_use.entry(*peer).or_default() += 1;
        Some(Turn {
            readers: self,
            peer: *peer,
            conn: pool.idle.pop(),
        })
    }

    /// Lets those who wait see that the database stops.
    pub(super) fn wake(&self) {
        // A thread about to wait has seen it by now, or waits already.
        drop(self.pool());
        self.returned.notify_all();
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
        if let Some(used) = pool.in_use.get_mut(&self.peer) {
            *used -= 1;
            if *used == 0 {
                pool.in_use.remove(&self.peer);
            }
        }
        // Some of those that wait may not take it.
        self.readers.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::migrate;

    #[test]
    fn a_panic_gives_the_place_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let _writer = migrate::open(&path).unwrap();
        let readers = Readers::new(&path, Stop::default());
        for _ in 0..2 * MAX_READERS {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                readers.with(&PeerId::random(), |_| panic!("on purpose"))
            }));
            assert!(panicked.is_err());
        }
        assert_eq!(readers.with(&PeerId::random(), |_| Ok(None)), Ok(None));
        assert_eq!(readers.pool().vacancies, MAX_READERS);
    }

    #[test]
    fn a_few_visitors_leave_room_for_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let readers = Readers::new(&dir.path().join("data.db"), Stop::default());
        let (one, two, next) = (PeerId::random(), PeerId::random(), PeerId::random());
        let mut turns = vec![];
        for peer in [one, one, one, two, two, two] {
            if readers.pool().admits(&peer) {
                turns.push(readers.wait(&peer).unwrap());
            }
        }
        assert!(!readers.pool().admits(&one) && !readers.pool().admits(&two));
        assert!(readers.pool().admits(&next));
        let _turn = readers.wait(&next).unwrap();
        assert!(readers.pool().admits(&PeerId::random()));
        turns.clear();
        assert!(readers.pool().admits(&one));
    }
}
