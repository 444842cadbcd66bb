//! What was done, so that it can be undone: the last changes of this run.

mod bin;
pub(crate) mod fault;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use goop2_proto::SitePath;

pub(crate) use self::bin::{Bin, Kept, new_folder};
use crate::{backup::Slot, db::template::Made, template::Template};

/// Changes that are remembered: more than anyone takes back one by one.
const MAX_UNDO: usize = 50;

/// Longest number that a caller gives to several changes.
const MAX_ID: usize = 64;

/// What is remembered between two changes, for as long as the peer's folder is open.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) bin: Bin,
    /// The template that was read last, and its number.
    pub(crate) imported: Mutex<Option<(u64, Arc<Template>)>>,
    /// The backup that was read last.
    pub(crate) backup: Mutex<Slot>,
}

/// Something was done that can be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// For [`crate::publish::Publish::undo`].
    pub id: String,
    /// What was done, as a sentence.
    pub message: String,
}

/// One part of a change.
#[derive(Debug)]
pub(crate) enum Step {
    /// This was not there before.
    Made(SitePath),
    /// It was at the first path before.
    Moved(SitePath, SitePath),
    /// It was at this path, and is in a bin.
    Removed(SitePath, Kept),
    /// Tables of a template were made.
    Tables(Made),
}

/// The changes to one site, the last one at the end. It is locked during a change: one at a time.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    changes: VecDeque<(String, Vec<Step>)>,
}

impl Journal {
    /// A change that was done.
    pub(crate) fn push(&mut self, steps: Vec<Step>, message: String) -> Undo {
        /// No number is given twice, also not by the journal of another site: a window may still
        /// offer to undo what was done before.
        static MADE: AtomicU64 = AtomicU64::new(1);
        let id = MADE.fetch_add(1, Ordering::Relaxed).to_string();
        self.keep(id.clone(), steps);
        Undo { id, message }
    }

    /// Puts steps after those of the change with this id, which may be new.
    pub(crate) fn extend(&mut self, id: &str, steps: Vec<Step>) {
        match self.changes.iter_mut().find(|(known, _)| known == id) {
            Some((_, change)) => change.extend(steps),
            None => self.keep(id.to_owned(), steps),
        }
    }

    /// The steps of a change, which is forgotten.
    pub(crate) fn take(&mut self, id: &str) -> Option<Vec<Step>> {
        let at = self.changes.iter().position(|(known, _)| known == id)?;
        self.changes.remove(at).map(|(_, steps)| steps)
    }

    pub(crate) fn keep(&mut self, id: String, steps: Vec<Step>) {
        if self.changes.len() == MAX_UNDO {
            self.changes.pop_front();
        }
        self.changes.push_back((id, steps));
    }
}

/// Whether a caller may give this id to its changes: none that [`Journal::push`] gives.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() <= MAX_ID
        && id.contains('-')
        && id.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
}
