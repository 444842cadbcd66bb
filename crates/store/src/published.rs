//! Which folder is published, and what was done in it: replaced as one while the peer runs, so that
//! a change that began in one folder ends there, and is never undone in another.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use crate::{journal::Journal, site::Site};

/// A site and the changes made to it. Work that holds it ends in its folder.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) site: Arc<Site>,
    pub(crate) journal: Arc<Mutex<Journal>>,
}

/// The one that visitors get.
pub(crate) struct Current {
    now: Mutex<Published>,
    tell: OnceLock<Tell>,
}

type Tell = Box<dyn Fn() + Send + Sync>;

impl Current {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            now: Mutex::new(Published::new(site)),
            tell: OnceLock::new(),
        }
    }

    pub(crate) fn get(&self) -> Published {
        self.now().clone()
    }

    /// Publishes this site instead, unless it is the same one.
    pub(crate) fn set(&self, site: Site) {
        let mut now = self.now();
        if now.site.is_same(&site) {
            return;
        }
        *now = Published::new(site);
        drop(now);
        if let Some(tell) = self.tell.get() {
            tell();
        }
    }

    /// Only the first listener counts.
    pub(crate) fn on_set(&self, tell: Tell) {
        let _second = self.tell.set(tell);
    }

    fn now(&self) -> MutexGuard<'_, Published> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Current").field(&self.now()).finish()
    }
}

impl Published {
    fn new(site: Site) -> Self {
        Self {
            site: Arc::new(site),
            journal: Arc::default(),
        }
    }
}
