//! The owner's work on the site: looking at what is in its folder, and changing it.
//!
//! The folder is a capability here too: every path is a [`SitePath`](goop2_proto::SitePath) that is opened within it, so no
//! name and no link leads a change out of the site. Everything that takes something away goes to a
//! bin and into a journal, from which it is undone.

mod add;
mod apply;
mod backup;
mod change;
mod files;
mod links;
mod names;
mod path;
mod text;

use std::{
    path::Path,
    sync::{Arc, MutexGuard, PoisonError},
};

use cap_std::{ambient_authority, fs::Dir};

use self::names::Names;
pub use self::{
    add::{Added, Clash, Progress, Receiving, Upload},
    apply::{Offered, Plan},
    backup::Incoming,
    files::{Entry, Files},
    links::Broken,
    text::{MAX_TEXT, Text},
};
pub use crate::{
    backup::{Contents, MAX_BACKUP, Made},
    journal::{Undo, fault::Fault},
};
use crate::{
    folder::Folder,
    journal::{Journal, State, fault::io},
    published::Published,
    site::Site,
    template::Template,
};

/// The site of a folder, for its owner: the one that is published when this is made. Everything
/// blocks (disk).
#[derive(Clone, Debug)]
pub struct Publish<'a> {
    folder: &'a Folder,
    state: &'a State,
    published: Published,
}

impl Folder {
    /// The site, for its owner.
    pub fn publish(&self) -> Publish<'_> {
        Publish {
            folder: self,
            state: self.state(),
            published: self.published(),
        }
    }
}

impl<'a> Publish<'a> {
    /// Keeps what is removed in the peer's own folder from now on, not in the system's bin.
    pub fn keep_removed(&self) {
        self.state.bin.stay_inside();
    }

    fn site(&self) -> &Site {
        &self.published.site
    }

    fn root(&self) -> &Path {
        self.site().root()
    }

    fn open(&self) -> Result<Dir, Fault> {
        Dir::open_ambient_dir(self.root(), ambient_authority())
            .map_err(io("open", &self.root().to_string_lossy()))
    }

    fn imported(&self) -> MutexGuard<'a, Option<(u64, Arc<Template>)>> {
        self.state
            .imported
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        let journal = &self.published.journal;
        journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// "1 file", "2 files".
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}
