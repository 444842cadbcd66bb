//! What keeps the database from working, told to whoever shows it to the owner.

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
    /// Only the first listener is told.
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
